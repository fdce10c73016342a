"""Common interface of all file formats: column names, and rows in batches."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from heteroage.tables.cells import UnreadableCells, matrix_of, number_of, texts_of

T = TypeVar("T")
NUMBER_WITH_SIGN = re.compile(r"[<>~=]?\s*[-+]?[\d.,]*\d[\d.,]*\s*[%*]?")
LOOK = 50  # number of first rows used to detect a column's type


@dataclass
class Batch:
    """A batch of rows of a file.

    places : the rows' numbers in the file
    arrays : reads some columns, in the order asked for
    matrix : in place of `arrays`, for numbers, where the file holds a matrix; None where it holds something else
    """

    places: NDArray[np.int64]
    arrays: Callable[[Sequence[int]], list[pa.Array]]
    matrix: Callable[[Sequence[int]], NDArray[np.float64] | None] | None = None

    def __len__(self) -> int:
        return len(self.places)

    def text(self, column: int) -> list[str | None]:
        """Return a column as text, None for missing cells."""
        return texts_of(self.arrays([column])[0])

    def numbers(self, columns: Sequence[int], also: Collection[str] = ()) -> NDArray[np.float64]:
        """Return columns as numbers (rows, columns), missing as NaN.

        Raises
        ------
        UnreadableCells
            Text among them: rows are numbered as in the file, columns as in `columns`.
        """
        if self.matrix is not None and (found := self.matrix(columns)) is not None:
            return found
        try:
            return matrix_of(self.arrays(columns), also)
        except UnreadableCells as problem:
            cells = [(int(self.places[row]), column, text) for row, column, text in problem.cells]
            raise UnreadableCells(cells, problem.total) from None


@dataclass
class Source:
    """Base class of all file formats.

    header : the columns' names, stripped, "" where a column has none
    n_rows : None where it is not known before the file was read
    index : the column that pandas wrote as a frame's index, if any
    at_once : columns read at a time, where reading more would take too much memory
    notes : what was left out on the way: {step: how many}
    """

    where: str
    header: list[str] = field(default_factory=list)
    n_rows: int | None = None
    index: int | None = None
    at_once: int | None = None
    notes: dict[str, int] = field(default_factory=dict)
    kind = ""

    def numeric(self, column: int) -> bool:
        """Tell whether a column has a numeric type, so that it cannot contain names."""
        raise NotImplementedError

    def batches(
        self, text: Sequence[int], values: Sequence[int], rows: NDArray[np.bool_] | None = None
    ) -> Iterator[Batch]:
        """Yield the rows in batches; `text` and `values` are all columns that will be used.

        Parameters
        ----------
        rows : which of the file's rows are wanted, once the file was gone through without it

        Raises
        ------
        HeteroAgeError
            A file that is cut short or not built as a table.
        """
        raise NotImplementedError

    def texts(self, columns: Sequence[int]) -> list[list[str | None]]:
        """Return complete columns as text, in one pass over the file."""
        found: list[list[str | None]] = [[] for _ in columns]
        for batch in self.batches(columns, []):
            for cells, column in zip(found, columns, strict=True):
                cells += batch.text(column)
        return found

    def first(self, columns: Sequence[int]) -> list[list[str | None]]:
        """Return the first cells of some columns as text."""
        for batch in islice(self.batches(columns, []), 1):
            return [batch.text(k) for k in columns]
        return [[] for _ in columns]

    def textual(self, columns: Sequence[int]) -> set[int]:
        """Return the columns whose first cells are text and not numbers."""
        found = set()
        candidates = [k for k in columns if not self.numeric(k)]
        step = self.at_once or len(candidates) or 1
        for start in range(0, len(candidates), step):
            group = candidates[start : start + step]
            for batch in islice(self.batches(group, []), 1):
                found |= {k for k in group if is_all_text(batch.text(k)[:LOOK])}
        return found

    def note(self, step: str, found: int) -> None:
        """Return counts of skipped lines and rows."""
        if found:
            self.notes[step] = self.notes.get(step, 0) + found


def is_all_text(cells: Sequence[str | None]) -> bool:
    """Tell whether all cells are text and not numbers (0,5 and 50% are numbers). Empty cells are ignored."""
    given = [cell for cell in cells if cell is not None]
    return bool(given) and all(
        number_of(cell.replace(",", ".")) is None and not NUMBER_WITH_SIGN.fullmatch(cell) for cell in given
    )


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield `items`, and compute the next item in a thread while one is used."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield item
