"""Tables under `predict:` are looked at before training: what prediction would refuse ends the run at once."""

import numpy as np
import pandas as pd
import pytest

from heteroage.clock.check import check_predicted_tables
from heteroage.errors import HeteroAgeError
from heteroage.tables.metadata import Conventions

FEATURES = [f"cg{k:08d}_beta" for k in range(40)]


@pytest.fixture
def given(tmp_path):
    """Write a table to predict, changed by `change`, and check it."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.uniform(0.1, 0.9, (6, 40)), columns=[f.removesuffix("_beta") for f in FEATURES])
    frame.insert(0, "sample_id", [f"n{k}" for k in range(6)])
    frame = frame.assign(Tissue="Blood", Sex="F")

    def check(change=lambda frame: frame, conventions=None, name="new.csv"):
        path = tmp_path / name
        changed = change(frame.copy())
        if isinstance(changed, bytes):
            path.write_bytes(changed)
        else:
            changed.to_csv(path, index=False)
        return check_predicted_tables({"new": [str(path)]}, FEATURES, ["Blood", "Skin"], conventions or Conventions())[
            0
        ]

    return check


def percent(frame):
    frame.iloc[:, 1:41] *= 100
    return frame


def cpgs_in_rows(frame):
    return frame.drop(columns=["Tissue", "Sex"]).set_index("sample_id").T.rename_axis("ID_REF").reset_index()


def test_a_sound_table(given):
    row = given()
    assert (row["n_samples"], row["n_cpgs"], row["share_of_cpgs"], row["remark"]) == (6, 40, 1, "")


def test_what_is_worth_a_look_is_said(given):
    row = given(lambda t: t.drop(columns=["Sex", *t.columns[1:11]]).assign(Tissue=["blood "] * 5 + ["Liver"]))
    assert row["remark"] == (
        "has 75% of the training data's CpGs; has no column Sex: it is taken for unknown; has tissues that no training "
        "sample has (1: Liver)"
    )
    row = given(cpgs_in_rows)
    assert (row["n_samples"], row["n_cpgs"]) == (6, 40)
    assert "no column Tissue" in row["remark"]


def test_columns_of_the_config_are_understood(given):
    names = Conventions.of(columns={"Tissue": "organ", "sample_id": "probe of"})
    assert given(lambda t: t.rename(columns={"Tissue": "organ", "sample_id": "probe of"}), names)["remark"] == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (percent, "looks like percent, from 0 to 100"),
        (lambda t: t.assign(cg00000003="n.d."), "has text in place of numbers"),
        (lambda t: t.assign(cg00000003=-9), "code for missing values"),
        (lambda t: t.rename(columns=lambda c: c.replace("cg", "ch")), "no CpG"),
        (lambda t: t.assign(sample_id="same"), "duplicate sample_ids"),
        (lambda t: t.assign(Sex="7"), "column Sex of predict.new"),
        (lambda t: t.assign(age="400"), "column age of predict.new"),
        (lambda t: b"PK\x03\x04 not a table", "new.csv"),
        (lambda t: b"", "new.csv"),
    ],
)
def test_what_prediction_would_refuse_is_refused_before_training(given, change, message):
    with pytest.raises(HeteroAgeError) as refused:
        given(change)
    assert message in str(refused.value)
    assert "1 of 1 tables under predict: cannot be predicted" in str(refused.value)
    assert "Nothing was trained yet" in str(refused.value)


def test_all_tables_are_looked_at(tmp_path):
    tables = {name: str(tmp_path / f"{name}.csv") for name in ("one", "two")}
    for path in tables.values():
        pd.DataFrame({"sample_id": ["a"], "cg00000001": [55.0], "cg00000002": [45.0]}).to_csv(path, index=False)
    with pytest.raises(HeteroAgeError, match="2 of 2 tables") as refused:
        check_predicted_tables({name: [path] for name, path in tables.items()}, FEATURES, [], Conventions())
    assert "predict.one" in str(refused.value)
    assert "predict.two" in str(refused.value)


def test_a_table_and_a_sheet_of_its_samples(given, tmp_path):
    given(cpgs_in_rows)
    sheet = pd.DataFrame({"sample_id": [f"n{k}" for k in range(7)], "Tissue": ["Blood"] * 6 + ["Liver"], "Sex": "F"})
    paths = [str(tmp_path / name) for name in ("new.csv", "sheet.csv")]
    sheet.iloc[:6].to_csv(paths[1], index=False)
    (row,) = check_predicted_tables({"new": paths}, FEATURES, ["Blood"], Conventions())
    assert (row["n_samples"], row["n_cpgs"], row["remark"]) == (6, 40, "")
    for changed, message in ((sheet.iloc[1:], "does not have samples of predict.new"), (sheet.assign(Sex=7), "codes")):
        changed.to_csv(paths[1], index=False)
        with pytest.raises(HeteroAgeError, match=message):
            check_predicted_tables({"new": paths}, FEATURES, ["Blood"], Conventions())


def test_a_table_without_pcs_is_refused_where_prediction_cannot_compute_them(tmp_path):
    features = ["cg00000001_beta", "cg00000002_beta"]
    frame = pd.DataFrame({"sample_id": ["a", "b"], "cg00000001": [0.1, 0.2], "cg00000002": [0.3, 0.4]})
    with_pcs = frame.assign(RF_PC1=[0.5, -0.5])
    for name, table in (("without", frame), ("with", with_pcs)):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    check_predicted_tables({"new": [str(tmp_path / "with.csv")]}, features, [], Conventions(), needs_pcs=True)
    check_predicted_tables({"new": [str(tmp_path / "without.csv")]}, features, [], Conventions())
    with pytest.raises(HeteroAgeError, match=r"without\.csv\) has no RF_PC columns\. .* add the columns, or set"):
        check_predicted_tables({"new": [str(tmp_path / "without.csv")]}, features, [], Conventions(), needs_pcs=True)


def test_a_small_modality_on_another_scale_is_named(tmp_path):
    """Of 4 CpGs in percent beside 500: they are less than one value in a hundred."""
    rng = np.random.default_rng(1)
    names = [f"cg{k:08d}_beta" for k in range(500)] + [f"cg{k:08d}_chalm" for k in range(4)]
    frame = pd.DataFrame(rng.random((8, 504)), index=[f"s{k}" for k in range(8)], columns=names)
    frame.iloc[:, 500:] *= 100
    frame.rename_axis("sample_id").to_csv(tmp_path / "t.csv")
    with pytest.raises(HeteroAgeError, match=r"looks like percent, .* Set values: percent for this table"):
        check_predicted_tables({"new": [str(tmp_path / "t.csv")]}, names, [], Conventions())
