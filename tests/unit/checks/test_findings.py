"""The audit in words: each finding counts, names the first and points to its file; sound data get none."""

import numpy as np
import pandas as pd
import pytest

from heteroage.checks.audit import find_noteworthy, write_findings
from heteroage.labels import nearly_alike


@pytest.fixture
def tables():
    """Of sound data: two studies of two tissues, two hallmarks."""
    samples = pd.DataFrame({"sample_id": list("abcdefgh"), "project_id": ["p", "q"] * 4, "donor_id": None})
    samples["group"], samples["Tissue"], samples["trains"] = samples["project_id"], ["Blood"] * 4 + ["Skin"] * 4, True
    pairs = ["sample_1", "sample_2", "project_1", "project_2"]
    return {
        "samples": samples,
        "duplicates": pd.DataFrame(columns=pairs),
        "values": pd.DataFrame({"modality": ["beta"], "n_outside": [0]}),
        "hallmarks": pd.DataFrame({"hallmark": ["A", "B"], "features": [30, 40], "cpgs_in_data": [30, 40]}),
        "overlap": pd.DataFrame({"modalities": ["beta", "beta+chalm"], "n_samples": [3, 5], "n_cpgs": [9, 9]}),
        "missing_by_sample": pd.DataFrame({"modality": ["beta"], "sample_id": ["a"], "missing_fraction": [0.1]}),
        "pc_space": pd.DataFrame({"sample_id": ["a", "b"], "Outlier": [False, False]}),
        "associations": pd.DataFrame({"first": ["project_id"], "second": ["Age"], "value": [0.2]}),
    }


def found(tables):
    return "\n".join(find_noteworthy(tables))


def test_sound_data(tables):
    assert find_noteworthy(tables) == []
    assert write_findings([]) == "The audit found nothing that you need to look at.\n"


def test_every_finding_has_its_words_and_its_file(tables):
    tables["duplicates"].loc[0] = ["a", "b", "p", "q"]
    tables["duplicates"].loc[1] = ["c", "e", "p", "p"]
    tables["samples"]["group"] = "p"
    tables["values"] = pd.DataFrame(
        {"modality": ["beta"], "n_outside": [1200], "lowest": [-0.2], "highest": [0.9], "samples_outside": ["1: a"]}
    )
    tables["hallmarks"]["features"], tables["hallmarks"]["cpgs_in_data"] = [0, 7], [0, 7]
    tables["overlap"] = pd.DataFrame({"modalities": ["beta", "chalm"], "n_samples": [3, 5]})
    tables["missing_by_sample"]["missing_fraction"] = 0.3
    tables["pc_space"].loc[1, "Outlier"] = True
    tables["sex"] = pd.DataFrame({"sample_id": ["a"], "Mismatch": [True]})
    tables["samples"].loc[7, "Tissue"] = "skins"
    tables["associations"]["value"] = 0.95
    words = found(tables)
    for part in [
        "2 of 2 projects are one group: p, q. They are held out together, because 1 pair of near-identical arrays is "
        "in two (p with q). See results/audit/duplicated_arrays.csv.",
        "Near-identical arrays within a project (1: c and e). Is an array there twice? See",
        "beta values below 0 or above 1: 1,200, from -0.2 to 0.9 (samples 1: a). They are used as they are. See "
        "results/audit/values.csv.",
        "1 of 2 hallmarks without a CpG in the data (1: A): they get no expert.",
        "1 of 2 hallmarks with fewer than 10 CpGs in the data (1: B). See results/audit/hallmarks.csv.",
        "No sample has more than one of beta, chalm.",
        "Samples with more than 20% of their beta values missing (1: a). See results/audit/missing_by_sample.csv.",
        "Samples far from the others of their tissue (1: b).",
        "Labels of Sex that disagree with the X and Y chromosomes (1: a). Were samples swapped? See "
        "results/audit/sex.csv.",
        "Similar names of tissues (1: 'Skin' and 'skins'). Use one name per tissue.",
        "1 of 3 tissues are in one study only (1: skins).",
        "Study explains 95% of the variance of age",
    ]:
        assert part in words
    assert write_findings(words.splitlines()).startswith(
        "The audit found 12 things to look at before you trust a clock:"
    )


def test_a_donor_that_ties_studies_is_looked_up_among_samples(tables):
    tables["samples"]["donor_id"], tables["samples"]["group"] = ["d", "d"] + [None] * 6, "p"
    assert "1 donor has samples in several (p with q). See results/store/samples.csv." in found(tables)


def test_associations_that_are_not_known_are_no_finding(tables):
    tables["associations"]["value"] = np.nan
    assert find_noteworthy(tables) == []


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Whole blood", "Wholeblood", True),
        ("Whole blood", "whole_blood", True),
        ("Whole blood", "Blood, whole", True),
        ("Monocyte", "Monocytes", True),
        ("Cerebelum", "Cerebellum", True),
        ("Brain, DLPFC", "Brain, DLFPC", True),
        ("CD4 T cell", "CD8 T cell", False),
        ("B cell", "T cell", False),
        ("Left atrium", "Right atrium", False),
        ("Skin", "Shin", True),
        ("Lung", "Liver", False),
        ("Blood", "Cord blood", False),
        ("Tissue 1", "Tissue 2", False),
    ],
)
def test_spellings_that_are_nearly_alike(one, other, alike):
    assert nearly_alike([one, other, "Something else"]) == ([tuple(sorted([one, other]))] if alike else [])
