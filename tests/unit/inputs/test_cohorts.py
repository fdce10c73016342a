"""Merging cohorts: only CpGs become features, nothing depends on order, and bad input is named."""

import re

import numpy as np
import pandas as pd
import pytest
from input_tables import CPGS, assert_equal_cohorts, merged, table

from heteroage.errors import HeteroAgeError
from heteroage.probes import feature_name, pc_columns

# Names


@pytest.mark.parametrize("name", ["cg00000029", "ch.1.1000456F", "ch.X.97737721F", "ch.22.909671", "chr1_10469"])
def test_probe_names_get_the_suffix_of_their_modality(name):
    assert feature_name(name, "beta") == f"{name}_beta"
    assert feature_name(f"{name}_chalm", "chalm") == f"{name}_chalm"


@pytest.mark.parametrize(
    "name",
    [
        *("Age", "plate", "RF_PC1", "rs10033147", "Sex_chr", "cg", "cgx12", "age_cg00000001", "cg00000001_p"),
        *("Unnamed: 0", "chr1", "0", "cg00000001_chalm", "donor_id", "batch_1", "cg00000001.1"),
    ],
)
def test_what_is_no_probe_of_the_modality_is_no_feature(name):
    assert feature_name(name, "beta") is None


def test_pc_columns_are_in_the_order_of_their_numbers():
    names = pd.Index(["RF_PC10", "RF_PC2", "x", "RF_PC1", "RF_PC", "RF_PC1b", "pRF_PC3"])
    assert pc_columns(names) == ["RF_PC1", "RF_PC2", "RF_PC10"]


# Features


def test_no_metadata_and_no_other_number_is_ever_a_feature(tmp_path):
    extra = {
        "donor_id": np.arange(6),
        "plate": np.arange(6),
        "RF_PC1": np.linspace(0, 1, 6),
        "Age_chalm": np.arange(6) * 10.0,
        "predicted_age": np.arange(6) * 10.0,
        "Age_beta": np.arange(6) * 10.0,
        "cg00000001_camda": np.arange(6) * 0.1,
        "0": np.arange(6),
    }
    tables = {"beta": table(**extra), "chalm": table(**extra, Horvath=np.arange(6.0))}
    cohorts = merged(tables)
    expected = sorted(f"{cpg}_{m}" for cpg in CPGS for m in ("beta", "chalm"))
    assert cohorts.feature_names == expected
    age = np.arange(6) * 10.0
    for frame in cohorts.betas.values():
        assert not any(np.corrcoef(frame[name], age)[0, 1] > 0.999 for name in frame)


def test_missing_values_stay_missing():
    beta = table()
    beta.loc[2, "cg00000002"] = np.nan
    beta["cg00000003"] = np.nan
    frame = merged({"beta": beta}).betas["beta"]
    assert np.isnan(frame.loc["s2", "cg00000002_beta"])
    assert frame["cg00000003_beta"].isna().all()
    assert frame.isna().sum().sum() == 7


def test_numbers_that_came_as_text_are_read():
    beta = table()
    values = beta["cg00000002"].copy()
    beta["cg00000002"] = values.map(repr).astype(object)
    beta.loc[3, "cg00000002"] = None
    frame = merged({"beta": beta}).betas["beta"]
    expected = values.to_numpy(copy=True)
    expected[3] = np.nan
    np.testing.assert_array_equal(frame["cg00000002_beta"], expected)


# Order


def test_bare_and_suffixed_tables_are_the_same():
    bare = table()
    assert_equal_cohorts(merged({"beta": bare}), merged({"beta": bare.rename(columns={c: f"{c}_beta" for c in CPGS})}))


# Metadata


def test_metadata_may_stand_in_any_table_and_gaps_are_filled_from_the_others():
    beta = table(metadata=False)
    beta["Age"] = [0.0, np.nan, np.nan, 30.0, np.nan, 50.0]
    chalm = table(seed=2)
    chalm.loc[0, "Age"] = np.nan
    samples = merged({"beta": beta, "chalm": chalm}).samples
    assert samples["Age"].tolist() == [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]
    assert samples["project_id"].tolist() == ["p0", "p1", "p2"] * 2


def test_a_platform_is_kept_where_a_table_names_it():
    beta = table()
    assert "Platform" not in merged({"beta": beta}).samples
    beta[" platform"] = ["EPIC", "450K", None, "EPIC", "450K", ""]
    samples = merged({"beta": beta}).samples
    assert samples["Platform"].tolist() == ["EPIC", "450K", "unknown", "EPIC", "450K", "unknown"]


def test_spellings_of_one_sex_do_not_disagree_and_unknown_gives_way():
    beta, chalm = table(), table(seed=2)
    beta["Sex"] = ["female", "male", "F", "M", "?", None]
    chalm["Sex"] = ["f", "M", None, "", "Female", "m"]
    samples = merged({"beta": beta, "chalm": chalm}).samples
    assert samples["Sex"].tolist() == ["F", "M", "F", "M", "F", "M"]


def test_tissues_that_differ_in_case_or_blanks_only_are_one_and_similar_ones_are_named():
    beta = table(Tissue=["Whole Blood", "whole  blood", "Whole Blood", "WHOLE BLOOD ", "whole_blood", "Skin"])
    chalm = table(seed=2, Tissue=["whole blood"] * 4 + ["whole_blood", "skin"])
    found = merged({"beta": beta, "chalm": chalm})
    assert found.samples["Tissue"].tolist() == ["whole blood"] * 4 + ["whole_blood", "Skin"]
    steps = {row["step"]: row["first"] for row in found.intake.steps}
    assert steps["similar_tissues"] == ["whole blood and whole_blood"]


def test_health_spellings():
    beta = table(Is_Healthy=["True", "false", "1", "0", "Yes", None])
    health = merged({"beta": beta}).samples["Is_Healthy"]
    assert health.tolist()[:5] == [True, False, True, False, True]
    assert health.isna().tolist() == [False] * 5 + [True]


@pytest.mark.parametrize(
    "values", [[True, False] * 3, [1, 0] * 3, [1.0, 0.0] * 3, ["yes", "NO"] * 3, np.array([True, False] * 3)]
)
def test_health_types(values):
    assert merged({"beta": table(Is_Healthy=values)}).samples["Is_Healthy"].tolist() == [True, False] * 3


def test_sample_ids_are_text_without_blanks():
    beta = table()
    beta["sample_id"] = [" a", "b ", "007", "7", "c", "d"]
    assert merged({"beta": beta}).samples["sample_id"].tolist() == ["007", "7", "a", "b", "c", "d"]


# What bad input gets


def expect(text, tables):
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        merged(tables)


def test_no_sample_id():
    beta = table().drop(columns="sample_id")
    expect(
        "the beta table x has no column sample_id (it has 8: project_id, Tissue, Sex, Age, Is_Healthy, ...",
        {"beta": beta},
    )


def test_rows_without_a_sample_id():
    beta = table()
    beta.loc[[1, 3], "sample_id"] = [None, " "]
    expect("the beta table x has rows without a sample_id (2: row 2, row 4)", {"beta": beta})


def test_duplicate_sample_ids_are_counted_and_the_first_five_listed():
    beta = table(n=16)
    beta["sample_id"] = [f"d{k}" for k in (6, 5, 4, 3, 2, 1, 0)] * 2 + ["x", "y"]
    expect("the chalm table x has duplicate sample_ids (7: d0, d1, d2, d3, d4, ...). Keep one of each", {"chalm": beta})
    expect("duplicate sample_ids (1: s1)", {"beta": pd.concat([table(), table().iloc[[1, 1]]])})


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("Age", 99.0, "s2: 20.0 and 99.0"),
        ("Sex", "M", "s2: F and M"),
        ("Tissue", "Liver", "s2: Blood and Liver"),
        ("project_id", "p9", "s2: p2 and p9"),
        ("Is_Healthy", False, "s2: True and False"),
    ],
)
def test_one_sample_with_different_metadata_in_two_tables(column, value, shown):
    chalm = table(seed=2).astype({column: object})
    chalm.loc[2, column] = value
    expect(
        f"samples whose {column} in the chalm table x differs from that in the beta table x (1: {shown})",
        {"beta": table(), "chalm": chalm},
    )


@pytest.mark.parametrize("by", [-1, 1])
def test_the_table_with_another_age_is_named_though_a_later_one_agrees(by):
    tables = {"beta": table(), "chalm": table(), "camda": table()}
    tables["chalm"].loc[3, "Age"] += by
    with pytest.raises(
        HeteroAgeError, match="samples whose Age in the chalm table x differs from that in the beta table x"
    ):
        merged(tables)


@pytest.mark.parametrize("order", [("beta", "chalm"), ("chalm", "beta")])
def test_ages_rounded_differently_are_one_age_in_any_order(order):
    years, months = table(), table(seed=2)
    years["Age"] = [3.08, 10.5, 20.0, 30.0, 40.0, 50.42]
    months = months.drop(columns="Age").assign(age_months=[37, 126, 240, 360, 480, 605])
    tables = {"beta": years, "chalm": months}
    found = merged({modality: tables[modality] for modality in order})
    assert found.samples["Age"].tolist() == [3.08, 10.5, 20.0, 30.0, 40.0, 50.42]
    (row,) = [row for row in found.intake.steps if row["step"] == "rounded_ages"]
    assert (row["found"], row["first"]) == (2, ["s0: 3.08", "s5: 50.42"])


def test_different_donor_in_two_tables():
    expect(
        "samples whose donor_id in the chalm table x differs",
        {"beta": table(donor_id=list("abcdef")), "chalm": table(donor_id=list("abcdeg"))},
    )


@pytest.mark.parametrize("column", ["project_id", "Tissue", "Sex", "Age", "Is_Healthy"])
def test_metadata_column_that_no_table_has(column):
    tables = {m: table(seed=k).drop(columns=column) for k, m in enumerate(["beta", "chalm"])}
    expect(f"no table has the metadata columns (1: {column})", tables)


def test_donor_id_is_optional():
    assert merged({"beta": table()}).samples["donor_id"].isna().all()


def test_text_in_a_cpg_column_names_cpg_and_sample():
    beta = table().astype({"cg00000002": object})
    beta.loc[4, "cg00000002"] = "n.d."
    expect("the beta table x has text in place of numbers (1: 'n.d.' at sample s4, cg00000002)", {"beta": beta})


def test_text_in_age():
    beta = table().astype({"Age": object})
    beta.loc[1, "Age"] = "elderly"
    expect("column Age of the beta table x has text in place of ages (1: elderly at s1)", {"beta": beta})


@pytest.mark.parametrize("value", [-np.inf, np.inf, -5.0, -1.0, -0.5])
def test_an_age_that_has_no_transform_is_refused(value):
    beta = table()
    beta.loc[3, "Age"] = value
    with pytest.raises(HeteroAgeError, match=r"Age.*s3"):
        merged({"beta": beta})


def test_no_cpg_column():
    expect("the camda table x has no CpG column (it has 6: sample_id, project_id", {"camda": table(cpgs=[])})
    # Another modality's CpGs are none of this one's.
    expect("the camda table x has no CpG column", {"camda": table(cpgs=["cg00000001_beta"])})


def test_strange_health():
    beta = table(Is_Healthy=["True", "sick", "False", "well", None, "sick"])
    expect(
        "column Is_Healthy of the beta table x has values that are neither true nor false (2: sick, well)",
        {"beta": beta},
    )


def test_sample_without_a_project():
    beta, chalm = table(), table(seed=2)
    beta["project_id"] = ["p0", None, "p2", "", "p1", "p2"]
    chalm["project_id"] = [None, None, "p2", " ", None, None]
    expect("samples without a project_id (2: s1, s3)", {"beta": beta, "chalm": chalm})


def test_cpg_both_bare_and_suffixed():
    beta = table(cpgs=[*CPGS, "cg00000002_beta"])
    expect("the beta table x has CpGs both with and without the suffix _beta (1: cg00000002_beta)", {"beta": beta})


def test_column_that_stands_twice():
    beta = pd.concat([table(), table()[["cg00000001"]]], axis=1)
    expect("the beta table x has CpGs of the same name (1: cg00000001)", {"beta": beta})
