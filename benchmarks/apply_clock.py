"""Time `heteroage pipeline-predict`, beside pandas + joblib in the same run. All data are simulated.

    python benchmarks/apply_clock.py --folder SCRATCH            ratio, memory, cold start (about 10 GB, some minutes)
    python benchmarks/apply_clock.py --folder SCRATCH --scaling  three sizes up to a million samples
    python benchmarks/apply_clock.py --folder SCRATCH --missing  complete data beside data with a tenth missing

Tables that are in the folder from an earlier run are used again.

The clock has 600 CpGs in its anchor and ten experts of 60, of 20,000 columns in the table. Every timing is of a fresh
process, start-up included. Peak memory is the process's own (resident, mapped files included).
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.compose import TransformedTargetRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from heteroage import assembly
from heteroage.age import inverse_transform_age, transform_age
from heteroage.assembly import learn_distance
from heteroage.clock import artifacts
from heteroage.clock.apply import write_reference
from heteroage.clock.cohort import Applicability
from heteroage.clock.loading import load_clock
from heteroage.files import write_json, write_table
from heteroage.stages import stage3
from heteroage.stages.deployable import weights_table

USED, EXPERTS, PER_EXPERT = 600, 10, 60
GROUP = 50_000  # samples of a row group
BASELINE = """
import sys, joblib, numpy as np, pandas as pd
from pathlib import Path
folder, table, out, threads = Path(sys.argv[1]), sys.argv[2], sys.argv[3], None
frame = pd.read_parquet(table)
anchor = joblib.load(folder / "stage1/model.joblib")
result = frame[["sample_id", "Tissue", "Sex", "Age"]].copy()
result["Stage1_Pred_Age"] = anchor.predict(frame[anchor.feature_names_in_])
matrix = {"Stage1_Pred_Age": result["Stage1_Pred_Age"]}
for path in sorted((folder / "stage2/hallmarks").glob("*.joblib")):
    expert = joblib.load(path)
    name = path.stem.removeprefix("Hallmark_") + "_Correction"
    matrix[name] = result[name] = expert.predict(frame[expert.feature_names_in_])
matrix = pd.DataFrame(matrix)
for name, levels in (("Tissue", ["Blood", "Liver", "Skin"]), ("Sex", ["F", "M"])):
    matrix[name] = frame[name].map({level: k for k, level in enumerate(levels)}).astype(float)
booster = joblib.load(folder / "stage3/model.joblib")
result["HeteroAge"] = result["Stage1_Pred_Age"] + booster.predict(matrix)
result.to_csv(out, index=False)
"""


def pipeline(alpha: float, anchor: bool) -> Pipeline:
    """A linear model as the stages store them."""
    net = ElasticNet(alpha=alpha, l1_ratio=0.1, fit_intercept=anchor)
    if anchor:
        net = TransformedTargetRegressor(
            net, func=transform_age, inverse_func=inverse_transform_age, check_inverse=False
        )
    impute = SimpleImputer(strategy="median", keep_empty_features=True)
    return Pipeline([("impute", impute), ("scale", StandardScaler()), ("elastic_net", net)])


def make_clock(folder: Path, names: list[str]) -> list[str]:
    """Fit a clock to 400 simulated samples, store it sealed with its joblib models; returns its CpGs."""
    rng = np.random.default_rng(1)
    used = [names[k] for k in np.sort(rng.choice(len(names), USED, replace=False))]
    age = rng.uniform(20, 90, 400)
    drift = rng.normal(0, 0.03, USED)
    cells = rng.normal(size=(400, 10)) @ rng.normal(0, 0.02, (10, USED))  # factors, by which missing CpGs are imputed
    frame = 0.5 + np.outer(transform_age(age), drift) + cells + rng.normal(0, 0.05, (400, USED))
    frame = pd.DataFrame(frame.clip(0, 1))
    frame.columns = used
    anchor = pipeline(1e-4, True).fit(frame, age)
    predicted = anchor.predict(frame)
    features = pd.DataFrame({"Stage1_Pred_Age": predicted})
    experts = {}
    for k in range(EXPERTS):
        own = used[k * PER_EXPERT : (k + 1) * PER_EXPERT]
        experts[f"Hallmark_{k}"] = pipeline(1e-3, False).fit(frame[own], age - 0.9 * predicted)
        features[f"Hallmark_{k}_Correction"] = experts[f"Hallmark_{k}"].predict(frame[own])
    features["Tissue"], features["Sex"] = rng.choice(["Blood", "Liver", "Skin"], 400), rng.choice(["F", "M"], 400)
    label = age + 6.0 * (features["Tissue"] == "Liver").to_numpy()
    fusion = stage3.Fusion.boost(features, label, {"learning_rate": 0.05, "num_leaves": 4}, 100)
    for stage in ("stage1", "stage2/hallmarks", "stage3"):
        (folder / stage).mkdir(parents=True)
    write_table(weights_table(anchor), folder / artifacts.STAGE1_WEIGHTS)
    joblib.dump(anchor, folder / "stage1/model.joblib")
    tables = [weights_table(model).assign(hallmark=name) for name, model in experts.items()]
    write_table(pd.concat(tables), folder / artifacts.STAGE2_WEIGHTS)
    for name, model in experts.items():
        joblib.dump(model, folder / f"stage2/hallmarks/Hallmark_{name}.joblib")
    (folder / artifacts.STAGE3_MODEL).write_text(fusion.booster.model_to_string(), encoding="utf-8")
    joblib.dump(fusion.booster, folder / "stage3/model.joblib")
    meta = {
        "feature_order": list(features.columns),
        "categories": fusion.categories,
        "pc_medians": {},
        "acceleration_reference": {"slope": 1.0, "intercept": 0.0},
    }
    write_json(meta, folder / artifacts.STAGE3_META)
    values = frame.to_numpy().T
    added = fusion.predict(features) - predicted
    linear = {name: features[name].to_numpy() for name in features if name not in ("Tissue", "Sex")}
    fold = np.arange(400) % 5
    limit = learn_distance(values, fold)
    limits = Applicability(float(age.min()), float(age.max()), limit, assembly.learn_slopes(added, linear))
    write_json(limits.as_json(), folder / artifacts.APPLICABILITY)
    write_table(assembly.covariance_table(values, used, fold), folder / artifacts.COVARIANCE)
    write_reference(folder, assembly.read_unsealed(folder))
    artifacts.seal(folder, {})
    return used


def make_table(path: Path, n: int, names: list[str], used: list[str], constant: bool, missing: float) -> None:
    """Write n samples, a share of whose values is missing.

    With `constant`, columns that the clock does not use hold one value (and next to no bytes).
    """
    rng = np.random.default_rng(2)
    text = [("sample_id", pa.string()), ("Tissue", pa.string()), ("Sex", pa.string()), ("Age", pa.float64())]
    dull = pa.dictionary(pa.int8(), pa.float32())
    kinds = {name: dull if constant and name not in set(used) else pa.float32() for name in names}
    schema = pa.schema([*text, *kinds.items()])
    dictionary = ["Tissue", "Sex", *(name for name in names if kinds[name] == dull)]
    with pq.ParquetWriter(path, schema, use_dictionary=dictionary, write_statistics=False, compression="none") as out:
        for start in range(0, n, GROUP):
            m = min(GROUP, n - start)
            base = rng.normal(0.5, 0.1, (16, m + 64)).astype(np.float32).clip(0, 1)
            base[rng.random(base.shape) < missing] = np.nan
            same = pa.DictionaryArray.from_arrays(pa.array(np.zeros(m, np.int8)), pa.array([0.5], pa.float32()))
            columns = [
                pa.array([f"s{k:07d}" for k in range(start, start + m)]),
                pa.array(rng.choice(["Blood", "Liver", "Skin"], m)),
                pa.array(rng.choice(["F", "M"], m)),
                pa.array(rng.uniform(20, 90, m)),
            ]
            for k, name in enumerate(names):
                moved = base[k % 16, k % 64 : k % 64 + m]
                columns.append(same if kinds[name] == dull else pa.array(moved))
            out.write_table(pa.table(columns, schema=schema), row_group_size=m)


@dataclass(frozen=True)
class Cost:
    """What a process took: wall seconds, CPU seconds over all cores, peak MiB."""

    wall: float
    cpu: float
    memory: float

    def __str__(self) -> str:
        return f"{self.wall:.1f} s ({self.cpu:.1f} CPU s), {self.memory:.0f} MiB"


def timed(arguments: list[str]) -> Cost:
    """Run Python with these arguments, in a process whose only child it is."""
    command = [sys.executable, str(Path(__file__)), "--child", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return Cost(*map(float, done.stderr.splitlines()[-1].split()))


def child(arguments: list[str]) -> None:
    """Run Python and say on stderr what it took."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], check=False)
    wall, used = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    print(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, file=sys.stderr)
    sys.exit(done.returncode)


def heteroage(folder: Path, table: Path, out: Path) -> list[str]:
    """The command."""
    where = ["--artifact-dir", str(folder), "--input", str(table), "--out", str(out)]
    return ["-m", "heteroage.cli", "pipeline-predict", *where]


def main() -> None:
    """Make what is needed, time it, print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="scratch folder")
    parser.add_argument("--columns", type=int, default=20_000)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--baseline-samples", type=int, default=20_000, help="for pandas, which holds the whole table")
    parser.add_argument("--scaling", action="store_true", help="10,000, 100,000 and 1,000,000 samples instead")
    parser.add_argument("--missing", action="store_true", help="complete data, and 10%% of the values missing, instead")
    parser.add_argument("--wide", type=int, default=900_000, help="columns of the one-sample table")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    names = [f"cg{k:08d}_beta" for k in range(options.columns)]
    clock, out = options.folder / "clock", options.folder / "out.csv"
    if not clock.exists():
        make_clock(clock, names)
    used = load_clock(clock).anchor.features

    def made(n: int, constant: bool, missing: float = 0.0) -> Path:
        path = options.folder / f"{'constant' if constant else 'random'}_{missing:g}_{n}_{options.columns}.parquet"
        if not path.exists():
            make_table(path, n, names, used, constant, missing)
        return path

    if options.missing:
        complete, gaps = (timed(heteroage(clock, made(options.samples, True, m), out)) for m in (0.0, 0.1))
        print(f"{options.samples:,} x {options.columns:,}, complete: {complete}")
        print(f"with 10% missing: {gaps}; {ratios(gaps, complete)} as much")
        return

    if options.scaling:
        tables = [made(n, constant=True) for n in (10_000, 100_000, 1_000_000)]
        for table, n in zip(tables, (10_000, 100_000, 1_000_000), strict=True):
            print(f"{n:>9,} x {options.columns:,}: {timed(heteroage(clock, table, out))}", flush=True)
        return
    large, small = made(options.samples, constant=False), made(options.baseline_samples, constant=False)
    baseline = timed(["-c", BASELINE, str(clock), str(small), str(options.folder / "baseline.csv")])
    print(f"pandas + joblib, {options.baseline_samples:,} x {options.columns:,}: {baseline}", flush=True)
    ours = timed(heteroage(clock, small, out))
    one, two = pd.read_csv(options.folder / "baseline.csv"), pd.read_csv(out)
    gap = (one["HeteroAge"] - two["HeteroAge"]).abs().max()
    print(f"heteroage, the same: {ours}; {ratios(baseline, ours)} less; ages differ by {gap:.1g} years", flush=True)
    whole, times = timed(heteroage(clock, large, out)), options.samples / options.baseline_samples
    per = Cost(baseline.wall * times, baseline.cpu * times, baseline.memory * times)
    print(f"heteroage, {options.samples:,} x {options.columns:,}: {whole}", flush=True)
    print(f"  against {times:g} times pandas + joblib: {ratios(per, whole)} less", flush=True)
    wide, tall = options.folder / "wide.csv", options.folder / "tall.csv"
    many = [f"cg{k:08d}_beta" for k in range(options.wide)]
    cells = np.random.default_rng(3).random(len(many)).round(4)
    wide.write_text("sample_id,Tissue,Sex," + ",".join(many) + "\ns1,Blood,F," + ",".join(map(str, cells)) + "\n")
    tall.write_text("cpg,s1\n" + "".join(f"{name},{cell}\n" for name, cell in zip(many, cells, strict=True)))
    print(f"one sample x {options.wide:,} columns, CSV: {timed(heteroage(clock, wide, out))}", flush=True)
    print(f"one sample, {options.wide:,} CpGs in rows, CSV: {timed(heteroage(clock, tall, out))}", flush=True)
    print(f"heteroage --version: {timed(['-m', 'heteroage.cli', '--version']).wall:.2f} s")


def ratios(one: Cost, other: Cost) -> str:
    """How many times less time and CPU the other took."""
    return f"{one.wall / other.wall:.1f} times (CPU {one.cpu / other.cpu:.1f} times)"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
    else:
        main()
