"""A clock predicts its reference samples as it did when it was made, and they are nobody's."""

import numpy as np
import pytest
from command_line import command

from heteroage.clock import artifacts
from heteroage.clock.loading import load_clock
from heteroage.clock.master_table import TEXT
from heteroage.clock.reference import reference_samples, verify_folder
from heteroage.errors import HeteroAgeError
from heteroage.files import read_table, write_table


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
    assert all(np.array_equal(samples[name], again[name], equal_nan=name not in TEXT) for name in samples)
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
