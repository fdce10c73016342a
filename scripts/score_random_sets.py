"""Train experts on random sets of CpGs of a hallmark's size, as the hallmark's own expert is trained."""

from collections.abc import Mapping

import pandas as pd

from heteroage.evaluation.falsification import draw_random_sets
from heteroage.files import read_json, read_table, write_table
from heteroage.stages.stage1 import selected_row
from heteroage.stages.stage2 import ExpertGrid, cross_fit
from heteroage.stages.training_data import TrainingData, read_views
from heteroage.workflow import in_processes, script


@script
def main(
    hallmark: str,
    inputs: Mapping[str, str],
    report: str,
    settings: Mapping,
    seed: int,
    n_sets: int,
    threads: int,
    scores: str,
) -> None:
    """Write the R2 on the residual of each set: no deployable model is fitted."""
    data = TrainingData.open(inputs)
    own = read_json(inputs["dictionary"])[hallmark]
    sets = draw_random_sets(data.with_pcs(False).feature_names, own, n_sets, seed, hallmark)
    row_of = data.row_of({name for one in sets for name in one})
    views, configuration = read_views(inputs["anchor"], data.samples), selected_row(read_table(report), report)

    def score(k: int) -> float:
        label, chosen = f"random set {k + 1} of {n_sets}", data.restrict(sets[k], row_of)
        return cross_fit(label, chosen, views, ExpertGrid.of(settings), configuration, only_predict=True).r2

    rows = [
        {"hallmark": hallmark, "set": k, "R2_Residual": r2}
        for k, r2 in enumerate(in_processes(score, range(n_sets), threads), start=1)
    ]
    write_table(pd.DataFrame(rows, columns=["hallmark", "set", "R2_Residual"]), scores)
