"""What a table or a platform lacks of a clock is counted, weighed, and priced in years."""

import dataclasses
import gzip

import numpy as np
import pytest
from command_line import run

from heteroage.clock.check import missing_features, stage_costs
from heteroage.clock.export import coefficients
from heteroage.errors import HeteroAgeError
from heteroage.files import read_table, write_table
from heteroage.tables.probe_list import read_probes


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
    assert (code, "names no probe in any column" in err) == (1, True)


def test_the_cost_is_the_spread_of_what_missing_cpgs_would_have_contributed(loaded):
    """By the definition: the root of w'Cw, with C the missing features' covariance given the others, and w years per
    unit of each."""
    missing = list(loaded.anchor_weight)[:6]
    costs = stage_costs(loaded, [name for name in loaded.cpgs if name not in missing])
    of = dict(zip(costs["stage"], costs["cost_years"], strict=True))
    place = [loaded.covariance.features[name] for name in missing]
    covariance = posterior(loaded, missing)
    anchor = 21 * np.array([coefficients(loaded)[1][name] for name in missing])
    # 1e-8: a difference of covariances.
    np.testing.assert_allclose(of["Stage1_Pred_Age"], np.sqrt(anchor @ covariance @ anchor), rtol=1e-8)
    whole = 21 * loaded.covariance.a[place] + loaded.covariance.b[place]
    np.testing.assert_allclose(of["HeteroAge"], np.sqrt(whole @ covariance @ whole), rtol=1e-8)
    read = [set(loaded.weight_shares(model)) for model in loaded.experts.values()]
    assert costs["missing"] == [6, *(len(own & set(missing)) for own in read), 6, 6]


@pytest.mark.parametrize("stage", [0, 1, 2, 3, 4])
def test_a_clock_that_knows_no_covariance_knows_no_cost_but_of_nothing(loaded, stage):
    without = dataclasses.replace(loaded, covariance=None)
    assert stage_costs(without, loaded.cpgs)["cost_years"][stage] == 0
    costs = stage_costs(without, loaded.cpgs[1:])
    assert np.isnan(costs["cost_years"][stage]) == (costs["missing"][stage] > 0)
    assert costs["missing"][4] == 1


def test_missing_features_come_by_weight_with_all_their_models(loaded):
    table = missing_features(loaded, [])
    assert sorted(table["feature"]) == loaded.cpgs
    share = table["anchor_weight_share"]
    assert share.tolist() == sorted(share, reverse=True)
    assert share.sum() == pytest.approx(1)
    for name, stages in zip(table["feature"], table["stages"], strict=True):
        own = [key for key, model in loaded.models.items() if name in model.features]
        named = ["Stage1_Pred_Age" if key is None else f"{key}_Correction" for key in own]
        assert stages.split(";") == [*named, *["RF_PCs"] * (name in loaded.loadings.row)]


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
        HeteroAgeError, match=rf"^cannot read {tmp_path / name}: .*\. Give a list of probes, one a line"
    ):
        read_probes(tmp_path / name, None)
