"""What is stored of held-out studies' errors, and when a cohort's bias is said to be beyond them."""

import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from command_line import run

from heteroage.clock.cohort import Offset, StudyErrors
from heteroage.clock.loading import load_clock
from heteroage.errors import HeteroAgeError
from heteroage.files import read_json, read_table, write_json, write_table


def simulated(between, within, n_groups=400, n=8, seed=1):
    """Errors of studies: each has a bias of its own."""
    rng = np.random.default_rng(seed)
    group = np.repeat([f"p{k:03d}" for k in range(n_groups)], n)
    return np.repeat(rng.normal(0, between, n_groups), n) + rng.normal(0, within, n * n_groups), group


def test_planted_variances_are_found():
    """Standard errors of the two deviations at 400 groups of 8: about 0.13 and 0.07 years; tolerances are three."""
    error, group = simulated(3.0, 5.0)
    found = StudyErrors.learn(error, group, group)
    assert found.between_sd == pytest.approx(3.0, abs=0.4)
    assert found.within_sd == pytest.approx(5.0, abs=0.21)
    assert (found.source, found.studies) == ("out_of_fold", 400)


def test_studies_that_do_not_differ_have_no_variance_between():
    """Nine groups whose means differ by less than chance: the estimate is cut at 0, and nothing would be shifted."""
    error = np.tile([-5.0, 5.0], 45)
    group = np.repeat(list("abcdefghi"), 10)
    found = StudyErrors.learn(error, group, group)
    assert (found.between_sd, found.shrinkage(1000)) == (0.0, 0.0)


def test_the_order_of_samples_does_not_count():
    error, group = simulated(3.0, 5.0, n_groups=6)
    order = np.random.default_rng(2).permutation(len(error))
    one, other = StudyErrors.learn(error, group, group), StudyErrors.learn(error[order], group[order], group[order])
    for name in ("lowest", "highest", "between_sd", "within_sd"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-12)  # sums in another order


def test_biases_are_those_of_nested_runs_where_there_are_such():
    error, group = simulated(3.0, 5.0, n_groups=6)
    nested = {"a": (40, -2.0), "b": (30, 1.0), "c": (9, 5.0), "small": (4, 30.0)}
    found = StudyErrors.learn(error, group, group, nested)
    assert (found.source, found.studies, found.lowest, found.highest) == ("nested", 3, -2.0, 5.0)


def test_too_few_groups_say_nothing_of_a_new_study():
    error, group = simulated(3.0, 5.0, n_groups=6)
    assert StudyErrors.learn(error[:16], group[:16], group[:16]) is None
    assert StudyErrors.learn(error, group, group, {"a": (4, 1.0)}) is None


STUDIES = StudyErrors("nested", 9, -3.0, 4.0, 3.0, 6.0)


def test_a_bias_beyond_all_studies_is_said_unless_chance_explains_it():
    """The allowance is two standard errors of the mean of n: 1.2 years for 100 samples, 12 for one."""
    assert not STUDIES.warning(5.1, 100)
    assert not STUDIES.warning(-4.1, 100)
    assert not STUDIES.warning(15.9, 1)
    said = STUDIES.warning(5.3, 100)
    assert said.startswith(
        "the bias of +5.30 years (n = 100) is outside the range of all 9 held-out studies in the clock's"
    )
    assert "-3.00 to +4.00" in said
    assert "heteroage calibrate" in said
    assert STUDIES.warning(-4.3, 100)
    assert "no nested evaluation" in StudyErrors("out_of_fold", 9, -3, 4, 3, 6).warning(50, 100)


def test_what_is_stored_reads_back_and_spoilt_content_is_refused():
    stored = asdict(STUDIES)
    assert StudyErrors.from_json(stored, "x") == STUDIES
    spoilt = [{"source": "guess"}, {"source": ["nested"]}, {"within_sd": -1}, {"lowest": "low"}, {"within_sd": 1e300}]
    for wrong in (*spoilt, {"highest": float("inf")}, {"lowest": 10**400}, {"studies": float("inf")}):
        with pytest.raises(HeteroAgeError, match=r"^x "):
            StudyErrors.from_json(stored | wrong, "x")
    for wrong in ([], "text", 5, {}):
        with pytest.raises(HeteroAgeError, match=r"^x has a missing or invalid entry"):
            StudyErrors.from_json(wrong, "x")


FOLLOW = ["HeteroAge", "Age_Acceleration", "Age_Acceleration_Residual"]


@pytest.fixture
def known(clock, tmp_path):
    """A table whose ages are all 10 years below what the clock predicts."""
    ages = load_clock(clock.folder).predict(clock.master)["HeteroAge"]
    table = clock.master.assign(Age=np.maximum(ages - 10.0, 0.0))
    write_table(table, tmp_path / "known.csv")
    return tmp_path / "known.csv"


@pytest.fixture
def offset(clock, known, tmp_path, capsys):
    command = ["calibrate", "--artifact-dir", clock.folder, "--input", known, "--out", tmp_path / "offset.json"]
    assert run(capsys, *command)[0] == 0
    return tmp_path / "offset.json"


def predict(capsys, clock, table, out, *more):
    return run(capsys, "pipeline-predict", "--artifact-dir", clock.folder, "--input", table, "--out", out, *more)


def test_a_planted_offset_is_found_and_shrunk(clock, known, offset, loaded):
    """The fixture's clock has between 3 and within 6 years: of 14 samples, 9 / (9 + 36 / 14) is the study's."""
    found, table = read_json(offset), pd.read_csv(known, float_precision="round_trip")
    bias = (loaded.predict(clock.master)["HeteroAge"] - table["Age"]).mean()
    assert found["bias"] == pytest.approx(bias)
    assert bias == pytest.approx(10.0, abs=1.0)  # ages below 10 are cut at 0
    assert found["shrinkage"] == pytest.approx(9 / (9 + 36 / 14))
    assert found["years"] == pytest.approx(-found["shrinkage"] * bias)
    assert (found["n"], found["clock"]) == (14, loaded.digest)
    assert loaded.calibrate(table).as_json() == found


def test_few_ages_move_little_and_many_move_nearly_all(loaded):
    assert loaded.studies.shrinkage(1) == pytest.approx(0.2)
    assert loaded.studies.shrinkage(10_000) > 0.99


def test_samples_without_an_age_do_not_count(loaded, known):
    table = pd.read_csv(known, float_precision="round_trip")
    some = table.assign(Age=table["Age"].where(table.index < 5))
    assert loaded.calibrate(some) == loaded.calibrate(table.iloc[:5])


def test_age_acceleration_and_interval_follow_the_offset(clock, loaded, offset):
    shifted, before = loaded.with_offset(offset).predict(clock.master), loaded.predict(clock.master)
    years = read_json(offset)["years"]
    assert (shifted["Cohort_Offset"] == years).all()
    for name in FOLLOW:
        np.testing.assert_allclose(shifted[name], before[name] + years, atol=1e-9)  # rounding of one addition
    assert "Cohort_Offset" not in before
    others = [name for name in before if name not in (*FOLLOW, "Flags")]
    pd.testing.assert_frame_equal(shifted[others], before[others])
    limits = load_clock(clock.folder).applicability
    outside = (shifted["HeteroAge"] < limits.youngest) | (shifted["HeteroAge"] > limits.oldest)
    assert outside.tolist() == shifted["Flags"].str.contains("prediction_outside_training").tolist()


def test_the_interval_is_that_of_the_shifted_age(clock, loaded, offset):
    from dataclasses import replace

    from heteroage.clock.predict import interval

    stored = {"level": 0.9, "half_width": 0.5, "tissues": {}}
    shifted = replace(loaded, meta=loaded.meta | {"intervals": stored}).with_offset(offset).predict(clock.master)
    expected = interval(stored, shifted["HeteroAge"].to_numpy(), shifted["Tissue"])
    for name, values in expected.items():
        np.testing.assert_array_equal(shifted[name], values)


def test_no_sample_depends_on_its_batch_mates(clock, loaded, offset):
    whole, own = loaded.with_offset(offset).predict(clock.master), loaded.with_offset(offset)
    alone = pd.concat([own.predict(clock.master.iloc[[k]]) for k in range(len(whole))], ignore_index=True)
    pd.testing.assert_frame_equal(alone, whole)


def test_contributions_still_add_up(clock, loaded, offset):
    table = loaded.with_offset(offset).contributions(clock.master)
    added = table.drop(columns=["sample_id", "HeteroAge"]).sum(axis=1)
    np.testing.assert_allclose(added, table["HeteroAge"], atol=1e-9)  # LightGBM's sums against ours


def test_the_command_writes_the_offset_into_every_row(clock, known, offset, tmp_path, capsys):
    assert predict(capsys, clock, known, tmp_path / "o.csv", "--offset", offset)[0] == 0
    table = read_table(tmp_path / "o.csv")
    assert table["Cohort_Offset"].tolist() == [read_json(offset)["years"]] * 14
    assert abs((table["HeteroAge"] - table["Age"]).mean()) < 3  # of 10 years before
    run(capsys, "stage1-predict", "--artifact-dir", clock.folder, "--input", known, "--out", tmp_path / "1.csv")
    run(capsys, "stage2-predict", "--artifact-dir", clock.folder, "--input", known, "--out", tmp_path / "2.csv")
    stages = ["--input", tmp_path / "1.csv", tmp_path / "2.csv", known, "--offset", offset]
    out = ["--artifact-dir", clock.folder, "--out", tmp_path / "3.csv"]
    assert run(capsys, "stage3-predict", *out, *stages)[0] == 0
    np.testing.assert_allclose(read_table(tmp_path / "3.csv")["HeteroAge"], table["HeteroAge"], atol=1e-9)


def test_a_cohort_that_is_off_as_a_whole_is_warned_of(clock, known, tmp_path, capsys):
    code, _, err = predict(capsys, clock, known, tmp_path / "o.csv", "--summary", tmp_path / "s.json")
    assert code == 0
    assert "Warning: the bias of +9." in err or "Warning: the bias of +10." in err
    said = read_json(tmp_path / "s.json")
    assert (said["bias_beyond_studies"], said["studies"]["highest"]) == (True, 4.0)


def test_an_offset_of_another_clock_is_refused(clock, clock_copy, reseal, offset, known, tmp_path, capsys):
    write_json({"note": 1}, clock_copy / "note.json")
    reseal(clock_copy)
    arguments = ["--artifact-dir", clock_copy, "--input", known, "--out", tmp_path / "o.csv", "--offset", offset]
    code, _, err = run(capsys, "pipeline-predict", *arguments)
    assert (code, (tmp_path / "o.csv").exists()) == (1, False)
    assert f"heteroage: {offset} was made with another clock (digest " in err
    assert "Calibrate this clock with `heteroage calibrate`." in err


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda _: "{", "is not valid JSON"),
        (lambda _: "[]", "is not an offset"),
        (lambda _: "3", "is not an offset"),
        (lambda found: json.dumps({k: v for k, v in found.items() if k != "years"}), r"invalid entry \('years'\)"),
        (lambda found: json.dumps(found | {"years": "much"}), "is not an offset"),
        (lambda found: json.dumps(found | {"years": 10**400}), "is not an offset"),
        (lambda found: json.dumps(found | {"n": 1}).replace('"n": 1', '"n": 1e400'), "is not an offset"),
        (lambda found: json.dumps(found | {"years": 1e9}), "not possible for an offset"),
        (lambda found: json.dumps(found | {"n": 0}), "not possible for an offset"),
        (lambda found: json.dumps(found | {"offset_version": 7}), "an offset of version 7"),
    ],
)
def test_a_spoilt_offset_is_refused(loaded, offset, spoil, text):
    offset.write_text(spoil(read_json(offset)))
    with pytest.raises(HeteroAgeError, match=text):
        loaded.with_offset(offset)


def test_a_missing_offset_and_one_that_would_be_overwritten(clock, known, offset, tmp_path, capsys):
    code, _, err = predict(capsys, clock, known, tmp_path / "o.csv", "--offset", tmp_path / "none.json")
    assert (code, "cannot read the offset" in err) == (1, True)
    code, _, err = predict(capsys, clock, known, tmp_path / "o.csv", "--offset", offset, "--summary", offset)
    assert (code, "is an input and would be overwritten" in err) == (1, True)


def test_nothing_to_learn_from_is_said(clock, loaded, clock_copy, reseal):
    with pytest.raises(HeteroAgeError, match=r"has both an Age and a predicted age \(14 samples\)"):
        loaded.calibrate(clock.master.drop(columns="Age"))
    limits = read_json(clock_copy / "stage3/Applicability.json")
    del limits["studies"]
    write_json(limits, clock_copy / "stage3/Applicability.json")
    reseal(clock_copy)
    with pytest.raises(HeteroAgeError, match="contains no errors of held-out studies"):
        load_clock(clock_copy).calibrate(clock.master)


def test_calibrating_again_starts_from_the_clock_itself(loaded, known, offset):
    table = pd.read_csv(known, float_precision="round_trip")
    assert loaded.with_offset(offset).calibrate(table) == loaded.calibrate(table)
    assert Offset.read(offset) == loaded.calibrate(table)
