"""heteroage: a heterogeneity-aware epigenetic age clock in three stages."""

import gc
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heteroage.clock.loading import load_clock as load_clock
    from heteroage.clock.predict import Clock as Clock

__version__ = "0.1.0"

# Environment variable with the process id of the Snakemake that runs the script.
SNAKEMAKE_PID = "HETEROAGE_SNAKEMAKE_PID"
# Searching for garbage takes a sixth of the time of imports. In a job of Snakemake it begins with the script's `main`.
if SNAKEMAKE_PID in os.environ:
    gc.disable()


def __getattr__(name: str) -> object:
    """Import `load_clock` and `Clock` on first use, so that `heteroage --version` is fast."""
    if name in ("load_clock", "Clock"):
        from heteroage.clock import loading

        return getattr(loading, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
