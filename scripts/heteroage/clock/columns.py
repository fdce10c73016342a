"""Which columns of a table a clock uses, whatever they are called there, and their cells as numbers and text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError, listed
from heteroage.labels import MISSING
from heteroage.probes import is_pc, plain_name, split_modality

ANCHOR = "Stage1_Pred_Age"
CORRECTION = "_Correction"
METADATA = frozenset({"sample_id", "Tissue", "Sex", "Age", ANCHOR})
TEXT = ("sample_id", "Tissue", "Sex")
Cells = pa.Array | NDArray | Sequence  # a column, or a pandas array


class Wanted:
    """The columns that a clock may use: its features (by any name they go by), metadata and earlier stages' output."""

    def __init__(self, features: Iterable[str]) -> None:
        self.features = frozenset(features)
        self.probes = frozenset(name.split("_", 1)[0] for name in self.features)
        modalities = {split_modality(name)[1] for name in self.features if not is_pc(name)}
        self.modality = modalities.pop() if len(modalities) == 1 else None

    def among(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that may be used. Quick on a million names: most fall at the first look."""
        probes, features = self.probes, self.features
        return [
            name
            for name in names
            if name in features
            or name in METADATA
            or (name.split("_", 1)[0] in probes and self.feature(name))
            or name.endswith(CORRECTION)
            or is_pc(name)
        ]

    def feature(self, name: str) -> str | None:
        """The feature that a column measures: by its own name, as an EPICv2 replicate, or without the suffix of the
        clock's only modality."""
        plain = plain_name(name)
        if plain not in self.features and self.modality and split_modality(plain)[1] is None:
            plain = f"{plain}_{self.modality}"
        return plain if plain in self.features else None

    def columns_of(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Each feature's columns among `names`, sorted; several are replicates, to be averaged.

        Raises
        ------
        HeteroAgeError
            A CpG stands there both with and without its modality's suffix.
        """
        found: dict[str, list[str]] = {}
        for name in names:
            feature = self.feature(name)
            if feature is not None:
                found.setdefault(feature, []).append(name)
        both = [feature for feature, own in found.items() if len({split_modality(name)[1] for name in own}) > 1]
        if both:
            raise HeteroAgeError(
                f"CpGs both with and without their modality's suffix ({listed(sorted(both))}). Keep one."
            )
        return {feature: sorted(own) for feature, own in found.items()}


def to_numbers(raw: Cells, name: str, ids: Sequence[str]) -> NDArray[np.float64]:
    """A column's cells as float64, missing as NaN.

    Parameters
    ----------
    raw : Arrow array, or NumPy array or pandas series of numbers or objects
    ids : the samples', for messages

    Raises
    ------
    HeteroAgeError
        Text, true/false or infinity: says how many, and the first.
    """
    kind = getattr(raw, "type", None)
    if kind is not None and (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
        values = floats_of(pc.cast(raw, pa.float64(), safe=False))
    elif kind is None and getattr(raw, "dtype", None) is not None and getattr(raw.dtype, "kind", "O") in "fiu":
        values = (
            raw.to_numpy(np.float64, na_value=np.nan) if hasattr(raw, "to_numpy") else np.asarray(raw, dtype=np.float64)
        )
        values = np.ascontiguousarray(values)
    else:
        cells = raw.to_pylist() if kind is not None else list(raw)
        parsed = [_number(cell) for cell in cells]
        text = [f"{str(cell)!r} at {ids[k]}" for k, cell in enumerate(cells) if parsed[k] is None]
        if text:
            raise text_error(name, text)
        values = np.array(parsed, dtype=np.float64)
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise HeteroAgeError(
            f"column {name} holds infinite values ({listed([ids[k] for k in infinite])}). Correct them."
        )
    return values


def floats_of(array: pa.Array) -> NDArray[np.float64]:
    """An Arrow array of float64, missing as NaN; read-only. (Arrow's own `to_numpy` would import pandas.)"""
    rows = slice(array.offset, array.offset + len(array))
    mask, data = array.buffers()
    values = np.frombuffer(data or b"", dtype=np.float64)[rows]
    if array.null_count:
        valid = np.unpackbits(np.frombuffer(mask, dtype=np.uint8), bitorder="little")[rows]
        values = np.where(valid, values, np.nan)
    return values


def text_error(name: str, cells: Sequence[str]) -> HeteroAgeError:
    """What to say of text in a column of numbers; `cells` are described as "'n.d.' at sample"."""
    return HeteroAgeError(
        f"column {name} holds text where numbers belong ({listed(cells)}). Leave unknown values empty."
    )


def _number(cell: object) -> float | None:
    """A cell as a number, NaN where empty, None where it is something else."""
    if cell is None or cell is _pandas_na() or cell != cell:
        return np.nan
    if isinstance(cell, str):
        cell = cell.strip()
        if cell in MISSING:
            return np.nan
    if isinstance(cell, (bool, np.bool_, bytes)) or (isinstance(cell, str) and "_" in cell):
        return None
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def _pandas_na() -> object:
    import sys

    pandas = sys.modules.get("pandas")
    return pandas.NA if pandas else np.nan


def to_text(raw: Cells) -> list[str | None]:
    """A column's cells as text, stripped; None where missing."""
    if hasattr(raw, "type"):
        if pa.types.is_dictionary(raw.type):
            raw = pc.cast(raw, raw.type.value_type)
        cells = pc.cast(raw, pa.string()).to_pylist() if not pa.types.is_null(raw.type) else [None] * len(raw)
    else:
        na = _pandas_na()
        cells = [None if cell is None or cell is na or cell != cell else str(cell) for cell in raw]
    return [None if cell is None else cell.strip() for cell in cells]


def check_ids(cells: Sequence[str | None], where: str) -> list[str]:
    """The samples' ids, or an error where a row has none."""
    without = sum(not cell for cell in cells)
    if without:
        raise HeteroAgeError(f"{where} has rows without a sample_id ({without}). Give each sample one.")
    return list(cells)  # type: ignore[arg-type]


class SeenIds:
    """The ids of the parts read so far; says which stand on several rows."""

    def __init__(self, where: str) -> None:
        self.where = where
        self._seen: set[str] = set()

    def add(self, ids: Sequence[str]) -> None:
        """Take in a part's ids.

        Raises
        ------
        HeteroAgeError
            One was there already.
        """
        new = set(ids)
        if len(new) == len(ids) and self._seen.isdisjoint(new):
            self._seen |= new
            return
        counts: dict[str, int] = {}
        for one in ids:
            counts[one] = counts.get(one, 0) + 1
        twice = sorted(one for one, count in counts.items() if count > 1 or one in self._seen)
        raise HeteroAgeError(f"{self.where} has duplicate sample_ids ({listed(twice)}). Keep one row per sample.")


def missing_ids(names: Sequence[str], where: str) -> HeteroAgeError:
    """What to say of a table that does not say which sample a row is."""
    return HeteroAgeError(
        f"{where} has no column sample_id (it has {listed(names)}), and its first column names no CpGs. "
        "Name the column that identifies samples sample_id."
    )
