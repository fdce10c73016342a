"""What the columns of samples mean: which column is which, and sexes, tissues, ages, health and ids from their text.

Training and prediction both read metadata here. Columns are lists of text, None where a cell is empty.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from heteroage.errors import HeteroAgeError, listed
from heteroage.labels import HEALTH, OLDEST, SEXES, UNKNOWN, is_missing, same_word, spelling_key, tissue_of
from heteroage.tables.ages import YOUNGEST, is_age, read_ages, unit_in
from heteroage.tables.conventions import METADATA, Conventions

SYNONYMS = {"Sex": ("gender",), "sample_id": ("sampleid",), "Is_Healthy": ("ishealthy",)}
SLIDES = ("sentrix_id", "sentrixbarcode_a", "sentrix_barcode", "slide", "beadchip")
POSITIONS = ("sentrix_position", "sentrixposition_a", "array")
SPREADSHEET = re.compile(r"\d(?:[.,]\d+)?[eE]\+?\d\d+(?:_R\d\dC\d\d)?")  # 2.03953E+11: digits are lost
Cells = Sequence[str | None]


def find_columns(header: Sequence[str], conventions: Conventions, where: str) -> dict[str, int]:
    """Find `sample_id` and each column of METADATA: by the name that `conventions` gives, by our own, in any case.

    Raises
    ------
    HeteroAgeError
        Several columns for one of ours.
    """
    names = [" ".join(str(name).split()) for name in header]
    keys = [_key(name) for name in names]
    found = {}
    for ours in ("sample_id", *METADATA):
        given = [" ".join(str(name).split()) for name in conventions.columns.get(ours, ())]
        by_name = [k for k, name in enumerate(names) if name in (*given, ours)]
        in_any_case = [k for k, key in enumerate(keys) if key in {_key(name) for name in (*given, ours)}]
        similar = [
            k for k, key in enumerate(keys) if key in SYNONYMS.get(ours, ()) or (ours == "Age" and is_age(names[k]))
        ]
        at = by_name or in_any_case or similar
        if ours == "Age" and len(at) == 1 and not given and conventions.age_unit is None:
            _check_unit([names[k] for k in {*at, *similar}], names[at[0]], where)
        if len(at) > 1:
            raise HeteroAgeError(
                f"{where} has {len(at)} columns for {ours} ({listed(names[k] for k in at)}). Keep one, or say in "
                "inputs.columns (--columns) which it is."
            )
        if at:
            found[ours] = at[0]
    return found


def _check_unit(ages: Sequence[str], chosen: str, where: str) -> None:
    """Refuse `Age` beside `AGE_weeks`: it may be in weeks, months or years."""
    others = [name for name in ages if unit_in(name) not in (None, "years")]
    if unit_in(chosen) is None and others:
        raise HeteroAgeError(
            f"{where} has the columns {chosen} and {', '.join(others[:5])}: nobody can tell whether {chosen} is in "
            "years. Say so with age_unit (--age-unit), or name the column in inputs.columns "
            f"(--columns Age={others[0]})."
        )


def sample_ids(cells: Cells, where: str) -> list[str]:
    """Return the ids of samples as text.

    Raises
    ------
    HeteroAgeError
        Rows without an id, ids that a spreadsheet has cut, or several rows of one id.
    """
    ids = names(cells)
    empty = [k + 1 for k, one in enumerate(ids) if one is None]
    if empty:
        raise HeteroAgeError(
            f"{where} has rows without a sample_id ({len(empty)}: row {', '.join(map(str, empty[:5]))}"
            f"{', ...' if len(empty) > 5 else ''}). Give each sample one."
        )
    cut = [one for one in ids if SPREADSHEET.fullmatch(one)]
    if cut:
        raise HeteroAgeError(
            f"{where} has sample_ids that a spreadsheet has rounded ({listed(dict.fromkeys(cut))}): their last digits "
            "are lost. Export the sheet again with this column as text."
        )
    twice = sorted(one for one, count in Counter(ids).items() if count > 1)
    if twice:
        raise HeteroAgeError(f"{where} has duplicate sample_ids ({listed(twice)}). Keep one row per sample.")
    return ids


def names(cells: Cells) -> list[str | None]:
    """Return names as text without blanks around; 203952880001.0, which pandas makes of a number, is 203952880001."""
    texts = [None if is_missing(cell) else str(cell).strip() for cell in cells]
    present = [text for text in texts if text is not None]
    numbers = all(re.fullmatch(r"-?\d+(?:\.0)?", text) for text in present)
    return [
        text[:-2] if text and text.endswith(".0") and (numbers or re.fullmatch(r"\d{10,}\.0", text)) else text
        for text in texts
    ]


def sheet_ids(
    header: Sequence[str], column: int | None, columns: Sequence[Cells], known: Collection[str]
) -> list[Cells]:
    """Return the forms that a sheet's ids may have: the column's, slide and position of Illumina's sheets, file names,
    and any other column that names all samples.

    Parameters
    ----------
    column : the position of the column of ids, None if there is none
    columns : all columns
    known : ids of the tables of values; the forms come by how many of these they match
    """
    keys = [_key(name) for name in header]
    forms: list[Cells] = [] if column is None else [columns[column]]
    slide = next((k for k, key in enumerate(keys) if key in SLIDES), None)
    place = next((k for k, key in enumerate(keys) if key in POSITIONS), None)
    if slide is not None and place is not None:
        pairs = zip(names(columns[slide]), names(columns[place]), strict=True)
        forms.append([None if one is None or other is None else f"{one}_{other}" for one, other in pairs])
    for k, cells in enumerate(columns):
        files = [None if cell is None else re.split(r"[/\\]", cell.strip())[-1] for cell in cells]
        # Any other column that names every sample; numbers may do so by chance.
        if k == column or (known and set(known) <= set(files) and not all(map(str.isdigit, known))):
            forms.append(files)
    matches = [sum(name in known for name in names(form)) for form in forms]
    return [form for _, form in sorted(zip(matches, forms, strict=True), key=lambda pair: -pair[0])]


def sexes(cells: Cells, conventions: Conventions) -> tuple[list[str], list[int]]:
    """Return F, M or unknown for each cell, and the positions of the cells that nobody explained."""
    meant = {**SEXES, **{code.strip().lower(): sex for code, sex in conventions.sex_codes.items()}}
    known: dict[str | None, str | None] = {}
    for cell in set(cells):
        text = (cell or "").strip().lower()
        own = [sex for code, sex in meant.items() if code == text] or [
            s for c, s in meant.items() if same_word(c, text)
        ]
        known[cell] = own[0] if own else UNKNOWN if is_missing(cell, conventions.missing_values) else None
    return [known[cell] or UNKNOWN for cell in cells], [k for k, cell in enumerate(cells) if known[cell] is None]


def check_sexes(cells: Cells, where: str, conventions: Conventions) -> list[str]:
    """Return F, M or unknown for each cell.

    Raises
    ------
    HeteroAgeError
        Words or codes that nobody explained.
    """
    found, strange = sexes(cells, conventions)
    if strange:
        raise HeteroAgeError(
            f"column Sex of {where} has codes that nobody explained ({listed(sorted({cells[k] for k in strange}))}). "
            'Say what they mean (in the config, inputs.sex_codes: {"0": F, "1": M}; on the command line, --sex-codes '
            "0=F 1=M), or leave unknown sexes empty."
        )
    return found


def tissues(cells: Cells, conventions: Conventions) -> list[str]:
    """Return each cell's tissue in the spelling that `conventions` knows; unknown where missing."""
    spelling = {spelling_key(name): name for name in conventions.tissues}
    known = {cell: UNKNOWN if is_missing(cell, conventions.missing_values) else tissue_of(cell) for cell in set(cells)}
    return [spelling.get(spelling_key(known[cell]), known[cell]) for cell in cells]


def common_spellings(found: Iterable[str]) -> dict[str, str]:
    """Return {tissue: the most common spelling} for tissues that differ in case or blanks only; ties by name."""
    counts = Counter(found)
    best: dict[str, str] = {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        best.setdefault(spelling_key(name), name)
    return {name: best[spelling_key(name)] for name in counts}


def ages(cells: Cells, label: str, ids: Sequence[str], where: str, conventions: Conventions) -> list[float | None]:
    """Return ages in years, None where missing.

    Raises
    ------
    HeteroAgeError
        Text that is no age, ages before birth that the config does not allow, or impossible ages.
    """
    found = read_ages(cells, label, conventions.age_unit, conventions.allow_prenatal, conventions.missing_values)
    if found.unreadable:
        raise HeteroAgeError(
            f"column {label} of {where} holds text where ages belong ({_at(cells, ids, found.unreadable)}). Give "
            "numbers, with a unit if they are not years, and leave unknown ages empty."
        )
    if found.prenatal:
        raise HeteroAgeError(
            f"column {label} of {where} has ages before birth ({_at(cells, ids, found.prenatal)}). Set "
            f"inputs.allow_prenatal: true to take ages from {YOUNGEST} to 0 years, or leave them empty."
        )
    if found.outside:
        raise HeteroAgeError(
            f"column {label} of {where} has ages outside 0 to {OLDEST} years ({_at(cells, ids, found.outside)}). "
            f"{_guess(cells, found.outside, conventions)}Give years, and leave unknown ages empty."
        )
    return found.years


def healthy(cells: Cells, where: str, conventions: Conventions) -> list[bool | None]:
    """Return true, false, or None where missing.

    Raises
    ------
    HeteroAgeError
        Words that are neither.
    """
    parsed = [
        None if is_missing(cell, conventions.missing_values) else HEALTH.get(str(cell).strip().lower(), cell)
        for cell in cells
    ]
    strange = sorted({cell for cell in parsed if isinstance(cell, str)})
    if strange:
        raise HeteroAgeError(
            f"column Is_Healthy of {where} has values that are neither true nor false ({listed(strange)}). Use True "
            "and False; leave unknown empty."
        )
    return parsed  # type: ignore[return-value]


def mangled_by_r(ids: Iterable[str], others: Collection[str]) -> str:
    """Say so where ids are what R's read.csv makes of the others: X2000.01 of 2000-01; else nothing."""
    made = {}
    for other in others:
        name = re.sub(r"[^A-Za-z0-9._]", ".", other)
        made[f"X{name}" if name[:1].isdigit() or name[:1] == "_" else name] = other
    pairs = [f"{one} is {made[one]}" for one in ids if one in made and made[one] != one]
    return (
        f" R changed names ({listed(pairs)}): read the table with check.names=FALSE and write it again."
        if pairs
        else ""
    )


def _at(cells: Cells, ids: Sequence[str], positions: Sequence[int]) -> str:
    return listed(f"{str(cells[k]).strip()} at {ids[k]}" for k in positions)


def _guess(cells: Cells, outside: Sequence[int], conventions: Conventions) -> str:
    """Name the unit, or the missing value, that explains impossible ages."""
    codes = Counter(str(cells[k]).strip() for k in outside)
    usual = [code for code in codes if re.fullmatch(r"-(?:1|9|99|999)(?:\.0)?|9{3,}(?:\.0)?", code)]
    if len(usual) == len(codes):
        return f"They look like codes for a missing value: set inputs.missing_values: [{', '.join(sorted(usual))}]. "
    if all(re.fullmatch(r"(?:19|20)\d\d(?:\.0)?", code) for code in codes):
        return "They look like years of birth. "
    if conventions.age_unit in (None, "years"):
        for unit in ("months", "weeks", "days"):
            known = sorted(age for age in read_ages(cells, unit=unit).years if age is not None)
            beyond = read_ages(cells, unit=unit)
            if not beyond.outside and not beyond.unreadable and len(outside) > len(known) / 2:
                return (
                    f"They look like {unit} (then the oldest is {known[-1]:.0f}): set age_unit: {unit} for this table. "
                )
    return ""


def _key(name: str) -> str:
    return "_".join(re.findall(r"[^\W_]+", re.sub(r":ch\d$", "", name.casefold())))
