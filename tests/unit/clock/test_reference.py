"""A clock predicts its reference samples as it did when it was made, and they are nobody's."""

import numpy as np
from command_line import command

from heteroage.clock import artifacts
from heteroage.files import read_table, write_table


def test_verify_predicts_the_reference_samples_anew(clock, clock_copy, reseal, capsys):
    code, said = command(capsys, "verify", clock.folder)
    assert code == 0
    assert "8 reference samples get their stored ages" in said
    ages = read_table(clock_copy / artifacts.REFERENCE_PREDICTIONS)
    assert ages["HeteroAge"].std() > 5
    assert ages["Imputed_Fraction"].max() > 0
    ages.loc[3, "HeteroAge"] += 1e-6
    write_table(ages, clock_copy / artifacts.REFERENCE_PREDICTIONS)
    reseal(clock_copy)
    code, said = command(capsys, "verify", clock_copy)
    assert code == 1
    assert "this version predicts other numbers than were stored (1: HeteroAge of reference_4 by 1e-06)" in said


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
