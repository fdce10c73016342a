"""Summary of a predicted table: number of samples, and error of the predicted ages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heteroage.clock.study_errors import StudyErrors

if TYPE_CHECKING:
    from heteroage.clock.source import Rows

LEAST_FOR_R = 3  # minimum number of samples for a correlation


@dataclass
class CohortSummary:
    """Collects the blocks of a table while they are predicted. All ages are in years.

    studies : errors of the studies held out in training, for comparison
    """

    samples: int = 0
    without_age: int = 0
    flagged: int = 0
    studies: StudyErrors | None = None
    _columns: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)

    def add(self, rows: Rows) -> None:
        """Add a block, as yielded by `Clock.stream`."""
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
        """Return n, MAE, median absolute error and bias (mean of predicted - given) in years, r, and interval coverage.

        The result is empty if no sample has both ages.
        """
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
        """Return the content of the --summary file."""
        counts = {"samples": self.samples, "flagged": self.flagged, "without_predicted_age": self.without_age}
        found = counts | self.accuracy()
        if "bias" in found and self.studies is not None:
            found |= {"bias_beyond_studies": bool(self.warning()), "studies": self.studies.as_json()}
        return found

    def warning(self) -> str:
        """Return a warning if the bias is outside the range of the studies held out in training, otherwise ""."""
        accuracy = self.accuracy()
        if not accuracy or self.studies is None:
            return ""
        return self.studies.warning(accuracy["bias"], int(accuracy["n"]))

    def line(self) -> str:
        """Return a summary line to print."""
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
