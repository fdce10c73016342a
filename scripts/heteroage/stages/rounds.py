"""Choice of the number of boosting rounds of the fusion, by grouped cross-validation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Fewest groups from which the fusion may learn. A fusion of three groups can learn one group's offset, which no other
# group contradicts: in one of twenty draws of few studies it took an error from 6 to 17 years (docs/evaluation.md).
FEWEST_GROUPS = 5


@dataclass(frozen=True)
class Rounds:
    """The chosen number of boosting rounds, and the tuning curve.

    curve : (rounds + 1,) mean over groups of each group's MAE after 0, 1, ... rounds, years
    paired_se : (rounds + 1,) standard error of the mean difference to the best round, years; infinite for one group
    """

    chosen: int
    curve: NDArray[np.float64]
    paired_se: NDArray[np.float64]

    @property
    def best(self) -> int:
        """The rounds with the smallest error."""
        return int(np.argmin(self.curve))

    def table(self) -> pd.DataFrame:
        """The tuning curve: rounds, Group_MAE, Paired_SE (years) and chosen."""
        rounds = np.arange(len(self.curve))
        paired = np.where(np.isfinite(self.paired_se), self.paired_se, np.nan)
        return pd.DataFrame(
            {"rounds": rounds, "Group_MAE": self.curve, "Paired_SE": paired, "chosen": rounds == self.chosen}
        )

    def summary(self) -> dict[str, object]:
        """Return the errors behind the choice, for Stage3_Artifacts.json."""
        paired = float(self.paired_se[0])
        return {
            "group_mae_of_anchor": float(self.curve[0]),
            "group_mae_at_chosen_rounds": float(self.curve[self.chosen]),
            "group_mae_at_best_rounds": float(self.curve[self.best]),
            "best_rounds": self.best,
            "paired_standard_error_of_best_and_anchor": paired if np.isfinite(paired) else None,
        }


def earned_rounds(errors: NDArray[np.float64]) -> Rounds:
    """Choose the rounds as `choose_rounds` does, and none where there are fewer than `FEWEST_GROUPS` groups."""
    rounds = choose_rounds(errors)
    return rounds if len(errors) >= FEWEST_GROUPS else replace(rounds, chosen=0)


def choose_rounds(errors: NDArray[np.float64]) -> Rounds:
    """Choose the number of boosting rounds by the one-standard-error rule.

    errors : (groups, rounds + 1), each group's MAE after 0, 1, ... rounds, in years
    Returns Rounds: the smallest number whose mean error exceeds the best one by at most one standard error of the
    difference (Breiman et al. 1984). The standard error is that of the paired differences over groups, because the
    groups' own levels differ much more than the compared errors. So the result is 0 unless the best error is better
    than that of the anchor (round 0) by more than one paired standard error. It is also 0 with a single group.
    """
    groups, curve = len(errors), errors.mean(axis=0)
    difference = errors - errors[:, [int(np.argmin(curve))]]
    paired = np.full(len(curve), np.inf)
    if groups > 1:
        paired = difference.std(axis=0, ddof=1) / np.sqrt(groups)
    return Rounds(int(np.argmax(difference.mean(axis=0) <= paired)), curve, paired)
