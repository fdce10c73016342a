"""Evaluation of a clock on held-out studies, and falsification tests."""
