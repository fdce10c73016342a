"""Parsing of ages: `67`, `3 months`, `5y6m`, `38 weeks of gestation`, or numbers with the unit in the column name.

A gestational age counts from before birth. It is converted to a negative age: weeks of gestation minus weeks at birth.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from heteroage.errors import HeteroAgeError, listed
from heteroage.labels import OLDEST, is_missing

if TYPE_CHECKING:
    from heteroage.tables.metadata import Conventions

PER_YEAR = {"years": 1.0, "months": 12.0, "weeks": 365.25 / 7, "days": 365.25, "hours": 8766.0}
UNITS = {
    spelling: unit
    for unit, spellings in {
        "years": "y yr yrs year years yo",
        "months": "m mo mos mth mths mon month months",
        "weeks": "w wk wks week weeks",
        "days": "d day days pnd",
        "hours": "h hr hrs hour hours",
    }.items()
    for spelling in spellings.split()
}
SAMPLING = ("sampling", "sample", "sample collection", "collection", "draw", "blood draw")  # "age at ..."
AT_BIRTH = {"newborn", "neonate", "neonatal", "birth", "at birth", "cord blood"}
PRENATAL = re.compile(
    r"gestation|concept|menstrual|pre-?natal|antenatal|in utero|trimester|\bf(?:o?e)tus|\bf(?:o?e)tal|embryo|"
    r"\b(?:pcw|pcd|dpc|gw|ga|gwk|pma)\b"
)
FROM_CONCEPTION = re.compile(r"concept|\b(?:pcw|pcd|dpc)\b")
YOUNGEST = -0.77  # years: 40 weeks before birth
THOUSANDS = re.compile(r"\d{1,3},\d{3}")
# Problems of ages.
UNREADABLE, PRENATAL_AGE, OUTSIDE = "unreadable", "prenatal", "outside"
PROBLEMS = {
    UNREADABLE: ("text in place of ages", "Give numbers, with a unit if they are not years, and leave unknown ages"),
    PRENATAL_AGE: (
        "ages before birth",
        f"Set inputs.allow_prenatal: true to take ages from {YOUNGEST} to 0 years, or leave them",
    ),
    OUTSIDE: (f"ages outside 0 to {OLDEST} years", "Give years, and leave unknown ages"),
}
WEEKS_OF_PREGNANCY = {False: 40.0, True: 38.0}  # from the last menstrual period, and from conception
# A number, its unit, and what may separate it from the next one.
QUANTITY = re.compile(r"(\d+(?:[.,]\d+)?|\.\d+)[\s-]*([a-z]*)\.?[\s,;&+]*(?:and)?[\s,;&+]*")


class ExactAge(float):
    """An age in years. `half` is half of the last digit that its cell shows: 1 / 24 for `37 months`, 0.005 for `3.08`.

    text : the cell, in lower case
    unit : unit of a number without one
    """

    __slots__ = ("text", "unit")

    def __new__(cls, years: float, text: str, unit: str) -> ExactAge:
        """Keep the cell with the age."""
        age = super().__new__(cls, years)
        age.text, age.unit = text, unit
        return age

    @property
    def half(self) -> float:
        """Half of the last digit, in years; computed only where several tables give the age."""
        digits, name = next(reversed(QUANTITY.findall(self.text)), ("", ""))
        decimals = len(digits.replace(",", ".").partition(".")[2].rstrip("0"))  # 3.0 is 3 in other files
        return 0.5 * 10.0**-decimals / PER_YEAR[UNITS.get(name, self.unit)] if digits else 0.0


def unit_in(label: str) -> str | None:
    """Return the unit that a column's name gives: months for `age_months`, `age in months`, `Age [mo.]`.

    Raises HeteroAgeError: the name gives several units.
    """
    tokens = _tokens(label)
    bracketed = set(re.findall(r"[(\[{]\s*([a-z])\s*[)\]}]", label.lower()))
    last = set(tokens[-1:]) if len(tokens) > 1 and tokens[0] == "age" else set()
    units = {UNITS[token] for token in tokens if token in UNITS and (len(token) > 1 or token in bracketed | last)}
    if len(units) > 1:
        raise HeteroAgeError(
            f"cannot tell the unit of {label!r}: it names {', '.join(sorted(units))}. Say which in age_unit "
            "(config/README.md)."
        )
    return units.pop() if units else None


def is_age(label: str) -> bool:
    """Tell whether a column's name consists only of the word age, and optionally a unit."""
    named = re.sub(r":ch\d$", "", label)  # GEOquery's columns
    rest = [token for token in _tokens(named) if token not in UNITS and token not in ("in", "of", "old")]
    return rest in (["age"], ["ages"], ["chronological", "age"]) or (
        rest[:2] == ["age", "at"] and " ".join(rest[2:]) in SAMPLING
    )


def is_prenatal(label: str) -> bool:
    """Tell whether a column's name or a cell describes a gestational age."""
    return PRENATAL.search(" ".join(re.findall(r"[a-z]+|[^a-z_]+", label.lower()))) is not None


def read_ages(
    cells: Sequence[str | None],
    label: str = "",
    unit: str | None = None,
    allow_prenatal: bool = False,
    missing_values: Sequence[str] = (),
) -> list[tuple[ExactAge | None, str]]:
    """Read a column of ages.

    label : the column's name, which may contain the unit
    unit : years, months, weeks, days or hours, for cells without one; takes precedence over the unit of the label
    allow_prenatal : accept ages of -0.77 to 0 years, and gestational ages (weeks - 40, or - 38 from conception)
    missing_values : codes for missing ages
    Returns for each cell the age in years, None if it is missing or unusable, and its problem: "" if it has none,
    UNREADABLE, PRENATAL_AGE (not allowed), or OUTSIDE the ages of people.
    """
    before_birth = is_prenatal(label)
    unit = unit or unit_in(label) or ("weeks" if before_birth else "years")
    # If some ages are written 67F, then 67m is the age of a man in years, not in months.
    with_sex = any(re.fullmatch(r"\d+\s*[fF]", cell.strip()) for cell in cells if cell)
    of_men = re.compile(r"\d+\s*[mM]" if with_sex else r"\d+\s*M")

    @cache
    def judged(cell: str | None) -> tuple[ExactAge | None, str]:
        if is_missing(cell, missing_values):
            return None, ""
        text = " ".join(str(cell).split())
        gestational = before_birth or is_prenatal(text)
        if gestational:
            age = _gestational(text.lower(), label.lower(), unit if before_birth else "weeks")
        else:
            age = None if of_men.fullmatch(text) else _years(text.lower(), unit)
        if age is None:
            return None, UNREADABLE
        age = ExactAge(age, text.lower(), unit)
        if (gestational or age < 0) and YOUNGEST <= age <= 0:
            return (age, "") if allow_prenatal else (None, PRENATAL_AGE)
        return (age, "") if 0 <= age <= OLDEST else (None, OUTSIDE)

    return [judged(cell) for cell in cells]


def ages(
    cells: Sequence[str | None], label: str, ids: Sequence[str], where: str, conventions: Conventions
) -> list[ExactAge | None]:
    """Return ages in years, None where missing.

    Raises HeteroAgeError: text that is not an age, ages before birth that the config does not allow, or impossible
    ages.
    """
    found = read_ages(cells, label, conventions.age_unit, conventions.allow_prenatal, conventions.missing_values)
    for problem, (what, advice) in PROBLEMS.items():
        if at := [k for k, (_, own) in enumerate(found) if own == problem]:
            shown = listed(f"{cells[k].strip()} at {ids[k]}" for k in at)
            guess = _guess(cells, at, conventions) if problem == OUTSIDE else ""
            raise HeteroAgeError(f"column {label} of {where} has {what} ({shown}). {guess}{advice} empty.")
    return [age for age, _ in found]


def _guess(cells: Sequence[str | None], outside: Sequence[int], conventions: Conventions) -> str:
    """Name the unit, or the code for missing values, that explains impossible ages."""
    codes = sorted({str(cells[k]).strip() for k in outside})
    if all(re.fullmatch(r"-(?:1|9|99|999)(?:\.0)?|9{3,}(?:\.0)?", code) for code in codes):
        return f"They look like codes for a missing value: set inputs.missing_values: [{', '.join(codes)}]. "
    if all(re.fullmatch(r"(?:19|20)\d\d(?:\.0)?", code) for code in codes):
        return "They look like years of birth. "
    for unit in ("months", "weeks", "days") if conventions.age_unit in (None, "years") else ():
        read = read_ages(cells, unit=unit)
        known = sorted(age for age, _ in read if age is not None)
        if not {UNREADABLE, OUTSIDE} & {problem for _, problem in read} and len(outside) > len(known) / 2:
            return f"They look like {unit} (then the oldest is {known[-1]:.0f}): set age_unit: {unit} for this table. "
    return ""


def _tokens(label: str) -> list[str]:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label).lower()
    return re.findall(r"[a-z]+", re.sub(r"\bage(?=(?:year|yr|month|mth|week|wk|day|hour)s?\b)", "age ", apart))


def _years(text: str, unit: str) -> float | None:
    """Read `67`, `-0.5`, `3 months`, `5y6m` or `newborn`; None for anything else."""
    if re.fullmatch(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?", text):
        return _converted(text, unit)
    if text in AT_BIRTH:
        return 0.0
    text = re.sub(r"^aged? ", "", re.sub(r"[\s-]*(?:old|of age)$", "", text.replace("y.o", "yo").replace("y/o", "yo")))
    negative = text.startswith(("-", "\u2212"))
    text = text[1:].strip() if negative else text
    quantities = QUANTITY.findall(text)
    if not quantities or QUANTITY.sub("", text) or text.endswith("+"):  # 90+ is not an age
        return None
    units = [UNITS.get(name) if name else unit for _, name in quantities]
    if None in units or (len(quantities) > 1 and not all(name for _, name in quantities)):
        return None
    if any(
        name != "years" and THOUSANDS.fullmatch(digits) for (digits, _), name in zip(quantities, units, strict=True)
    ):
        return None  # 1,234 days: thousands, or a decimal comma
    order = [list(PER_YEAR).index(name) for name in units]
    if order != sorted(set(order)):
        return None  # 3 days 2 years, 3 days 4 days
    years = sum(_converted(digits, name) for (digits, _), name in zip(quantities, units, strict=True))
    return -years if negative else years


def _gestational(text: str, label: str, unit: str) -> float | None:
    """Convert `38`, `38+3`, `20 weeks gestation`, `12 pcw` or `gw20` to years from birth, 0 or below."""
    numbers = [float(digits.replace(",", ".")) for digits in re.findall(r"\d+(?:[.,]\d+)?|\.\d+", text)]
    units = [UNITS[name] for name in re.findall(r"[a-z]+", text) if name in UNITS] or [unit]
    if re.fullmatch(r"\D*\d+ ?\+ ?[0-6]\D*", text) or (len(numbers) == 2 and units == ["weeks", "days"]):
        weeks = numbers[0] + numbers[1] / 7
    elif len(numbers) == 1 and len(set(units)) == 1:
        weeks = numbers[0] / PER_YEAR[units[0]] * PER_YEAR["weeks"]
    else:
        return None
    before = WEEKS_OF_PREGNANCY[FROM_CONCEPTION.search(f"{label} {text}") is not None]
    if not 0 < weeks <= before + 6:
        return None  # longer than any pregnancy
    return min(round((weeks - before) / PER_YEAR["weeks"], 6), 0.0)


def _converted(digits: str, unit: str) -> float:
    value = float(digits.replace(",", "."))
    return value if unit == "years" else round(value / PER_YEAR[unit], 9)
