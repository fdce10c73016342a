"""Published clocks: their coefficient tables, and the ages that they predict. Export of the anchor as such a table.

A published clock is a weighted sum of CpGs and a transform to years. Its table has two columns, a CpG and its
coefficient, with the intercept as a row. A missing value is replaced by the reference value of the caller (a training
median), or else by the table's column `medianByCpG`, `median` or `mean`, or else by 0. The number of missing values is
reported for every sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heteroage.age import inverse_transform_age
from heteroage.clock.artifacts import ANCHOR, CORRECTION, MISSING, MUCH_MISSING
from heteroage.clock.cohort import accuracy
from heteroage.errors import HeteroAgeError, listed
from heteroage.files import sha256_of
from heteroage.probes import feature_name, is_pc, is_probe, split_modality
from heteroage.tables.metadata import Cells
from heteroage.tables.opening import open_source
from heteroage.tables.source import number_of

if TYPE_CHECKING:
    from heteroage.clock.model import ClockModel

INTERCEPT_NAMES = {"biolearn": "intercept", "methylclock": "(Intercept)"}  # of each style of export
INTERCEPTS = {"(intercept)", "intercept", "(const)", "const"}
# Names of the coefficient column (case is ignored). Without a match, the only column of numbers is used.
COEFFICIENTS = ["coefficienttraining", "coefficient", "coef", "weight", "beta"]
# Names of the column of typical beta values (case is ignored), which replace missing values.
REFERENCES = ["medianbycpg", "median", "mean"]
# Transforms from the weighted sum to years.
TRANSFORMS: dict[str, Callable[[ArrayLike], NDArray[np.float64]]] = {
    "horvath": inverse_transform_age,
    "identity": lambda score: np.asarray(score, np.float64),
    "log": lambda score: np.exp(np.asarray(score, np.float64)),
}
FEWEST_PROJECTS = 3  # minimum number of projects for a paired difference over projects instead of samples
# Columns of predictions and of sample sheets. A published clock cannot have one of these names.
RESERVED = {"sample_id", "project_id", "donor_id", "group", "fold", "Tissue", "Sex", "Age", "Is_Healthy", "Platform"}
RESERVED_STARTS = ("HeteroAge", "Stage1_", "Age_", "Imputed_", "Flags", "Cohort_", "Training_Mean_Age", "RF_PC")


@dataclass(frozen=True)
class PublishedClock:
    """A published linear clock.

    features : feature names with suffix, such as `cg00000029_beta`
    coefficient : (features,), per unit of beta value
    intercept : on the scale of the weighted sum; 0 if the table has none
    sha256 : digest of the file
    reference : (features,), typical beta values; None if the table has no such column
    name, trained_on : its name, and the project_ids of the studies that it was trained on
    transform : from the weighted sum to years
    standardised : whether the inputs are z-scores: each sample's beta values are standardised by their mean and
        standard deviation over all CpGs of the sample (Zhang et al., Genome Medicine 11:54, 2019)
    """

    features: list[str]
    coefficient: NDArray[np.float64]
    intercept: float
    sha256: str
    reference: NDArray[np.float64] | None = None
    name: str = ""
    transform: str = "identity"
    standardised: bool = False
    trained_on: tuple[str, ...] = ()

    def ages(
        self,
        values: NDArray[np.float64],
        reference: NDArray[np.float64] | None = None,
        scale: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Predict ages. CpGs are added one by one, so that a sample's age does not depend on the other samples.

        values : (the clock's CpGs, samples) beta values, NaN where missing
        reference : (the clock's CpGs,) or (the clock's CpGs, samples), replacements of missing values; NaN if unknown
        scale : each sample's mean and standard deviation over all of its CpGs, for a clock with z-scores

        Returns ages in years (NaN for a sample without any of the CpGs), and the number of missing CpGs.
        """
        total, missing = np.full(values.shape[1], self.intercept), np.isnan(values)
        unknown = np.full(len(values), np.nan)
        reference = unknown if reference is None else reference
        own = unknown if self.reference is None else self.reference
        for k, coefficient in enumerate(self.coefficient):
            filled = np.where(missing[k], reference[k], values[k])
            filled = np.where(np.isnan(filled), own[k], filled)
            if scale is not None:
                filled = (filled - scale[0]) / scale[1]
            total += coefficient * np.where(np.isnan(filled), 0.0, filled)
        ages = TRANSFORMS[self.transform](total)
        return np.where(missing.all(axis=0), np.nan, ages), missing.sum(axis=0).astype(np.float64)


def read_coefficients(path: str | Path, where: str = "", intercept: float | None = None) -> PublishedClock:
    """Read a coefficient table. All table formats are supported; in text files the header is optional.

    where : name of the table in messages; default: its path
    intercept : the intercept, if the table has no row for it

    Raises HeteroAgeError: no column of probe names or of coefficients; coefficients that are not finite numbers; a
    repeated CpG; two intercepts.
    """
    where = where or str(path)
    source = open_source(path, where)
    header, columns = source.header, source.texts(range(len(source.header)))
    if any(is_probe(name) or name.lower() in INTERCEPTS for name in header):  # no header: the first row is data
        columns = [[name, *cells] for name, cells in zip(header, columns, strict=True)]
        header = [f"column {k + 1}" for k in range(len(header))]
    names, values = _columns(header, columns, where)
    typical = [k for wanted in REFERENCES for k, name in enumerate(header) if name.lower() == wanted]
    typical_of = dict(zip(names, map(_number, columns[typical[0]]), strict=True)) if typical else {}
    rows = [(name or "", text) for name, text in zip(names, values, strict=True) if name or text]
    if bad := [f"{name} {text or '(empty)'}" for name, text in rows if not np.isfinite(_number(text))]:
        raise HeteroAgeError(
            f"{where} has coefficients that are not finite numbers ({listed(bad)}). Correct them, or remove their rows."
        )
    own = [_number(text) for name, text in rows if name.lower() in INTERCEPTS]
    if len(own) + (intercept is not None) > 1:
        raise HeteroAgeError(f"{where} has more than one intercept. Give it once, as a row or as the key `intercept`.")
    rows = [row for row in rows if row[0].lower() not in INTERCEPTS]
    if unknown := [name for name, _ in rows if not is_probe(name)]:
        raise HeteroAgeError(
            f"{where} has rows that are neither a CpG nor the intercept ({listed(unknown)}). Remove them."
        )
    features = [feature_name(name, "beta") or name for name, _ in rows]
    if twice := [name for name, count in Counter(features).items() if count > 1]:
        raise HeteroAgeError(f"{where} has repeated CpGs ({listed(twice)}). Keep one row of each.")
    coefficient = np.array([_number(text) for _, text in rows])
    reference = np.array([typical_of[name] for name, _ in rows]) if typical else None
    return PublishedClock(features, coefficient, own[0] if own else float(intercept or 0.0), sha256_of(path), reference)


def _columns(header: list[str], columns: list[Cells], where: str) -> tuple[Cells, Cells]:
    named_row = [_share(cells, lambda name: is_probe(name) or name.lower() in INTERCEPTS) for cells in columns]
    probes = next((k for k, share in enumerate(named_row) if share > 0.5), None)
    if probes is None:
        raise HeteroAgeError(
            f"{where} has no column of probe names such as cg00075967 (its columns are {listed(header)}). "
            "Give a table of two columns, for example CpGmarker,CoefficientTraining."
        )
    others = [k for k in range(len(columns)) if k != probes and header[k].lower() not in REFERENCES]
    named = [k for name in COEFFICIENTS for k in others if header[k].lower() == name]
    numeric = [k for k in others if _share(columns[k], lambda text: np.isfinite(_number(text))) > 0.5]
    if not named and len(numeric) != 1 and len(others) != 1:
        raise HeteroAgeError(
            f"{where} has {len(numeric)} columns of numbers beside the probes (its columns are {listed(header)}). "
            "Name the one of coefficients `coefficient`."
        )
    return columns[probes], columns[(named or numeric or others)[0]]


def _share(cells: Cells, holds: Callable[[str], bool]) -> float:
    return float(np.mean([text is not None and holds(text) for text in cells])) if cells else 0.0


def _number(text: str | None) -> float:
    """Convert a cell to a number; NaN if that is not possible."""
    return np.nan if text is None or (number := number_of(text)) is None else number


def read_compared(
    compare: Mapping[str, Mapping[str, object]], names: Collection[str] | None = None
) -> list[PublishedClock]:
    """Read all entries of `compare:`: {name, which becomes a column: coefficients, transform, intercept, input, ...}.

    names : features of the data, to check that some are shared

    Raises HeteroAgeError: a reserved name; errors of `read_coefficients`; an unknown transform; no CpG in common.
    """
    found = []
    for name, given in compare.items():
        where = f"compare.{name}, {given['coefficients']},"
        if name in RESERVED or name.startswith(RESERVED_STARTS) or name.endswith((MISSING, CORRECTION)):
            raise HeteroAgeError(
                f"{where} has the name of a column of predictions. Give the clock another name, such as Horvath2013."
            )
        transform = str(given.get("transform", "identity"))
        if transform not in TRANSFORMS:
            raise HeteroAgeError(
                f"compare.{name}.transform: unknown transform {transform!r}. Known are {', '.join(TRANSFORMS)}."
            )
        if (intercept := given.get("intercept")) is not None:
            try:
                intercept = float(str(intercept))  # text, from the command line
            except ValueError as error:
                text = f"{where} has the intercept {intercept!r}, which is not a number. Give a number."
                raise HeteroAgeError(text) from error
        clock = read_coefficients(str(given["coefficients"]), where, intercept)
        if names is not None and not set(clock.features) & set(names):
            raise HeteroAgeError(
                f"{where} shares no CpG with the data (its CpGs are {listed(clock.features)}). Published clocks are "
                "read as beta values: check how CpGs are named, and inputs.beta."
            )
        trained_on, standardised = tuple(map(str, given.get("trained_on") or ())), given.get("input") == "z"
        found.append(replace(clock, name=name, transform=transform, standardised=standardised, trained_on=trained_on))
    return found


def coefficients(clock: ClockModel) -> tuple[float, dict[str, float]]:
    """Return the anchor's intercept, and its coefficients on the beta scale by feature.

    Computed RF_PCs are linear in the CpGs, so their weights are added to the coefficients of the CpGs.

    Raises HeteroAgeError: the anchor uses RF_PCs from a file, which cannot be converted to coefficients of CpGs.
    """
    model, weight = clock.anchor, clock.raw_weights(clock.anchor)
    intercept = float(model.intercept - (model.raw * model.mean).sum())
    if pcs := [name for name in weight if is_pc(name)]:
        raise HeteroAgeError(
            f"the anchor uses RF_PCs from a file ({listed(pcs)}), which cannot be converted to coefficients of CpGs. "
            "Train with stage1.context_pcs: false."
        )
    for name, share in zip(model.features, model.raw.tolist(), strict=True):
        if is_pc(name):
            intercept -= share * float((clock.loading(name) * clock.loadings.mean).sum())
    return intercept, weight


def export_coefficients(clock: ClockModel, style: str) -> tuple[dict[str, Sequence], str]:
    """Return the anchor as a plain table of coefficients, for other tools' linear clocks, and a line to print.

    transformed = intercept + sum over rows of CoefficientTraining × beta. Age in years = 21 × exp(transformed) - 1 if
    transformed < 0, otherwise 21 × transformed + 20: the inverse of Horvath's transform, which clock packages provide.
    biolearn's linear models (index_col=0) and methylclock's tables have exactly the columns CpGmarker and
    CoefficientTraining. They differ in the name of the intercept, which comes first.

    The suffix `_beta` is removed from CpG names; suffixes of other modalities are kept.
    """
    intercept, weight = coefficients(clock)
    order = sorted(weight, key=lambda name: (-abs(weight[name]), name))
    names = [INTERCEPT_NAMES[style], *(name.removesuffix("_beta") for name in order)]
    others = sorted({split_modality(name)[1] or "" for name in order} - {"beta"})
    note = f" {', '.join(others)} keep their suffix; other tools will not recognise them." if others else ""
    said = f"{len(order)} coefficients of {ANCHOR}, on Horvath's transformed age (see docs/apply.md).{note}"
    return {"CpGmarker": names, "CoefficientTraining": np.array([intercept, *map(weight.get, order)])}, said


def report_of(parts: Sequence[Mapping[str, Any]], cpgs: Mapping[str, int], where: str) -> str:
    """Format one line per clock for all samples and for each project, then the paired differences to HeteroAge.

    parts : blocks with Age, the ages of the clocks (HeteroAge, if known, and published ones), and project_id if known
    cpgs : number of CpGs of each published clock
    """
    joined = {name: np.concatenate([rows[name] for rows in parts]) for name in parts[0] if name != "sample_id"}
    age, names = joined["Age"], [name for name in ("HeteroAge", *cpgs) if name in joined]
    projects = np.array([name or "unknown" for name in joined.get("project_id", [""] * len(age))])
    wide = max(map(len, ["clock", *names]))
    title = f"{'clock':{wide}} {'samples':>8} {'MAE':>7} {'median':>7} {'bias':>7} {'r':>6} {'CpGs missing':>15}"
    lines = [f"{title}  project"]
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
    for name in cpgs if "HeteroAge" in joined else []:
        change = np.abs(joined[name] - age) - np.abs(joined["HeteroAge"] - age)
        known = ~np.isnan(change)
        change, of, what = change[known], projects[known], "samples"
        if len(set(of)) >= FEWEST_PROJECTS:
            change, what = np.array([change[of == level].mean() for level in np.unique(of)]), "projects"
        error = change.std(ddof=1) / np.sqrt(len(change)) if len(change) > 1 else np.nan
        lines.append(
            f"{name} minus HeteroAge: {change.mean():+.2f} years of error (mean over {len(change)} {what}, paired; "
            f"standard error {error:.2f})"
        )
    for name in cpgs:
        if (missing := joined[name + MISSING].mean()) > MUCH_MISSING * cpgs[name]:
            lines.append(
                f"Warning: samples are missing {missing:.0f} of the {cpgs[name]} CpGs of {name}: the comparison is "
                "unfair to it."
            )
    return "\n".join(lines)
