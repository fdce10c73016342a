"""Elastic-net paths of many training sets at once, computed from the memory-mapped store."""
