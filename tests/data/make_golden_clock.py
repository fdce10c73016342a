"""Make a golden clock in tests/data: a trained clock, tables, and the ages that every later version must predict.

Once for each format version (golden_clock is of version 1, golden_clock_2 of version 2), by hand, on purpose; a change
of its ages belongs into CHANGELOG.md. Give the folder that a run of the mini study of tests/workflow has assembled, a
table of held-back samples, and a name.

    python tests/data/make_golden_clock.py STUDY/results/full_artifacts STUDY/data/held_back.parquet golden_clock_2
"""

import shutil
import sys
from pathlib import Path

import pandas as pd

from heteroage.clock import artifacts
from heteroage.clock.apply import run_step
from heteroage.clock.loading import load_clock


def main(source: Path, table: Path, here: Path) -> None:
    """Copy what prediction reads (no joblib), 12 samples in each format, and the ages."""
    shutil.rmtree(here, ignore_errors=True)
    clock = load_clock(source)
    for path in sorted(source.rglob("*")):
        if path.is_file() and path.suffix != ".joblib" and path.name != artifacts.MANIFEST:
            name = path.relative_to(source)
            if name.parts[0] == "reference" or str(name) in (
                artifacts.STAGE1_WEIGHTS,
                artifacts.STAGE2_WEIGHTS,
                artifacts.STAGE3_MODEL,
                artifacts.STAGE3_META,
                artifacts.APPLICABILITY,
                artifacts.COVARIANCE,
                artifacts.PC_LOADINGS,
            ):
                (here / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, here / "folder" / name)
    artifacts.seal(here / "folder", {})
    samples = pd.read_parquet(table).iloc[:12]
    wanted = ["sample_id", "Tissue", "Sex", "Age", *clock.wanted.among(samples.columns)]
    samples = samples[list(dict.fromkeys(wanted))].reset_index(drop=True)
    (here / "tables").mkdir()
    samples.to_csv(here / "tables/samples.csv", index=False)
    samples.to_csv(here / "tables/samples.csv.gz", index=False, compression={"method": "gzip", "mtime": 0})
    samples.to_parquet(here / "tables/samples.parquet", index=False)
    samples.to_feather(here / "tables/samples.feather")
    run_step("predict", here / "folder", [here / "tables/samples.csv"], here / "ages.csv")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(__file__).parent / sys.argv[3])
