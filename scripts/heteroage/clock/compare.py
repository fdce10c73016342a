"""Apply published clocks to a table: their ages as additional columns, and their errors if the table has ages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heteroage.clock.cohort import CohortSummary
from heteroage.clock.master_table import MasterTable, NamedPart, Wanted, open_tables
from heteroage.clock.output import check_ending, writing
from heteroage.clock.published import MISSING, MUCH_MISSING, Compared, read_compared, scale_of
from heteroage.clock.sums import mean_of
from heteroage.errors import HeteroAgeError
from heteroage.files import check_writable
from heteroage.tables import metadata
from heteroage.tables.metadata import Conventions
from heteroage.tables.values import ValueCheck

if TYPE_CHECKING:
    from heteroage.clock.predict import Clock
    from heteroage.clock.sums import Rows

FEWEST_PROJECTS = 3  # minimum number of projects for a paired difference over projects instead of samples


class EveryCpG(Wanted):
    """Selects all CpGs of a table, because z-scores are computed over all of them."""

    def among(self, names: Iterable[str]) -> list[str]:
        """Return all columns that contain numbers."""
        return [name for name in names if self.is_value(name)]


class Beside:
    """Published clocks that are applied to a table, block by block.

    A missing value is replaced by the training median of `clock` if that clock uses the CpG, otherwise as described in
    `published`. With `projects`, the column project_id is passed on if the table has it.
    """

    def __init__(self, compared: Sequence[Compared], clock: Clock | None = None, projects: bool = False) -> None:
        self.compared, self.projects = compared, projects
        features = {name for one in compared for name in one.clock.features}
        kind = EveryCpG if any(one.standardised for one in compared) else Wanted
        self.wanted = kind(features | (clock.wanted.features if clock else set()))
        places = {name: own[0] for name, own in (clock.terms if clock else {}).items()}
        self._median = {name: clock.models[key].median[k] for name, (key, k) in places.items()}

    def check(self, table: MasterTable) -> None:
        """Reject a table that has no CpG in common with one of the clocks."""
        columns_of = self.wanted.columns_of(table.names)
        for one in self.compared:
            if not columns_of.keys() & set(one.clock.features):
                raise HeteroAgeError(
                    f"{table.where} shares no CpG with {one.name}, which reads {len(one.clock.features)}. Check how "
                    "CpGs are named."
                )

    def rows(self, part: NamedPart, names: Sequence[str]) -> Rows:
        """Return ages (years) and numbers of missing CpGs of a block's samples, two columns per clock."""
        columns_of = self.wanted.columns_of(names)
        check = ValueCheck(part.where)
        scale = self._scale(part, names) if isinstance(self.wanted, EveryCpG) else None
        found: Rows = {"project_id": part.text("project_id")} if self.projects and "project_id" in names else {}
        for one in self.compared:
            values = np.full((len(one.clock.features), len(part.ids)), np.nan)
            for k, feature in enumerate(one.clock.features):
                if own := columns_of.get(feature):
                    cells = check.convert(np.array([cells for _, cells in part.numbers(own)]), own, part.ids)
                    values[k] = mean_of(list(cells))
            reference = np.array([self._median.get(name, np.nan) for name in one.clock.features])
            ages, missing = one.ages(values, reference, scale if one.standardised else None)
            found |= {one.name: ages, one.name + MISSING: missing}
        check.verdict(len(part.ids), len(columns_of))
        return found

    def _scale(self, part: NamedPart, names: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation of each sample over its measured CpGs."""
        count, total, squares = np.zeros((3, len(part.ids)))
        for _, values in part.numbers([name for name in names if self.wanted.is_cpg(name)]):
            known = ~np.isnan(values)
            count += known
            total[known] += values[known]
            squares[known] += values[known] ** 2
        return scale_of(count, total, squares)


def compare(
    inputs: Sequence[Path],
    given: Mapping[str, Mapping[str, object]],
    clock: Clock | None = None,
    out: Path | None = None,
    conventions: Conventions | None = None,
) -> str:
    """Compare published clocks, and optionally a trained clock, on tables with ages; returns a report to print.

    given : as the config's `compare`
    clock : a trained clock to compare them with
    out : file for the ages of every sample

    Raises HeteroAgeError: invalid tables; no ages; no CpG in common with a published clock.
    """
    if out is not None:
        check_ending(out)
        check_writable(out)
    beside = Beside(read_compared(given), clock, projects=True)
    conventions = conventions or (clock.conventions if clock else Conventions())
    table = open_tables(inputs, beside.wanted, conventions)
    beside.check(table)
    if "Age" not in table.names:
        raise HeteroAgeError(
            f"{table.where} has no column Age: there is nothing to compare ages with. Add it, or name your column by "
            "--columns Age=YOURS. `heteroage pipeline-predict --compare` predicts without ages."
        )
    if clock is not None:
        wanted = ["sample_id", "project_id", "Age", "HeteroAge"]
        wanted += [name for one in beside.compared for name in (one.name, one.name + MISSING)]
        blocks = clock.stream("predict", table, beside=beside)
        parts = [{name: rows[name] for name in wanted if name in rows} for rows, _ in blocks]
    else:
        parts = [_without_clock(part, table, beside, conventions) for part in table.parts(table.names)]
    if out is not None:
        with writing([out]) as (writer,):
            for rows in parts:
                writer.write(rows)
    names = [*(["HeteroAge"] if clock else []), *(one.name for one in beside.compared)]
    return _report(parts, names, beside.compared, table.where)


def _without_clock(part: NamedPart, table: MasterTable, beside: Beside, conventions: Conventions) -> Rows:
    label = table.labels.get("Age", "Age")
    years = metadata.ages(part.text("Age"), label, part.ids, part.where, conventions)
    age = np.array([np.nan if one is None else one for one in years])
    return {"sample_id": part.ids, "Age": age, **beside.rows(part, table.names)}


def _report(parts: Sequence[Rows], names: Sequence[str], compared: Sequence[Compared], where: str) -> str:
    """Format one line per clock for all samples and for each project, then the paired differences to HeteroAge."""
    joined = {name: np.concatenate([rows[name] for rows in parts]) for name in parts[0] if name != "sample_id"}
    age, cpgs = joined["Age"], {one.name: len(one.clock.features) for one in compared}
    projects = np.array([name or "unknown" for name in joined.get("project_id", [""] * len(age))])
    wide = max(map(len, ["clock", *names]))
    lines = [
        f"{'clock':{wide}} {'samples':>8} {'MAE':>7} {'median':>7} {'bias':>7} {'r':>6} {'CpGs missing':>15}  project"
    ]
    levels = sorted(set(projects))
    for level in ["all", *(levels if len(levels) > 1 else [])]:
        own = np.full(len(age), True) if level == "all" else projects == level
        for name in names:
            cohort = CohortSummary()
            cohort.add({"sample_id": range(own.sum()), "Age": age[own], "HeteroAge": joined[name][own]})
            found = cohort.accuracy()
            if not found and level == "all":
                raise HeteroAgeError(f"no sample of {where} has both an Age and the CpGs of {name}.")
            if found:
                missing = f"{joined[name + MISSING][own].mean():.1f} of {cpgs[name]}" if name in cpgs else ""
                lines.append(f"{name:{wide}} {_errors(found)} {missing:>15}  {level}")
    if "HeteroAge" in names:
        ours = np.abs(joined["HeteroAge"] - age)
        lines += [_difference(name, np.abs(joined[name] - age) - ours, projects) for name in cpgs]
    for name in cpgs:
        if (missing := joined[name + MISSING].mean()) > MUCH_MISSING * cpgs[name]:
            lines.append(
                f"Warning: samples are missing {missing:.0f} of the {cpgs[name]} CpGs of {name}: the comparison is "
                "unfair to it."
            )
    return "\n".join(lines)


def _errors(found: Mapping[str, float]) -> str:
    r = f"{found['r']:.3f}" if "r" in found else ""
    return f"{found['n']:>8.0f} {found['MAE']:>7.2f} {found['MedAE']:>7.2f} {found['bias']:>+7.2f} {r:>6}"


def _difference(name: str, change: NDArray[np.float64], projects: NDArray[np.str_]) -> str:
    """A clock's error minus that of HeteroAge: the mean over projects, or over samples below three projects."""
    projects, change = projects[~np.isnan(change)], change[~np.isnan(change)]
    levels, what = np.unique(projects), "samples"
    if len(levels) >= FEWEST_PROJECTS:
        change, what = np.array([change[projects == level].mean() for level in levels]), "projects"
    error = change.std(ddof=1) / np.sqrt(len(change)) if len(change) > 1 else np.nan
    return (
        f"{name} minus HeteroAge: {change.mean():+.2f} years of error (mean over {len(change)} {what}, paired; "
        f"standard error {error:.2f})"
    )
