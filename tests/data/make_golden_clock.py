"""Make tests/data/golden_clock: a small trained clock, tables, and the ages that every later version must predict.

Run once, by hand, on purpose; a change of its ages belongs into CHANGELOG.md. Give the folder that a run of the mini
study of tests/workflow has assembled, and a table of held-back samples.

    python tests/data/make_golden_clock.py STUDY/results/full_artifacts STUDY/data/held_back.parquet
"""

import shutil
import sys
from pathlib import Path

import pandas as pd

from heteroage import artifacts
from heteroage.apply import run_step
from heteroage.loading import load_clock

HERE = Path(__file__).parent / "golden_clock"


def main(source: Path, table: Path) -> None:
    """Copy what prediction reads (no joblib), 12 samples in each format, and the ages."""
    shutil.rmtree(HERE, ignore_errors=True)
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
                (HERE / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, HERE / "folder" / name)
    artifacts.seal(HERE / "folder", {})
    samples = pd.read_parquet(table).iloc[:12]
    samples = samples[clock.wanted.among(samples.columns)].reset_index(drop=True)
    (HERE / "tables").mkdir()
    samples.to_csv(HERE / "tables/samples.csv", index=False)
    samples.to_csv(HERE / "tables/samples.csv.gz", index=False, compression={"method": "gzip", "mtime": 0})
    samples.to_parquet(HERE / "tables/samples.parquet", index=False)
    samples.to_feather(HERE / "tables/samples.feather")
    run_step("predict", HERE / "folder", [HERE / "tables/samples.csv"], HERE / "ages.csv")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
