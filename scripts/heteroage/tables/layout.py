"""Which of rows and columns are the samples, what names them, and what is neither sample nor CpG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from heteroage.errors import HeteroAgeError, listed
from heteroage.tables.not_samples import INTENSITIES, TEXT, sample_ids, samples_among
from heteroage.tables.source import Source

SAMPLES_IN_ROWS, CPGS_IN_ROWS, DETECT = "samples_in_rows", "cpgs_in_rows", "detect"
UNNAMED = ("", "Unnamed: 0")
LOOKED_AT = 20  # columns that may be the one that names the CpGs
ID_COLUMN = "sample_id"

IsCpg = Callable[[str], bool]


@dataclass(frozen=True)
class Layout:
    """Where things stand in a file.

    label : the column that names the rows (samples or CpGs)
    samples : with CpGs in rows, the samples' columns, and `ids` their names
    left_out : with CpGs in rows, the columns that are neither, as "name (what it holds)"
    """

    orientation: str
    label: int
    samples: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    renamed: int = 0
    unnamed: bool = False


def find_layout(
    source: Source,
    is_cpg: IsCpg,
    columns: Mapping[str, Sequence[str]],
    orientation: str = DETECT,
    like: str = "cg00000029",
) -> Layout:
    """Find out how a table is laid out.

    Parameters
    ----------
    is_cpg : whether a name is that of a CpG
    columns : {our name: their names} of the config
    orientation : as stated; SAMPLES_IN_ROWS for a sheet, which need not have CpGs
    like : how a CpG is named, for messages

    Raises
    ------
    HeteroAgeError
        Neither or both of rows and columns are CpGs; a stated orientation that is not found; nothing names the samples;
        columns that are no samples alone.
    """
    header = source.header
    in_columns = [name for name in header if is_cpg(name)]
    ids = find_column(header, (*columns.get(ID_COLUMN, ()), ID_COLUMN), source.where)
    label, in_rows, most = (-1, [], False) if orientation == SAMPLES_IN_ROWS else _label_column(source, is_cpg)
    if in_columns and most:
        raise HeteroAgeError(
            f"{source.where} has CpGs both as columns ({listed(in_columns)}) and as rows ({listed(in_rows)}). "
            "Keep samples in one direction and CpGs in the other."
        )
    if in_columns or label < 0:
        if orientation == CPGS_IN_ROWS:
            raise _misstated(source, orientation, SAMPLES_IN_ROWS, in_columns)
        return _samples_in_rows(source, ids, in_columns, like)
    return _cpgs_in_rows(source, label)


def find_column(header: Sequence[str], names: Sequence[str], where: str) -> int | None:
    """Find the column that has one of several names: as spelt, else in any case.

    Raises
    ------
    HeteroAgeError
        Several columns have one of these names, or one stands twice.
    """
    for spelt in (str, _plain):
        meant = {spelt(name) for name in names}
        found = [k for k, name in enumerate(header) if spelt(name) in meant]
        if len(found) > 1:
            raise HeteroAgeError(
                f"{where} has several columns for {names[-1]} ({listed(header[k] for k in found)}). Keep one "
                "of them in inputs.columns, or rename the others."
            )
        if found:
            return found[0]
    return None


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def _samples_in_rows(source: Source, ids: int | None, in_columns: Sequence[str], like: str) -> Layout:
    header = source.header
    if ids is not None:
        return Layout(SAMPLES_IN_ROWS, ids)
    unnamed = [source.index] if source.index is not None else []
    unnamed += [k for k, name in enumerate(header) if name in UNNAMED]
    if in_columns and unnamed:
        return Layout(SAMPLES_IN_ROWS, unnamed[0], unnamed=True)
    if in_columns:
        raise HeteroAgeError(
            f"{source.where} has no column sample_id (it has {listed(header)}). Name the column that identifies "
            "samples sample_id, or say which it is (inputs.columns: {sample_id: ...}; heteroage: --columns)."
        )
    raise HeteroAgeError(
        f"{source.where} has no CpG column (it has {listed(header)}) and no column sample_id. CpGs are named "
        f"like {like}: as columns where samples are rows, in one column where samples are columns."
    )


def _cpgs_in_rows(source: Source, label: int) -> Layout:
    header = source.header
    # An index before the names (as pandas and R write) is not a sample; pandas' own index may stand behind.
    first = 0 if label == source.index else label + 1
    columns = [k for k in range(first, len(header)) if k not in (label, source.index)]
    chosen, others = samples_among([header[k] for k in columns])
    textual = source.textual([columns[k] for k in chosen])
    others |= {k: TEXT for k in chosen if columns[k] in textual}
    samples = [columns[k] for k in chosen if columns[k] not in textual]
    left_out = [
        f"{header[columns[k]] or 'column ' + str(columns[k] + 1)} ({what})" for k, what in sorted(others.items())
    ]
    before = [f"{header[k] or 'column ' + str(k + 1)} (before the names)" for k in range(first) if k != label]
    if not samples:
        what = "intensities" if INTENSITIES in others.values() else "samples"
        advice = (
            "Give beta values: methylated / (methylated + unmethylated + 100)."
            if what == "intensities"
            else "Give a column for each sample."
        )
        found = (
            "holds intensities and no beta values"
            if what == "intensities"
            else "has CpGs in rows and no column of a sample"
        )
        raise HeteroAgeError(f"{source.where} {found} (it has {listed(left_out or before)}). {advice}")
    names = [header[k] for k in samples]
    ids = sample_ids(names)
    repeated = sorted(name for name, count in Counter(ids).items() if count > 1)
    if repeated:
        raise HeteroAgeError(
            f"{source.where} has duplicate sample_ids ({listed(repeated)}). Keep one column per sample."
        )
    return Layout(
        CPGS_IN_ROWS, label, samples, ids, before + left_out, sum(a != b for a, b in zip(ids, names, strict=True))
    )


def _label_column(source: Source, is_cpg: IsCpg) -> tuple[int, list[str], bool]:
    """Find the column that names CpGs: (column or -1, the names found, whether it holds little else)."""
    header = source.header
    candidates = list(
        islice((k for k, name in enumerate(header) if not source.numeric(k) and not is_cpg(name)), LOOKED_AT)
    )
    if source.index is not None and source.index not in candidates and not source.numeric(source.index):
        candidates.append(source.index)
    for batch in source.batches(candidates, []) if candidates else ():
        found = {}
        for k in candidates:
            cells = [cell for cell in batch.text(k) if cell]
            named = [cell for cell in cells if is_cpg(cell)]
            found[k] = (named, len(named) > len(cells) / 2)
        best = max(candidates, key=lambda k: len(found[k][0]))
        if found[best][0]:
            return best, *found[best]
        if any(is_cpg(name) for name in header):
            break  # samples in rows, and no column of text that speaks against it
    return -1, [], False


def _misstated(source: Source, stated: str, found: str, names: Sequence[str]) -> HeteroAgeError:
    if not names:
        return HeteroAgeError(
            f"{source.where} is said to have {stated.replace('_', ' ')}, but no column of it names CpGs (it has "
            f"{listed(source.header)}). Correct its orientation in the config, or leave it out."
        )
    return HeteroAgeError(
        f"{source.where} is said to have {stated.replace('_', ' ')}, but has {found.replace('_', ' ')} "
        f"({listed(names)}). Correct its orientation in the config, or leave it out."
    )
