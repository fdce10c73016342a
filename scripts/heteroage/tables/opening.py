"""Opening tables: any kind of file, a pipe, standard input, or a pandas frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from heteroage.errors import HeteroAgeError
from heteroage.probes import is_probe
from heteroage.tables import kinds
from heteroage.tables.conventions import Conventions
from heteroage.tables.layout import DETECT, IsCpg, find_layout
from heteroage.tables.source import Source
from heteroage.tables.table import Table

if TYPE_CHECKING:
    import pandas as pd

CALLS = (4, 6, 7)  # columns of Bismark's bedGraph, coverage and CpG report, which have no header


def open_table(
    path: str | Path,
    is_cpg: IsCpg,
    conventions: Conventions | None = None,
    *,
    where: str = "",
    like: str = "cg00000029",
    orientation: str = DETECT,
    allow_pickle: bool = False,
) -> Table:
    """Open a table of any kind, in either orientation. Values are read when its blocks or parts are gone through.

    Parameters
    ----------
    path : a file, a pipe, or `-` for standard input
    is_cpg : whether a name is that of a CpG
    where : what messages call it; else its path
    like : how a CpG is named, for messages

    Raises
    ------
    HeteroAgeError
        A file that cannot be read as a table; neither or both of rows and columns named as CpGs; nothing names samples.
    """
    where = where or ("standard input" if str(path) == "-" else str(path))
    conventions = conventions or Conventions()
    source, keep = open_source(path, where, conventions.missing_values, allow_pickle)
    return arrange(source, keep, where, is_cpg, conventions, orientation, like)


def arrange(
    source: Source,
    keep: list[BinaryIO],
    where: str,
    is_cpg: IsCpg,
    conventions: Conventions,
    orientation: str = DETECT,
    like: str = "cg00000029",
) -> Table:
    """Find samples and CpGs in an opened file; as `open_table`."""
    return Table(where, source, find_layout(source, is_cpg, conventions, orientation, like), is_cpg, conventions, keep)


def from_frame(
    frame: pd.DataFrame, is_cpg: IsCpg, conventions: Conventions | None = None, where: str = "the table"
) -> Table:
    """Take a pandas frame for a table."""
    from heteroage.tables.frames import FrameSource

    return arrange(FrameSource(frame, where), [], where, is_cpg, conventions or Conventions())


def open_source(
    path: str | Path, where: str, missing_values: Sequence[str] = (), allow_pickle: bool = False
) -> tuple[Source, list[BinaryIO]]:
    """Open a file by its kind; returns it and what has to stay open as long."""
    if str(path).endswith((".cov", ".cov.gz")):
        raise _calls(where)
    path, copy = kinds.local_copy(path)
    kind, path, unpacked = kinds.unpacked(path, where)
    keep = [file for file in (copy, unpacked) if file is not None]
    if kind == kinds.TEXT:
        from heteroage.tables.text import TextSource

        source = TextSource(path, where, missing_values)
        if len(source.header) in CALLS and is_probe(":".join(source.header[:2])):
            raise _calls(where)
        return source, keep
    if kind in (kinds.PARQUET, kinds.FEATHER):
        from heteroage.tables.columnar import FeatherSource, ParquetSource

        return (ParquetSource if kind == kinds.PARQUET else FeatherSource)(path, where), keep
    from heteroage.tables import frames

    if kind == kinds.PICKLE:
        return frames.read_pickle(path, where, allow_pickle), keep
    return (frames.AnnDataSource if kind == kinds.H5AD else frames.SheetSource)(path, where), keep


def _calls(where: str) -> HeteroAgeError:
    """What to say of one sample's methylation calls."""
    return HeteroAgeError(
        f"{where} holds the calls of one sample, as Bismark writes them. Give coverage files, whose names end in .cov "
        'or .cov.gz. In the config, name them by a pattern: {file: "data/*.cov.gz", least_coverage: 5}.'
    )
