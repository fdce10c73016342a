"""Words that tables use for sex and tissue, and cells that stand for no value."""

import pytest
from pandas._libs.parsers import STR_NA_VALUES

from heteroage.errors import HeteroAgeError
from heteroage.labels import SEXES, SPELLINGS, UNKNOWN, WORDS, clean, is_missing
from heteroage.tables.metadata import Conventions, sexes, tissues


def test_what_pandas_reads_as_missing_is_missing_in_any_case():
    assert set(SPELLINGS) >= STR_NA_VALUES
    assert all(is_missing(word) and is_missing(f" {word.upper()} ") for word in STR_NA_VALUES)


@pytest.mark.parametrize("text", ["\u200bmâle", "ma\u0302le\ufeff", "mâle\u00a0", " mâle "])
def test_one_text_in_several_encodings_is_the_same_text(text):
    assert clean(text) == "mâle"


@pytest.mark.parametrize("cell", ["-9", "-9.0", "XX"])
def test_the_users_own_missing_values(cell):
    assert is_missing(cell, ["-9", "xx"])
    assert not is_missing(cell)


@pytest.mark.parametrize("text", [word for word, sex in SEXES.items() if sex != UNKNOWN])
def test_a_known_sex(text):
    assert sexes([f" {text.title()} "], "t", Conventions()) == [SEXES[text]]


@pytest.mark.parametrize("text", [None, "", " ", "?", "NA", "other"])
def test_a_sex_that_is_not_given_is_unknown_never_a_default(text):
    assert sexes([text], "t", Conventions()) == [UNKNOWN]


@pytest.mark.parametrize("text", ["0", "1", "x", "fm", "femal"])
def test_any_other_sex_is_refused_never_a_default(text):
    with pytest.raises(HeteroAgeError, match=rf"column Sex of t has unknown codes \(1: {text}\)"):
        sexes([text], "t", Conventions())


@pytest.mark.parametrize("text", sorted(WORDS))
def test_a_missing_tissue_is_unknown(text):
    assert tissues([text, f" {text.upper()} "], Conventions()) == [UNKNOWN, UNKNOWN]


def test_a_tissue_keeps_its_spelling_with_single_blanks():
    assert tissues(["  Whole   blood "], Conventions()) == ["Whole blood"]
