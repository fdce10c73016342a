"""What the command `heteroage` and the predict rule do: predict tables, calibrate, compare, export coefficients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heteroage.clock.artifacts import ANCHOR
from heteroage.clock.check import raw_weights
from heteroage.clock.cohort import CohortSummary, accuracy
from heteroage.clock.loading import load_clock
from heteroage.clock.master_table import open_tables
from heteroage.clock.model import ClockModel
from heteroage.clock.output import kind_of, writing
from heteroage.clock.predict import Clock
from heteroage.clock.published import MISSING, MUCH_MISSING, Beside, read_compared
from heteroage.clock.sums import Rows
from heteroage.clock.trees import booster_of, contributions_of
from heteroage.errors import HeteroAgeError, listed
from heteroage.files import check_writable, write_json
from heteroage.probes import is_pc, split_modality
from heteroage.tables.metadata import Conventions

FEWEST_PROJECTS = 3  # minimum number of projects for a paired difference over projects instead of samples
INTERCEPT = {"biolearn": "intercept", "methylclock": "(Intercept)"}  # name of the intercept in each style of export


def run_step(
    step: str,
    artifact_dir: Path,
    inputs: Sequence[Path],
    out: Path,
    *,
    contributions: Path | None = None,
    summary: Path | None = None,
    compare: Mapping[str, Mapping[str, object]] | None = None,
    offset: Path | None = None,
    allow_missing: bool = False,
    public_key: Path | None = None,
    conventions: Mapping[str, object] | None = None,
) -> str:
    """Predict tables with a clock, block by block.

    compare : published clocks whose ages are added, in the form of the config's `compare`
    offset : file written by `calibrate`; its offset is added to each HeteroAge
    conventions : conventions of the tables, as in `load_clock`

    Returns a summary line to print, and a warning if the table has a systematic offset.
    Raises HeteroAgeError: the folder, the tables or the output path are invalid. Nothing is written.
    """
    from tqdm import tqdm

    outputs = [path for path in (out, contributions) if path is not None]
    check_places([*inputs, offset], [*outputs, summary], outputs)
    clock = load_clock(artifact_dir, public_key, **(conventions or {}))
    booster = booster_of(clock) if contributions is not None else None
    if offset is not None:
        clock = clock.with_offset(offset)
    beside = Beside(read_compared(compare), clock) if compare else None
    table = open_tables(inputs, (beside or clock).wanted, clock.conventions)
    if beside:
        beside.find(table)
    cohort = CohortSummary(studies=clock.studies)
    # The progress bar is shown only if standard error is a terminal.
    with writing(outputs) as writers, tqdm(total=table.n_rows, unit=" samples", unit_scale=True, disable=None) as bar:
        for rows, features in clock.stream(step, table, allow_missing, beside):
            writers[0].write(rows)
            cohort.add(rows)
            if booster is not None:
                writers[1].write(contributions_of(clock, booster, rows, features))
            bar.update(len(rows["sample_id"]))
    if summary is not None:
        write_json(cohort.as_json(), summary)
    warning = cohort.warning()
    return f"{out}: {cohort.line()}" + (f"\nWarning: {warning}" if warning else "")


def check_places(
    inputs: Sequence[Path | None], outputs: Sequence[Path | None], tables: Sequence[Path | None] = ()
) -> None:
    """Reject, before the work, outputs that cannot be written, or are equal to each other or to an input."""
    for path in filter(None, tables):
        kind_of(path)
    given = {path.resolve() for path in inputs if path is not None}
    outputs = [path for path in outputs if path is not None]
    for path in outputs:
        check_writable(path)
    places = [path.resolve() for path in outputs]
    if twice := [path for path, place in zip(outputs, places, strict=True) if places.count(place) > 1]:
        raise HeteroAgeError(f"two outputs have the same file name ({twice[0]}). Change one of them.")
    if same := [path for path, place in zip(outputs, places, strict=True) if place in given]:
        raise HeteroAgeError(f"{same[0]} is an input and would be overwritten. Choose another output file.")


def coefficients(clock: ClockModel) -> tuple[float, dict[str, float]]:
    """Return the anchor's intercept, and its coefficients on the beta scale by feature.

    Computed RF_PCs are linear in the CpGs, so their weights are added to the coefficients of the CpGs.

    Raises HeteroAgeError: the anchor uses RF_PCs from a file, which cannot be converted to coefficients of CpGs.
    """
    model, loadings = clock.anchor, clock.loadings
    intercept = float(model.intercept - (model.raw * model.mean).sum())
    weight = raw_weights(clock, model)
    if pcs := [name for name in weight if is_pc(name)]:
        raise HeteroAgeError(
            f"the anchor uses RF_PCs from a file ({listed(pcs)}), which cannot be converted to coefficients of CpGs. "
            "Train with stage1.context_pcs: false."
        )
    for name, share in zip(model.features, model.raw.tolist(), strict=True):
        if is_pc(name):
            intercept -= share * float((loadings.weight[:, loadings.names.index(name)] * loadings.mean).sum())
    return intercept, weight


def export_coefficients(clock: ClockModel, out: Path, style: str) -> str:
    """Write the anchor as a plain table of coefficients, for other tools' linear clocks; returns a line to print.

    transformed = intercept + sum over rows of CoefficientTraining × beta. Age in years = 21 × exp(transformed) - 1 if
    transformed < 0, otherwise 21 × transformed + 20: the inverse of Horvath's transform, which clock packages provide.
    biolearn's linear models (index_col=0) and methylclock's tables have exactly the columns CpGmarker and
    CoefficientTraining. They differ in the name of the intercept, which comes first.

    The suffix `_beta` is removed from CpG names; suffixes of other modalities are kept.
    """
    intercept, weight = coefficients(clock)
    order = sorted(weight, key=lambda name: (-abs(weight[name]), name))
    names = [INTERCEPT[style], *(name.removesuffix("_beta") for name in order)]
    values = np.array([intercept, *(weight[name] for name in order)])
    with writing([out]) as (writer,):
        writer.write({"CpGmarker": names, "CoefficientTraining": values})
    others = sorted({split_modality(name)[1] or "" for name in order} - {"beta"})
    note = f" {', '.join(others)} keep their suffix; other tools will not recognise them." if others else ""
    return f"{out}: {len(order)} coefficients of {ANCHOR}, on Horvath's transformed age (see docs/apply.md).{note}"


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
    check_places(inputs, [out], [out])
    beside = Beside(read_compared(given), clock, projects=True)
    conventions = conventions or (clock.conventions if clock else Conventions())
    table = open_tables(inputs, beside.wanted, conventions)
    beside.find(table)
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
        parts = [
            {"sample_id": part.ids, "Age": part.ages(conventions), **beside.rows(part)}
            for part in table.parts(table.names)
        ]
    if not parts:
        raise HeteroAgeError(f"{table.where} has a header and no rows. Give at least one sample.")
    if out is not None:
        with writing([out]) as (writer,):
            for rows in parts:
                writer.write(rows)
    cpgs = {one.name: len(one.features) for one in beside.compared}
    return _report(parts, [*(["HeteroAge"] if clock else []), *cpgs], cpgs, table.where)


def _report(parts: Sequence[Rows], names: Sequence[str], cpgs: Mapping[str, int], where: str) -> str:
    """Format one line per clock for all samples and for each project, then the paired differences to HeteroAge."""
    joined = {name: np.concatenate([rows[name] for rows in parts]) for name in parts[0] if name != "sample_id"}
    age = joined["Age"]
    projects = np.array([name or "unknown" for name in joined.get("project_id", [""] * len(age))])
    wide = max(map(len, ["clock", *names]))
    lines = [
        f"{'clock':{wide}} {'samples':>8} {'MAE':>7} {'median':>7} {'bias':>7} {'r':>6} {'CpGs missing':>15}  project"
    ]
    levels = sorted(set(projects))
    for level in ["all", *(levels if len(levels) > 1 else [])]:
        own = np.full(len(age), True) if level == "all" else projects == level
        for name in names:
            found = accuracy({"Age": age[own], "HeteroAge": joined[name][own]})
            if not found and level == "all":
                raise HeteroAgeError(f"no sample of {where} has both an Age and the CpGs of {name}.")
            if found:
                r = f"{found['r']:.3f}" if "r" in found else ""
                missing = f"{joined[name + MISSING][own].mean():.1f} of {cpgs[name]}" if name in cpgs else ""
                errors = f"{found['n']:>8.0f} {found['MAE']:>7.2f} {found['MedAE']:>7.2f} {found['bias']:>+7.2f}"
                lines.append(f"{name:{wide}} {errors} {r:>6} {missing:>15}  {level}")
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
