"""A table that holds too little of what a clock looks at is refused, and `heteroage check` says so beforehand."""

import numpy as np
import pandas as pd
import pytest
from sample_tables import cpgs_of, refused

from heteroage.clock.apply import check
from heteroage.clock.loading import load_clock
from heteroage.clock.overlap import MINIMUM_SHARE, MOST_MISSING_WEIGHT, missing_weight
from heteroage.errors import HeteroAgeError
from heteroage.files import write_table
from heteroage.stages.context import project

HALLMARKS = ["Genomic_Instability", "Telomere_Attrition"]


@pytest.fixture(scope="module")
def predicted(loaded, clock):
    return loaded.predict(clock.master)


def test_a_table_of_another_platform_is_refused(loaded, clock):
    foreign = clock.master.rename(columns={name: name.replace("cg", "cg9") for name in cpgs_of(clock.master)})
    for step in (loaded.predict, loaded.predict_stage1, loaded.predict_stage2):
        refused("the table shares 0 of the clock's 48 CpGs", step, foreign)
        refused("lacks 48: cg00000000_beta, cg00000000_chalm,", step, foreign)
    bare = clock.master.rename(columns={name: name.split("_")[0] for name in cpgs_of(clock.master) if "beta" in name})
    bare = bare.drop(columns=[name for name in bare.columns if name.endswith("_chalm")])
    refused("Columns are named <cpg>_<modality>, as cg00000029_beta; check names and platform.", loaded.predict, bare)


def test_nearly_no_shared_cpg_is_none(loaded, clock):
    few = clock.master[["sample_id", "Tissue", "Sex", *cpgs_of(clock.master)[:4]]]
    refused("the table shares 4 of the clock's 48 CpGs", loaded.predict, few)
    enough = clock.master[["sample_id", "Tissue", "Sex", *cpgs_of(clock.master)[:5]]]
    refused("shares 5 of the clock's 48 CpGs, and lacks 91% of the anchor's weight", loaded.predict, enough)
    output = loaded.predict(enough, allow_missing=True)
    assert (output["Imputed_Fraction"] > 0.89).all()
    assert output["Flags"].str.contains("mostly_imputed").all()
    refused("the table shares 0 of the clock's 48 CpGs", lambda: loaded.predict(few.iloc[:, :3], allow_missing=True))


def test_pcs_are_required_where_there_are_no_loadings(clock, clock_without_loadings, predicted):
    without = load_clock(clock_without_loadings)
    text = "the clock needs RF_PC columns that the table lacks (2: RF_PC1, RF_PC2). They came from a file in training"
    for step in (without.predict, without.predict_stage1, without.predict_stage2):
        refused(text, step, clock.master)
    given = pd.concat([clock.master, project(clock.loadings, clock.master)], axis=1)
    pd.testing.assert_frame_equal(without.predict(given), predicted, check_exact=True)


def test_stage3_alone_does_not_invent_pcs(loaded, clock, clock_without_loadings, predicted):
    """Corrections without RF_PCs and without the CpGs to compute them from: not silently those of a median sample."""
    fused = predicted[["sample_id", "Tissue", "Sex", "Stage1_Pred_Age", *(f"{name}_Correction" for name in HALLMARKS)]]
    refused(
        "the clock needs RF_PC columns that the table lacks", load_clock(clock_without_loadings).predict_stage3, fused
    )
    refused("RF_PC", loaded.predict_stage3, fused)


def accepted(clock, table):
    try:
        clock.predict(table)
    except HeteroAgeError:
        return False
    return True


def test_check_and_prediction_draw_the_line_at_the_same_place(loaded, clock, tmp_path):
    """CpGs go one after the other, the lightest first: the share of the weight, then of the CpGs, runs out."""
    by_weight = sorted(loaded.cpgs, key=lambda name: loaded.anchor_weight.get(name, 0.0))
    verdicts = []
    for n in range(30, 49, 2):
        table = clock.master.drop(columns=by_weight[:n])
        write_table(table, tmp_path / "table.csv")
        verdicts.append(accepted(loaded, table))
        assert check(loaded, [tmp_path / "table.csv"], None)[2] == verdicts[-1]
    assert verdicts[0] and not verdicts[-1]
    assert sorted(verdicts, reverse=True) == verdicts


def test_the_weight_that_is_missing_is_a_share_and_does_not_depend_on_the_order(loaded):
    names = np.random.default_rng(1).permutation(loaded.cpgs)
    assert missing_weight(loaded, []) == 0
    np.testing.assert_allclose(missing_weight(loaded, names), 1.0)
    assert missing_weight(loaded, names[:20]) == missing_weight(loaded, names[:20][::-1])
    assert 0 < MINIMUM_SHARE < MOST_MISSING_WEIGHT < 1
