"""Opening tables: any kind of file, a pipe, standard input, or a pandas frame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from heteroage.tables import kinds
from heteroage.tables.layout import SAMPLES_IN_ROWS, IsCpg, find_layout
from heteroage.tables.source import Source
from heteroage.tables.table import Reading, Table

if TYPE_CHECKING:
    import pandas as pd


def open_table(
    path: str | Path, is_cpg: IsCpg, reading: Reading | None = None, where: str = "", like: str = "cg00000029"
) -> Table:
    """Open a table of any kind, in either orientation. Values are read when its blocks or parts are gone through.

    Parameters
    ----------
    path : a file, a pipe, or `-` for standard input
    is_cpg : whether a name is that of a CpG
    where : what messages call it; else its path

    Raises
    ------
    HeteroAgeError
        A file that cannot be read as a table; neither or both of rows and columns named as CpGs; nothing names samples.
    """
    where = where or ("standard input" if str(path) == "-" else str(path))
    reading = reading or Reading()
    source, keep = open_source(path, where, reading)
    return Table(where, source, find_layout(source, is_cpg, reading.columns, reading.orientation, like), reading, keep)


def open_sheet(path: str | Path, reading: Reading, where: str) -> Table:
    """Open a table of metadata alone, a row per sample."""
    source, keep = open_source(path, where, reading)
    layout = find_layout(source, lambda name: False, reading.columns, SAMPLES_IN_ROWS)
    return Table(where, source, layout, reading, keep)


def from_frame(frame: pd.DataFrame, is_cpg: IsCpg, reading: Reading | None = None, where: str = "the table") -> Table:
    """Take a pandas frame for a table."""
    from heteroage.tables.frames import FrameSource

    source, reading = FrameSource(frame, where), reading or Reading()
    return Table(where, source, find_layout(source, is_cpg, reading.columns, reading.orientation), reading)


def open_source(path: str | Path, where: str, reading: Reading) -> tuple[Source, list[BinaryIO]]:
    """Open a file by its kind; returns it and what has to stay open as long."""
    path, copy = kinds.local_copy(path)
    kind, path, unpacked = kinds.unpacked(path, where)
    keep = [file for file in (copy, unpacked) if file is not None]
    if kind == kinds.TEXT:
        from heteroage.tables.text import TextSource

        return TextSource(path, where, reading.words), keep
    if kind in (kinds.PARQUET, kinds.FEATHER):
        from heteroage.tables.columnar import FeatherSource, ParquetSource

        return (ParquetSource if kind == kinds.PARQUET else FeatherSource)(path, where), keep
    from heteroage.tables import frames

    if kind == kinds.PICKLE:
        return frames.read_pickle(path, where, reading.allow_pickle), keep
    return (frames.AnnDataSource if kind == kinds.H5AD else frames.SheetSource)(path, where), keep
