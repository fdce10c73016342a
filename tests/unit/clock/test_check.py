"""What a table or a platform lacks of a clock is counted, weighed, and priced in years."""

import numpy as np
from command_line import run

from heteroage.files import read_table, write_table


def test_check_says_what_is_missing_and_its_cost(clock, loaded, tmp_path, capsys):
    heavy = max(loaded.anchor_weight, key=loaded.anchor_weight.get)
    write_table(clock.master.drop(columns=heavy), tmp_path / "m.csv")
    where = ["check", "--artifact-dir", clock.folder]
    code, out, _ = run(capsys, *where, "--input", tmp_path / "m.csv", "--out", tmp_path / "missing.csv")
    assert code == 0
    assert "holds 47 of the clock's 48 CpGs" in out
    assert f"It lacks 1: {heavy}" in out
    assert "can be predicted" in out
    missing = read_table(tmp_path / "missing.csv")
    assert missing["feature"].tolist() == [heavy]
    costs = loaded.check(clock.master.drop(columns=heavy)).set_index("stage")
    assert costs["missing"]["Stage1_Pred_Age"] == 1
    np.testing.assert_allclose(costs["missing_weight"]["Stage1_Pred_Age"], loaded.anchor_weight[heavy])
    place = loaded.covariance.features[heavy]
    spread = np.sqrt(loaded.covariance.own[place] + (loaded.covariance.factors[place] ** 2).sum())
    raw = loaded.anchor.raw[loaded.anchor.features.index(heavy)]
    np.testing.assert_allclose(costs["cost_years"]["Stage1_Pred_Age"], 21 * abs(raw) * spread)
    assert loaded.check(clock.master)["missing"].eq(0).all()
    assert loaded.check(clock.master)["cost_years"].eq(0).all()


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
    assert (code, "names no probe in its first column" in err) == (1, True)
