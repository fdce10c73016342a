"""All formats other than text and Excel workbooks: Parquet, Feather, AnnData files and pandas frames."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError, listed
from heteroage.files import CUT_SHORT
from heteroage.labels import clean
from heteroage.tables.metadata import Conventions, find_columns
from heteroage.tables.source import Batch, Source, is_text, text_of

if TYPE_CHECKING:
    import pandas as pd

READ_BYTES = 64 << 20  # bytes of values read at a time, so that memory is reused
# Limits of the footer (bytes and items). pyarrow's default limits reject 450,000 columns.
FOOTER = {"thrift_string_size_limit": 2**31 - 1, "thrift_container_size_limit": 2**31 - 1}
UNNAMED = "__index_level_0__"  # pandas' name of an index without a name


class ColumnarSource(Source):
    """A Parquet or Feather file: a schema, and parts of `heights` rows.

    read : reads some columns (increasing) of a part
    """

    def __init__(
        self,
        where: str,
        kind: str,
        schema: pa.Schema,
        heights: Sequence[int],
        read: Callable[[int, Sequence[int]], pa.Table],
    ) -> None:
        super().__init__(where, n_rows=sum(heights))
        self.kind, self._schema, self._heights, self._read = kind, schema, heights, read
        with reading(where):
            self.header = ["" if name == UNNAMED else clean(name) for name in schema.names]
            self.index = _index_column(schema)
        self.at_once = max(1, READ_BYTES // (8 * max(1, *heights, 1)))

    def numeric(self, column: int) -> bool:
        """Tell whether a column's type is not text."""
        return not is_text(self._schema.field(column).type)

    def batches(
        self, text: Sequence[int], values: Sequence[int], rows: NDArray[np.bool_] | None = None
    ) -> Iterator[Batch]:
        """Yield the file's parts; see `Source.batches`."""
        at = 0
        for part, height in enumerate(self._heights):
            places = np.arange(at, at + height)
            kept = None if rows is None or rows[places].all() else pa.array(np.flatnonzero(rows[places]))
            at += height
            if kept is not None:
                places = places[np.asarray(kept)]
            if len(places):
                yield Batch(places, partial(self._arrays, part, kept))

    def _arrays(self, part: int, kept: pa.Array | None, wanted: Sequence[int]) -> list[pa.Array]:
        rising = sorted(set(wanted))
        with reading(self.where):
            columns = [column.combine_chunks() for column in self._read(part, rising).columns]
            if kept is not None:
                columns = [column.take(kept) for column in columns]
        place = dict(zip(rising, columns, strict=True))
        return [place[k] for k in wanted]


def open_parquet(path: Path, where: str) -> ColumnarSource:
    """Open a Parquet file; its parts are row groups."""
    import pyarrow.parquet as pq

    with reading(where):
        # No read-ahead, because it would keep a whole row group in memory, which may be the whole file.
        file = pq.ParquetFile(path, pre_buffer=False, **FOOTER)
        schema, metadata = file.schema_arrow, file.metadata
    # A column of lists or records is stored as several columns of the file.
    first = list(accumulate((_leaves(field.type) for field in schema), initial=0))

    def read(part: int, columns: Sequence[int]) -> pa.Table:
        leaves = [leaf for k in columns for leaf in range(first[k], first[k + 1])]
        # pyarrow has no public method to read columns by number, and its method by name treats dots as paths.
        return file.reader.read_row_groups([part], column_indices=leaves, use_threads=True)

    heights = [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)]
    return ColumnarSource(where, "parquet", schema, heights, read)


def open_feather(path: Path, where: str) -> ColumnarSource:
    """Open a Feather file (version 2: Arrow's own format), mapped into memory; its parts are record batches."""

    def opened(columns: Sequence[int]) -> pa.ipc.RecordBatchFileReader:
        options = pa.ipc.IpcReadOptions(included_fields=list(columns))
        return pa.ipc.open_file(pa.memory_map(str(path)), options=options)

    def read(part: int, columns: Sequence[int]) -> pa.Table:
        batch = opened(columns).get_batch(part)
        batch.validate(full=True)
        return pa.Table.from_batches([batch])

    with reading(where):
        schema, small = opened([]).schema, opened([0])
        heights = [small.get_batch(k).num_rows for k in range(small.num_record_batches)]
    return ColumnarSource(where, "feather", schema, heights, read)


class FrameSource(Source):
    """A pandas frame, and next to it the matrix of an AnnData file, which is left on disk.

    The index of the frame becomes a column if it has a name or contains text.
    """

    def __init__(
        self, frame: pd.DataFrame, where: str, kind: str = "frame", matrix: object = None, names: Sequence[str] = ()
    ) -> None:
        super().__init__(where, n_rows=len(frame))
        self.kind = kind
        if frame.index.name is not None or frame.index.nlevels > 1 or frame.index.dtype.kind not in "iu":
            levels = [name or "" for name in frame.index.names]
            frame = frame.reset_index(names=levels, allow_duplicates=True)
            self.index = 0 if len(levels) == 1 else None
        self._frame, self._matrix, self._width = frame, matrix, frame.shape[1]
        columns = [" ".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in (*frame, *names)]
        self.header = [clean(name) for name in columns]

    def numeric(self, column: int) -> bool:
        """Tell whether a column is in the matrix, or has a numeric type."""
        return column >= self._width or self._frame.dtypes.iloc[column].kind in "iufb"

    def batches(
        self, text: Sequence[int], values: Sequence[int], rows: NDArray[np.bool_] | None = None
    ) -> Iterator[Batch]:
        """Yield the frame as one batch, or blocks of rows of the matrix."""
        n, matrix = len(self._frame), self._matrix
        step = n if matrix is None else max(1, READ_BYTES // (8 * len(self.header)))
        for start in range(0, n, step or 1):
            places = np.arange(start, min(start + step, n))
            kept = np.ones(len(places), bool) if rows is None else rows[places]
            block = None
            if any(k >= self._width for k in (*text, *values)):
                block = matrix[start : start + step]
                block = np.asarray(block.toarray() if hasattr(block, "toarray") else block)[kept]
            if kept.any():
                yield self._batch(places[kept], block)

    def _batch(self, places: NDArray[np.int64], block: NDArray | None) -> Batch:
        width = self._width
        frame = self._frame if len(places) == len(self._frame) else self._frame.iloc[places]

        def array(k: int) -> pa.Array:
            return _array(frame.iloc[:, k]) if k < width else pa.array(block[:, k - width])

        def matrix(wanted: Sequence[int]) -> NDArray[np.float64] | None:
            own = [k - width for k in wanted if k >= width]
            if own:
                return block[:, own].astype(np.float64) if len(own) == len(wanted) else None
            part = frame.iloc[:, list(wanted)]
            numbers = all(kind.kind in "iuf" for kind in part.dtypes)
            return part.to_numpy(np.float64, na_value=np.nan) if numbers else None

        return Batch(places, lambda wanted: [array(k) for k in wanted], matrix)


def open_h5ad(path: Path, where: str) -> FrameSource:
    """Open an .h5ad file: obs are rows, with their columns; var_names are the other columns."""
    anndata = package("anndata", f"cannot read {where}:", "'heteroage-clock[h5ad]', or save the table as Parquet.")
    try:
        data = anndata.read_h5ad(path, backed="r")
    except KeyError as error:
        raise HeteroAgeError(
            f"{where} is an HDF5 file, but not a valid .h5ad file: {error.args[0]}. Write it with anndata, or "
            "save the table as Parquet."
        ) from error
    except Exception as error:  # any error of anndata and h5py for a damaged file
        raise HeteroAgeError(f"cannot read {where}: {str(error).splitlines()[0]}. {CUT_SHORT}") from error
    try:
        matrix = data.X
    except KeyError:  # what backed files without X raise
        matrix = None
    if matrix is None:
        raise HeteroAgeError(f"{where} has no matrix X ({listed(data.layers)} are layers). Set X to the betas.")
    if hasattr(matrix, "to_memory"):  # sparse, so small; and anndata 0.12 cannot slice it on disk with scipy 1.17
        matrix = matrix.to_memory().tocsr()
    if samples := find_columns(data.var.columns, Conventions(), where).keys() & {"Tissue", "Sex", "Age"}:
        raise HeteroAgeError(
            f"{where} has samples as var (with {listed(sorted(samples))}). Write it transposed: adata.T."
        )
    source = FrameSource(data.obs, where, "h5ad", matrix, data.var_names)
    source.keep.append(data)  # which keeps the file open
    return source


def open_pickle(path: Path, where: str, allowed: bool) -> FrameSource:
    """Unpickle a frame, if the config allows it."""
    if not allowed:
        raise HeteroAgeError(
            f"{where} is a pickle, and loading a pickle runs the code in it. If you trust its source, set "
            "inputs.allow_pickle: true (training only); better, save the table as Parquet."
        )
    import pandas as pd

    try:
        frame = pd.read_pickle(path)
    except Exception as error:
        raise HeteroAgeError(f"cannot unpickle {where}: {error!r}. Save the table as Parquet.") from error
    if not isinstance(frame, pd.DataFrame):
        raise HeteroAgeError(f"{where} holds a {type(frame).__name__}, not a pandas DataFrame. Save a frame.")
    return FrameSource(frame, where, "pickle")


def _leaves(kind: pa.DataType) -> int:
    """Return the number of Parquet columns in which a column of the schema is stored."""
    kind = getattr(kind, "storage_type", kind)  # of pandas' intervals: two
    return sum(_leaves(kind.field(k).type) for k in range(kind.num_fields)) if pa.types.is_nested(kind) else 1


def _index_column(schema: pa.Schema) -> int | None:
    """Return the column in which pandas stored a frame's index, if it is one column."""
    try:
        index = json.loads((schema.metadata or {}).get(b"pandas", b"{}")).get("index_columns", [])
    except (ValueError, AttributeError):
        return None
    names = [name for name in index if isinstance(name, str) and schema.names.count(name) == 1]
    return schema.names.index(names[0]) if len(names) == 1 == len(index) else None


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Convert Arrow's errors for damaged files to messages for the user."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:300].rstrip(".")
        raise HeteroAgeError(f"cannot read {where}: {reason}. {CUT_SHORT}") from error


def package(name: str, problem: str, advice: str) -> ModuleType:
    """Import an optional package, or say how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        text = f"{problem} the package {name} is not installed. Install it with pip install {advice}"
        raise HeteroAgeError(text) from error


def _array(column: pd.Series) -> pa.Array:
    try:
        found = pa.Array.from_pandas(column)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return pa.array([text_of(cell) for cell in column], pa.large_string())  # cells of several types
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
