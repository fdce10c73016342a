"""Conventions of a lab's tables: column names, codes, units. They come from the config or a clock's Reading.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace

from heteroage.errors import HeteroAgeError, listed
from heteroage.labels import UNKNOWN
from heteroage.tables.ages import PER_YEAR

METADATA = ("project_id", "donor_id", "Tissue", "Sex", "Age", "Is_Healthy", "Platform")


@dataclass(frozen=True)
class Conventions:
    """Conventions of a lab's tables.

    columns : {our name: their name, or a list of possible names}
    sex_codes : {spelling: F, M or unknown}
    age_unit : years, months, weeks, days or hours; None: the unit in the column name, otherwise years
    missing_values : additional codes for missing values
    allow_prenatal : accept ages from -0.77 to 0 years
    tissues : known spellings of tissues
    """

    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sex_codes: Mapping[str, str] = field(default_factory=dict)
    age_unit: str | None = None
    missing_values: Sequence[str] = ()
    allow_prenatal: bool = False
    tissues: Sequence[str] = ()

    @classmethod
    def of(cls, **given: object) -> Conventions:
        """Create from the values of a config, a command line or Reading.json, in which names and codes may be numbers.

        Raises
        ------
        HeteroAgeError
            An unknown column, unit or sex.
        """
        columns = {ours: _names(names) for ours, names in dict(given.get("columns") or {}).items()}
        codes = {word: sex for code, sex in dict(given.get("sex_codes") or {}).items() for word in words_of(code)}
        unit = given.get("age_unit") or None
        for what, found, known in (
            ("columns", sorted(columns), ("sample_id", *METADATA)),
            ("sex_codes", sorted(set(codes.values())), ("F", "M", UNKNOWN)),
            ("age_unit", [unit] if unit else [], tuple(PER_YEAR)),
        ):
            if strange := [name for name in found if name not in known]:
                raise HeteroAgeError(f"{what} has unknown names ({listed(strange)}). Known are {', '.join(known)}.")
        words = [word for value in given.get("missing_values") or () for word in words_of(value)]
        prenatal, tissues = bool(given.get("allow_prenatal")), tuple(map(str, given.get("tissues") or ()))
        return cls(columns, codes, unit, tuple(words), prenatal, tissues)

    def updated(self, other: Conventions) -> Conventions:
        """Return these conventions, updated with the other ones."""
        return replace(
            self,
            columns={**self.columns, **other.columns},
            sex_codes={**self.sex_codes, **other.sex_codes},
            age_unit=other.age_unit or self.age_unit,
            missing_values=tuple(dict.fromkeys([*self.missing_values, *other.missing_values])),
            allow_prenatal=self.allow_prenatal or other.allow_prenatal,
            tissues=tuple(dict.fromkeys([*self.tissues, *other.tissues])),
        )

    def as_json(self) -> dict[str, object]:
        """Return the content of Reading.json."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, content: object, where: str) -> Conventions:
        """Read the content of Reading.json; other keys than ours are refused."""
        known = {f.name: f.type for f in fields(cls)}
        if not isinstance(content, dict) or set(content) - set(known):
            raise HeteroAgeError(f"{where} is not valid: it may have the keys {', '.join(known)}.")
        for key, kind in (("columns", dict), ("sex_codes", dict), ("missing_values", list), ("tissues", list)):
            if not isinstance(content.get(key, kind()), kind):
                raise HeteroAgeError(f"{where} is not valid: {key} has another form.")
        return cls.of(**content)


def words_of(value: object) -> tuple[str, ...]:
    """Return the possible spellings of a YAML value, because YAML reads `no` as false and 1 as a number."""
    if isinstance(value, bool):
        return ("true", "yes", "on") if value else ("false", "no", "off")
    return ("null", "") if value is None else (f"{value:g}" if isinstance(value, float) else str(value),)


def _names(given: object) -> tuple[str, ...]:
    several = given if isinstance(given, (list, tuple)) else [given]
    return tuple(str(name) for name in several)
