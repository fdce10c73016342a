"""Detection of a table's layout: orientation, sample ids, and columns that are neither samples nor CpGs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from heteroage.errors import HeteroAgeError, listed
from heteroage.tables.cells import number_of
from heteroage.tables.conventions import Conventions
from heteroage.tables.metadata import find_columns
from heteroage.tables.not_samples import INTENSITIES, ROW_NUMBERS, TEXT, sample_ids, samples_among
from heteroage.tables.source import Source

SAMPLES_IN_ROWS, CPGS_IN_ROWS, DETECT = "samples_in_rows", "cpgs_in_rows", "detect"
UNNAMED = ("", "Unnamed: 0")
LOOKED_AT = 20  # number of columns that are candidates for the column of CpG names

IsCpg = Callable[[str], bool]


@dataclass(frozen=True)
class Layout:
    """Layout of a table.

    label : the column that names the rows (samples or CpGs)
    metadata : with samples in rows, {our name: its column}
    samples : with CpGs in rows, the samples' columns, and `ids` their names
    left_out : with CpGs in rows, the columns that are neither, as "name (what it holds)"
    renamed : how many ids are shorter than the column's name
    unnamed : whether the samples' ids stand in a column without a name
    """

    orientation: str
    label: int
    metadata: dict[str, int] = field(default_factory=dict)
    samples: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    renamed: int = 0
    unnamed: bool = False


def find_layout(
    source: Source, is_cpg: IsCpg, conventions: Conventions, orientation: str = DETECT, like: str = "cg00000029"
) -> Layout:
    """Detect the layout of a table.

    Parameters
    ----------
    is_cpg : whether a name is that of a CpG
    orientation : as stated
    like : how a CpG is named, for messages

    Raises
    ------
    HeteroAgeError
        Neither or both of rows and columns are CpGs; a stated orientation that is not found; nothing names the samples;
        columns that are no samples alone.
    """
    header = source.header
    cpgs = [is_cpg(name) for name in header]
    in_columns = [name for name, yes in zip(header, cpgs, strict=True) if yes]
    others = [k for k, yes in enumerate(cpgs) if not yes]
    label, in_rows, most = _label_column(source, is_cpg, others, bool(in_columns))
    if in_columns and most:
        raise HeteroAgeError(
            f"{source.where} has CpGs both as columns ({listed(in_columns)}) and as rows ({listed(in_rows)}). "
            "Keep samples in one direction and CpGs in the other."
        )
    found = SAMPLES_IN_ROWS if in_columns or label < 0 else CPGS_IN_ROWS
    if orientation not in (DETECT, found):
        raise HeteroAgeError(
            f"{source.where} is said to have {orientation.replace('_', ' ')}, but has {found.replace('_', ' ')} "
            f"({listed(in_columns or in_rows)}). Correct its orientation in the config, or leave it out."
        )
    if found == CPGS_IN_ROWS:
        return _cpgs_in_rows(source, label)
    ours = columns_of(header, others, conventions, source.where)
    return _samples_in_rows(source, ours, in_columns, like)


def no_rows(where: str) -> HeteroAgeError:
    """Return the error for a table with only a header."""
    return HeteroAgeError(f"{where} has a header and no rows. Give at least one sample.")


def holds_values(source: Source, is_value: IsCpg, is_cpg: IsCpg) -> bool:
    """Tell whether a table contains values of samples, not only metadata."""
    header = source.header
    if any(map(is_value, header)):
        return True
    return _label_column(source, is_cpg, range(len(header)), False)[0] >= 0


def columns_of(names: Sequence[str], others: Sequence[int], conventions: Conventions, where: str) -> dict[str, int]:
    """Find sample_id and the metadata columns among `others`: {our name: position in `names`}."""
    found = find_columns([names[k] for k in others], conventions, where)
    return {ours: others[k] for ours, k in found.items()}


def _samples_in_rows(source: Source, ours: dict[str, int], in_columns: Sequence[str], like: str) -> Layout:
    header = source.header
    if "sample_id" in ours:
        return Layout(SAMPLES_IN_ROWS, ours["sample_id"], ours)
    unnamed = [source.index] if source.index is not None else []
    unnamed += [k for k, name in enumerate(header) if name in UNNAMED]
    if in_columns and unnamed:
        return Layout(SAMPLES_IN_ROWS, unnamed[0], ours | {"sample_id": unnamed[0]}, unnamed=True)
    if in_columns:
        raise HeteroAgeError(
            f"{source.where} has no column sample_id (it has {listed(header)}). Name the column that identifies "
            "samples sample_id, or say which it is (inputs.columns: {sample_id: ...}; heteroage: --columns)."
        )
    if source.n_rows == 0:
        raise no_rows(source.where)
    raise HeteroAgeError(
        f"{source.where} has no CpG column (it has {listed(header)}) and no column sample_id. CpGs are named "
        f"like {like}: as columns where samples are rows, in one column where samples are columns."
    )


def _cpgs_in_rows(source: Source, label: int) -> Layout:
    header = source.header
    columns = [k for k in range(len(header)) if k not in (label, source.index)]
    chosen, others = samples_among([header[k] for k in columns])
    textual = source.textual([columns[k] for k in chosen])
    others |= {k: TEXT for k in chosen if columns[k] in textual}
    # A column of row numbers before the names, as written by pandas and R.
    before = [k for k in chosen if k not in others and columns[k] < label]
    cells = source.first([columns[k] for k in before])
    others |= {k: ROW_NUMBERS for k, own in zip(before, cells, strict=True) if _count_up(own)}
    samples = [columns[k] for k in chosen if k not in others]
    left_out = [
        f"{header[columns[k]] or 'column ' + str(columns[k] + 1)} ({what})" for k, what in sorted(others.items())
    ]
    if not samples:
        found, advice = "has CpGs in rows and no column of a sample", "Give a column for each sample."
        if INTENSITIES in others.values():
            found = "holds intensities and no beta values"
            advice = "Give beta values: methylated / (methylated + unmethylated + 100)."
        raise HeteroAgeError(f"{source.where} {found} (it has {listed(left_out)}). {advice}")
    names = [header[k] for k in samples]
    ids = sample_ids(names)
    repeated = sorted(name for name, count in Counter(ids).items() if count > 1)
    if repeated:
        raise HeteroAgeError(
            f"{source.where} has duplicate sample_ids ({listed(repeated)}). Keep one column per sample."
        )
    return Layout(CPGS_IN_ROWS, label, {}, samples, ids, left_out, sum(a != b for a, b in zip(ids, names, strict=True)))


def _count_up(cells: Sequence[str | None]) -> bool:
    """Tell whether cells are 0, 1, 2, ... or 1, 2, 3, ..."""
    numbers = [number_of(cell or "") for cell in cells]
    return bool(numbers) and any(numbers == [k + first for k in range(len(numbers))] for first in (0, 1))


def _label_column(
    source: Source, is_cpg: IsCpg, others: Sequence[int], in_columns: bool
) -> tuple[int, list[str], bool]:
    """Find the column that names CpGs: (column or -1, the names found, whether it holds little else)."""
    candidates = list(islice((k for k in others if not source.numeric(k)), LOOKED_AT))
    if source.index in others and source.index not in candidates and not source.numeric(source.index):
        candidates.append(source.index)
    if not candidates:
        return -1, [], False
    if in_columns:  # samples in rows, unless the first rows of a text column contradict it
        return _best_label(candidates, source.first(candidates), is_cpg)
    for batch in source.batches(candidates, []):
        found = _best_label(candidates, [batch.text(k) for k in candidates], is_cpg)
        if found[0] >= 0:
            return found
    return -1, [], False


def _best_label(
    candidates: Sequence[int], texts: Sequence[Sequence[str | None]], is_cpg: IsCpg
) -> tuple[int, list[str], bool]:
    named = [[cell for cell in cells if cell and is_cpg(cell)] for cells in texts]
    k = max(range(len(candidates)), key=lambda k: len(named[k]))
    if not named[k]:
        return -1, [], False
    return candidates[k], named[k], len(named[k]) > sum(cell is not None for cell in texts[k]) / 2
