"""Train the anchor: sweep its configurations, predict each sample without its fold, and fit the deployable model."""

import logging
from collections.abc import Mapping, Sequence

import pandas as pd

from heteroage.clock.weights import weights_table
from heteroage.files import read_table, write_model, write_table
from heteroage.stages.stage1 import Grid, cross_fit, out_of_fold_table, selected_row, sweep, train
from heteroage.stages.start_from import open_start, strengths_of
from heteroage.stages.training_data import TrainingData, log_grid
from heteroage.workflow import run_script


def main(
    samples: str,
    features: str,
    names: str,
    pcs: str,
    balancing: Sequence[Mapping[str, float]],
    technical_sd: Sequence[float],
    alpha: Mapping[str, float],
    l1_ratio: Sequence[float],
    context_pcs: bool,
    start_from: Mapping[str, object] | None,
    threads: int,
    report: str,
    out_of_fold: str,
    views: str,
    model: str,
    weights: str,
    earlier: str | None = None,
) -> None:
    """Write the sweep report (or follow an earlier one), predictions out of fold and in every view, and the model."""
    data = TrainingData.open(samples, features, names, pcs).with_pcs(context_pcs)
    start = open_start(start_from, data)
    if earlier:
        table = followed(read_table(earlier), earlier)
    else:
        grid = Grid(balancing, technical_sd, l1_ratio, log_grid(**alpha), strengths_of(start_from))
        table = sweep(data, grid, threads, start)
    configuration = selected_row(table, earlier or report)
    anchor = cross_fit(data, configuration, threads, start)
    final = train(data, configuration, threads, start)
    write_table(table, report)
    write_table(anchor, views)
    write_table(out_of_fold_table(data, anchor), out_of_fold)
    write_table(weights_table(final), weights)
    write_model(final, model)


def followed(table: pd.DataFrame, earlier: str) -> pd.DataFrame:
    """Return an earlier sweep report with the row marked that it selects."""
    logging.info("the sweep is skipped; %s selects %s", earlier, selected_row(table, earlier))
    if "selected" not in table.columns:
        table["selected"] = table.index == table["Score"].idxmax()
    return table


if __name__ == "__main__":
    run_script(main)
