"""Conventions of a lab's tables; see metadata.py."""

from heteroage.tables.metadata import Conventions as Conventions
