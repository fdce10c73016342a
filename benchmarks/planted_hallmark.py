"""Is the planted hallmark found, and are random sets of CpGs not? On the demo's simulation, with other seeds.

    python benchmarks/planted_hallmark.py --seeds 20

Each seed is a new simulation (new ages, new CpGs). Its anchor is fitted at one configuration instead of being tuned;
the experts, and the random sets of the same size beside them, are trained as in `snakemake falsify`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import yaml
from threadpoolctl import threadpool_limits

from heteroage import demo
from heteroage.age import transform_age
from heteroage.evaluation.falsification import SIGNIFICANCE, draw_random_sets
from heteroage.files import write_table
from heteroage.grouping.folds import assign_folds, assign_groups, training_samples
from heteroage.inputs.cohorts import InputOptions, read_cohorts
from heteroage.inputs.store import Intake, TableEntry, write_store
from heteroage.matrix import open_matrix
from heteroage.stages import stage1, stage2
from heteroage.stages.hallmarks import absolute_correlation, match_features, orthogonalise
from heteroage.stages.stage2 import ExpertGrid
from heteroage.stages.training_data import TrainingData

ROOT = Path(__file__).parents[1]
ANCHOR = {"min_cohorts": 1, "min_cap": 30, "max_cap": 500, "median_mult": 2.0}
ANCHOR |= {"technical_sd": 0.005, "alpha": 0.1, "l1_ratio": 0.5}
SEED = 42


def training_data(simulated: demo.Demo, folder: Path) -> TrainingData:
    """Read the simulated tables as the workflow does."""
    for modality, table in simulated.tables.items():
        write_table(table, folder / f"{modality}.parquet")
    entries = {modality: [TableEntry(str(folder / f"{modality}.parquet"))] for modality in simulated.tables}
    cohorts = read_cohorts(entries, [], InputOptions(), folder, Intake())
    write_store(cohorts, folder / "features.npy", folder / "names.txt", Intake())
    store, names = open_matrix(folder / "features.npy", folder / "names.txt")
    everyone = cohorts.samples.assign(group=assign_groups(cohorts.samples))
    samples = training_samples(everyone)
    samples["fold"] = assign_folds(samples, 5, SEED, False)
    columns = everyone["sample_id"].searchsorted(samples["sample_id"])
    return TrainingData(samples, np.ascontiguousarray(store[:, columns]), names)


def main() -> None:
    """Print a row for each seed, and what they say together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=100)
    parser.add_argument("--sets", type=int, default=19, help="random sets for each hallmark")
    options = parser.parse_args()
    settings = yaml.safe_load((ROOT / "resources/demo/settings.yaml").read_text(encoding="utf-8"))
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    grid = ExpertGrid.of(config["stage2"])
    found, above_zero, best = 0, 0, []
    print("| seed | planted hallmark | R2 on the residual | best random set | random sets above 0 | p |")
    print("|---|---|---|---|---|---|")
    for seed in range(options.first, options.first + options.seeds):
        own = {**settings, "seed": seed}
        dictionary = demo.simulate_dictionary(own)
        simulated = demo.simulate(own, dictionary)
        with tempfile.TemporaryDirectory() as folder:
            data = training_data(simulated, Path(folder))
        anchor = stage1.cross_fit(data, ANCHOR, 2)
        r = absolute_correlation(data.X, transform_age(data.samples["Age"]))
        features = orthogonalise(
            match_features(dictionary, data.feature_names), dict(zip(data.feature_names, r, strict=True))
        )
        hallmark = simulated.truth["accelerated_hallmark"]
        sets = draw_random_sets(data.feature_names, features[hallmark], options.sets, seed, hallmark)
        r2, *random = (
            stage2.train_expert(hallmark, data.restrict(chosen), anchor, grid, ANCHOR).summary["R2_Residual"]
            for chosen in (features[hallmark], *sets)
        )
        p = (1 + sum(other >= r2 for other in random)) / (1 + len(random))
        found += r2 > 0 and p <= SIGNIFICANCE
        above_zero += sum(other > 0 for other in random)
        best.append(max(random))
        print(
            f"| {seed} | {hallmark} | {r2:.3f} | {max(random):.3f} | {sum(x > 0 for x in random)} | {p:.3f} |",
            flush=True,
        )
    total = options.seeds * options.sets
    print(f"\nfound in {found} of {options.seeds}")
    print(f"of {total} random sets {above_zero} above 0, the best at {max(best):.3f}")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
