"""A table that holds too little of what a clock looks at is refused, and `heteroage check` says so beforehand."""

import numpy as np
import pandas as pd
import pytest
from sample_tables import cpgs_of, equal, refused

from heteroage.clock import artifacts
from heteroage.clock.apply import check
from heteroage.clock.loading import load_clock
from heteroage.clock.overlap import MINIMUM_SHARE, MOST_MISSING_WEIGHT, missing_weight
from heteroage.errors import HeteroAgeError
from heteroage.files import read_table, write_table
from heteroage.stages.context import project

HALLMARKS = ["Genomic_Instability", "Telomere_Attrition"]


@pytest.fixture(scope="module")
def predicted(loaded, clock):
    return loaded.predict(clock.master)


def test_a_table_of_another_platform_is_refused(loaded, clock):
    foreign = clock.master.rename(columns={name: name.replace("cg", "cg9") for name in cpgs_of(clock.master)})
    for step in (loaded.predict, loaded.predict_stage1, loaded.predict_stage2):
        refused("the table shares 0 of the clock's 48 CpGs", step, foreign)
        refused("(48: cg00000000_beta, cg00000000_chalm,", step, foreign)
    bare = clock.master.rename(columns={name: name.split("_")[0] for name in cpgs_of(clock.master) if "beta" in name})
    bare = bare.drop(columns=[name for name in bare.columns if name.endswith("_chalm")])
    refused("Columns are named <cpg>_<modality>, as cg00000029_beta; check names and platform.", loaded.predict, bare)


def test_nearly_no_shared_cpg_is_none(loaded, clock):
    few = clock.master[["sample_id", "Tissue", "Sex", *cpgs_of(clock.master)[:4]]]
    refused("the table shares 4 of the clock's 48 CpGs", loaded.predict, few)
    enough = clock.master[["sample_id", "Tissue", "Sex", *cpgs_of(clock.master)[:5]]]
    refused("shares 5 of the clock's 48 CpGs. Missing are 91% of the anchor's weight", loaded.predict, enough)
    output = loaded.predict(enough, allow_missing=True)
    assert (output["Imputed_Fraction"] > 0.89).all()
    assert output["Flags"].str.contains("mostly_imputed").all()
    refused("the table shares 0 of the clock's 48 CpGs", lambda: loaded.predict(few.iloc[:, :3], allow_missing=True))


def test_pcs_are_required_where_there_are_no_loadings(loaded, clock, clock_without_loadings):
    without = load_clock(clock_without_loadings)
    text = "the table has no RF_PC columns, and the clock needs them (2: RF_PC1, RF_PC2). They came from a file in"
    for step in (without.predict, without.predict_stage1, without.predict_stage2):
        refused(text, step, clock.master)
    whole = clock.master.assign(**clock.master[cpgs_of(clock.master)].fillna(0.5))
    given = pd.concat([whole, project(clock.loadings, whole)], axis=1)
    equal(without.predict(given), loaded.predict(whole))


def test_stage3_alone_does_not_invent_pcs(loaded, clock, clock_without_loadings, predicted):
    """Corrections without RF_PCs and without the CpGs to compute them from: not silently those of a median sample."""
    fused = predicted[["sample_id", "Tissue", "Sex", "Stage1_Pred_Age", *(f"{name}_Correction" for name in HALLMARKS)]]
    refused(
        "the table has no RF_PC columns, and the clock needs them",
        load_clock(clock_without_loadings).predict_stage3,
        fused,
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


# CpGs that only the computed RF_PCs read


@pytest.fixture
def mostly_context(clock_copy, reseal):
    """The clock with weights for 8 CpGs; its RF_PCs are computed from 20."""
    for name in (artifacts.STAGE1_WEIGHTS, artifacts.STAGE2_WEIGHTS):
        table = read_table(clock_copy / name)
        kept = table["feature"].str.contains("intercept|RF_PC|cg0000000[0-3]")
        write_table(table[kept], clock_copy / name)
    reseal(clock_copy)
    return load_clock(clock_copy)


def test_cpgs_of_the_computed_pcs_count_as_what_the_clock_reads(mostly_context, clock, tmp_path):
    assert (len(mostly_context.cpgs), len(mostly_context.cpgs_read)) == (8, 26)
    alone = [name for name in mostly_context.cpgs_read if name not in mostly_context.weighted]
    whole = clock.master.assign(**clock.master[cpgs_of(clock.master)].fillna(0.5))
    some = whole.drop(columns=alone[:5])
    write_table(some, tmp_path / "some.csv")
    report, missing, accepted = check(mostly_context, [tmp_path / "some.csv"], None)
    assert (sorted(missing["feature"]), accepted) == (sorted(alone[:5]), True)
    assert "holds 21 of the clock's 26 CpGs." in report
    costs = mostly_context.check(some).set_index("stage")
    assert costs.loc["RF_PCs", ["CpGs", "missing"]].tolist() == [20, 5]
    assert costs.loc["HeteroAge", ["CpGs", "missing"]].tolist() == [26, 5]
    assert (costs.loc[["RF_PCs", "HeteroAge"], "cost_years"] > 0).all()
    output = mostly_context.predict(some)
    np.testing.assert_allclose(output["Imputed_Fraction"], 5 / 26)
    assert (output["Imputed_Years"] > 0).all()


def test_a_table_without_the_cpgs_of_the_computed_pcs_is_refused(mostly_context, clock):
    alone = sorted(set(mostly_context.cpgs_read) - mostly_context.weighted)
    without = clock.master.drop(columns=alone)
    refused("Missing are", mostly_context.predict, without)
    refused("of what the RF_PCs are computed from (18: ", mostly_context.predict, without)
    beside = pd.concat([clock.master, clock.master.iloc[[0]].assign(sample_id="x", **dict.fromkeys(alone, np.nan))])
    flags = mostly_context.predict(beside)["Flags"]
    assert flags.str.contains("mostly_imputed").tolist() == [False] * len(clock.master) + [True]
    given = pd.concat([without, project(clock.loadings, clock.master)], axis=1)
    output = mostly_context.predict(given)  # with the RF_PCs given, these CpGs are not read
    assert output["Imputed_Fraction"].max() <= 1
    assert not output["Flags"].str.contains("mostly_imputed").any()
    assert mostly_context.check(given)["missing"].eq(0).all()
