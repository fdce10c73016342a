"""Summary, model card and report page of a run."""
