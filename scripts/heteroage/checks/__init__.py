"""The audit: checks of the input before training."""
