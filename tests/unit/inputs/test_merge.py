"""Samples are merged by sample_id and a modality's tables by CpG, whatever the order of any."""

import numpy as np
import pytest
from input_files import float32, read, same, write
from input_tables import CPGS, assert_equal_cohorts, cohorts_of, merged, table
from table_cases import study

from heteroage.errors import HeteroAgeError


def test_same_cpg_in_two_modalities_stays_two_features():
    beta, chalm = table(seed=1), table(seed=2, metadata=False)
    cohorts = merged({"beta": beta, "chalm": chalm})
    assert cohorts.feature_names == sorted(f"{cpg}_{m}" for cpg in CPGS for m in ("beta", "chalm"))
    np.testing.assert_array_equal(cohorts.betas["beta"]["cg00000001_beta"], beta["cg00000001"])
    np.testing.assert_array_equal(cohorts.betas["chalm"]["cg00000001_chalm"], chalm["cg00000001"])


def test_samples_are_the_union_of_the_tables():
    first, second = table(n=6), table(n=4, seed=2)
    second["sample_id"] = ["s4", "s5", "z1", "z2"]
    second[["project_id", "Tissue", "Sex", "Age"]] = second[["project_id", "Tissue", "Sex", "Age"]].astype(object)
    both = first.set_index("sample_id").loc[["s4", "s5"], ["project_id", "Tissue", "Sex", "Age"]]
    second.loc[[0, 1], both.columns] = both.to_numpy()
    cohorts = merged({"beta": first, "camda": second})
    assert cohorts.samples["sample_id"].tolist() == ["s0", "s1", "s2", "s3", "s4", "s5", "z1", "z2"]
    assert cohorts.betas["camda"].index.tolist() == ["s4", "s5", "z1", "z2"]


def test_samples_of_a_study_lie_side_by_side():
    samples = cohorts_of({"beta": table(n=6), "chalm": table(n=4, seed=2, metadata=False)}).samples
    assert samples["project_id"].tolist() == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert samples["sample_id"].tolist() == ["s0", "s3", "s1", "s4", "s2", "s5"]


def test_order_of_rows_columns_and_tables_changes_nothing():
    rng = np.random.default_rng(5)
    tables = {
        "beta": table(seed=1),
        "chalm": table(seed=2),
        "camda": table(n=4, seed=3, metadata=False),
    }
    tables["beta"].loc[1, "cg00000001"] = np.nan
    one = merged(tables)
    for _ in range(5):
        shuffled = {
            m: tables[m].iloc[rng.permutation(len(tables[m]))][list(rng.permutation(tables[m].columns))]
            for m in rng.permutation(list(tables))
        }
        assert_equal_cohorts(one, merged(shuffled))


def halves():
    """Two tables of one modality: different samples, one CpG each that the other has not."""
    frame = float32(study(n=10, n_cpgs=4))
    first, second = frame.iloc[::2].drop(columns="cg00000001"), frame.iloc[1::2].drop(columns="cg00000004")
    return frame, first, second


@pytest.mark.parametrize("join", ["union", "intersection"])
def test_tables_of_a_modality_are_joined_whatever_their_order(folder, block_bytes, join):
    frame, first, second = halves()
    write(first, "a.parquet")
    write(second, "b.csv")
    one, two = (read({"beta": files}, join=join) for files in (["a.parquet", "b.csv"], ["b.csv", "a.parquet"]))
    same(one, two)
    assert one.intake.as_json() == two.intake.as_json()
    expected = frame.set_index("sample_id").filter(like="cg").add_suffix("_beta")
    expected.loc[first["sample_id"], "cg00000001_beta"] = np.nan
    expected.loc[second["sample_id"], "cg00000004_beta"] = np.nan
    kept = expected.columns if join == "union" else expected.columns[1:3]
    np.testing.assert_array_equal(one.betas["beta"], expected.sort_index()[kept])


def test_metadata_may_stand_in_a_sheet_and_in_tables(folder):
    frame = float32(study())
    write(frame.drop(columns="Age"), "t.parquet")
    write(frame[["sample_id", "Age"]].iloc[::-1], "ages.tsv")
    same(read({"beta": ["t.parquet"]}, ["ages.tsv"]), merged({"beta": frame}))


def test_columns_of_a_sheet_that_are_not_used_are_counted_and_named(folder):
    frame = float32(study())
    write(frame.drop(columns="Age"), "t.parquet")
    rows = [f"{one},{age},7,," for one, age in zip(frame["sample_id"], frame["Age"], strict=True)]
    (folder / "ages.csv").write_text("\n".join(["sample_id,Age,BMI,,", *rows]) + "\n")
    steps = read({"beta": ["t.parquet"]}, ["ages.csv"]).intake.steps
    (found,) = [s for s in steps if s["step"] == "leave_out_columns" and "sheet" in s["where"]]
    assert found["found"] == 3
    assert found["first"] == ["BMI", "column 4 (no name, empty)", "column 5 (no name, empty)"]


def test_disjoint_modalities_where_they_are_allowed():
    chalm = table(seed=2).assign(sample_id=[f"x{k}" for k in range(6)])
    assert len(merged({"beta": table(), "chalm": chalm}, allow_disjoint_modalities=True).samples) == 12


def test_training_is_restricted_to_the_probes_of_all_platforms(tmp_path):
    first, second = tmp_path / "first.csv", tmp_path / "second.txt"
    first.write_text("number;probe\n" + "".join(f"{k};{cpg}_TC21\n" for k, cpg in enumerate(CPGS[:3])))
    second.write_text("\n".join([*CPGS[1:], "rs12345"]))
    tables = {"beta": table(seed=1), "chalm": table(seed=2, metadata=False)}
    cohorts = merged(tables, restrict_to=[str(first), str(second)])
    assert cohorts.feature_names == sorted(f"{cpg}_{m}" for cpg in CPGS[1:3] for m in ("beta", "chalm"))
    second.write_text("cg99999999\n")
    with pytest.raises(
        HeteroAgeError, match=r"restrict_to leaves no beta CpG of \d+ \(the platforms have: 2: .*second.txt 0"
    ):
        merged(tables, restrict_to=[str(first), str(second)])
