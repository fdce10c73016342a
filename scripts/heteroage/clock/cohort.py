"""A predicted table as a whole: how many samples, and how far their predicted ages are from those given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heteroage.clock.study_errors import StudyErrors

if TYPE_CHECKING:
    from heteroage.clock.source import Rows

LEAST_FOR_R = 3  # samples that a correlation is reported of


@dataclass
class CohortSummary:
    """Collects a table's parts as they are predicted; ages and limits in years.

    studies : errors of the studies that training held out, which the table's are compared with
    """

    samples: int = 0
    without_age: int = 0
    flagged: int = 0
    studies: StudyErrors | None = None
    _columns: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)

    def add(self, rows: Rows) -> None:
        """Add a part, as `Clock.stream` yields it."""
        self.samples += len(rows["sample_id"])
        self.flagged += sum(map(bool, rows.get("Flags", [])))
        if "HeteroAge" not in rows:
            return
        self.without_age += int(np.isnan(rows["HeteroAge"]).sum())
        if "Age" in rows:
            for name in ("Age", "HeteroAge", "HeteroAge_Lower", "HeteroAge_Upper"):
                if name in rows:
                    self._columns.setdefault(name, []).append(rows[name])

    def accuracy(self) -> dict[str, float]:
        """n, MAE, median absolute error, bias (mean of predicted - given), all in years, r, and the fraction of ages
        inside their prediction intervals; empty where no sample has both ages."""
        columns = {name: np.concatenate(parts) for name, parts in self._columns.items()}
        if not columns:
            return {}
        known = ~np.isnan(columns["Age"]) & ~np.isnan(columns["HeteroAge"])
        age, predicted = columns["Age"][known], columns["HeteroAge"][known]
        if not len(age):
            return {}
        error = predicted - age
        found = {"n": len(age), "MAE": np.abs(error).mean(), "MedAE": np.median(np.abs(error)), "bias": error.mean()}
        if len(age) >= LEAST_FOR_R and age.std() > 0 and predicted.std() > 0:
            found["r"] = np.corrcoef(age, predicted)[0, 1]
        if "HeteroAge_Lower" in columns:
            lower, upper = columns["HeteroAge_Lower"][known], columns["HeteroAge_Upper"][known]
            found["coverage"] = ((lower <= age) & (age <= upper)).mean()
        return {name: float(value) for name, value in found.items()}

    def as_json(self) -> dict[str, object]:
        """What --summary writes."""
        counts = {"samples": self.samples, "flagged": self.flagged, "without_predicted_age": self.without_age}
        found = counts | self.accuracy()
        if "bias" in found and self.studies is not None:
            found |= {"bias_beyond_studies": bool(self.warning()), "studies": self.studies.as_json()}
        return found

    def warning(self) -> str:
        """Say that the table is off as a whole, by more than the studies that training held out; else nothing."""
        accuracy = self.accuracy()
        if not accuracy or self.studies is None:
            return ""
        return self.studies.warning(accuracy["bias"], int(accuracy["n"]))

    def line(self) -> str:
        """One line to print."""
        parts = [f"{self.samples} sample{'s' * (self.samples != 1)}"]
        if accuracy := self.accuracy():
            said = f"MAE {accuracy['MAE']:.2f} years, bias {accuracy['bias']:+.2f}"
            said += f", r {accuracy['r']:.2f}" if "r" in accuracy else ""
            said += f", {accuracy['coverage']:.0%} inside their interval" if "coverage" in accuracy else ""
            parts.append(f"{said} (of {accuracy['n']:.0f} with an Age)")
        if self.flagged:
            parts.append(f"{self.flagged} with flags")
        if self.without_age:
            parts.append(f"{self.without_age} without a predicted age (no CpG measured)")
        return "; ".join(parts) + "."
