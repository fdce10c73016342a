"""Alter the full run's training samples for a falsification run: its folds, ages or RF_PCs."""

from heteroage.evaluation.falsification import plant_study, shuffle_ages
from heteroage.files import read_table, rows_of, write_table
from heteroage.grouping.folds import assign_folds
from heteroage.workflow import script


@script
def main(run: str, samples: str, pcs: str, folds: int, seed: int, altered: str, altered_pcs: str) -> None:
    """Write the run's samples and RF_PCs.

    `random-split`: each sample is a group, so that random folds split studies, as clocks are often scored.
    `shuffled-ages`: ages are shuffled within tissue; only a leak can predict them.
    `planted-study`: ages of every other group are shifted, and RF_PCs encode the group.
    """
    table, context = read_table(samples), read_table(pcs)
    if run == "random-split":
        table["group"] = table["sample_id"]
        table["fold"] = assign_folds(table, folds, seed, False)
    elif run == "shuffled-ages":
        table = shuffle_ages(table, seed)
    else:
        context = context.iloc[rows_of(table["sample_id"], context, pcs)].set_axis(table.index)
        table, context = plant_study(table, context, seed)
    write_table(table, altered)
    write_table(context, altered_pcs)
