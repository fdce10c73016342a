"""From any cohort's tables to one feature store."""
