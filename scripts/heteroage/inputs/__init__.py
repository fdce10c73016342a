"""Conversion of input tables to one feature store."""
