"""Predict each training sample's age with an anchor that has not seen its fold."""

from collections.abc import Mapping

from heteroage.files import read_table, write_table
from heteroage.stages.stage1 import cross_fit, out_of_fold_table, selected_row
from heteroage.stages.start_from import open_start
from heteroage.stages.training_data import TrainingData
from heteroage.workflow import run_script


def main(
    samples: str,
    features: str,
    names: str,
    pcs: str,
    report: str,
    context_pcs: bool,
    start_from: Mapping[str, object] | None,
    threads: int,
    out_of_fold: str,
    views: str,
) -> None:
    """Write the anchor's predictions in every view, and the out-of-fold table."""
    data = TrainingData.open(samples, features, names, pcs).with_pcs(context_pcs)
    configuration = selected_row(read_table(report), report)
    anchor = cross_fit(data, configuration, threads, open_start(start_from, data))
    write_table(anchor, views)
    write_table(out_of_fold_table(data, anchor), out_of_fold)


if __name__ == "__main__":
    run_script(main)
