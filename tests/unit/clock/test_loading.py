"""Whatever a folder holds, it is a clock or a message, and nothing of it is believed unchecked."""

import json
import os
import re

import numpy as np
import pytest
from command_line import command

from heteroage.clock import artifacts
from heteroage.clock.loading import load_clock, loadings_of, parse_table, reference_samples, verify_folder
from heteroage.clock.master_table import READ_AS_TEXT
from heteroage.errors import HeteroAgeError
from heteroage.files import read_table, write_table
from heteroage.probes import is_pc


def with_text(name, change):
    def spoil(folder):
        path = folder / name
        path.write_text(change(path.read_text()))

    return spoil


def as_pipe(folder):
    (folder / artifacts.STAGE1_WEIGHTS).unlink()
    os.mkfifo(folder / artifacts.STAGE1_WEIGHTS)


def huge(name, size):
    def spoil(folder):
        with (folder / name).open("ab") as stream:
            stream.truncate(size)

    return spoil


def edit_meta(**changes):
    def change(text):
        return json.dumps(json.loads(text) | changes)

    return with_text(artifacts.STAGE3_META, change)


HOSTILE = {
    "a pipe": (as_pipe, "files missing (1: stage1/Stage1_Global_Model_Weights.csv)", False),
    "a terabyte": (huge("stage1/model.joblib", 2**40), "contains 1024.0 GiB, more than any clock", False),
    "a huge manifest": (huge("MANIFEST.json", 2**33), "MANIFEST.json is larger than 8 MiB", False),
    "huge JSON": (huge(artifacts.STAGE3_META, 2**25), "larger than 8 MiB", True),
    "deep JSON": (with_text(artifacts.STAGE3_META, lambda text: "[" * 100_000), "is not valid JSON", True),
    "NaN in JSON": (edit_meta(acceleration_reference={"slope": float("nan"), "intercept": 0}), "not valid JSON", True),
    "text for a number": (edit_meta(acceleration_reference={"slope": "1", "intercept": 0}), "contains text or", True),
    "no list": (edit_meta(feature_order=None), "has a missing or invalid entry", True),
    "twice": (edit_meta(feature_order=["Stage1_Pred_Age"] * 7), "does not list the fusion's features", True),
    "other features": (
        edit_meta(feature_order=["Stage1_Pred_Age", "Tissue", "Sex"]),
        "name different features",
        True,
    ),
    "intervals of nothing": (edit_meta(intervals={"half_width": -1}), "intervals of negative width", True),
    "NaN weights": (
        with_text(artifacts.STAGE1_WEIGHTS, lambda t: t.replace("cg", "x,nan,cg", 1)),
        "not a table of",
        True,
    ),
    "empty weights": (with_text(artifacts.STAGE1_WEIGHTS, lambda text: ""), "not a table of weights", True),
    "features twice": (
        with_text(artifacts.STAGE1_WEIGHTS, lambda t: t + t.splitlines()[-1] + "\n"),
        "contain each feature once",
        True,
    ),
    "no expert": (
        with_text(artifacts.STAGE2_WEIGHTS, lambda t: t.replace("Telomere", "T")),
        "does not contain hallmarks",
        True,
    ),
    "a tree in a circle": (
        with_text(artifacts.STAGE3_MODEL, lambda t: t.replace("left_child=", "left_child=0 ", 1)),
        "tree 0 is not valid",
        True,
    ),
    "no covariance": (with_text(artifacts.COVARIANCE, lambda t: t.splitlines()[0] + "\n"), "does not fit", True),
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_folders_get_a_message(clock, clock_copy, reseal, tmp_path, capsys, name):
    spoil, text, sealed_anew = HOSTILE[name]
    spoil(clock_copy)
    if sealed_anew:
        reseal(clock_copy)
    write_table(clock.master, tmp_path / "m.csv")
    arguments = ["--artifact-dir", clock_copy, "--input", tmp_path / "m.csv", "--out", tmp_path / "o.csv"]
    code, said = command(capsys, "pipeline-predict", *arguments)
    assert code == 1
    assert text in said
    assert len(said) < 2000
    assert not (tmp_path / "o.csv").exists()


def test_a_file_that_changes_after_the_check_is_not_read(clock_copy, monkeypatch):
    checked = artifacts.verify

    def verify_then_change(folder, key=None):
        manifest = checked(folder, key)
        (folder / artifacts.STAGE3_MODEL).write_text("tree\n")
        return manifest

    monkeypatch.setattr(artifacts, "verify", verify_then_change)
    with pytest.raises(HeteroAgeError, match="changed while it was read"):
        load_clock(clock_copy)


def test_a_sealed_folder_without_a_needed_file_is_no_clock(clock_copy, reseal):
    (clock_copy / artifacts.STAGE3_MODEL).unlink()
    reseal(clock_copy)
    artifacts.verify(clock_copy)
    text = f"is not a complete clock: files are missing from its manifest (1: {artifacts.STAGE3_MODEL})."
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        load_clock(clock_copy)


def test_the_fusion_as_a_line_is_the_slope_of_a_prediction(loaded, clock):
    """Per unit of a feature, in an adult: 21 a years by the anchor, and b by the experts, times the fusion's slopes."""
    slopes = loaded.applicability.slopes
    filled = clock.master.assign(**clock.master[loaded.cpgs].fillna(0.5))
    adults = filled[loaded.predict(filled)["Stage1_Pred_Age"] > 30]
    assert len(adults) > 3
    before, weights = loaded.predict(adults), loaded.linear_weights(loaded.applicability)
    assert sorted(weights) == sorted(loaded.terms)
    several = max(loaded.cpgs, key=lambda name: len(loaded.terms[name]))
    for name in (several, next(iter(loaded.anchor_weight))):
        moved = loaded.predict(adults.assign(**{name: adults[name] + 0.01}))
        change = sum(slope * (moved[stage] - before[stage]) for stage, slope in slopes.items() if not is_pc(stage))
        a, b = weights[name]
        change += sum(slopes[pc] * 0.01 * x for pc, x in loaded.loadings_of(name).items())
        # 1e-9 years: the rounding of a difference of two ages.
        np.testing.assert_allclose(change, 0.01 * (21 * a + b), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"feature,median,median\n",
            "w.csv has columns of the same name (3: feature, median, median). Copy the folder",
        ),
        (b"x" * (2**20 + 1), "w.csv has no header. Copy the folder again."),
        (b"feature,mean\ncg1,0.5,1\n", "w.csv is not a table of weights ("),
        (b"feature,mean\ncg1,0x1\n", "w.csv is not a table of weights ("),
        (b"feature,m\xe4\n", "w.csv is not UTF-8 text. Copy the folder again."),
    ],
)
def test_a_table_in_the_folder_that_is_none_is_refused(content, said):
    with pytest.raises(HeteroAgeError, match=f"^{re.escape(said)}"):
        parse_table(content, "w.csv")


def test_numbers_in_the_folder_are_read_to_the_bit():
    numbers = np.random.default_rng(1).normal(size=200) * 10.0 ** np.arange(-100, 100)
    lines = [f"cg{k},{x!r}" for k, x in enumerate(numbers.tolist())]
    for end in ("\n", "\r\n"):
        read = parse_table(end.join(["feature,mean", *lines, ""]).encode(), "w.csv")
        assert read["mean"].tobytes() == numbers.tobytes()
        assert read["feature"].tolist() == [f"cg{k}" for k in range(200)]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("feature,median,mean\ncg1,0,0\n", "is not a table of loadings: columns are missing (1: RF_PC1)."),
        ("feature,mean,RF_PC1\ncg1,0,0\n", "is not a table of loadings: columns are missing (1: median)."),
        ("feature,median,mean,RF_PC1\ncg1,0,0,\n", "contains loadings that are not finite. Copy the folder again."),
        (
            "feature,median,mean,RF_PC1\ncg1,0,0,1\ncg1,0,0,1\n",
            "names a feature more than once. Copy the folder again.",
        ),
    ],
)
def test_loadings_that_are_none_are_refused(rows, said):
    with pytest.raises(HeteroAgeError, match=f"^{re.escape(f'{artifacts.PC_LOADINGS} {said}')}$"):
        loadings_of(parse_table(rows.encode(), "l.csv"))


# Reference samples


def test_verify_predicts_the_reference_samples_anew(clock, clock_copy, reseal, capsys):
    code, said = command(capsys, "verify", clock.folder)
    assert code == 0
    assert "8 reference samples get their stored ages" in said
    assert "Not opened: joblib files (4: stage1/model.joblib, stage2/hallmarks/Hallmark_Genomic_Inst" in said
    ages = read_table(clock_copy / artifacts.REFERENCE_PREDICTIONS)
    assert ages["HeteroAge"].std() > 5
    assert ages["Imputed_Fraction"].max() > 0
    ages.loc[3, "HeteroAge"] += 1e-6
    write_table(ages, clock_copy / artifacts.REFERENCE_PREDICTIONS)
    reseal(clock_copy)
    code, said = command(capsys, "verify", clock_copy)
    assert code == 1
    assert "predictions of this version differ from the stored ones (1: HeteroAge of reference_4 by 1e-06)" in said


def test_reference_samples_are_nobodys(clock):
    """They follow from the clock's stored means and scales alone: no training sample's values are among them."""
    invented = read_table(clock.folder / artifacts.REFERENCE_SAMPLES)
    cpgs = [name for name in clock.training.columns if name.startswith("cg")]
    assert not set(np.round(clock.training[cpgs].to_numpy().ravel(), 6)) >= set(invented[cpgs].to_numpy().ravel())
    assert set(invented["sample_id"]).isdisjoint(clock.training["sample_id"])


def test_a_folder_without_reference_samples_is_verified_as_far_as_it_goes(clock_copy, reseal, capsys):
    for name in (artifacts.REFERENCE_SAMPLES, artifacts.REFERENCE_PREDICTIONS):
        (clock_copy / name).unlink()
    reseal(clock_copy)
    code, said = command(capsys, "verify", clock_copy)
    assert (code, "holds no reference samples" in said) == (0, True)


def test_reference_samples_follow_from_the_clock_alone(loaded, clock):
    samples, again = reference_samples(loaded), reference_samples(load_clock(clock.folder))
    assert list(samples) == list(again)
    assert all(np.array_equal(samples[name], again[name], equal_nan=name not in READ_AS_TEXT) for name in samples)
    assert {name for name in samples if name.startswith("cg")} == set(loaded.cpgs_read)
    for name in loaded.anchor_place:
        k = loaded.anchor_place[name]
        values = samples[name][~np.isnan(samples[name])]
        assert ((values >= 0) & (values <= 1)).all()
        # 1e-6: values have six decimals.
        assert (np.abs(values - loaded.anchor.mean[k]) <= 1.5 * loaded.anchor.scale[k] + 1e-6).all()
    cpgs = np.array([samples[name] for name in loaded.cpgs])
    assert not np.isnan(cpgs[:, 0]).any()  # the first sample is whole
    assert np.isnan(cpgs[:, 1:]).any()
    for name in ("Tissue", "Sex"):
        assert set(samples[name]) == set(loaded.meta["categories"][name])


def test_a_number_that_is_missing_now_or_then_is_another(clock_copy, reseal):
    whole = read_table(clock_copy / artifacts.REFERENCE_PREDICTIONS)
    for table in (whole.assign(HeteroAge=np.nan), whole.drop(columns="Imputed_Years")):
        write_table(table, clock_copy / artifacts.REFERENCE_PREDICTIONS)
        reseal(clock_copy)
        with pytest.raises(HeteroAgeError, match=r"differ from the stored ones \(8: \w+ of reference_1 by"):
            verify_folder(clock_copy)
    write_table(whole.drop(columns="HeteroAge"), clock_copy / artifacts.REFERENCE_PREDICTIONS)
    reseal(clock_copy)
    with pytest.raises(
        HeteroAgeError, match=f"{artifacts.REFERENCE_PREDICTIONS} contains no predictions. Copy the folder"
    ):
        verify_folder(clock_copy)
