"""Pandas frames, AnnData files and Excel workbooks."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError, listed
from heteroage.tables import kinds
from heteroage.tables.header import is_title
from heteroage.tables.source import LOOK, Batch, Source, number_of, text_array

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 64 << 20  # bytes of a matrix read at a time


class FrameSource(Source):
    """A pandas frame. Its index becomes a column if it has a name or contains text."""

    def __init__(self, frame: pd.DataFrame, where: str, kind: str = "frame") -> None:
        super().__init__(where, n_rows=len(frame))
        self.kind = kind
        if frame.index.name is not None or frame.index.nlevels > 1 or frame.index.dtype.kind not in "iu":
            names = [name or "" for name in frame.index.names]
            frame = frame.reset_index(names=names, allow_duplicates=True)
            self.index = 0 if len(names) == 1 else None
        self._frame = frame
        self.header = [" ".join(map(str, name)) if isinstance(name, tuple) else str(name).strip() for name in frame]

    def numeric(self, column: int) -> bool:
        """Tell whether a column has a numeric type."""
        return _kind_of(self._frame.dtypes.iloc[column]) in "iufb"

    def batches(
        self, text: Sequence[int], values: Sequence[int], rows: NDArray[np.bool_] | None = None
    ) -> Iterator[Batch]:
        """Yield the frame as one batch."""
        places = np.arange(len(self._frame)) if rows is None else np.flatnonzero(rows)
        frame = self._frame if rows is None else self._frame.iloc[places]

        def matrix(wanted: Sequence[int]) -> NDArray[np.float64] | None:
            part = frame.iloc[:, list(wanted)]
            numbers = all(_kind_of(kind) in "iuf" for kind in part.dtypes)
            return part.to_numpy(np.float64, na_value=np.nan) if numbers else None

        if len(places):
            yield Batch(places, lambda wanted: [_array(frame.iloc[:, k]) for k in wanted], matrix)


class AnnDataSource(Source):
    """An .h5ad file, its matrix left on disk: obs are rows, with their columns; var_names are the other columns."""

    kind = kinds.H5AD

    def __init__(self, path: Path, where: str) -> None:
        anndata = _package("anndata", f"cannot read {where}:", "'heteroage-clock[h5ad]', or save the table as Parquet.")
        try:
            self._data = anndata.read_h5ad(path, backed="r")
        except KeyError as error:
            raise HeteroAgeError(
                f"{where} is HDF5, and no .h5ad: {error.args[0]}. Write it with anndata, or save the table as Parquet."
            ) from error
        except Exception as error:  # any error of anndata and h5py for a damaged file
            raise HeteroAgeError(f"cannot read {where}: {str(error).splitlines()[0]}. {kinds.CUT_SHORT}") from error
        if self._data.X is None:
            raise HeteroAgeError(
                f"{where} has no matrix X ({listed(self._data.layers)} are layers). Set X to the betas."
            )
        super().__init__(where, n_rows=self._data.n_obs)
        # If the names of obs are CpGs, the samples are the columns, because the matrix contains only values.
        self._obs = self._data.obs.reset_index(names=self._data.obs_names.name or "", allow_duplicates=True)
        self._width, self.index = self._obs.shape[1], 0
        self.header = [str(name).strip() for name in (*self._obs.columns, *self._data.var_names)]

    def numeric(self, column: int) -> bool:
        """Tell whether a column is in the matrix, or has a numeric type."""
        return column >= self._width or self._obs.dtypes.iloc[column].kind in "iufb"

    def batches(
        self, text: Sequence[int], values: Sequence[int], rows: NDArray[np.bool_] | None = None
    ) -> Iterator[Batch]:
        """Yield blocks of obs."""
        matrix = self._data.X
        if hasattr(matrix, "to_memory"):  # sparse, so small; and anndata 0.12 cannot slice it on disk with scipy 1.17
            matrix = matrix.to_memory().tocsr()
        step = max(1, BLOCK // (8 * max(1, self._data.n_vars)))
        for start in range(0, self._data.n_obs, step):
            places = np.arange(start, min(start + step, self._data.n_obs))
            kept = np.ones(len(places), bool) if rows is None else rows[places]
            block = None
            if values:
                block = matrix[places[0] : places[-1] + 1]
                block = np.asarray(block.toarray() if hasattr(block, "toarray") else block)[kept]
            if kept.any():
                yield self._batch(places[kept], block)

    def _batch(self, places: NDArray[np.int64], block: NDArray | None) -> Batch:
        def array(k: int) -> pa.Array:
            return _array(self._obs.iloc[places, k]) if k < self._width else pa.array(block[:, k - self._width])

        def matrix(wanted: Sequence[int]) -> NDArray[np.float64] | None:
            own = np.array(wanted) - self._width
            return None if block is None or (own < 0).any() else block[:, own].astype(np.float64)

        return Batch(places, lambda wanted: [array(k) for k in wanted], matrix)


class SheetSource(Source):
    """The first sheet of an Excel workbook with a table, read completely (sheets have at most a million rows)."""

    kind = kinds.XLSX

    def __init__(self, path: Path, where: str) -> None:
        problem = f"{where} is an Excel workbook, and"
        openpyxl = _package("openpyxl", problem, "'heteroage-clock[xlsx]', or save the sheet as CSV.")
        super().__init__(where)
        try:
            # Opened as a stream, because openpyxl rejects unknown file extensions.
            book = openpyxl.load_workbook(BytesIO(path.read_bytes()), read_only=True, data_only=True)
            sheets = {sheet.title: list(map(list, sheet.iter_rows(values_only=True))) for sheet in book.worksheets}
            book.close()
        except Exception as error:  # any error of openpyxl for a damaged file
            raise HeteroAgeError(f"cannot read {where} as an Excel workbook: {error!r}. {kinds.CUT_SHORT}") from error
        filled = {title: rows for title, rows in sheets.items() if sum(map(_is_filled, rows)) > 1}
        if not filled:
            raise HeteroAgeError(f"{where} has no sheet with a table (sheets: {listed(sheets)}). Check the file.")
        if len(filled) > 1:
            raise HeteroAgeError(f"{where} has several sheets with tables ({listed(filled)}). Save one of them as CSV.")
        (rows,) = filled.values()
        kept = [row for row in rows if _is_filled(row)]
        self.note("blank_rows", len(rows) - len(kept))
        at = next((k for k, row in enumerate(kept[:LOOK]) if _text(row[0]).lower() == "[data]"), -1) + 1
        width = max(map(len, kept))
        names, *self._rows = [row + [None] * (width - len(row)) for row in kept[at:]]
        is_title(list(map(_text, names)), [list(map(_text, row)) for row in self._rows[:LOOK]], where, at + 1)
        self.header = list(map(_text, names))
        self.n_rows = len(self._rows)

    def numeric(self, column: int) -> bool:
        """Tell whether a column's first cells are numbers."""
        cells = [row[column] for row in self._rows[:LOOK] if row[column] is not None]
        return bool(cells) and not any(isinstance(cell, str) for cell in cells)

    def batches(
        self, text: Sequence[int], values: Sequence[int], rows: NDArray[np.bool_] | None = None
    ) -> Iterator[Batch]:
        """Yield the sheet as one batch."""
        places = np.arange(len(self._rows)) if rows is None else np.flatnonzero(rows)
        if len(places):
            yield Batch(places, lambda wanted: [_cells([self._rows[p][k] for p in places]) for k in wanted])


def read_pickle(path: Path, where: str, allowed: bool) -> FrameSource:
    """Unpickle a frame, if the config allows it."""
    if not allowed:
        raise HeteroAgeError(
            f"{where} is a pickle, and loading one runs whatever code is in it. If you trust where it comes from, set "
            "inputs.allow_pickle: true (training only); better, save the table as Parquet."
        )
    import pandas as pd

    try:
        frame = pd.read_pickle(path)
    except Exception as error:
        raise HeteroAgeError(f"cannot unpickle {where}: {error!r}. Save the table as Parquet.") from error
    if not isinstance(frame, pd.DataFrame):
        raise HeteroAgeError(f"{where} holds a {type(frame).__name__}, not a pandas DataFrame. Save a frame.")
    return FrameSource(frame, where, kinds.PICKLE)


def _package(name: str, problem: str, advice: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        text = f"{problem} the package {name} is not installed. Install it with pip install {advice}"
        raise HeteroAgeError(text) from error


def _kind_of(dtype: object) -> str:
    return getattr(dtype, "kind", "O")


def _array(column: pd.Series) -> pa.Array:
    try:
        found = pa.Array.from_pandas(column)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # cells of several types
        return _cells(column.tolist())
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _cells(cells: Sequence[object]) -> pa.Array:
    """Convert cells of several types to an Arrow array of numbers if possible, otherwise of text."""
    numbers = [None if isinstance(cell, str) else number_of(cell) for cell in cells]
    if all(number is not None for number in numbers):
        return pa.array(np.array(numbers, dtype=np.float64), from_pandas=True)
    return text_array([None if cell is None or cell != cell else _text(cell) for cell in cells])


def _text(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return "" if cell is None else str(cell).strip()


def _is_filled(row: Sequence[object]) -> bool:
    return any(cell is not None and str(cell).strip() for cell in row)
