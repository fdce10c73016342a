"""Which samples are held out together, and how groups are dealt into folds."""
