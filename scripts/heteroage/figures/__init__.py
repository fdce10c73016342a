"""Pictures of a run, a module per idea. Each function takes frames and returns a Picture."""
