"""Bad and unusual input, one case each: what a lab's file may look like, and what is said or done about it.

docs/bad_input.md is made of these cases (`make docs`); test_bad_tables.py runs them and holds the document to them.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from heteroage.clock.columns import ANCHOR
from heteroage.clock.master_table import open_tables
from heteroage.clock.predict import Clock
from heteroage.clock.weights import LinearModel
from heteroage.config import table_entries
from heteroage.errors import HeteroAgeError
from heteroage.tables.conventions import Conventions

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/bad_input.md"
OUTPUTS = ("features.npy", "feature_names.txt", "metadata.csv", "intake.json")
OPTIONS = ("join", "allow_pickle", "allow_disjoint_modalities")
CONVENTIONS = ("sex_codes", "missing_values", "allow_prenatal")


def study(n: int = 8, n_cpgs: int = 4) -> pd.DataFrame:
    """A sound table: samples in rows, with their metadata."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"sample_id": [f"s{k}" for k in range(n)], "project_id": [f"p{k % 3}" for k in range(n)]})
    frame["Tissue"], frame["Sex"] = "Blood", ["F", "M"] * (n // 2)
    frame["Age"], frame["Is_Healthy"] = np.arange(20, 20 + 5 * n, 5), True
    for k in range(n_cpgs):
        frame[f"cg{k + 1:08d}"] = rng.uniform(0.1, 0.9, n).round(4)
    return frame


def cpgs_in_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """The same values as minfi gives them."""
    return frame.set_index("sample_id").filter(regex=r"^(cg|ch\.|rs)").T.rename_axis("ID_REF").reset_index()


def sheet_of(frame: pd.DataFrame) -> pd.DataFrame:
    """The same metadata as a sample sheet."""
    return frame[[c for c in frame.columns if not c.startswith("cg")]]


def csv(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False)


@dataclass(frozen=True)
class Case:
    """What a file looks like, what writes such files, the `inputs` of the config, and what is to be seen.

    expected : part of the message; or, where the input is taken in, the steps recorded in intake.json
    """

    title: str
    write: Callable[[], None]
    inputs: dict
    expected: str | dict[str, int]


CASES: list[Case] = []


def case(title: str, expected: str | dict[str, int], **inputs: object) -> Callable[[Callable[[], None]], None]:
    def add(write: Callable[[], None]) -> None:
        CASES.append(Case(title, write, {"beta": "beta.csv"} | inputs, expected))

    return add


def edited(
    title: str, expected: str | dict[str, int], edit: Callable[[pd.DataFrame], object], **inputs: object
) -> None:
    """A case of one CSV file, the sound table edited."""

    def write() -> None:
        made = edit(study())
        content = csv(made) if isinstance(made, pd.DataFrame) else made
        Path("beta.csv").write_bytes(content if isinstance(content, bytes) else content.encode())

    case(title, expected, **inputs)(write)


def with_cell(column: str, value: object, rows: tuple[int, ...] = (2,)) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype({column: object})
        frame.loc[list(rows), column] = value
        return frame

    return edit


def betas(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        names = frame.columns[frame.columns.str.startswith("cg")]
        return frame.assign(**change(frame[names]).round(4))

    return edit


def m_values(frame: pd.DataFrame) -> pd.DataFrame:
    return np.log2(frame / (1 - frame))


# Files

case("A file that is not there", "no file nowhere.csv", beta="nowhere.csv")(lambda: None)
edited("An empty file", "beta.csv is empty", lambda frame: "")
edited("A header and no rows", "has a header and no rows", lambda frame: frame.iloc[:0])
edited("Text that is not UTF-8", "is not UTF-8 text", lambda f: csv(with_cell("Tissue", "Nägel")(f)).encode("latin1"))
edited("A line cut short", "has 3 fields in line 9", lambda f: "\n".join(csv(f).splitlines()[:-1]) + "\ns7,p1,Blo\n")


@case("A gzipped file cut short", "beta.csv.gz as gzip: ", beta="beta.csv.gz")
def _cut_gzip() -> None:
    whole = gzip.compress(csv(study()).encode(), mtime=0)
    Path("beta.csv.gz").write_bytes(whole[: len(whole) // 2])


@case("A Parquet file cut in half", "cannot read beta.parquet", beta="beta.parquet")
def _cut_parquet() -> None:
    study().to_parquet("beta.parquet")
    whole = Path("beta.parquet").read_bytes()
    Path("beta.parquet").write_bytes(whole[: len(whole) // 2])


@case("A Feather file cut in half", "cannot read beta.feather", beta="beta.feather")
def _cut_feather() -> None:
    study().to_feather("beta.feather")
    whole = Path("beta.feather").read_bytes()
    Path("beta.feather").write_bytes(whole[: len(whole) // 2])


@case("A pickle", "loading one runs whatever code is in it", beta="beta.pkl")
def _pickle() -> None:
    study().to_pickle("beta.pkl")


for _name, _content, _text in (
    ("beta.zip", b"PK\x03\x04" + bytes(100), "is a zip archive. Unpack it"),
    ("beta.csv.bz2", b"BZh91AY&SY" + bytes(100), "is compressed with bzip2"),
    ("beta.rds", gzip.compress(b"X\n\x00\x00\x00\x03" + bytes(100), mtime=0), "is an R object (.rds)"),
    ("beta.txt", b'!Series_title\t"x"\n!Series_geo_accession\t"GSE1"\n', "is a GEO series matrix"),
    ("beta.html", b"<!DOCTYPE html><html></html>", "is a web page, not a table"),
    ("beta.idat", b"IDAT" + bytes(100), "raw intensities"),
):
    case(f"A file of another kind: `{_name}`", _text, beta=_name)(
        lambda name=_name, content=_content: Path(name).write_bytes(content) and None
    )
edited("A title above the header", "is a title, not a header", lambda f: "Betas of our study\n" + csv(f))
edited(
    "Rows of one more field than the header, and nobody can tell which",
    "has one more field in its rows than in its header",
    lambda f: "\n".join(line + ("" if k == 0 else ",0.5") for k, line in enumerate(csv(f).splitlines())) + "\n",
)


@case("Intensities with detection p-values", "holds intensities and no beta values", sample_sheet="sheet.csv")
def _intensities() -> None:
    sheet_of(study()).to_csv("sheet.csv", index=False)
    names = [
        f"s{k} {what}" for k in range(8) for what in ("Unmethylated signal", "Methylated signal", "Detection Pval")
    ]
    pd.DataFrame(900, [f"cg{k:08d}" for k in range(1, 5)], names).to_csv("beta.csv", index_label="ID_REF")


# Names and orientation

edited("No column of sample_ids", "has no column sample_id", lambda f: f.rename(columns={"sample_id": "array"}))
edited("Rows without a sample_id", "rows without a sample_id (2: row 2, 5)", with_cell("sample_id", None, (1, 4)))
edited("A sample_id that stands twice", "duplicate sample_ids (1: s2)", with_cell("sample_id", "s2", (5,)))
edited("No CpG", "has no CpG column", lambda f: f.rename(columns=lambda c: c.replace("cg", "probe")))
edited(
    "CpGs both as columns and as rows",
    "has CpGs both as columns (4: cg00000001",
    lambda f: f.assign(sample_id=[f"cg{k:08d}" for k in range(8)]),
)
edited(
    "An orientation stated that the table has not",
    "is said to have cpgs in rows, but has samples in rows",
    lambda f: f,
    beta={"file": "beta.csv", "orientation": "cpgs_in_rows"},
)
edited(
    "Two columns mapped to Age",
    "has 2 columns for Age (2: age, months)",
    lambda f: f.rename(columns={"Age": "age"}).assign(months=240),
    columns={"Age": ["age", "months"]},
)
edited(
    "A CpG that stands twice",
    "has CpGs of the same name (1: cg00000002)",
    lambda f: csv(f).replace("cg00000003", "cg00000002"),
)
edited(
    "A CpG with and without the modality's suffix",
    "both with and without the suffix _beta (1: cg00000002_beta)",
    lambda f: f.rename(columns={"cg00000003": "cg00000002_beta"}),
)

# Values

edited("Text among the beta values", "'n/d' at sample s2, cg00000003", with_cell("cg00000003", "n/d", (2, 5)))
edited("Infinite values", "has infinite values (1: inf at sample s2, cg00000001)", with_cell("cg00000001", "inf"))
edited("M-values", "Set values: m_values for this table", betas(m_values))
edited("Percent", "Set values: percent for this table", betas(lambda f: 100 * f))
edited("Intensities", "does not hold beta values", betas(lambda f: 10_000 * f))
edited(
    "M-values announced, beta values found",
    "looks like beta values, from 0 to 1",
    lambda f: f,
    beta={"file": "beta.csv", "values": "m_values"},
)

edited(
    "A code for a missing value among betas",
    "Set inputs.missing_values: [-9]",
    with_cell("cg00000003", -9, (2, 5)),
)
edited("One value that is no beta value", "(1: 45.5 at sample s2, cg00000003). Correct", with_cell("cg00000003", 45.5))
edited(
    "One sample in percent",
    "These samples (1: s2) look like percent",
    lambda f: betas(lambda b: b.mul([100 if k == 2 else 1 for k in b.index], axis=0))(f),
)

# Metadata

edited("Ages in months", "They look like months", lambda f: f.assign(Age=f["Age"] * 12))
edited("Ages in days", "They look like days", lambda f: f.assign(Age=f["Age"] * 365))
edited("An age that nobody has reached", "ages outside 0 to 122 years (1: 150 at s2)", with_cell("Age", 150))
edited("A negative age", "ages outside 0 to 122 years (1: -1 at s2)", with_cell("Age", -1))
edited("Text among the ages", "holds text where ages belong (1: old at s2)", with_cell("Age", "old"))
edited("A code for a missing age", "set inputs.missing_values: [-9]", with_cell("Age", -9))
edited("An age before birth", "Set inputs.allow_prenatal: true", with_cell("Age", -0.5))
edited(
    "Columns of one name in two cases",
    "has 2 columns for Sex (2: SEX, sex)",
    lambda f: f.rename(columns={"Sex": "SEX"}).assign(sex="F"),
)
edited(
    "sample_ids that Excel has rounded",
    "that a spreadsheet has rounded (1: 2.03953E+11)",
    lambda f: f.assign(sample_id="2.03953E+11"),
)
edited("Sex as 0 and 1", "has codes that nobody explained (2: 0, 1)", lambda f: f.assign(Sex=[0, 1] * 4))
edited("Is_Healthy in other words", "neither true nor false (1: sick)", with_cell("Is_Healthy", "sick"))
edited("No column for the study", "metadata columns (1: project_id)", lambda f: f.drop(columns="project_id"))
edited("Samples without a study", "samples without a project_id (1: s2)", with_cell("project_id", None))
edited("No healthy sample of known age", "no sample can train", lambda f: f.assign(Is_Healthy=False))

# Several tables


def two_tables(first: pd.DataFrame, second: pd.DataFrame) -> Callable[[], None]:
    def write() -> None:
        first.to_csv("beta.csv", index=False)
        second.to_csv("other.csv", index=False)

    return write


case("Modalities with no sample in common", "are none of the other modalities' samples", chalm="other.csv")(
    two_tables(study(), study().assign(sample_id=[f"x{k}" for k in range(8)]))
)
case("Two tables that say different things of a sample", "(1: s2: 30.0 and 99.0)", chalm="other.csv")(
    two_tables(study(), with_cell("Age", 99)(study()))
)
case("A sample in two tables of a modality", "samples stand in two beta tables (8: s0", beta=["beta.csv", "other.csv"])(
    two_tables(study(), study())
)
case("Tables of a modality without a common CpG", "have no CpG in common", beta=["beta.csv", "other.csv"])(
    two_tables(
        study(),
        study().assign(sample_id=[f"x{k}" for k in range(8)]).rename(columns=lambda c: c.replace("cg0", "cg9")),
    )
)
case("A sample sheet of other samples", "has no sample (8: x0", sample_sheet="other.csv")(
    two_tables(cpgs_in_rows(study()), sheet_of(study()).assign(sample_id=[f"x{k}" for k in range(8)]))
)

# What is accepted

edited("A byte-order mark", {}, lambda f: b"\xef\xbb\xbf" + csv(f).encode())
edited("Windows line ends", {}, lambda f: csv(f).replace("\n", "\r\n"))
edited("UTF-16", {}, lambda frame: csv(frame).encode("utf-16"))
edited("Decimal commas", {}, lambda f: f.to_csv(index=False, sep=";", decimal=","))
edited("Quoted names and numbers", {}, lambda f: f.to_csv(index=False, quoting=1))
edited("Tabs or semicolons instead of commas", {}, lambda f: f.to_csv(index=False, sep=";"))
edited("NA, NaN, null or nothing where a value is missing", {"missing_values": 1}, with_cell("cg00000001", "NA"))
edited(
    "Names of samples that look like numbers",
    {"ids_as_text": 8},
    lambda f: f.assign(sample_id=[f"00{k}" for k in range(8)]),
)
edited("sample_ids in an unnamed first column", {"name_ids": 8}, lambda f: f.rename(columns={"sample_id": ""}))
edited("Columns that are no CpG", {"leave_out_columns": 1}, lambda f: f.assign(plate=1))
edited("Words for sexes", {}, lambda f: f.assign(Sex=["female", "Male"] * 4))
edited(
    "Columns of metadata in other cases, with blanks around",
    {"map_columns": 2},
    lambda f: f.rename(columns={"Sex": " sex", "Age": "AGE"}),
)
edited(
    "Ages in months, with the unit in the column's name",
    {"map_columns": 1, "convert_ages": 8},
    lambda f: f.rename(columns={"Age": "age_months"}),
)
edited("Ages with their unit", {"convert_ages": 1}, with_cell("Age", "36 months"))
edited(
    "A code for a missing age, with inputs.missing_values",
    {"unknown_age": 1},
    with_cell("Age", -9),
    missing_values=[-9],
)
edited(
    "An age before birth, with inputs.allow_prenatal", {"prenatal_ages": 1}, with_cell("Age", -0.5), allow_prenatal=True
)
edited("Tissues that differ in case or blanks only", {"tissue_spellings": 1}, with_cell("Tissue", "BLOOD "))
edited("Tissues of similar names", {"similar_tissues": 1}, with_cell("Tissue", "Bloods"))
edited("A sex or tissue that is not given", {"unknown_sex": 1}, with_cell("Sex", "?"))
edited("Beta values a little below 0 or above 1", {"outside_0_1": 1}, with_cell("cg00000001", 1.02))
edited(
    "EPICv2's replicate probes",
    {"merge_replicates": 2},
    lambda f: f.rename(columns={"cg00000001": "cg00000001_TC21", "cg00000002": "cg00000001_BC21"}),
)
edited(
    "Columns by other names, named in inputs.columns",
    {"map_columns": 2},
    lambda f: f.rename(columns={"sample_id": "geo_accession", "Age": "age (y)"}),
    columns={"sample_id": "geo_accession", "Age": ["age (y)", "age"]},
)
edited("Codes of Sex, with inputs.sex_codes", {}, lambda f: f.assign(Sex=[0, 1] * 4), sex_codes={0: "F", 1: "M"})
edited(
    "Ages in months, with age_unit: months",
    {"convert_ages": 8},
    lambda f: f.assign(Age=f["Age"] * 12),
    beta={"file": "beta.csv", "age_unit": "months"},
)
edited(
    "Percent, with values: percent",
    {"convert_values": 32},
    betas(lambda f: 100 * f),
    beta={"file": "beta.csv", "values": "percent"},
)
edited(
    "M-values, with values: m_values",
    {"convert_values": 32},
    betas(m_values),
    beta={"file": "beta.csv", "values": "m_values"},
)


@case("CpGs in rows, and a sample sheet that has more samples", {"sheet_only": 1}, sample_sheet="sheet.tsv")
def _cpgs_in_rows() -> None:
    frame = study()
    cpgs_in_rows(frame).to_csv("beta.csv", index=False)
    more = pd.concat([sheet_of(frame), sheet_of(frame).tail(1).assign(sample_id="s99")])
    more.to_csv("sheet.tsv", index=False, sep="\t")


case("Several tables with different CpGs", {"join_cpgs": 2}, beta=["beta.csv", "other.csv"])(
    two_tables(
        study(), study().assign(sample_id=[f"x{k}" for k in range(8)]).rename(columns={"cg00000001": "cg00000009"})
    )
)


def in_rows(title: str, expected: dict[str, int], write: Callable[[pd.DataFrame], object]) -> None:
    """A case of CpGs in rows (a frame with ID_REF and a column per sample), with a sample sheet."""

    def both() -> None:
        sheet_of(study()).to_csv("sheet.csv", index=False)
        made = write(cpgs_in_rows(study()))
        if isinstance(made, str):
            Path("beta.csv").write_text(made, encoding="utf-8")

    case(title, expected, sample_sheet="sheet.csv")(both)


def r_table(frame: pd.DataFrame) -> str:
    header, *rows = frame.to_csv(index=False, sep=" ", quoting=2).splitlines()
    return "\n".join([header.partition(" ")[2], *rows]) + "\n"


in_rows("R's write.table: blanks, and no name above the row names", {}, r_table)
in_rows(
    "Lines that end in a separator",
    {"leave_out_columns": 1},
    lambda f: "\n".join([csv(f).splitlines()[0], *(line + "," for line in csv(f).splitlines()[1:])]) + "\n",
)
in_rows("An index column before the names of the CpGs", {"leave_out_columns": 1}, lambda f: f.to_csv())
in_rows(
    "65 SNP probes above the CpGs",
    {"leave_out_columns": 65},
    lambda f: csv(pd.concat([f.head(1).assign(ID_REF=f"rs{k}") for k in range(65)] + [f])),
)
in_rows(
    "GenomeStudio's columns: AVG_Beta and Detection Pval",
    {"shorten_ids": 8, "leave_out_columns": 8},
    lambda f: csv(
        f.rename(columns=lambda c: c if c == "ID_REF" else f"{c}.AVG_Beta").assign(
            **{f"s{k}.Detection Pval": 0.0 for k in range(8)}
        )
    ),
)
in_rows(
    "Annotation, mean and deviation beside the samples",
    {"leave_out_columns": 4},
    lambda f: csv(f.assign(CHR="1", MAPINFO=10468, mean_beta=0.5, sd=0.1)),
)
edited("Line ends of old Macs", {}, lambda f: csv(f).replace("\n", "\r"))
edited("Rows of separators alone, as Excel leaves them", {"blank_rows": 2}, lambda f: csv(f) + ("," * 9 + "\n") * 2)
edited("Comment lines above the header", {"comment_lines": 2}, lambda f: "sep=,\n# made by minfi\n" + csv(f))
edited(
    "A code for a missing value, with inputs.missing_values",
    {"missing_values": 2},
    with_cell("cg00000003", -9, (2, 5)),
    missing_values=[-9],
)


@case("Gzip under the name of a CSV", {})
def _gzip_as_csv() -> None:
    Path("beta.csv").write_bytes(gzip.compress(csv(study()).encode(), mtime=0))


@case("Parquet under the name of a CSV", {})
def _parquet_as_csv() -> None:
    study().to_parquet("beta.csv", index=False)


@case("Positions in several spellings", {"missing_values": 1})
def _positions() -> None:
    spelt = ["chr1:10469", "chr1_10471", "1:10484", "Chr1:10489"]
    own = dict(zip([f"cg{k:08d}" for k in range(1, 5)], spelt, strict=True))
    with_cell("cg00000001", None)(study()).rename(columns=own).to_csv("beta.csv", index=False)


@contextlib.contextmanager
def folder_of(case: Case) -> Iterator[Path]:
    """A folder with the case's files, to be in meanwhile: messages then name files without it."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            case.write()
            Path("store").mkdir()
            yield Path(folder)
        finally:
            os.chdir(before)


def build(inputs: dict) -> None:
    """Do what the rule build_feature_store does."""
    tables = {m: entries for m in ("beta", "chalm", "camda") if (entries := table_entries(inputs, m))}
    options = {key: inputs[key] for key in OPTIONS if key in inputs}
    options["conventions"] = {key: inputs[key] for key in CONVENTIONS if key in inputs}
    _script().main(tables, table_entries(inputs, "sample_sheet"), options, *(f"store/{name}" for name in OUTPUTS))


def predict(inputs: dict) -> None:
    """Predict the same files with a clock of the four CpGs, Stage 1 alone."""
    conventions = Conventions.of(
        columns=inputs.get("columns"),
        age_unit=inputs["beta"].get("age_unit") if isinstance(inputs["beta"], dict) else None,
        **{key: inputs[key] for key in CONVENTIONS if key in inputs},
    )
    features = [*(f"cg{k:08d}_beta" for k in range(1, 5)), *(f"chr1_{k}_beta" for k in (10469, 10471, 10484, 10489))]
    ones = np.ones(len(features))
    anchor = LinearModel(0.0, features, 0.1 * ones, 0.5 * ones, 0.5 * ones, 0.1 * ones)
    meta = {"feature_order": [ANCHOR], "categories": {"Tissue": ["Blood"], "Sex": ["F", "M"]}}
    clock = Clock(anchor, {}, None, meta, conventions=conventions)
    files = [entry["file"] for key in ("beta", "sample_sheet") for entry in table_entries(inputs, key)]
    for _ in clock.stream("predict_stage1", open_tables(files, clock.wanted, conventions), allow_missing=True):
        pass


def can_be_predicted(case: Case) -> bool:
    """Whether a user can give prediction the same files: no options of training, one table of values."""
    beta = case.inputs["beta"]
    return (
        "chalm" not in case.inputs
        and not isinstance(beta, list)
        and not (isinstance(beta, dict) and set(beta) & {"values", "orientation"})
    )


@dataclass(frozen=True)
class Outcome:
    """A case's message (or none) in training and in prediction, and the files that it left in the store."""

    message: str
    predicted: str
    left: dict[str, bytes]

    @property
    def found(self) -> dict[str, dict]:
        """The steps that found something, by name."""
        return {row["step"]: row for row in json.loads(self.left["intake.json"])["steps"] if row["found"]}


def outcome(case: Case) -> Outcome:
    """Run a case in a folder of its own."""
    with folder_of(case):
        messages = ["", ""]
        for k, work in enumerate((build, predict)):
            try:
                if work is build or can_be_predicted(case):
                    work(case.inputs)
            except HeteroAgeError as problem:
                messages[k] = re.sub(r"the (?:beta table|sample sheet) (?=\S+\.\w)", "", str(problem))
        return Outcome(*messages, {path.name: path.read_bytes() for path in Path("store").iterdir()})


def document() -> str:
    """docs/bad_input.md."""
    refused, taken = [], []
    for one in CASES:
        seen = outcome(one)
        if seen.message:
            said = "the same" if seen.predicted == seen.message else _cell(seen.predicted) or "is predicted"
            refused.append(
                f"| {one.title} | {_cell(seen.message)} | {said if can_be_predicted(one) else 'does not arise'} |"
            )
        else:
            steps = [f"`{step}`: {row['found']} {row['done']}" for step, row in seen.found.items()]
            taken.append(f"| {one.title} | {_cell('; '.join(steps)) or 'nothing: it is read as it is meant'} |")
    return "\n".join([HEAD, "| Input | Training | Prediction |", "|---|---|---|", *refused, MIDDLE, *taken, REAL])


HEAD = """# What bad input gets

Made by `make docs` from `tests/unit/bad_tables.py`, whose cases the tests run: small simulated tables (8 samples, 4
CpGs), each spoilt in one way. Whatever is refused is refused before training, with one message and nothing written.
Prediction reads the same files with the same reader, and refuses them with the same message, except for what only
training needs: studies, health, several tables of a modality.

## Refused
"""
MIDDLE = """
## Accepted

What is found is counted in `results/store/intake.json`, by step. Prediction accepts all of it too.

| Input | Recorded |
|---|---|"""

REAL = """
## Real files

What the reader makes of files as they lie in public archives.

| File | What it gets |
|---|---|
| R's `write.csv` of a matrix (GSE115278): probes in rows, no name above them | 351 CpGs x 127 samples |
| TSV whose last row is the age (GSE74193) | 399 CpGs x 203 samples; the row `Age` is read as their ages |
| SeSAMe's table of one sample, suffixed probes (`cg..._BC21`) | 9,895 CpGs of one sample; replicates averaged |
| Bisulfite positions (`chr1:910856`), samples in rows (TIME-Seq) | 2,000 CpGs x 81 samples |
| Sample sheets of methylprep and of TIME-Seq (with a byte-order mark) | read as sheets; `Sample_ID` is `sample_id` |
| Signals and detection p-values in pairs (GSE72120) | refused: intensities; how to compute beta values |
| Processed Excel file with a title row (GSE133355) | refused: the line above the header is a title |
| GEO series matrix | refused as a table: give it as `inputs.geo: [{file: ...}]` |
| Bismark coverage files (`.cov`) | training: a sample each, by a pattern; prediction: refused, give one table |
"""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _script():
    spec = importlib.util.spec_from_file_location("build_feature_store", ROOT / "scripts/build_feature_store.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
