"""Spellings of sex and tissue are read alike in training and in prediction, and what CSV readers call missing is."""

import pandas as pd
import pytest
from pandas._libs.parsers import STR_NA_VALUES

from heteroage.inputs.cohorts import normalise_sex, normalise_tissue
from heteroage.labels import MISSING, SEXES, UNKNOWN, sex_of, tissue_of


def test_missing_is_what_pandas_reads_as_missing():
    assert MISSING == STR_NA_VALUES


@pytest.mark.parametrize("text", [*SEXES, *map(str.title, SEXES), " F ", "FEMALE\t"])
def test_a_known_sex(text):
    assert sex_of(text) == text.strip()[0].upper().replace("W", "F")


@pytest.mark.parametrize("text", [None, "", " ", "?", "0", "1", "NA", "x", "fm", "other", "femal"])
def test_any_other_sex_is_unknown_never_a_default(text):
    assert sex_of(text) == UNKNOWN


@pytest.mark.parametrize("text", [None, "", "Blood", " Whole blood ", "f", "Female", "unknown", "woman "])
def test_training_and_prediction_read_alike(text):
    column = pd.Series([text], dtype=object)
    assert normalise_sex(column).tolist() == [sex_of(text)]
    assert normalise_tissue(column).tolist() == [tissue_of(text)]


@pytest.mark.parametrize("text", sorted(MISSING))
def test_a_missing_tissue_is_unknown(text):
    assert tissue_of(text) == tissue_of(f" {text} ") == UNKNOWN
