"""Cases of tables that are refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
from table_cases import betas, case, csv, edited, in_rows, m_values, sheet_of, study, transposed, two_tables, with_cell

# Files

case("A file that is not there", "no file nowhere.csv", beta="nowhere.csv")(lambda: None)
edited("An empty file", "beta.csv is empty", lambda frame: "")
edited("A header and no rows", "has a header and no rows", lambda frame: frame.iloc[:0])
edited("Text that is not UTF-8", "is not UTF-8 text", lambda f: csv(with_cell("Tissue", "Nägel")(f)).encode("latin1"))
edited("A line cut short", "has 3 fields in line 9", lambda f: "\n".join(csv(f).splitlines()[:-1]) + "\ns7,p1,Blo\n")
edited("A note below the table", "If it is a note, delete it. Is it cut short?", lambda f: csv(f) + "* at sampling\n")
edited(
    "A comma in a cell without quotes",
    "in its header (separated by commas). Enclose cells that contain a separator in quotes",
    lambda f: csv(f).replace("s2,p2,Blood,", "s2,p2,Blood, whole,"),
)


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


for _form in ("parquet", "feather"):

    @case(f"A damaged column name in {_form.title()}", f"cannot read beta.{_form}: 'utf-8'", beta=f"beta.{_form}")
    def _damaged_name(form: str = _form) -> None:
        getattr(study(), f"to_{form}")(f"beta.{form}")
        whole = Path(f"beta.{form}").read_bytes()
        Path(f"beta.{form}").write_bytes(whole.replace(b"cg00000002", b"cg0000\xed002"))


@case("A pickle", "loading a pickle runs the code in it", beta="beta.pkl")
def _pickle() -> None:
    study().to_pickle("beta.pkl")


for _name, _content, _text in (
    ("beta.zip", b"PK\x03\x04" + bytes(100), "is a zip archive. Unpack it"),
    ("beta.csv.bz2", b"BZh91AY&SY" + bytes(100), "is compressed with bzip2"),
    ("beta.rds", gzip.compress(b"X\n\x00\x00\x00\x03" + bytes(100), mtime=0), "is an R object (.rds)"),
    (
        "beta.txt",
        b'!Series_title\t"x"\n!Series_geo_accession\t"GSE1"\n',
        "For prediction, keep its table alone: grep -v",
    ),
    (
        "beta.myCpG",
        b"chrBase\tchr\tbase\tstrand\tcoverage\tfreqC\tfreqT\nchr1.10469\tchr1\t10469\tF\t10\t90.0\t10.0\n",
        "contains methylation calls of Bismark or methylKit. Give Bismark's coverage files",
    ),
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


@case(
    "Samples of the sheet with names of p-values and statistics",
    "has columns whose names are not those of samples (3: s1_P (detection p-values), s2_P (detection p-values), mean",
    sample_sheet="sheet.csv",
)
def _samples_like_measures() -> None:
    frame = study().replace({"sample_id": {"s1": "s1_P", "s2": "s2_P", "s3": "mean"}})
    sheet_of(frame).to_csv("sheet.csv", index=False)
    transposed(frame).to_csv("beta.csv", index=False)


@case("Intensities with detection p-values", "holds intensities and no beta values", sample_sheet="sheet.csv")
def _intensities() -> None:
    sheet_of(study()).to_csv("sheet.csv", index=False)
    names = [
        f"s{k} {what}" for k in range(8) for what in ("Unmethylated signal", "Methylated signal", "Detection Pval")
    ]
    pd.DataFrame(900, [f"cg{k:08d}" for k in range(1, 5)], names).to_csv("beta.csv", index_label="ID_REF")


edited("NUL bytes in text", "has NUL bytes (the first is byte", lambda f: csv(f).replace("p1", "p\0", 1))
in_rows("CpGs in rows, and a header alone", "has a header and no rows", lambda f: csv(f.iloc[:0]))
in_rows(
    "Percent signs",
    "has text in place of numbers (4: '10.0%' at sample s2",
    lambda f: csv(f.assign(s2="10.0%")),
)
in_rows(
    "Statistics whose names may be those of samples",
    "samples without a project_id (1: B)",
    lambda f: csv(f.assign(B=0.5)),
)
in_rows(
    "A longer region in place of a position",
    "has no CpG column",
    lambda f: csv(f.assign(ID_REF=[f"chr1:{k}-{k + 500}" for k in range(1000, 1004)])),
)
for _name, _content, _text in (
    ("beta.txt", b"^SAMPLE = GSM1\n!sample_table_begin\nID_REF\tVALUE\ncg00000001\t0.5\n", "is a GEO SOFT file"),
    ("beta.vcf", b"##fileformat=VCFv4.2\n#CHROM\tPOS\n1\t1\n", "is a VCF file"),
    ("beta.csv.gz", gzip.compress(gzip.compress(csv(study()).encode(), mtime=0), mtime=0), "is gzipped twice"),
    ("beta.arrows", b"\xff\xff\xff\xff" + bytes(100), "is an Arrow stream"),
):
    case(f"A file of another kind: `{_name}`", _text, beta=_name)(
        lambda name=_name, content=_content: Path(name).write_bytes(content) and None
    )

# Names and orientation

edited("No column of sample_ids", "has no column sample_id", lambda f: f.rename(columns={"sample_id": "array"}))
edited("Rows without a sample_id", "rows without a sample_id (2: row 2, row 5)", with_cell("sample_id", None, (1, 4)))
edited("A sample_id that stands twice", "duplicate sample_ids (1: s2)", with_cell("sample_id", "s2", (5,)))
edited(
    "CpGs in capitals",
    "has names of CpGs in capitals (4: CG00000001, ",
    lambda f: f.rename(columns=lambda name: name.upper() if name.startswith("cg") else name),
)
in_rows(
    "CpGs in capitals, in rows",
    "has names of CpGs in capitals (4: CG00000001, ",
    lambda f: csv(f.assign(ID_REF=f["ID_REF"].str.upper())),
)
edited(
    "A CpG with the modality in two spellings",
    "has CpGs of the same name (1: cg00000002_beta)",
    lambda f: f.assign(**{"cg00000002_beta": 0.5, "cg00000002.Beta": 0.6}).drop(columns="cg00000002"),
)
edited("No CpG", "has no CpG column", lambda f: f.rename(columns=lambda c: c.replace("cg", "probe")))
edited(
    "CpGs both as columns and as rows",
    "has CpGs both as columns (4: cg00000001",
    lambda f: f.assign(sample_id=[f"cg{k:08d}" for k in range(8)]),
)
edited(
    "An orientation stated that the table has not",
    "should have cpgs in rows, but has samples in rows",
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
edited("Years of birth", "They look like years of birth", lambda f: f.assign(Age=1990))
edited("An age with a bound", "has text in place of ages (1: 90+ at s2)", with_cell("Age", "90+"))
edited("Text among the ages", "has text in place of ages (1: old at s2)", with_cell("Age", "old"))
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
edited(
    "Slides and positions whose numbers Excel has rounded",
    "that a spreadsheet has rounded (2: 2.03953E+11_R01C01",
    lambda f: f.assign(sample_id=["2.03953E+11_R01C01", "2,03953E+11_R02C01", *f["sample_id"][2:]]),
)
edited("Sex as 0 and 1", "has unknown codes (2: 0, 1)", lambda f: f.assign(Sex=[0, 1] * 4))
edited("Is_Healthy in other words", "neither true nor false (1: sick)", with_cell("Is_Healthy", "sick"))
edited("No column for the study", "metadata columns (1: project_id)", lambda f: f.drop(columns="project_id"))
edited("Samples without a study", "samples without a project_id (1: s2)", with_cell("project_id", None))
edited("No healthy sample of known age", "no sample can train", lambda f: f.assign(Is_Healthy=False))

# Several tables


case("Modalities with no sample in common", "are not among the samples of the other modalities", chalm="other.csv")(
    two_tables(study(), study().assign(sample_id=[f"x{k}" for k in range(8)]))
)
case("Two tables that say different things of a sample", "(1: s2: 30.0 and 99.0)", chalm="other.csv")(
    two_tables(study(), with_cell("Age", 99)(study()))
)
case("A sample in two tables of a modality", "samples are in two beta tables (8: s0", beta=["beta.csv", "other.csv"])(
    two_tables(study(), study())
)
case("Tables of a modality without a common CpG", "have no CpG in common", beta=["beta.csv", "other.csv"])(
    two_tables(
        study(),
        study().assign(sample_id=[f"x{k}" for k in range(8)]).rename(columns=lambda c: c.replace("cg0", "cg9")),
    )
)
case("A sample sheet of other samples", "has no sample (8: x0", sample_sheet="other.csv")(
    two_tables(transposed(study()), sheet_of(study()).assign(sample_id=[f"x{k}" for k in range(8)]))
)
