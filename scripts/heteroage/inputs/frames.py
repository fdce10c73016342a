"""Tables that come whole into memory: pickled frames, and AnnData."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from heteroage.errors import HeteroAgeError
from heteroage.inputs.grid import BLOCK_BYTES, BadCells, Block, Cell, Grid, as_number


class FrameReader:
    """A frame as a reader gives it; its index is a column where it has a name or holds text."""

    def __init__(self, frame: pd.DataFrame, kind: str) -> None:
        self.format = kind
        plain = isinstance(frame.index, pd.RangeIndex) or (frame.index.name is None and frame.index.dtype.kind in "iu")
        if not plain:
            names = [name or "" for name in frame.index.names]
            frame = frame.reset_index(names=names, allow_duplicates=True)
        self._frame = frame
        self.header = [str(name) for name in frame.columns]

    def head(self, column: int) -> list[str]:
        """The first values of a column, as text; none where it holds numbers."""
        values = self._frame.iloc[:50, column]
        return [] if values.dtype.kind in "iufb" else [str(value) for value in values]

    def load(self, text: Sequence[int], values: Sequence[int], by_columns: bool, scratch: Path) -> Grid:
        """Columns `text` as a frame, columns `values` as blocks."""
        frame = self._frame.iloc[:, list(text)].set_axis(range(len(text)), axis=1).reset_index(drop=True)
        return Grid(frame, len(self._frame), len(values), lambda: self._blocks(values))

    def _blocks(self, values: Sequence[int]) -> Iterator[Block]:
        n_rows = len(self._frame)
        step = max(1, BLOCK_BYTES // (4 * max(n_rows, 1)))
        bad = BadCells()
        for start in range(0, len(values), step):
            columns = list(values[start : start + step])
            frame = self._frame.iloc[:, columns]
            if all(kind.kind in "iuf" for kind in frame.dtypes):
                block = frame.to_numpy(np.float32, na_value=np.nan)
            else:
                block = np.empty((n_rows, len(columns)), np.float32)
                for k in range(len(columns)):
                    for row, field in enumerate(frame.iloc[:, k]):
                        number = (
                            np.nan if pd.isna(field) else as_number(str(field)) if isinstance(field, str) else field
                        )
                        if number is None:
                            bad.add(Cell(row, start + k, field))
                        else:
                            block[row, k] = number
            if not bad.total:
                yield slice(0, n_rows), slice(start, start + len(columns)), block
        bad.tell()


class AnnDataReader:
    """An .h5ad file, its matrix left on disk: obs are rows, with their columns; var_names are the other columns."""

    format = "h5ad"

    def __init__(self, path: Path) -> None:
        try:
            import anndata
        except ImportError as error:
            raise HeteroAgeError(
                f"cannot read {path}: the package anndata is not installed. Install it with pip install "
                "'heteroage-clock[h5ad]', or save the table as Parquet."
            ) from error
        try:
            self._data = anndata.read_h5ad(path, backed="r")
        except Exception as error:  # whatever anndata and h5py make of a broken file
            raise HeteroAgeError(
                f"cannot read {path}: {str(error).splitlines()[0]}. Is it cut short? Copy or download it again."
            ) from error
        # The matrix holds values alone, so that obs with CpGs as names mean that samples are the columns.
        index = self._data.obs_names.name or ""
        self._obs = self._data.obs.reset_index(names=index)
        self._n_obs_columns = self._obs.shape[1]
        self.header = [*map(str, self._obs.columns), *map(str, self._data.var_names)]

    def head(self, column: int) -> list[str]:
        """The first values of a column of obs; none of the matrix, which holds numbers."""
        return self._obs.iloc[:50, column].astype(str).tolist() if column < self._n_obs_columns else []

    def load(self, text: Sequence[int], values: Sequence[int], by_columns: bool, scratch: Path) -> Grid:
        """Columns `text` of obs as a frame, columns `values` of the matrix as blocks."""
        frame = self._obs.iloc[:, list(text)].set_axis(range(len(text)), axis=1)
        return Grid(frame, len(frame), len(values), lambda: self._blocks(values))

    def _blocks(self, values: Sequence[int]) -> Iterator[Block]:
        columns = np.array(values) - self._n_obs_columns
        matrix = self._data.X
        if hasattr(matrix, "to_memory"):  # sparse, so small; and anndata 0.12 cannot slice it on disk with scipy 1.17
            matrix = matrix.to_memory().tocsr()
        step = max(1, BLOCK_BYTES // (4 * self._data.n_vars))
        for start in range(0, self._data.n_obs, step):
            rows = slice(start, min(start + step, self._data.n_obs))
            block = matrix[rows]
            block = block.toarray() if hasattr(block, "toarray") else np.asarray(block)
            yield rows, slice(0, len(values)), block[:, columns].astype(np.float32)


def read_pickle(path: Path, allowed: bool) -> FrameReader:
    """Unpickle a frame, where the config allows it."""
    if not allowed:
        raise HeteroAgeError(
            f"{path} is a pickle, and loading one runs whatever code is in it. If you trust where it comes from, set "
            "inputs.allow_pickle: true; better, save the table as Parquet."
        )
    try:
        frame = pd.read_pickle(path)
    except Exception as error:
        raise HeteroAgeError(f"cannot unpickle {path}: {error!r}. Save the table as Parquet.") from error
    if not isinstance(frame, pd.DataFrame):
        raise HeteroAgeError(f"{path} holds a {type(frame).__name__}, not a pandas DataFrame. Save a frame.")
    return FrameReader(frame, "pickle")
