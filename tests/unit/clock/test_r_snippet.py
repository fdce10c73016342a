"""Stage 1 in base R gets the ages of `heteroage`, by plain and by suffixed names, or stops."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sample_tables import cpgs_of

from heteroage.clock import artifacts
from heteroage.clock.loading import load_clock
from heteroage.files import read_table, write_table

RSCRIPT = shutil.which("Rscript")
SNIPPET = Path(__file__).parents[3] / "resources/r/predict_stage1.R"
pytestmark = pytest.mark.skipif(RSCRIPT is None, reason="Rscript is not on the PATH")


@pytest.fixture
def beta_clock(clock_copy, reseal):
    """The clock reduced to beta CpGs; RF_PCs that it computes have weight in its anchor."""
    for name in (artifacts.STAGE1_WEIGHTS, artifacts.STAGE2_WEIGHTS, artifacts.PC_LOADINGS, artifacts.COVARIANCE):
        table = read_table(clock_copy / name)
        kept = ~table["feature"].str.endswith("_chalm")
        if name == artifacts.STAGE1_WEIGHTS:  # RF_PCs that matter
            pcs = table["feature"].str.startswith("RF_PC")
            table.loc[pcs, ["weight_standardised", "weight_raw"]] *= 1.5 / table.loc[pcs, "weight_raw"].abs().max()
        table = table[kept].reset_index(drop=True)
        if name == artifacts.STAGE1_WEIGHTS:
            table.loc[0, "weight_raw"] = (
                table["weight_standardised"][0] - (table["weight_raw"] * table["mean"])[1:].sum()
            )
        write_table(table, clock_copy / name)
    reseal(clock_copy)
    return load_clock(clock_copy), clock_copy


def in_r(folder, samples):
    write_table(samples, folder.parent / "samples.csv")
    paths = [folder / artifacts.STAGE1_WEIGHTS, folder.parent / "samples.csv", folder.parent / "ages.csv"]
    return subprocess.run([RSCRIPT, SNIPPET, *paths], capture_output=True, text=True, check=False)


def test_r_gets_the_ages_by_suffixed_and_plain_names_and_stops_without_cpgs(beta_clock, clock):
    loaded, folder = beta_clock
    samples = clock.master.drop(columns=[name for name in clock.master if name.endswith("_chalm")])
    samples[cpgs_of(samples)] = samples[cpgs_of(samples)].fillna(0.5)
    expected = loaded.predict_stage1(samples)["Stage1_Pred_Age"]
    assert expected.std() > 5
    for table in (samples, samples.rename(columns=lambda name: name.removesuffix("_beta"))):
        done = in_r(folder, table)
        assert done.returncode == 0, done.stderr
        # R writes 15 digits, and sums on the raw scale.
        ages = pd.read_csv(folder.parent / "ages.csv")["Stage1_Pred_Age"]
        np.testing.assert_allclose(ages, expected, rtol=0, atol=1e-6)
    gaps = clock.master[samples.columns].drop(columns=cpgs_of(samples)[3])
    assert in_r(folder, gaps).returncode == 0
    ages = pd.read_csv(folder.parent / "ages.csv")["Stage1_Pred_Age"]
    # 1e-3: what imputes is rounded to 2^-23 of its sum over all CpGs, but not in R.
    np.testing.assert_allclose(ages, loaded.predict_stage1(gaps)["Stage1_Pred_Age"], rtol=0, atol=1e-3)
    few = in_r(folder, samples.drop(columns=cpgs_of(samples)[:20]))
    assert few.returncode != 0
    assert "CpGs are missing" in few.stderr
    assert "Check names and platform." in few.stderr
    text = in_r(folder, samples.assign(**{cpgs_of(samples)[0]: "n.d."}))
    assert "contains text instead of numbers" in text.stderr
