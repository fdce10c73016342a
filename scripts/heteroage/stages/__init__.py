"""The three stages of the clock, and their training data."""
