"""Conventions tables, for training and for prediction: kind of file, layout, names, values, metadata."""
