"""Applying a clock: sample by sample, from text files alone, with nothing silent."""

import dataclasses
import pickle
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
from sample_tables import cpgs_of, equal, from_files, refused

from heteroage.age import inverse_transform_age, transform_age
from heteroage.cli import main
from heteroage.clock import artifacts
from heteroage.clock.apply import run_step
from heteroage.clock.loading import load_clock
from heteroage.clock.predict import MEANINGS, flags_of
from heteroage.clock.sums import SampleBlock
from heteroage.files import read_table, write_table

HALLMARKS = ["Genomic_Instability", "Telomere_Attrition"]
# Years. Sums in another order differ by some 1e-13; this is what users are promised.
PROMISED = 1e-6


@pytest.fixture(scope="module")
def predicted(loaded, clock):
    return loaded.predict(clock.master)


# What is predicted


def test_columns(predicted, clock):
    assert list(predicted.columns) == [
        *("sample_id", "Tissue", "Sex", "Age", "Stage1_Pred_Age"),
        *(f"{name}_Correction" for name in HALLMARKS),
        *("HeteroAge", "Age_Acceleration", "Age_Acceleration_Residual", "Imputed_Fraction", "Imputed_Years", "Flags"),
    ]
    assert predicted["sample_id"].tolist() == clock.master["sample_id"].tolist()


def test_every_stage_predicts_as_the_stored_models_do(loaded, clock):
    """Where nothing is missing; missing values are the training medians in the stored models alone."""
    from heteroage.stages.context import project

    whole = clock.master.assign(**clock.master[cpgs_of(clock.master)].fillna(0.5))
    predicted = loaded.predict(whole)
    full = pd.concat([whole, project(clock.loadings, whole)], axis=1)
    stage1 = joblib.load(clock.folder / "stage1/model.joblib")
    anchor = stage1.predict(full[list(stage1.feature_names_in_)])
    np.testing.assert_allclose(predicted["Stage1_Pred_Age"], anchor, rtol=0, atol=PROMISED)
    assert np.corrcoef(anchor, clock.master["Age"])[0, 1] > 0.8  # the clock says something
    frame = pd.DataFrame({"Stage1_Pred_Age": anchor})
    for name in HALLMARKS:
        expert = joblib.load(clock.folder / f"stage2/hallmarks/Hallmark_{name}.joblib")
        frame[f"{name}_Correction"] = expert.predict(full[list(expert.feature_names_in_)])
        np.testing.assert_allclose(predicted[f"{name}_Correction"], frame[f"{name}_Correction"], rtol=0, atol=PROMISED)
        assert predicted[f"{name}_Correction"].std() > 0
    for name in ("Tissue", "Sex"):
        levels = clock.meta["categories"][name]
        frame[name] = full[name].map({level: k for k, level in enumerate(levels)}).astype(float)
    frame = pd.concat([frame, full[["RF_PC1", "RF_PC2"]]], axis=1)
    booster = joblib.load(clock.folder / "stage3/model.joblib")
    heteroage = frame["Stage1_Pred_Age"] + booster.predict(frame)
    np.testing.assert_allclose(predicted["HeteroAge"], heteroage, rtol=0, atol=PROMISED)
    assert (predicted["HeteroAge"] - predicted["Stage1_Pred_Age"]).abs().min() > 0


def test_acceleration(predicted, clock):
    line = clock.meta["acceleration_reference"]
    assert (predicted["Age_Acceleration"] == predicted["HeteroAge"] - predicted["Age"]).all()
    expected = predicted["HeteroAge"] - (line["intercept"] + line["slope"] * predicted["Age"])
    # 1e-9 years: rounding.
    np.testing.assert_allclose(predicted["Age_Acceleration_Residual"], expected, rtol=0, atol=1e-9)


def test_without_ages_there_is_no_acceleration_and_the_same_prediction(loaded, clock, predicted):
    without = loaded.predict(clock.master.drop(columns="Age"))
    assert not [name for name in without.columns if name.startswith("Age")]
    flags = predicted["Flags"].str.replace(r"(^|;)age_outside_training", "", regex=True).str.strip(";")
    equal(without, predicted.assign(Flags=flags)[without.columns])


def test_a_sample_without_an_age_among_others(loaded, clock, predicted):
    output = loaded.predict(clock.master.assign(Age=clock.master["Age"].where(clock.master.index != 3)))
    assert output.loc[3, ["Age", "Age_Acceleration", "Age_Acceleration_Residual"]].isna().all()
    assert output["HeteroAge"].tolist() == predicted["HeteroAge"].tolist()


def test_intervals_are_the_tissues_own_or_the_pooled(loaded, clock):
    meta = dict(loaded.meta, intervals={"half_width": 0.4, "tissues": {"Blood": {"half_width": 0.1}}})
    output = dataclasses.replace(loaded, meta=meta).predict(clock.master)
    plain = loaded.predict(clock.master)
    pd.testing.assert_frame_equal(output[plain.columns], plain, check_exact=True)
    place = list(output.columns).index("HeteroAge")
    assert list(output.columns)[place + 1 : place + 3] == ["HeteroAge_Lower", "HeteroAge_Upper"]
    width = np.where(output["Tissue"] == "Blood", 0.1, 0.4)
    centre = transform_age(output["HeteroAge"])
    np.testing.assert_allclose(output["HeteroAge_Upper"], inverse_transform_age(centre + width), rtol=1e-12)
    lower = np.maximum(inverse_transform_age(centre - width), 0)
    np.testing.assert_allclose(output["HeteroAge_Lower"], lower, rtol=1e-12)
    assert (output["HeteroAge_Lower"] <= output["HeteroAge"]).all()


# Promise: batch-mates, order and format do not matter


def test_one_sample_alone_equals_it_among_all_to_the_bit(loaded, clock, predicted):
    for k in range(len(clock.master)):
        equal(loaded.predict(clock.master.iloc[[k]]), predicted.iloc[[k]].reset_index(drop=True))


def test_strange_batch_mates_change_nothing(loaded, clock, predicted):
    strange = clock.master.assign(sample_id=clock.master["sample_id"] + "x", Tissue="Moon", Sex=None, Age=np.nan)
    strange[cpgs_of(strange)] = np.random.default_rng(1).uniform(-0.15, 1.15, (len(strange), len(cpgs_of(strange))))
    together = loaded.predict(
        pd.concat(
            [strange, clock.master, strange.add_suffix("").assign(sample_id=strange["sample_id"] + "y")],
            ignore_index=True,
        )
    )
    middle = together.iloc[len(strange) : 2 * len(strange)].reset_index(drop=True)
    equal(middle, predicted)


def test_order_of_rows_and_columns(loaded, clock, predicted):
    rng = np.random.default_rng(2)
    order = rng.permutation(len(clock.master))
    shuffled = clock.master.iloc[order][list(rng.permutation(clock.master.columns))]
    equal(loaded.predict(shuffled), predicted.iloc[order].reset_index(drop=True))


def test_csv_and_parquet_give_the_same(loaded, clock, predicted, tmp_path):
    for name in ("master.csv", "master.parquet"):
        write_table(clock.master, tmp_path / name)
        equal(from_files(loaded, tmp_path / name), predicted)


def test_columns_that_the_clock_does_not_know_change_nothing(loaded, clock, predicted):
    extra = clock.master.assign(cg99999999_beta=0.3, plate=3, note="text", project_id="p", cg00000001="text")
    equal(loaded.predict(extra), predicted)


def test_the_input_table_is_left_as_it_is(loaded, clock):
    before = clock.master.copy()
    loaded.predict(clock.master)
    equal(clock.master, before)


# Promise: nothing silent


def test_a_missing_column_is_one_whose_cells_are_all_missing(loaded, clock):
    used = [name for name in loaded.anchor.features if name.startswith("cg")][:3]
    whole = clock.master.assign(**clock.master[cpgs_of(clock.master)].fillna(0.5))
    without = loaded.predict(whole.drop(columns=used))
    equal(without, loaded.predict(whole.assign(**dict.fromkeys(used, np.nan))))
    assert (without["Imputed_Years"] > 0).all()
    # 1e-12: rounding of the shares.
    np.testing.assert_allclose(without["Imputed_Fraction"], len(used) / len(loaded.cpgs), rtol=0, atol=1e-12)


def test_a_sample_with_no_measured_cpg_gets_no_age_and_a_reason(loaded, clock, predicted, tmp_path):
    empty = clock.master.iloc[[0]].assign(sample_id="empty", **dict.fromkeys(cpgs_of(clock.master), np.nan))
    table = pd.concat([clock.master, empty], ignore_index=True)
    output = loaded.predict(table)
    equal(output.iloc[:-1], predicted)
    ages = ["HeteroAge", "Stage1_Pred_Age", "Age_Acceleration", *(name for name in output if "_Correction" in name)]
    assert output.loc[len(predicted), ages].isna().all()
    assert output["Flags"].iloc[-1].startswith("no_cpg_measured;mostly_imputed")
    # Stage by stage too.
    stages = [loaded.predict_stage1(table), loaded.predict_stage2(table).drop(columns=["Tissue", "Sex", "Age"])]
    fused = loaded.predict_stage3(stages[0].merge(stages[1], on="sample_id", suffixes=("", "_2")))
    equal(fused[["HeteroAge"]], output[["HeteroAge"]])


def test_whatever_holds_samples_is_predicted(loaded, clock, predicted, tmp_path):
    """A path, several, CpGs in rows, a sample's series; and what else there is gets told what is wanted."""
    write_table(clock.master, tmp_path / "m.parquet")
    for given in (tmp_path / "m.parquet", str(tmp_path / "m.parquet"), [tmp_path / "m.parquet"]):
        equal(loaded.predict(given), predicted)
    write_table(clock.master[["sample_id", "Tissue", "Sex", "Age"]], tmp_path / "sheet.csv")
    values = clock.master.drop(columns=["Tissue", "Sex", "Age"])
    write_table(values, tmp_path / "values.csv")
    equal(loaded.predict([tmp_path / "values.csv", tmp_path / "sheet.csv"]), predicted)
    equal(loaded.predict(clock.master.set_index("sample_id").T), predicted)
    one = clock.master.set_index("sample_id").iloc[2]
    equal(loaded.predict(one), predicted.iloc[[2]].reset_index(drop=True))
    values = clock.master[cpgs_of(clock.master)].iloc[2]
    assert loaded.predict(values.rename(None))["sample_id"].tolist() == ["sample"]
    refused("cannot predict a ndarray. Give a pandas DataFrame", loaded.predict, values.to_numpy())
    for given in (None, 3, []):
        refused("the path of a table, or a list of paths", loaded.predict, given)


def test_a_clock_says_what_it_is_in_a_line(loaded):
    assert repr(loaded) == "Clock(48 CpGs, 2 RF_PCs, 2 experts, 12 trees, format version 2)"


def test_imputed_fraction_is_the_share_of_the_clocks_cpgs_that_a_sample_lacks(predicted, loaded, clock):
    cpgs = cpgs_of(clock.master)
    assert set(loaded.cpgs) == set(cpgs)  # this clock keeps all its CpGs, and its PCs are none of them
    np.testing.assert_allclose(predicted["Imputed_Fraction"], clock.master[cpgs].isna().mean(axis=1), rtol=1e-12)
    assert predicted["Imputed_Fraction"].max() > 0


def test_unknown_tissue_and_sex_are_unknown_never_a_default(loaded, clock, predicted):
    output = {
        value: loaded.predict(clock.master.assign(Tissue=value, Sex=None if value == "Moon" else value))
        for value in (None, "Moon", "", "unknown")
    }
    for table in output.values():
        assert table["HeteroAge"].tolist() == output[None]["HeteroAge"].tolist()
        assert (table["Sex"] == "unknown").all()
    assert output[None]["Tissue"].tolist() == ["unknown"] * len(clock.master)
    assert output["Moon"]["Tissue"].tolist() == ["Moon"] * len(clock.master)
    known = {
        (tissue, sex): loaded.predict(clock.master.assign(Tissue=tissue, Sex=sex))["HeteroAge"].tolist()
        for tissue in clock.meta["categories"]["Tissue"]
        for sex in ("F", "M")
    }
    assert known["Liver", "F"] != known["Blood", "F"]  # the fusion does look at both
    assert known["Liver", "F"] != known["Liver", "M"]
    without = loaded.predict(clock.master.drop(columns=["Tissue", "Sex"]))
    assert without["HeteroAge"].tolist() == output[None]["HeteroAge"].tolist()
    assert without["Stage1_Pred_Age"].tolist() == predicted["Stage1_Pred_Age"].tolist()


def test_spellings_of_sex(loaded, clock, predicted):
    spelt = clock.master.assign(Sex=clock.master["Sex"].map({"F": "female", "M": " Male"}))
    equal(loaded.predict(spelt), predicted)


# RF_PCs


def test_pcs_are_computed_from_the_loadings_where_absent(loaded, clock):
    from heteroage.stages.context import project

    whole = clock.master.assign(**clock.master[cpgs_of(clock.master)].fillna(0.5))
    predicted = loaded.predict(whole)
    given = pd.concat([whole, project(clock.loadings, whole)], axis=1)
    equal(loaded.predict(given), predicted)
    others = loaded.predict(given.assign(RF_PC1=given["RF_PC1"] + 0.5))
    assert (others["Stage1_Pred_Age"] != predicted["Stage1_Pred_Age"]).all()  # given PCs are used as given


def test_text_and_infinity_in_a_cpg_of_the_loadings_alone(clock, clock_copy, reseal):
    """A feature that has no weight in any stage, only in the PCs, is checked as the others are."""
    loadings = read_table(clock_copy / artifacts.PC_LOADINGS)
    extra = loadings.iloc[[0]].assign(feature="cg77777777_beta")
    write_table(pd.concat([loadings, extra]), clock_copy / artifacts.PC_LOADINGS)
    covariance = read_table(clock_copy / artifacts.COVARIANCE)
    extra = covariance.iloc[[0]].assign(feature="cg77777777_beta")
    write_table(pd.concat([covariance, extra]), clock_copy / artifacts.COVARIANCE)
    reseal(clock_copy)
    changed = load_clock(clock_copy)
    master = clock.master.assign(cg77777777_beta="0.5")
    assert changed.predict(master)["HeteroAge"].notna().all()
    refused("'n.d.' at sample n000, cg77777777_beta", changed.predict, master.assign(cg77777777_beta="n.d."))
    refused(
        "the table has infinite values (14: inf at sample n000, cg77777777_beta",
        changed.predict,
        master.assign(cg77777777_beta=np.inf),
    )


# Stage by stage


def test_stages_chained_equal_the_pipeline(clock, tmp_path, predicted):
    master = tmp_path / "master.csv"
    write_table(clock.master, master)
    outputs = {n: tmp_path / f"stage{n}.{'csv' if n != 2 else 'parquet'}" for n in (1, 2, 3)}
    run_step("predict_stage1", clock.folder, [master], outputs[1])
    run_step("predict_stage2", clock.folder, [master], outputs[2])
    run_step("predict_stage3", clock.folder, [outputs[1], outputs[2]], outputs[3])
    run_step("predict", clock.folder, [master], tmp_path / "all.csv")
    table = read_table(outputs[3])
    equal(table, read_table(tmp_path / "all.csv")[table.columns])
    equal(table, predicted[table.columns])
    assert set(predicted.columns) - set(table.columns) == {"Imputed_Fraction", "Imputed_Years", "Flags"}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("spelling", ["F", "female"])
def test_stage2_takes_the_master_table_beside_stage1s_output(clock, tmp_path, predicted, ending, spelling):
    """Whole ages in the master table, written with a decimal by Stage 1, are the same ages; so are spellings of sex."""
    ages = clock.master["Age"].round().astype(int)
    master = clock.master.assign(Age=ages, Sex=clock.master["Sex"].replace("F", spelling))
    write_table(master, tmp_path / f"master.{ending}")
    run_step("predict_stage1", clock.folder, [tmp_path / f"master.{ending}"], tmp_path / "stage1.csv")
    both = [tmp_path / f"master.{ending}", tmp_path / "stage1.csv"]
    run_step("predict_stage2", clock.folder, both, tmp_path / "stage2.csv")
    run_step("predict_stage3", clock.folder, [tmp_path / "stage2.csv"], tmp_path / "stage3.csv")
    assert read_table(tmp_path / "stage3.csv")["HeteroAge"].tolist() == predicted["HeteroAge"].tolist()


def test_stage3_computes_rf_pcs_that_its_table_does_not_have(clock, tmp_path, predicted):
    stages = predicted[["sample_id", *(c for c in predicted if c == "Stage1_Pred_Age" or c.endswith("_Correction"))]]
    write_table(clock.master.merge(stages), tmp_path / "both.csv")
    run_step("predict_stage3", clock.folder, [tmp_path / "both.csv"], tmp_path / "stage3.csv")
    assert read_table(tmp_path / "stage3.csv")["HeteroAge"].tolist() == predicted["HeteroAge"].tolist()


def test_stage3_names_what_is_missing_and_the_step_that_makes_it(loaded, clock):
    stage1 = loaded.predict_stage1(clock.master)
    text = (
        "the table is missing columns (2: Genomic_Instability_Correction, Telomere_Attrition_Correction). "
        "`heteroage stage2-predict` makes them"
    )
    refused(text, loaded.predict_stage3, stage1)
    stage2 = loaded.predict_stage2(clock.master)
    text = "the table has no column Stage1_Pred_Age. `heteroage stage1-predict` makes it."
    refused(text, loaded.predict_stage3, stage2)
    refused(text, loaded.predict_stage3, clock.master)
    both = stage1.merge(stage2)
    refused(
        "is missing columns (1: Telomere_Attrition_Correction)",
        loaded.predict_stage3,
        both.drop(columns="Telomere_Attrition_Correction"),
    )


def test_stage3_names_samples_that_earlier_stages_left_empty(loaded, clock):
    both = loaded.predict_stage1(clock.master).merge(loaded.predict_stage2(clock.master))
    both.loc[[2, 5], "Telomere_Attrition_Correction"] = np.nan
    refused(
        "column Telomere_Attrition_Correction is empty for samples (2: n002, n005). Run the earlier stages on them.",
        loaded.predict_stage3,
        both,
    )


# Bad tables


def test_bad_tables_are_refused_with_the_reason(loaded, clock):
    master = clock.master
    everything = (loaded.predict, loaded.predict_stage1, loaded.predict_stage2)
    for step in everything:
        refused("the table has a header and no rows. Give at least one sample.", step, master.iloc[:0])
        refused("the table has no column sample_id", step, master.drop(columns="sample_id"))
        refused(
            "the table has duplicate sample_ids (1: n000). Keep one of each.",
            step,
            pd.concat([master, master.iloc[[0]]]),
        )
        refused(
            "the table has rows without a sample_id (1: row 1)",
            step,
            master.assign(sample_id=[None, *master["sample_id"][1:]]),
        )
        refused("the table has 2 columns for Age (2: Age, Age)", step, pd.concat([master, master[["Age"]]], axis=1))
        refused("column Age of the table has text in place of ages (14: old at n000", step, master.assign(Age="old"))
        refused("has text in place of ages (14: inf at n000", step, master.assign(Age=np.inf))
    cell = master.astype({"cg00000003_beta": object})
    cell.loc[4, "cg00000003_beta"] = "0,5"
    refused("has text in place of numbers (1: '0,5' at sample n004, cg00000003_beta)", loaded.predict, cell)
    infinite = master.copy()
    infinite.loc[[4, 6], "cg00000003_beta"] = np.inf
    refused("the table has infinite values (2: inf at sample n004, cg00000003_beta, inf at", loaded.predict, infinite)


# Promise: nothing is unpickled


class Trap:
    """Whoever unpickles it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_nothing_is_unpickled(clock, clock_copy, reseal, tmp_path, monkeypatch, predicted):
    sprung = tmp_path / "sprung"
    for path in sorted(clock_copy.rglob("*.joblib")):
        joblib.dump(Trap(sprung), path)
    reseal(clock_copy)
    joblib.load(clock_copy / "stage1/model.joblib").close()
    assert sprung.is_file()  # the trap works
    sprung.unlink()

    def forbidden(*arguments, **options):
        raise AssertionError("something was unpickled")

    for module, names in ((joblib, ["load"]), (pickle, ["load", "loads", "Unpickler"])):
        for name in names:
            monkeypatch.setattr(module, name, forbidden)
    equal(load_clock(clock_copy).predict(clock.master), predicted)
    write_table(clock.master, tmp_path / "master.csv")
    arguments = ["--artifact-dir", clock_copy, "--input", tmp_path / "master.csv", "--out", tmp_path / "out.csv"]
    for step in ("pipeline-predict", "stage1-predict", "stage2-predict"):
        assert main([step, *map(str, arguments)]) == 0
    assert not sprung.exists()


def test_a_clock_whose_models_use_no_cpg_predicts_without_any(clock, clock_copy, reseal):
    """Only the RF_PCs are made of CpGs; where the table has them, no CpG is read and none was imputed."""
    empty = SimpleNamespace(folder=clock_copy)
    for name in (artifacts.STAGE1_WEIGHTS, artifacts.STAGE2_WEIGHTS):
        table = read_table(empty.folder / name)
        write_table(table[table["feature"] == "(intercept)"], empty.folder / name)
    reseal(empty.folder)
    given = clock.master.assign(RF_PC1=0.1, RF_PC2=0.2)
    output = load_clock(empty.folder).predict(given)
    assert (output["Imputed_Fraction"] == 0).all()
    assert output["Stage1_Pred_Age"].nunique() == 1


def flags(loaded, frame):
    return [set(filter(None, cell.split(";"))) for cell in loaded.predict(frame)["Flags"]]


def test_each_flag_is_raised_by_what_it_says_and_by_nothing_else(loaded, clock):
    base = clock.master.iloc[[0]].assign(Age=40.0, Tissue="Blood", Sex="F")
    (ordinary,) = flags(loaded, base)
    assert ordinary <= {"far_from_training"}
    cpgs = [name for name in base.columns if name.startswith("cg")]
    anchor = sorted(loaded.anchor_weight, key=loaded.anchor_weight.get, reverse=True)
    cases = {
        "tissue_unknown": base.assign(Tissue=None),
        "tissue_not_in_training": base.assign(Tissue="Moon"),
        "sex_unknown": base.assign(Sex="?"),
        "age_outside_training": base.assign(Age=121.0),
        "far_from_training": base.assign(**dict.fromkeys(cpgs, 1.0)),
        "values_outside_0_1": base.assign(**{cpgs[0]: 1.2}),
    }
    for flag, table in cases.items():
        assert flag in flags(loaded, table)[0], flag
    without = base.assign(sample_id="x", **dict.fromkeys(anchor[:40], np.nan))
    assert "mostly_imputed" in flags(loaded, pd.concat([base, without]))[1]
    assert "prediction_outside_training" in flags(loaded, cases["far_from_training"])[0] or (
        loaded.predict(cases["far_from_training"])["HeteroAge"].between(3, 90).all()
    )
    assert set(cases) <= set(MEANINGS)
    assert all(found <= set(MEANINGS) for table in cases.values() for found in flags(loaded, table))


def raised(clock, mostly_imputed=False, outside=False, empty=False, distance=0.0, measured=1, **output):
    """The flags of one sample that is in nothing else remarkable."""
    columns = {"Tissue": ["Blood"], "Sex": ["F"], "HeteroAge": np.array([40.0])} | output
    sums = SimpleNamespace(
        part=SimpleNamespace(ids=["s"]),
        mostly_imputed=np.array([mostly_imputed]),
        outside=np.array([outside]),
        empty=np.array([empty]),
        distance=np.array([distance]),
        measured=np.array([measured]),
    )
    (cell,) = flags_of(clock, columns, sums)
    return cell.split(";") if cell else []


def test_limits_themselves_raise_no_flag(loaded):
    limits = loaded.applicability
    for name, flag in (("Age", "age_outside_training"), ("HeteroAge", "prediction_outside_training")):
        for limit, beyond in ((limits.youngest, -1), (limits.oldest, 1)):
            assert raised(loaded, **{name: np.array([limit])}) == []
            assert raised(loaded, **{name: np.array([np.nextafter(limit, beyond * np.inf)])}) == [flag]
    assert raised(loaded, Age=np.array([np.nan])) == []
    for share in ("missing_weight", "missing_context"):
        for amount, flagged in ((0.5, False), (0.501, True)):
            sums = SimpleNamespace(missing_weight=np.zeros(1), missing_context=np.zeros(1))
            setattr(sums, share, np.array([amount]))
            assert SampleBlock.mostly_imputed.fget(sums).tolist() == [flagged]
    assert raised(loaded, mostly_imputed=True) == ["mostly_imputed"]


def test_the_distance_is_per_cpg_that_was_measured(loaded):
    limit = loaded.applicability.distance_limit
    for measured in (1, 40):
        assert raised(loaded, distance=0.99 * measured * limit**2, measured=measured) == []
        assert raised(loaded, distance=1.01 * measured * limit**2, measured=measured) == ["far_from_training"]
    assert raised(loaded, measured=0) == []


def test_all_flags_of_a_sample_come_in_one_order(loaded):
    strange = {"Tissue": ["unknown"], "Sex": ["X"], "Age": np.array([121.0]), "HeteroAge": np.array([-1.0])}
    found = raised(loaded, True, True, True, 1e9, **strange)
    assert found == [flag for flag in MEANINGS if flag not in ("tissue_not_in_training", "sex_unknown")]


def test_a_clock_that_knows_no_limits_flags_the_rest(loaded):
    without = dataclasses.replace(loaded, applicability=None)
    assert raised(without, True, True, False, 1e9, Age=np.array([121.0])) == ["mostly_imputed", "values_outside_0_1"]
