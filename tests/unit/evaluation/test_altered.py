"""A run's files do not depend on the outer fold that it leaves out, and a dependence is found."""

import numpy as np
import pandas as pd
import pytest
from study_cohort import cohort

from heteroage.evaluation.altered import alter_labels, alter_methylation, compare_files, judge_altered_fold
from heteroage.files import write_table
from heteroage.grouping.folds import assign_outer_folds
from heteroage.stages.selection import learn_pcs, select


@pytest.fixture
def samples():
    table = cohort()
    return table.assign(outer_fold=assign_outer_folds(table, 4))


def test_only_the_held_out_folds_labels_are_altered(samples):
    altered = alter_labels(samples, 2, 1)
    held_out = (samples["outer_fold"] == 2).to_numpy()
    assert altered[~held_out].equals(samples[~held_out])
    assert (altered.loc[held_out, "Age"] != samples.loc[held_out, "Age"]).all()
    assert (altered.loc[held_out, "Is_Healthy"] != samples.loc[held_out, "Is_Healthy"]).all()
    rest = ["Age", "Tissue", "Sex", "Is_Healthy"]
    assert altered.drop(columns=rest).equals(samples.drop(columns=rest))


def store_of(samples, path):
    values = np.random.default_rng(3).uniform(0, 1, (50, len(samples))).astype(np.float32)
    np.save(path, values)
    return values


def test_only_the_held_out_folds_methylation_is_altered(samples, tmp_path):
    values = store_of(samples, tmp_path / "store.npy")
    held_out = (samples["outer_fold"] == 0).to_numpy()
    alter_methylation(tmp_path / "store.npy", tmp_path / "altered.npy", np.flatnonzero(held_out), 1)
    altered = np.load(tmp_path / "altered.npy")
    assert (altered[:, ~held_out] == values[:, ~held_out]).all()
    assert (altered[:, held_out] != values[:, held_out]).all()
    assert np.isnan(altered[:, held_out]).any()
    assert (np.load(tmp_path / "store.npy") == values).all()


@pytest.mark.parametrize(("leak", "verdict"), [("none", "pass"), ("methylation", "fail"), ("labels", "fail")])
def test_a_run_that_sees_its_outer_fold_fails(samples, tmp_path, leak, verdict):
    """The built-in faults: RF_PCs that are learnt from all samples; folds that look at all ages."""
    store_of(samples, tmp_path / "own.npy")
    held_out = np.flatnonzero(samples["outer_fold"] == 0)
    alter_methylation(tmp_path / "own.npy", tmp_path / "again.npy", held_out, 1)
    files = {}
    for name, table in (("own", samples), ("again", alter_labels(samples, 0, 1))):
        chosen = select(table, "nested-0", 5, 1, True)
        seen = table.assign(store_column=range(len(table))) if leak == "methylation" else chosen
        store = np.load(tmp_path / f"{name}.npy")
        loadings, _ = learn_pcs(store, [f"cg{k:08d}_beta" for k in range(50)], seen, 3, 40)
        write_table(loadings, tmp_path / f"{name}_loadings.csv")
        if leak == "labels":
            chosen["mean_age"] = table["Age"].mean()
        write_table(chosen, tmp_path / f"{name}_samples.csv")
        files[name] = {part: tmp_path / f"{name}_{part}.csv" for part in ("samples", "loadings")}
    judged = judge_altered_fold(compare_files(files["own"], files["again"]))
    assert judged.verdict == verdict
    assert "of 2 files of the run" in judged.meaning


def test_a_changed_file_is_named():
    judged = judge_altered_fold(pd.DataFrame({"file": ["samples", "weights"], "same": [True, False]}))
    assert (judged.verdict, judged.measured) == ("fail", 1)
    assert judged.meaning.endswith("are altered (weights)")
