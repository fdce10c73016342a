"""heteroage: a heterogeneity-aware epigenetic age clock in three stages."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heteroage.loading import load_clock as load_clock
    from heteroage.predict import Clock as Clock

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """`heteroage.load_clock` and `heteroage.Clock`, imported when asked for: `heteroage --version` does without."""
    if name in ("load_clock", "Clock"):
        from heteroage import loading

        return getattr(loading, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
