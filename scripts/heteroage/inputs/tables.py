"""Any table of methylation values, opened: whose samples, which CpGs, and the values block by block.

Which of rows and columns are the samples is found out, or stated in the config; from here on, values are
(CpGs, samples).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.errors import FIRST, HeteroAgeError, listed
from heteroage.inputs.cohorts import as_text, is_number
from heteroage.inputs.grid import Grid, UnreadableCells
from heteroage.inputs.intake import Intake
from heteroage.probes import feature_name
from heteroage.tables.conventions import Conventions
from heteroage.tables.metadata import find_columns, sample_ids

log = logging.getLogger(__name__)

SAMPLES_IN_ROWS, CPGS_IN_ROWS, DETECT = "samples_in_rows", "cpgs_in_rows", "detect"
PARQUET, FEATHER, PICKLE, H5AD = (".parquet", ".pq"), (".feather", ".arrow"), (".pkl", ".pickle"), (".h5ad",)
UNNAMED = ("", "Unnamed: 0")
LOOKED_AT = 20  # columns that may be the one that names the CpGs


@dataclass(frozen=True)
class TableEntry:
    """One table as the config names it.

    columns : {our name: their name, or several that it may have}
    values : beta, m_values or percent
    age_unit : of Age, where it is neither years nor in the column's name
    """

    file: str
    orientation: str = DETECT
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    values: str = "beta"
    age_unit: str | None = None

    @property
    def conventions(self) -> Conventions:
        """How its metadata are written."""
        return Conventions.of(columns=self.columns, age_unit=self.age_unit)


class Reader(Protocol):
    """An opened file: what its columns are called, what they begin with, and a way to read them."""

    format: str
    header: list[str]

    def head(self, column: int) -> list[str]:
        """The first values of a column, as text; none where it holds numbers."""

    def load(self, text: Sequence[int], values: Sequence[int], by_columns: bool, scratch: Path) -> Grid:
        """Columns `text` as a frame, columns `values` (rising) as blocks, of whole columns if there is a choice."""


@dataclass(frozen=True)
class Table:
    """A modality's table: its samples, its CpGs, and a way to its values.

    metadata : frame of the table's columns of metadata, by sample_id, in the file's order
    sources, features : each row of values by its name in the file, and as a feature (None: no CpG of the modality)
    """

    modality: str
    entry: TableEntry
    where: str
    format: str
    orientation: str
    metadata: pd.DataFrame
    sources: list[str]
    features: list[str | None]
    grid: Grid

    @property
    def ids(self) -> pd.Index:
        """The sample_ids, in the file's order."""
        return self.metadata.index

    def blocks(self) -> Iterator[tuple[slice, slice, NDArray[np.float32]]]:
        """Go through the values once: (CpGs, samples, values of that block), in the file's order.

        Raises
        ------
        HeteroAgeError
            Text where numbers belong: names sample and CpG.
        """
        by_columns = self.orientation == SAMPLES_IN_ROWS
        with telling_cells(self.where, self.ids, self.sources, by_columns):
            for rows, columns, values in self.grid.blocks():
                yield (columns, rows, values.T) if by_columns else (rows, columns, values)


def open_table(entry: TableEntry, modality: str, scratch: Path, intake: Intake, allow_pickle: bool = False) -> Table:
    """Open a table of any format and either orientation. Values are read when its blocks are gone through.

    Raises
    ------
    HeteroAgeError
        A file that cannot be read; neither or both of rows and columns named as CpGs; columns or CpGs that stand
        twice; two columns mapped to one; no or duplicate sample_ids; no CpG of the modality.
    """
    return arrange(open_reader(Path(entry.file), allow_pickle), entry, modality, scratch, intake)


def arrange(reader: Reader, entry: TableEntry, modality: str, scratch: Path, intake: Intake) -> Table:
    """Find samples and CpGs in an opened file; as `open_table`."""
    where = f"the {modality} table {entry.file}"
    header = [name.strip() for name in reader.header]
    orientation, label = find_orientation(header, reader, modality, entry, where)
    if entry.orientation == DETECT:
        log.info("%s has %s (detected)", where, orientation.replace("_", " "))
    if orientation == SAMPLES_IN_ROWS:
        features = {k: feature for k, name in enumerate(header) if (feature := feature_name(name, modality))}
        metadata, grid = read_metadata(reader, list(features), entry, where, scratch, intake)
        sources, names = [header[k] for k in features], list(features.values())
        known = {*features, *find_columns(header, entry.conventions, where).values()}
        left_out = [name for k, name in enumerate(header) if k not in known and name not in UNNAMED]
    else:
        values = [k for k in range(len(header)) if k != label]
        grid = reader.load([label], values, False, scratch)
        ids = sample_ids([header[k] for k in values], where)
        metadata = pd.DataFrame(index=pd.Index(ids, name="sample_id"))
        sources = ["" if name is None else str(name).strip() for name in grid.text[0].tolist()]
        names = [feature_name(name, modality) for name in sources]
        left_out = [name for name, feature in zip(sources, names, strict=True) if feature is None]
        for step in ("map_columns", "name_ids", "ids_as_text"):
            intake.note(step, where, 0)
    intake.note("leave_out_columns", where, len(left_out), "left out", left_out)
    if left_out:
        log.info("%s: what is no CpG of it is left out (%s)", where, listed(left_out))
    _check_names(sources, names, modality, where)
    return Table(modality, entry, where, reader.format, orientation, metadata, sources, names, grid)


def open_reader(path: Path, allow_pickle: bool = False) -> Reader:
    """Choose the reader by the file's ending; anything else is taken for delimited text."""
    if not path.is_file():
        raise HeteroAgeError(f"no file {path}. Check the path; relative paths start at the working directory.")
    if path.suffix in PARQUET:
        from heteroage.inputs.columnar import ParquetReader

        return ParquetReader(path)
    if path.suffix in FEATHER:
        from heteroage.inputs.columnar import FeatherReader

        return FeatherReader(path)
    if path.suffix in H5AD:
        from heteroage.inputs.frames import AnnDataReader

        return AnnDataReader(path)
    if any(path.name.endswith((ending, f"{ending}.gz")) for ending in PICKLE):
        from heteroage.inputs.frames import read_pickle

        return read_pickle(path, allow_pickle)
    from heteroage.inputs.delimited import DelimitedReader

    return DelimitedReader(path)


def find_orientation(
    header: Sequence[str], reader: Reader, modality: str, entry: TableEntry, where: str
) -> tuple[str, int]:
    """Tell whether samples or CpGs stand in rows, and which column names the CpGs if they do (else -1)."""
    is_cpg = [bool(feature_name(name, modality)) for name in header]
    in_columns = [name for name, yes in zip(header, is_cpg, strict=True) if yes]
    heads = ((k, reader.head(k)) for k, yes in enumerate(is_cpg) if not yes)
    label, in_rows = -1, []
    for k, head in islice(((k, head) for k, head in heads if head), LOOKED_AT):
        named = [name for name in head if feature_name(name, modality)]
        if len(named) > len(head) / 2:
            label, in_rows = k, named
            break
    if in_columns and in_rows:
        raise HeteroAgeError(
            f"{where} has CpGs both as columns ({listed(in_columns)}) and as rows ({listed(in_rows)}). "
            "Keep samples in one direction and CpGs in the other."
        )
    found = SAMPLES_IN_ROWS if in_columns else CPGS_IN_ROWS if in_rows else None
    if found is None:
        raise HeteroAgeError(
            f"{where} has no CpG column (it has {listed(header)}). CpGs are named like cg00000029 or "
            f"cg00000029_{modality}: as columns where samples are rows, in the first column where samples are columns."
        )
    if entry.orientation not in (DETECT, found):
        raise HeteroAgeError(
            f"{where} is said to have {entry.orientation.replace('_', ' ')}, but has {found.replace('_', ' ')} "
            f"({listed(in_columns or in_rows)}). Correct its orientation in the config, or leave it out."
        )
    return found, label


def read_metadata(
    reader: Reader, values: Sequence[int], entry: TableEntry, where: str, scratch: Path, intake: Intake
) -> tuple[pd.DataFrame, Grid]:
    """Read a table with samples in rows: its columns of METADATA by sample_id, and the grid of its `values`."""
    header = [name.strip() for name in reader.header]
    ours = find_columns(header, entry.conventions, where)
    renamed = [f"{header[k]} is {name}" for name, k in ours.items() if header[k] != name]
    unnamed = [k for k, name in enumerate(header) if name in UNNAMED] if "sample_id" not in ours else []
    if unnamed:
        ours["sample_id"] = unnamed[0]
    if "sample_id" not in ours:
        raise HeteroAgeError(
            f"{where} has no column sample_id (it has {listed(header)}). Name the column that identifies samples "
            "sample_id, or say in inputs.columns which it is."
        )
    grid = reader.load(list(ours.values()), values, True, scratch)
    frame = grid.text.set_axis([header[k] for k in ours.values()], axis=1)
    if frame.empty:
        raise HeteroAgeError(f"{where} has a header and no rows. Give at least one sample.")
    at = list(ours).index("sample_id")
    ids = sample_ids(as_text(frame.iloc[:, at]), where)
    numbered = [one for one in ids if is_number(one)]
    intake.note("map_columns", where, len(renamed), "renamed", renamed)
    intake.note("name_ids", where, len(ids) if unnamed else 0, "taken from the unnamed column", ids)
    intake.note("ids_as_text", where, len(numbered), "taken as text", numbered)
    rest = [k for k in range(len(ours)) if k != at]
    return frame.iloc[:, rest].set_axis(pd.Index(ids, name="sample_id")), grid


@contextmanager
def telling_cells(where: str, samples: Sequence[str], cpgs: Sequence[str], by_columns: bool) -> Iterator[None]:
    """Say of values that are no numbers which sample and CpG they are of."""
    try:
        yield
    except UnreadableCells as problem:
        cells = []
        for cell in problem.cells[:FIRST]:
            sample, cpg = (cell.row, cell.column) if by_columns else (cell.column, cell.row)
            cells.append(f"{cell.text!r} at sample {samples[sample]}, {cpgs[cpg]}")
        more = ", ..." if problem.total > FIRST else ""
        raise HeteroAgeError(
            f"{where} holds text where numbers belong ({problem.total}: {', '.join(cells)}{more}). "
            "Leave unknown values empty."
        ) from problem


def _check_names(sources: Sequence[str], features: Sequence[str | None], modality: str, where: str) -> None:
    """Refuse a CpG that stands twice; replicates of one probe (EPICv2) do not, they are averaged."""
    suffix = f"_{modality}"
    names = [source for source, feature in zip(sources, features, strict=True) if feature]
    kept, bare = pd.Index(names), pd.Index([name.removesuffix(suffix) for name in names])
    if bare.is_unique:
        return
    same = sorted(kept[kept.duplicated()].unique())
    if same:
        raise HeteroAgeError(f"{where} has CpGs of the same name ({listed(same)}). Keep one of each.")
    twice = sorted(f"{name}{suffix}" for name in bare[bare.duplicated()].unique())
    raise HeteroAgeError(f"{where} has CpGs both with and without the suffix {suffix} ({listed(twice)}). Keep one.")
