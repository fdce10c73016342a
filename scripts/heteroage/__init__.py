"""heteroage: a heterogeneity-aware epigenetic age clock in three stages."""

__version__ = "0.1.0"
