"""Groups of samples that are held out together, and their assignment to folds."""
