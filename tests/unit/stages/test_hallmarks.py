"""The dictionary: read strictly, matched over modalities, each feature in one hallmark."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heteroage import matrix
from heteroage.age import transform_age
from heteroage.errors import HeteroAgeError
from heteroage.stages.hallmarks import (
    absolute_correlation,
    assign_features,
    features_digest,
    match_features,
    orthogonalise,
    read_dictionary,
)

FEATURES = [f"cg{k:08d}_beta" for k in range(8)]
MATCHED = st.dictionaries(
    st.sampled_from(["A", "B", "C", "D"]), st.sets(st.sampled_from(FEATURES)).map(sorted), min_size=1
)
# Few distinct values, so that ties are common.
CORRELATION = st.fixed_dictionaries({feature: st.sampled_from([0.0, 0.1, 0.5, 0.9]) for feature in FEATURES})


# Reading


def written(tmp_path, content):
    path = tmp_path / "hallmarks.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_hallmarks_and_cpgs_are_sorted_and_unique(tmp_path):
    path = written(tmp_path, {"B": ["cg2", "cg1", "cg2"], "A_1-x": []})
    dictionary = read_dictionary(path)
    assert dictionary == {"A_1-x": [], "B": ["cg1", "cg2"]}
    assert list(dictionary) == ["A_1-x", "B"]


@pytest.mark.parametrize("content", [[], {}, {"A": "cg1"}, {"A": {"cg1": 1}}, "null", '"A"'])
def test_what_is_no_dictionary(tmp_path, content):
    path = written(tmp_path, content)
    with pytest.raises(HeteroAgeError, match=re.escape(f"{path} is not a hallmark dictionary: it must be JSON of")):
        read_dictionary(path)


@pytest.mark.parametrize("name", ["a/b", "../up", "Loss of Proteostasis", "", ".hidden", "-dash", "a{b}", "é", "a\n"])
def test_names_that_cannot_be_file_names(tmp_path, name):
    path = written(tmp_path, {name: ["cg1"], "Fine": ["cg2"]})
    text = f"{path} has hallmark names that cannot be file names (1: {name!r}). Use letters, digits, _ and -."
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        read_dictionary(path)


def test_cpgs_that_are_no_text(tmp_path):
    path = written(tmp_path, {"A": ["cg1"], "B": ["cg1", 5], "C": [None]})
    with pytest.raises(HeteroAgeError, match=re.escape(f"{path} has hallmarks whose CpGs are not all text (2: B, C)")):
        read_dictionary(path)


def test_broken_json(tmp_path):
    path = written(tmp_path, '{"A": [')
    with pytest.raises(HeteroAgeError, match=re.escape(f"{path} is not valid JSON")):
        read_dictionary(path)


# Matching


def test_a_cpg_stands_for_its_features_in_every_modality():
    names = ["cg1_beta", "cg1_camda", "cg1_chalm", "cg11_beta", "cg2_chalm", "ch.1.5_beta", "chr1_10469_beta", "RF_PC1"]
    matched = match_features(
        {"A": ["cg1", "ch.1.5"], "B": ["cg2_chalm", "cg1_beta", "chr1_10469", "cg2_beta"], "C": ["cg9", "chr1", "cg"]},
        names,
    )
    assert matched == {
        "A": ["cg1_beta", "cg1_camda", "cg1_chalm", "ch.1.5_beta"],
        "B": ["cg1_beta", "cg2_chalm", "chr1_10469_beta"],
        "C": [],
    }


def test_a_cpg_named_bare_and_with_its_suffix_matches_once():
    assert match_features({"A": ["cg1", "cg1_beta"]}, ["cg1_beta"]) == {"A": ["cg1_beta"]}


# Orthogonalisation


@given(MATCHED, CORRELATION)
def test_each_feature_goes_where_it_ranks_best(matched, correlation):
    result = orthogonalise(matched, correlation)

    def rank(feature, hallmark):
        """How many features of the hallmark stand before this one."""
        return sum(
            correlation[other] > correlation[feature]
            or (correlation[other] == correlation[feature] and other < feature)
            for other in matched[hallmark]
        )

    expected = {hallmark: [] for hallmark in sorted(matched)}
    for feature in sorted(set().union(*matched.values())):
        homes = [hallmark for hallmark in sorted(matched) if feature in matched[hallmark]]
        ranks = [rank(feature, hallmark) for hallmark in homes]
        expected[homes[ranks.index(min(ranks))]].append(feature)
    assert result == expected
    assert list(result) == sorted(matched)


@given(MATCHED, CORRELATION, st.randoms(use_true_random=False))
def test_order_of_hallmarks_and_features_does_not_matter(matched, correlation, random):
    names = random.sample(list(matched), len(matched))
    shuffled = {name: random.sample(matched[name], len(matched[name])) for name in names}
    assert orthogonalise(shuffled, correlation) == orthogonalise(matched, correlation)


@given(MATCHED, CORRELATION)
def test_disjoint_and_complete(matched, correlation):
    placed = [feature for features in orthogonalise(matched, correlation).values() for feature in features]
    assert len(placed) == len(set(placed))
    assert set(placed) == set().union(*matched.values())


def test_a_tie_of_ranks_goes_to_the_first_name():
    matched = {"B": ["x"], "A": ["x"]}
    assert orthogonalise(matched, {"x": 0.3}) == {"A": ["x"], "B": []}


# Skipping


def test_skipped_hallmarks_say_why(training_data):
    """Two hallmarks of the same CpGs rank them equally, so the first by name gets all."""
    cpgs = [name.rpartition("_")[0] for name in training_data.feature_names[:20]]
    orthogonal, skipped = assign_features({"A": cpgs, "B": cpgs, "C": ["cg99999999"]}, training_data)
    assert orthogonal == {"A": sorted(training_data.feature_names[:20])}
    assert skipped == {
        "B": "each of its CpGs ranks better in another hallmark",
        "C": "none of its CpGs is in the data",
    }


def test_no_hallmark_left(training_data):
    text = "no hallmark has a CpG in the data (hallmarks 2: A, B). Check that inputs.hallmarks names CpGs as"
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        assign_features({"A": ["cg99999999"], "B": []}, training_data)


def test_features_are_given_to_hallmarks_by_the_runs_own_samples(training_data, monkeypatch):
    names = training_data.feature_names
    cpgs = [name.rpartition("_")[0] for name in names]
    dictionary = {"A": cpgs[:20], "B": [*cpgs[10:38], "RF"], "C": ["cg99999999"]}
    orthogonal, skipped = assign_features(dictionary, training_data)
    assert skipped == {"C": "none of its CpGs is in the data"}
    r = absolute_correlation(training_data.X, transform_age(training_data.samples["Age"]))
    expected = orthogonalise(match_features(dictionary, names[:40]), dict(zip(names, r.tolist(), strict=True)))
    assert orthogonal == {"A": expected["A"], "B": expected["B"]}
    assert sorted(orthogonal["A"] + orthogonal["B"]) == sorted(names[:38])
    monkeypatch.setattr(matrix, "FEATURES_PER_BLOCK", 7)
    assert assign_features(dictionary, training_data) == (orthogonal, skipped)


def test_a_digest_is_of_the_features_and_their_order():
    digests = {features_digest(features) for features in (["a", "b"], ["b", "a"], ["ab"], ["a"], [])}
    assert len(digests) == 5
    assert features_digest(["a", "b"]) in digests


# Correlation


def test_correlation_is_numpys_on_complete_data():
    rng = np.random.default_rng(1)
    target = rng.normal(size=70)
    X = (0.5 + np.outer(rng.normal(0, 0.1, 30), target) + rng.normal(0, 0.1, (30, 70))).astype(np.float32)
    expected = [abs(np.corrcoef(row.astype(np.float64), target)[0, 1]) for row in X]
    # 1e-12: two ways to compute r.
    np.testing.assert_allclose(absolute_correlation(X, target), expected, rtol=0, atol=1e-12)


def test_missing_values_count_as_the_median():
    rng = np.random.default_rng(2)
    target, row = rng.normal(size=20), rng.random(20).astype(np.float32)
    gappy = row.copy()
    gappy[[3, 8]] = np.nan
    filled = gappy.astype(np.float64)
    filled[[3, 8]] = np.nanmedian(filled)
    expected = abs(np.corrcoef(filled, target)[0, 1])
    np.testing.assert_allclose(absolute_correlation(gappy[None], target), [expected], rtol=0, atol=1e-12)


def test_constant_and_empty_features_and_constant_targets_have_none():
    X = np.array([[0.3] * 5, [np.nan] * 5, [0.1, 0.2, 0.3, 0.4, 0.5]], dtype=np.float32)
    assert absolute_correlation(X, np.arange(5.0))[:2].tolist() == [0.0, 0.0]
    assert absolute_correlation(X, np.full(5, 2.0)).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_features_value_does_not_depend_on_the_features_beside_it(order):
    """Nor on the memory layout: a choice of columns, `X[:, rows]`, is in Fortran's order."""
    rng = np.random.default_rng(3)
    X = rng.random((37, 101)).astype(np.float32)
    X[rng.random(X.shape) < 0.05] = np.nan
    target = rng.normal(size=101)
    together = absolute_correlation(np.asarray(X, order=order), target)
    for k in range(37):
        assert absolute_correlation(X[[k]], target)[0] == together[k]
        assert absolute_correlation(np.asarray(X[k : k + 2], order=order), target)[0] == together[k]
