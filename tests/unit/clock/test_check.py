"""What a table or a platform lacks of a clock is counted, weighed, and priced in years."""

import dataclasses
import gzip

import numpy as np
import pandas as pd
import pytest
from command_line import run
from sample_tables import cpgs_of, equal, refused

from heteroage.clock import artifacts
from heteroage.clock.check import (
    MINIMUM_SHARE,
    MOST_MISSING_WEIGHT,
    check,
    missing_features,
    missing_from,
    share_of,
    stage_costs,
)
from heteroage.clock.loading import load_clock
from heteroage.clock.published import coefficients
from heteroage.errors import HeteroAgeError
from heteroage.files import read_table, write_table
from heteroage.probes import read_probes
from heteroage.stages.context import project


def test_check_says_what_is_missing_and_its_cost(clock, loaded, tmp_path, capsys):
    heavy = max(loaded.anchor_weight, key=loaded.anchor_weight.get)
    write_table(clock.master.drop(columns=heavy), tmp_path / "m.csv")
    where = ["check", "--artifact-dir", clock.folder]
    code, out, _ = run(capsys, *where, "--input", tmp_path / "m.csv", "--out", tmp_path / "missing.csv")
    assert code == 0
    assert "holds 47 of the clock's 48 CpGs" in out
    assert f"Missing, by weight: 1: {heavy}" in out
    assert "can be predicted" in out
    missing = read_table(tmp_path / "missing.csv")
    assert missing["feature"].tolist() == [heavy]
    costs = loaded.check(clock.master.drop(columns=heavy)).set_index("stage")
    assert costs["missing"]["Stage1_Pred_Age"] == 1
    np.testing.assert_allclose(costs["missing_weight"]["Stage1_Pred_Age"], loaded.anchor_weight[heavy])
    raw = coefficients(loaded)[1][heavy]
    expected = 21 * abs(raw) * np.sqrt(posterior(loaded, [heavy]).item())
    np.testing.assert_allclose(costs["cost_years"]["Stage1_Pred_Age"], expected)
    assert loaded.check(clock.master)["missing"].eq(0).all()
    assert loaded.check(clock.master)["cost_years"].eq(0).all()


def posterior(clock, missing):
    """The covariance of missing CpGs given all others that the clock reads."""
    model = clock.covariance
    C = model.factors @ model.factors.T + np.diag(model.own)
    M = [model.features[name] for name in missing]
    O = [model.features[name] for name in clock.cpgs_read if name not in missing]  # noqa: E741
    return C[np.ix_(M, M)] - C[np.ix_(M, O)] @ np.linalg.solve(C[np.ix_(O, O)], C[np.ix_(O, M)])


def test_check_of_a_platform(clock, loaded, tmp_path, capsys):
    probes = tmp_path / "manifest.csv"
    lines = ["Illumina, Inc.", "[Assay]", "IlmnID,Name", *(f"cg{k:08d}_TC21,x" for k in range(24))]
    probes.write_text("\n".join(lines))
    code, out, _ = run(capsys, "check", "--artifact-dir", clock.folder, "--platform", probes)
    assert "names 24 of the clock's 48 CpGs" in out
    share = sum(weight for name, weight in loaded.anchor_weight.items() if name.endswith("chalm"))
    assert code == (1 if share > 0.5 else 0)
    probes.write_text("nothing\n")
    code, _, err = run(capsys, "check", "--artifact-dir", clock.folder, "--platform", probes)
    assert (code, "contains no probe names" in err) == (1, True)


def test_the_cost_is_the_spread_of_what_missing_cpgs_would_have_contributed(loaded):
    """By the definition: the root of w'Cw, with C the missing features' covariance given the others, and w years per
    unit of each."""
    missing = list(loaded.anchor_weight)[:6]
    costs = stage_costs(loaded, missing)
    of = dict(zip(costs["stage"], costs["cost_years"], strict=True))
    place = [loaded.covariance.features[name] for name in missing]
    covariance = posterior(loaded, missing)
    anchor = 21 * np.array([coefficients(loaded)[1][name] for name in missing])
    # 1e-8: a difference of covariances.
    np.testing.assert_allclose(of["Stage1_Pred_Age"], np.sqrt(anchor @ covariance @ anchor), rtol=1e-8)
    whole = 21 * loaded.covariance.a[place] + loaded.covariance.b[place]
    np.testing.assert_allclose(of["HeteroAge"], np.sqrt(whole @ covariance @ whole), rtol=1e-8)
    read = [set(loaded.weight_shares(loaded.models[name])) for name in loaded.corrections]
    assert costs["missing"] == [6, *(len(own & set(missing)) for own in read), 6, 6]


@pytest.mark.parametrize("stage", [0, 1, 2, 3, 4])
def test_a_clock_that_knows_no_covariance_knows_no_cost_but_of_nothing(loaded, stage):
    without = dataclasses.replace(loaded, covariance=None)
    assert stage_costs(without, [])["cost_years"][stage] == 0
    costs = stage_costs(without, loaded.cpgs[:1])
    assert np.isnan(costs["cost_years"][stage]) == (costs["missing"][stage] > 0)
    assert costs["missing"][4] == 1


def test_missing_features_come_by_weight_with_all_their_models(loaded):
    table = missing_features(*missing_from(loaded, []))
    assert sorted(table["feature"]) == loaded.cpgs
    share = table["anchor_weight_share"]
    assert share.tolist() == sorted(share, reverse=True)
    assert share.sum() == pytest.approx(1)
    for name, stages in zip(table["feature"], table["stages"], strict=True):
        own = [key for key, model in loaded.models.items() if name in model.features]
        assert stages.split(";") == [*own, *["RF_PCs"] * (name in loaded.loadings.features)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.txt", b"cg00000001\ncg00000002_chalm\n"),
        ("p.csv", b'\xef\xbb\xbfIlmnID,Name\r\n[Assay]\r\n"cg00000001_TC21",x\r\ncg00000002_BO11_chalm,y\r\n'),
        ("p.tsv", b"probe\tgene\n cg00000001 \tA\nrs10033147\tcg00000003\ncg00000002_chalm\tB\n"),
        ("rows.csv", b'"","Name"\n"1","cg00000001"\n"2","cg00000002_chalm"\n'),
        ("r.txt", b'"Name" "chr"\n"1" "cg00000001" "chr1"\n"2" "cg00000002_chalm" "chr2"\n'),
        ("semicolons.csv", b"number;probe\n1;cg00000001\n2;cg00000002_chalm\n"),
        ("p.csv.gz", gzip.compress(b"[Controls]\n\ncg00000001\ncg00000002_chalm\n", mtime=0)),
    ],
)
def test_probes_are_read_from_lists_and_manifests_alike(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert read_probes(tmp_path / name, None) == ["cg00000001_beta", "cg00000002_chalm"]
    assert read_probes(tmp_path / name, "camda") == ["cg00000001_camda", "cg00000002_chalm"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.csv", b"\xff\xfe\x00c"),
        ("p.csv.gz", gzip.compress(b"cg00000001\n" * 99, mtime=0)[:-9]),
        ("p.csv.gz", b"no gzip"),
    ],
)
def test_a_probe_list_that_cannot_be_read_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        HeteroAgeError, match=rf"^cannot read {tmp_path / name}: .*\. Give a text file with one probe per line"
    ):
        read_probes(tmp_path / name, None)


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
    text = "the table has no RF_PC columns, and the clock needs them (2: RF_PC1, RF_PC2). Training read the RF_PCs"
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
    assert share_of(loaded.anchor_weight, []) == 0
    np.testing.assert_allclose(share_of(loaded.anchor_weight, names), 1.0)
    assert share_of(loaded.anchor_weight, names[:20]) == share_of(loaded.anchor_weight, names[:20][::-1])
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
    alone = [name for name in mostly_context.cpgs_read if name not in mostly_context.cpgs]
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
    alone = sorted(set(mostly_context.cpgs_read) - set(mostly_context.cpgs))
    without = clock.master.drop(columns=alone)
    refused("Missing are", mostly_context.predict, without)
    refused("of the weight of the computed RF_PCs (18: ", mostly_context.predict, without)
    beside = pd.concat([clock.master, clock.master.iloc[[0]].assign(sample_id="x", **dict.fromkeys(alone, np.nan))])
    flags = mostly_context.predict(beside)["Flags"]
    assert flags.str.contains("mostly_imputed").tolist() == [False] * len(clock.master) + [True]
    given = pd.concat([without, project(clock.loadings, clock.master)], axis=1)
    output = mostly_context.predict(given)  # with the RF_PCs given, these CpGs are not read
    assert output["Imputed_Fraction"].max() <= 1
    assert not output["Flags"].str.contains("mostly_imputed").any()
    assert mostly_context.check(given)["missing"].eq(0).all()
