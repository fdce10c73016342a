"""Shift the ages of every other group, and add features that encode the group. Held-out groups cannot use them."""

from heteroage.evaluation.falsification import plant_study
from heteroage.files import read_table, rows_of, write_table
from heteroage.workflow import run_script


def main(samples: str, pcs: str, seed: int, planted_samples: str, planted_pcs: str) -> None:
    """Write the samples with shifted ages, and the RF_PCs with the planted ones behind them."""
    table, context = read_table(samples), read_table(pcs)
    context = context.iloc[rows_of(table["sample_id"], context, pcs)].set_axis(table.index)
    shifted, planted = plant_study(table, context, seed)
    write_table(shifted, planted_samples)
    write_table(planted, planted_pcs)


if __name__ == "__main__":
    run_script(main)
