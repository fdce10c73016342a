"""Words that tables use for sex and tissue, and cells that stand for no value."""

import pytest
from pandas._libs.parsers import STR_NA_VALUES

from heteroage.labels import SEXES, SPELLINGS, UNKNOWN, WORDS, clean, is_missing, tissue_of
from heteroage.tables.metadata import Conventions, sexes


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
    assert sexes([f" {text.title()} "], Conventions())[0] == [SEXES[text]]


@pytest.mark.parametrize("text", [None, "", " ", "?", "0", "1", "NA", "x", "fm", "other", "femal"])
def test_any_other_sex_is_unknown_never_a_default(text):
    assert sexes([text], Conventions())[0] == [UNKNOWN]


@pytest.mark.parametrize("text", sorted(WORDS))
def test_a_missing_tissue_is_unknown(text):
    assert tissue_of(text) == tissue_of(f" {text.upper()} ") == UNKNOWN


def test_a_tissue_keeps_its_spelling_with_single_blanks():
    assert tissue_of("  Whole   blood ") == "Whole blood"
