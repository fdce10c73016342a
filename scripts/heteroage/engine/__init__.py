"""Elastic-net paths of many training sets at once, straight from the mapped store."""
