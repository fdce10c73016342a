"""The three stages of the clock, and what they are trained on."""
