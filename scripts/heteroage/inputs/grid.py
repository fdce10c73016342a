"""What every reader gives: a frame of text columns, and a matrix of values to go through block by block."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.errors import FIRST
from heteroage.labels import MISSING

BLOCK_BYTES = 16 << 20  # of values held at a time: larger blocks are slower, as their memory is always fresh
POPULATE_WRITE = 23  # madvise of Linux 5.14: all pages at once, a fortieth of the time that they take one by one
HEADER_BYTES = 128  # of a .npy file of two dimensions

T = TypeVar("T")
Block = tuple[slice, slice, NDArray[np.float32]]


@dataclass(frozen=True)
class Grid:
    """A table as it stands in its file: rows and columns, whichever of them the samples are.

    text : frame of the text columns asked for, in that order, a row per row of the file
    blocks() : goes through the values once: (rows, columns, values of that block as float32). Blocks of whole rows or
        of whole columns, as was asked for and the file allows
    spool : where its rows already lie in a file of their own
    """

    text: pd.DataFrame
    n_rows: int
    n_columns: int
    blocks: Callable[[], Iterator[Block]]
    spool: Spool | None = None


@dataclass(frozen=True)
class Cell:
    """A value that is no number: where it stands among a grid's values, and what it says."""

    row: int
    column: int
    text: str


class UnreadableCells(Exception):  # noqa: N818, it is caught and told in terms of samples and CpGs
    """Values that are no numbers: the first of them, and how many there are."""

    def __init__(self, cells: list[Cell], total: int) -> None:
        super().__init__(cells)
        self.cells, self.total = cells, total


class BadCells:
    """The first cells that hold no number, and how many there are."""

    def __init__(self) -> None:
        self.cells: list[Cell] = []
        self.total = 0

    def add(self, cell: Cell) -> None:
        """Count one more."""
        self.total += 1
        if len(self.cells) < FIRST:
            self.cells.append(cell)

    def take(self, part: UnreadableCells, row: int, column: int) -> None:
        """Count those of a part, which begins at this row and column."""
        self.cells += [Cell(row + c.row, column + c.column, c.text) for c in part.cells[: FIRST - len(self.cells)]]
        self.total += part.total

    def tell(self) -> None:
        """Raise UnreadableCells if there are any."""
        if self.total:
            raise UnreadableCells(self.cells, self.total)


def as_number(field: str) -> float | None:
    """Read a field as a number: NaN where it is one of the usual spellings of missing, None where it is neither."""
    field = field.strip()
    if field in MISSING:
        return np.nan
    try:
        return None if "_" in field else float(field)
    except ValueError:
        return None


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Go through `items`, the next one being made in a thread while one is used."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield item


class Spool:
    """Rows of float32 on their way from a stream to the store: in a nameless file that ends with the process."""

    def __init__(self, folder: Path, n_columns: int) -> None:
        self.n_rows, self.n_columns = 0, n_columns
        try:
            self._file = os.fdopen(os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o666), "w+b")
        except (AttributeError, OSError):  # no such files on this system, or in this folder
            self._file = tempfile.TemporaryFile(dir=folder, prefix=".spool")  # noqa: SIM115, lives as long as its grid
        self._file.write(bytes(HEADER_BYTES))

    def append(self, rows: NDArray[np.float32]) -> None:
        """Write rows (n, n_columns) behind those that are there."""
        self._file.write(np.ascontiguousarray(rows, np.float32).data)
        self.n_rows += len(rows)

    def blocks(self, by_columns: bool) -> Iterator[Block]:
        """Go through the spool by blocks of columns, or have it whole, mapped."""
        self._file.flush()
        if not by_columns and self.n_rows and self.n_columns:
            yield slice(0, self.n_rows), slice(0, self.n_columns), self._mapped("r")
        if not by_columns:
            return
        step = max(1, BLOCK_BYTES // (4 * max(self.n_rows, 1)))
        for start in range(0, self.n_columns, step):
            columns = slice(start, min(start + step, self.n_columns))
            width = columns.stop - start
            values = np.empty((self.n_rows, width), np.float32)
            for row in range(self.n_rows):
                at = HEADER_BYTES + 4 * (row * self.n_columns + start)
                values[row] = np.frombuffer(os.pread(self._file.fileno(), 4 * width, at), np.float32)
            yield slice(0, self.n_rows), columns, values

    def become(self, path: Path) -> np.memmap | None:
        """Give the file a name, and its rows to be written; None where the system cannot."""
        self._file.flush()
        folder = os.open(path.parent, os.O_RDONLY)
        try:  # with a folder's number, link goes where /proc points to, as it must
            os.link(f"/proc/self/fd/{self._file.fileno()}", path.name, dst_dir_fd=folder)
        except (OSError, NotImplementedError):
            return None
        finally:
            os.close(folder)
        rows = self._mapped("r+")
        with suppress(OSError):  # an older system: pages are then got one by one, when they are met
            rows._mmap.madvise(POPULATE_WRITE)
        return rows

    def end(self, n_rows: int) -> None:
        """Make a .npy file of the first rows."""
        header = io.BytesIO()
        shape = {"descr": "<f4", "fortran_order": False, "shape": (n_rows, self.n_columns)}
        np.lib.format.write_array_header_1_0(header, shape)
        assert len(header.getvalue()) == HEADER_BYTES
        os.pwrite(self._file.fileno(), header.getvalue(), 0)
        os.ftruncate(self._file.fileno(), HEADER_BYTES + 4 * n_rows * self.n_columns)

    def _mapped(self, mode: str) -> np.memmap:
        return np.memmap(self._file, np.float32, mode, HEADER_BYTES, (self.n_rows, self.n_columns))
