"""Conventions of a lab's tables, and the metadata of samples: columns, ids, sexes, tissues, ages and health.

Training and prediction both read metadata here. Columns are lists of text, None where a cell is empty. The conventions
(column names, codes, units) come from the config, the command line or a clock's Reading.json.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields

from heteroage.errors import HeteroAgeError, listed
from heteroage.labels import HEALTH, SEXES, UNKNOWN, clean, is_missing, same_word, spelling_key
from heteroage.tables.ages import PER_YEAR, ages, is_age, unit_in

METADATA = ("project_id", "donor_id", "Tissue", "Sex", "Age", "Is_Healthy", "Platform")
SYNONYMS = {"Sex": ("gender",), "sample_id": ("sampleid",), "Is_Healthy": ("ishealthy",)}
SPREADSHEET = re.compile(r"\d(?:[.,]\d+)?[eE]\+?\d\d+(?:_R\d\dC\d\d)?")  # 2.03953E+11: digits are lost
ROUNDED = 1e-6  # years: differences of conversions between units
Cells = Sequence[str | None]


@dataclass(frozen=True)
class Conventions:
    """Conventions of a lab's tables.

    columns : {our name: possible names in the tables}
    sex_codes : {spelling: F, M or unknown}
    age_unit : years, months, weeks, days or hours; None: the unit in the column name, otherwise years
    missing_values : additional codes for missing values
    allow_prenatal : accept ages from -0.77 to 0 years
    tissues : known spellings of tissues
    least_coverage : minimum number of reads per position of Bismark coverage files
    """

    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sex_codes: Mapping[str, str] = field(default_factory=dict)
    age_unit: str | None = None
    missing_values: Sequence[str] = ()
    allow_prenatal: bool = False
    tissues: Sequence[str] = ()
    least_coverage: int | None = None

    @classmethod
    def of(cls, **given: object) -> Conventions:
        """Create from the values of a config, a command line or Reading.json, in which names and codes may be numbers.

        Raises HeteroAgeError: an unknown column, unit or sex.
        """
        columns = {
            ours: tuple(clean(str(name)) for name in (names if isinstance(names, (list, tuple)) else [names]))
            for ours, names in dict(given.get("columns") or {}).items()
        }
        codes = {word: sex for code, sex in dict(given.get("sex_codes") or {}).items() for word in words_of(code)}
        unit = given.get("age_unit") or None
        for what, found, known in (
            ("columns", sorted(columns), ("sample_id", *METADATA)),
            ("sex_codes", sorted(set(codes.values())), ("F", "M", UNKNOWN)),
            ("age_unit", [unit] if unit else [], tuple(PER_YEAR)),
        ):
            if strange := [name for name in found if name not in known]:
                raise HeteroAgeError(f"{what} has unknown names ({listed(strange)}). Known are {', '.join(known)}.")
        words = tuple(word for value in given.get("missing_values") or () for word in words_of(value))
        prenatal, tissues = bool(given.get("allow_prenatal")), tuple(map(str, given.get("tissues") or ()))
        return cls(columns, codes, unit, words, prenatal, tissues, given.get("least_coverage"))

    def updated(self, other: Conventions) -> Conventions:
        """Return these conventions, updated with the other ones."""

        def joined(mine: object, theirs: object) -> object:
            if isinstance(mine, Mapping):
                return {**mine, **theirs}
            return tuple(dict.fromkeys((*mine, *theirs))) if isinstance(mine, tuple) else theirs or mine

        return Conventions(*(joined(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)))

    def as_json(self) -> dict[str, object]:
        """Return the content of Reading.json; least_coverage only for coverage files."""
        content = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {name: value for name, value in content.items() if value is not None or name != "least_coverage"}

    @classmethod
    def from_json(cls, content: object, where: str) -> Conventions:
        """Read the content of Reading.json; unknown keys and other forms are rejected."""
        known = [f.name for f in fields(cls)]
        if not isinstance(content, dict) or set(content) - set(known):
            raise HeteroAgeError(f"{where} is not valid: the allowed keys are {', '.join(known)}.")
        for key, kind in (("columns", dict), ("sex_codes", dict), ("missing_values", list), ("tissues", list)):
            if not isinstance(content.get(key, kind()), kind):
                raise HeteroAgeError(f"{where} is not valid: {key} has the wrong form.")
        return cls.of(**content)


def words_of(value: object) -> tuple[str, ...]:
    """Return the possible spellings of a YAML value, because YAML reads `no` as false and 1 as a number."""
    if isinstance(value, bool):
        return ("true", "yes", "on") if value else ("false", "no", "off")
    return ("null", "") if value is None else (f"{value:g}" if isinstance(value, float) else clean(str(value)),)


def find_columns(header: Sequence[str], conventions: Conventions, where: str) -> dict[str, int]:
    """Find `sample_id` and the METADATA columns: by the names in `conventions`, else by our own names or usual ones.

    Raises HeteroAgeError: several columns for one of ours; `Age` without a unit next to an age column with a unit.
    """
    names, found = [" ".join(str(name).split()) for name in header], {}
    keys = [column_key(name) for name in names]
    for ours in ("sample_id", *METADATA):
        given = [" ".join(str(name).split()) for name in conventions.columns.get(ours, ())]
        own, usual = {column_key(name) for name in (*given, ours)}, SYNONYMS.get(ours, ())
        similar = [k for k, key in enumerate(keys) if key in usual or (ours == "Age" and is_age(names[k]))]
        at = [k for k, name in enumerate(names) if name in (*given, ours)]  # the name itself,
        at = at or [k for k, key in enumerate(keys) if key in own] or similar  # in any case, or a usual name
        if ours == "Age" and len(at) == 1 and not given and conventions.age_unit is None:
            others = [names[k] for k in {*at, *similar} if unit_in(names[k]) not in (None, "years")]
            if others and unit_in(names[at[0]]) is None:  # `Age` beside `AGE_weeks` may be in weeks or years
                raise HeteroAgeError(
                    f"{where} has the columns {names[at[0]]} and {', '.join(others[:5])}, so that the unit of "
                    f"{names[at[0]]} is unknown. Set age_unit (--age-unit), or name the column in inputs.columns "
                    f"(--columns Age={others[0]})."
                )
        if len(at) > 1:
            raise HeteroAgeError(
                f"{where} has {len(at)} columns for {ours} ({listed(names[k] for k in at)}). Keep one, or name "
                "it in inputs.columns (--columns)."
            )
        if at:
            found[ours] = at[0]
    return found


def sample_ids(cells: Cells, where: str) -> list[str]:
    """Return the ids of samples as text.

    Raises HeteroAgeError: rows without an id, ids that a spreadsheet has cut, or several rows of one id.
    """
    ids = names(cells)
    if empty := [f"row {k}" for k, one in enumerate(ids, start=1) if one is None]:
        raise HeteroAgeError(f"{where} has rows without a sample_id ({listed(empty)}). Give each sample one.")
    if cut := [one for one in ids if SPREADSHEET.fullmatch(one)]:
        raise HeteroAgeError(
            f"{where} has sample_ids that a spreadsheet has rounded ({listed(dict.fromkeys(cut))}): their last digits "
            "are lost. Export the sheet again with this column as text."
        )
    if twice := sorted(one for one, count in Counter(ids).items() if count > 1):
        raise HeteroAgeError(f"{where} has duplicate sample_ids ({listed(twice)}). Keep one of each.")
    return ids


def names(cells: Cells) -> list[str | None]:
    """Return names as stripped text. 203952880001.0, as pandas writes a number, becomes 203952880001."""
    texts = [None if is_missing(cell) else str(cell).strip() for cell in cells]
    present = [text for text in texts if text is not None]
    numbers = all(re.fullmatch(r"-?\d+(?:\.0)?", text) for text in present)
    return [
        text[:-2] if text and text.endswith(".0") and (numbers or re.fullmatch(r"\d{10,}\.0", text)) else text
        for text in texts
    ]


def sexes(cells: Cells, where: str, conventions: Conventions) -> list[str]:
    """Return F, M or unknown for each cell.

    Raises HeteroAgeError: unknown words or codes.
    """
    meant = {**SEXES, **{code.strip().lower(): sex for code, sex in conventions.sex_codes.items()}}
    known: dict[str | None, str | None] = {}
    for cell in set(cells):
        text = (cell or "").strip().lower()
        known[cell] = meant.get(text) or next((sex for code, sex in meant.items() if same_word(code, text)), None)
        if known[cell] is None and is_missing(cell, conventions.missing_values):
            known[cell] = UNKNOWN
    if strange := sorted(cell for cell, sex in known.items() if sex is None):
        raise HeteroAgeError(
            f"column Sex of {where} has unknown codes ({listed(strange)}). "
            'Explain them (in the config, inputs.sex_codes: {"0": F, "1": M}; on the command line, --sex-codes '
            "0=F 1=M), or leave unknown sexes empty."
        )
    return [known[cell] for cell in cells]


def tissues(cells: Cells, conventions: Conventions) -> list[str]:
    """Return each cell's tissue with single blanks, in the spelling that `conventions` knows; unknown where missing."""
    spelling = {spelling_key(name): name for name in conventions.tissues}
    known = {}
    for cell in set(cells):
        text = UNKNOWN if is_missing(cell, conventions.missing_values) else " ".join(cell.split())
        known[cell] = spelling.get(spelling_key(text), text)
    return [known[cell] for cell in cells]


def agreed(
    column: str, tables: Sequence[tuple[str, Mapping[str, object]]], ids: Sequence[str]
) -> tuple[dict[str, object], list[str]]:
    """Merge a column that several tables have. Of ages, the most exact one is used, in any order of the tables.

    tables : name of each table in messages, and its known values by sample (`ExactAge`s)
    Returns the known values by sample, and the samples for which a table has the same age with fewer digits.
    Raises HeteroAgeError: values that differ; ages that differ by more than their rounding.
    """
    if len(tables) == 1:  # spares a second for 100,000 samples
        return dict(tables[0][1]), []
    merged: dict[str, object] = {}
    rounded: list[str] = []
    differ: dict[tuple[int, ...], list[str]] = {}
    word = spelling_key if column == "Tissue" else lambda value: value
    for one in ids:
        given = [(own[one], k) for k, (_, own) in enumerate(tables) if one in own]
        if not given:
            continue
        kept, at = min(given, key=lambda found: (found[0].half, found[0])) if column == "Age" else given[0]
        merged[one], others = kept, [found for found in given if word(found[0]) != word(kept)]
        if column == "Age":
            rounded += [one] if others else []
            others = [found for found in others if abs(found[0] - kept) > found[0].half + ROUNDED]
        for other, k in others[:1]:
            differ.setdefault(tuple(sorted((at, k))), []).append(f"{one}: {kept} and {other}")
    for (first, later), pairs in differ.items():
        raise differing(column, tables[later][0], tables[first][0], pairs)
    return merged, rounded


def differing(column: str, where: str, first: str, pairs: Sequence[str]) -> HeteroAgeError:
    """Return the error for samples whose value in the table `where` is not that of the table `first`."""
    return HeteroAgeError(
        f"samples whose {column} in {where} differs from that in {first} ({listed(pairs)}). Correct one of the tables."
    )


def healthy(cells: Cells, where: str, conventions: Conventions) -> list[bool | None]:
    """Return true, false, or None where missing.

    Raises HeteroAgeError: words that mean neither true nor false.
    """
    parsed = [
        None if is_missing(cell, conventions.missing_values) else HEALTH.get(str(cell).strip().lower(), cell)
        for cell in cells
    ]
    if strange := sorted({cell for cell in parsed if isinstance(cell, str)}):
        raise HeteroAgeError(
            f"column Is_Healthy of {where} has values that are neither true nor false ({listed(strange)}). Use True "
            "and False; leave unknown empty."
        )
    return parsed  # type: ignore[return-value]


def known_values(
    column: str, cells: Cells, label: str, ids: Sequence[str], where: str, conventions: Conventions
) -> dict[str, object]:
    """Read a metadata column: {sample: text, F or M, `ExactAge`, true or false}, without the samples that are unknown.

    column : our name of the column; `label` is the table's
    Raises HeteroAgeError: as `sexes`, `ages` and `healthy`.
    """
    values: Sequence[object]
    if column == "Sex":
        values = sexes(cells, where, conventions)
    elif column == "Tissue":
        values = tissues(cells, conventions)
    elif column == "Age":
        values = ages(cells, label, ids, where, conventions)
    else:
        values = healthy(cells, where, conventions) if column == "Is_Healthy" else names(cells)
    return {one: value for one, value in zip(ids, values, strict=True) if value is not None and value != UNKNOWN}


def no_common_samples(where: str, ids: Collection[str], first: str, others: Collection[str]) -> HeteroAgeError:
    """Return the error for a table or sheet `where` that has none of the samples (`others`) of the table `first`."""
    return HeteroAgeError(
        f"{where} has no sample ({listed(ids)}) that {first} has ({listed(others)}). Use the same sample_ids in both, "
        f"or name their column in inputs.columns (--columns).{mangled_by_r(ids, others)}"
    )


def mangled_by_r(some: Collection[str], others: Collection[str]) -> str:
    """Return a hint if R's read.csv has changed ids of one table (2000-01 to X2000.01), otherwise an empty text."""
    for ids, originals in ((others, some), (some, others)):
        made = {}
        for one in originals:
            name = re.sub(r"[^A-Za-z0-9._]", ".", one)
            made[f"X{name}" if name[:1].isdigit() or name[:1] == "_" else name] = one
        if pairs := [f"{one} is {made[one]}" for one in ids if made.get(one, one) != one]:
            return f" R changed names ({listed(pairs)}): read the table with check.names=FALSE and write it again."
    return ""


def column_key(name: str) -> str:
    """Return the same text for column names that differ in case and punctuation, or by GEOquery's `:ch1`."""
    return "_".join(re.findall(r"[^\W_]+", re.sub(r":ch\d$", "", name.casefold())))
