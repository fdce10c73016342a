"""Ages in any unit, with the unit in the cell or in the column's name, and ages before birth."""

from itertools import permutations

import pytest

from heteroage.errors import HeteroAgeError
from heteroage.tables.ages import (
    OUTSIDE,
    PRENATAL_AGE,
    UNREADABLE,
    YOUNGEST,
    is_age,
    is_prenatal,
    read_ages,
    unit_in,
)
from heteroage.tables.metadata import agreed

MONTHS = ["age (months)", "age_months", "age in months", "age (in months)", "age [months]", "age months", "age (mo)"]
MONTHS += ["age (mos.)", "age (months at collection)", "ageMonths", "AGE_IN_MONTHS", "agemonths", "age.mo", "age (m)"]


def years_of(*cells, **options):
    return [age for age, _ in read_ages(*cells, **options)]


def positions(problem, *cells, **options):
    """The cells that have this problem."""
    return [k for k, (_, found) in enumerate(read_ages(*cells, **options)) if found == problem]


@pytest.mark.parametrize(
    ("label", "unit"),
    [
        *((label, "months") for label in MONTHS),
        *((label, "days") for label in ("age_days", "age [days]", "Age (d)", "postnatal age, days")),
        *((label, "weeks") for label in ("age_at_sampling_weeks", "age (wks)")),
        *((label, "years") for label in ("age (yrs)", "age_y", "Age (Years)")),
        *(
            (label, None)
            for label in ("age", "age at diagnosis", "m", "age (at monday)", "average", "day care age group")
        ),
    ][:-1],
)
def test_the_unit_in_a_label(label, unit):
    assert unit_in(label) == unit
    years = years_of(["36"], label)[0]
    assert years == pytest.approx(36 / {"years": 1, "months": 12, "weeks": 365.25 / 7, "days": 365.25, None: 1}[unit])


def test_a_label_of_several_units_is_refused_unless_the_unit_is_given():
    with pytest.raises(HeteroAgeError, match=r"cannot tell the unit of 'age .years or months.': it names mon"):
        read_ages(["3"], "age (years or months)")
    assert years_of(["3"], "age (years or months)", "years") == [3]


@pytest.mark.parametrize(
    ("text", "years"),
    [
        *(("67", 67), ("67.5 yrs", 67.5), ("67 years old", 67), ("67-year-old", 67), ("23 y.o.", 23), ("45,5", 45.5)),
        *(("36 mo", 3), ("52 weeks", 52 * 7 / 365.25), ("3 days", 3 / 365.25), ("5y6m", 5.5), ("1e1", 10)),
        *(("5 years, 3 months", 5.25), ("newborn", 0), ("0", 0), ("6m", 0.5), ("12 hours", 12 / 8766), (" 7 ", 7)),
    ],
)
def test_an_age_in_a_cell(text, years):
    assert years_of([text]) == [pytest.approx(years)]


@pytest.mark.parametrize(
    "text", ["18-20", ">90", "~45", "67M", "67 F", "P7", "old", "3 parsecs", "3 days 2 years", "5y 6"]
)
def test_what_is_no_age(text):
    assert positions(UNREADABLE, [text]) == [0]


def test_ages_that_are_followed_by_the_sex_are_no_months():
    assert positions(UNREADABLE, ["67m", "45f"]) == [0, 1]


@pytest.mark.parametrize(
    ("text", "label", "years"),
    [
        *((text, "age", (20 - 40) * 7 / 365.25) for text in ("20 weeks gestation", "GW20", "gestational week 20")),
        *(("12 pcw", "age", (12 - 38) * 7 / 365.25), ("12", "post-conception weeks", (12 - 38) * 7 / 365.25)),
        *(("38", "gestational age (weeks)", -14 / 365.25), ("38+3", "gestational_age", -11 / 365.25)),
        ("38,5 weeks 1 day", "gestational age", (38.5 - 40 + 1 / 7) * 7 / 365.25),
        *(("266", "gestational age in days", -14 / 365.25), ("41", "gestational age", 0.0), ("-0.498", "age", -0.498)),
    ],
)
def test_ages_before_birth_are_taken_only_if_they_are_allowed(text, label, years):
    assert years_of([text], label) == [None]
    assert positions(PRENATAL_AGE, [text], label) == [0]
    assert years_of([text], label, allow_prenatal=True) == [pytest.approx(years, abs=1e-6)]


def test_no_age_is_before_conception_and_no_pregnancy_lasts_a_year():
    assert positions(OUTSIDE, [str(YOUNGEST), "-0.78"], allow_prenatal=True) == [1]
    assert positions(UNREADABLE, ["60"], "gestational age (weeks)", allow_prenatal=True) == [0]


def test_codes_for_missing_values_are_outside_unless_they_are_named():
    assert positions(OUTSIDE, ["-9", "999", "45"]) == [0, 1]
    assert years_of(["-9", "999", "45"], missing_values=["-9", "999"]) == [None, None, 45]


def test_names_of_columns():
    assert [is_age(name) for name in ("AGE", "age_months", "Age (yrs)", "age at death", "stage", "Age_beta")] == [
        *(True, True, True, False, False, False)
    ]
    assert not is_prenatal("age") and is_prenatal("GA_weeks") and is_prenatal("Fetal age")


@pytest.mark.parametrize(
    ("cells", "kept", "other"),
    [
        ({"37": "months", "3.08": None}, 3.08, None),
        ({"37": "months", "3.08": None, "1126": "days"}, 1126 / 365.25, None),
        ({"37": "months", "3": None}, 37 / 12, None),
        ({"37": "months", "3.0": None}, 37 / 12, None),
        ({"37": "months", "3.13": None}, 3.13, 37 / 12),
        ({"30": None, "31": None}, 30, 31),
        ({"30.4": None, "30": None, "29.6": None}, 29.6, 30.4),
        ({"3y1m": None, "37": "months"}, 37 / 12, None),
    ],
)
def test_ages_agree_within_their_rounding_in_any_order(cells, kept, other):
    tables = [(cell, {"s1": read_ages([cell], unit=unit)[0][0]}) for cell, unit in cells.items()]
    for order in permutations(tables):
        if other is None:
            merged, rounded = agreed("Age", order, ["s1"])
            assert merged["s1"] == pytest.approx(kept)
            assert rounded == (["s1"] if len({table["s1"] for _, table in order}) > 1 else [])
        else:
            with pytest.raises(HeteroAgeError, match=rf"\(1: s1: {kept}(\.0)? and {other:.9g}"):
                agreed("Age", order, ["s1"])


@pytest.mark.parametrize("unit", ["days", "weeks", "months", "hours"])
def test_a_comma_before_three_digits_may_be_thousands(unit):
    assert positions(UNREADABLE, ["1,234", f"1,234 {unit}", "1,5"], unit=unit) == [0, 1]
    assert years_of(["45,123"]) == [45.123]
