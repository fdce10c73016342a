"""Cases of tables that look unusual and are accepted."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
from table_cases import betas, case, csv, edited, in_rows, m_values, sheet_of, study, transposed, two_tables, with_cell

edited("A byte-order mark", {}, lambda f: b"\xef\xbb\xbf" + csv(f).encode())
edited("Windows line ends", {}, lambda f: csv(f).replace("\n", "\r\n"))
edited("UTF-16", {}, lambda frame: csv(frame).encode("utf-16"))
for _order in ("le", "be"):
    edited(f"UTF-16 ({_order}) without a byte-order mark", {}, lambda f, order=_order: csv(f).encode(f"utf-16-{order}"))
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
    "CpGs named with .AVG_Beta or the like",
    {},
    lambda f: f.rename(columns=lambda name: f"{name}.AVG_Beta" if name.startswith("cg") else name),
)
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
    transposed(frame).to_csv("beta.csv", index=False)
    more = pd.concat([sheet_of(frame), sheet_of(frame).tail(1).assign(sample_id="s99")])
    more.to_csv("sheet.tsv", index=False, sep="\t")


case("Several tables with different CpGs", {"join_cpgs": 2}, beta=["beta.csv", "other.csv"])(
    two_tables(
        study(), study().assign(sample_id=[f"x{k}" for k in range(8)]).rename(columns={"cg00000001": "cg00000009"})
    )
)


def decimal_commas(table: str) -> str:
    header, *rows = table.splitlines()
    rows = [",".join(f'"{cell.replace(".", ",")}"' for cell in row.split(",")) for row in rows]
    return "\n".join([header, *rows]) + "\n"


def r_table(frame: pd.DataFrame) -> str:
    header, *rows = frame.to_csv(index=False, sep=" ", quoting=2).splitlines()
    return "\n".join([header.partition(" ")[2], *rows]) + "\n"


def several_measures(beta: str, *others: str) -> Callable[[pd.DataFrame], str]:
    """A column of beta values per sample, named with a suffix, and columns of other measures."""

    def write(f: pd.DataFrame) -> str:
        named = f.rename(columns=lambda c: c if c == "ID_REF" else f"{c}{beta}")
        return csv(named.assign(**{f"s{k}{other}": 0.0 for k in range(8) for other in others}))

    return write


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
    several_measures(".AVG_Beta", ".Detection Pval"),
)
in_rows(
    "Annotation, mean and deviation beside the samples",
    {"leave_out_columns": 4},
    lambda f: csv(f.assign(CHR="1", MAPINFO=10468, mean_beta=0.5, sd=0.1)),
)


def without_description(f: pd.DataFrame) -> str:
    """What `grep -v '^!'` leaves of a series matrix."""
    table = f.to_csv(index=False, sep="\t", quoting=2)
    matrix = f'!Series_title\t"x"\n\n!Sample_title\t"s0"\n!series_matrix_table_begin\n{table}!series_matrix_table_end\n'
    return "".join(line for line in matrix.splitlines(keepends=True) if not line.startswith("!"))


in_rows("The table of a GEO series matrix, without the lines above and below", {"blank_rows": 1}, without_description)
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
    spelt = ["chr1:10469-10470", "chr1_10471", "1:10484", "CHR01.10489"]
    own = dict(zip([f"cg{k:08d}" for k in range(1, 5)], spelt, strict=True))
    with_cell("cg00000001", None)(study()).rename(columns=own).to_csv("beta.csv", index=False)


edited("Line ends of two kinds", {}, lambda f: csv(f).replace("\n", "\r\n", 3).replace("s5", "\rs5"))
edited("Lines of blanks, and the end mark of MS-DOS", {"blank_rows": 2}, lambda f: csv(f) + "  \n\t\n\x1a")
edited("Vertical bars between the columns", {}, lambda f: f.to_csv(index=False, sep="|"))
edited(
    "Line breaks in quoted cells and in the header",
    {"leave_out_columns": 1},
    lambda f: csv(f.assign(**{"a note\n(long)": 'say "a;b"\n\tc'})),
)
in_rows("Decimal commas in quotes, between commas", {}, lambda f: decimal_commas(csv(f)))
in_rows("Decimal commas between blanks", {}, lambda f: f.to_csv(index=False, sep=" ", decimal=","))
in_rows(
    "The CpGs' names in the middle of the columns, numbers of rows in front",
    {"leave_out_columns": 2},
    lambda f: csv(f[["s0", "s1", "ID_REF", *[f"s{k}" for k in range(2, 8)]]].reset_index().assign(chr="1")),
)
in_rows(
    "Other measures beside beta values of the same name",
    {"shorten_ids": 8, "leave_out_columns": 16},
    several_measures("_AVG_Beta", "_M", "_CN"),
)
in_rows(
    "Masks and read counts beside values, and a comment",
    {"leave_out_columns": 17},
    lambda f: csv(f.assign(**{f"s{k}{end}": 1 for k in range(8) for end in ("_mask", ".coverage")}, Comment=1)),
)
in_rows(
    "Detection p-values of one name, numbered by pandas",
    {"leave_out_columns": 8},
    lambda f: csv(f.assign(**{"Detection Pval" + f".{k}" * (k > 0): 0.0 for k in range(8)})),
)
in_rows(
    "More statistics and annotation",
    {"leave_out_columns": 6},
    lambda f: csv(f.assign(**{"Mean_AD": 0.5, "StdDev": 0.1, "25%": 0.4, "n": 8, "Coordinate_36": 10468, "BP": 7})),
)
edited(
    "Ages at sampling, as GEOquery names columns",
    {"map_columns": 3},
    lambda f: f.rename(columns={"Age": "age at sampling:ch1", "Sex": "gender:ch1", "Tissue": "tissue:ch1"}),
)
edited("More words for sexes", {"unknown_sex": 4}, lambda f: f.assign(Sex=["women", "XY", "not stated", "Both"] * 2))
edited(
    "Invisible characters in names, ids and cells",
    {},
    lambda f: f.assign(
        sample_id="\u200b" + f["sample_id"], Tissue="Blood\u00a0\ufeff", Age=f["Age"].astype(str) + "\u200e"
    ).rename(columns={"Sex": "Sex\u200b", "cg00000001": "cg00000001\u2060"}),
)
edited("Errors of a spreadsheet's divisions", {"missing_values": 1}, with_cell("cg00000001", "#DIV/0!"))
edited("Words for health", {}, lambda f: f.assign(Is_Healthy=["healthy", "Control", "normal", "TRUE"] * 2))


@case("A column of lists beside the table", {"leave_out_columns": 1}, beta="beta.parquet")
def _nested() -> None:
    study().assign(visits=[[1, 2]] * 8).to_parquet("beta.parquet", index=False)


@case("A column of pandas' intervals beside the table", {"leave_out_columns": 2}, beta="beta.parquet")
def _intervals() -> None:
    frame = study()
    frame.insert(0, "note", [f"note{k}" for k in range(8)])
    frame.insert(0, "band", pd.arrays.IntervalArray(pd.cut(frame["Age"], 3)))
    frame.to_parquet("beta.parquet", index=False)


@case("Text stored as bytes, numbers as decimals and views of text", {}, beta="beta.parquet")
def _kinds_of_columns() -> None:
    frame = pa.Table.from_pandas(study(), preserve_index=False)
    kinds = {"sample_id": pa.binary(), "cg00000001": pa.decimal128(6, 4), "cg00000002": pa.string_view()}
    kinds |= {"project_id": pa.binary_view()}
    for name, kind in kinds.items():
        text = pa.array(map(str, frame[name].to_pylist()))
        frame = frame.set_column(frame.schema.names.index(name), name, text.cast(kind))
    pq.write_table(frame, "beta.parquet")


@case("Categories of views of text, ids of a fixed number of bytes", {}, beta="beta.feather")
def _categories_of_views() -> None:
    frame = pa.Table.from_pandas(study(), preserve_index=False)
    tissues = pa.array(frame["Tissue"].to_pylist(), pa.string_view()).dictionary_encode()
    ids = pa.array([one.encode() for one in frame["sample_id"].to_pylist()], pa.binary(2))
    pa.feather.write_feather(frame.set_column(2, "Tissue", tissues).set_column(0, "sample_id", ids), "beta.feather")


@case(
    "A sample sheet whose sample_id is another name, beside slide and position",
    {"leave_out_columns": 1},
    sample_sheet="s.csv",
)
def _slides() -> None:
    frame = study()
    arrays = [f"20395288000{k % 2}_R0{k // 2 + 1}C01" for k in range(8)]
    transposed(frame.assign(sample_id=arrays)).assign(chr=1).to_csv("beta.csv", index=False)
    slide, position = zip(*(one.split("_") for one in arrays), strict=True)
    sheet_of(frame).assign(Sentrix_ID=slide, Sentrix_Position=position).to_csv("s.csv", index=False)


@case("A sample sheet that names samples by the paths of their files", {"name_ids": 8}, sample_sheet="s.csv")
def _basenames() -> None:
    frame = study()
    transposed(frame).to_csv("beta.csv", index=False)
    paths = "/data/idat/" + frame["sample_id"]
    sheet_of(frame).assign(Basename=paths).drop(columns="sample_id").to_csv("s.csv", index=False)


@case(
    "Ages in months in the table, and rounded years in the sheet",
    {"map_columns": 1, "convert_ages": 8, "rounded_ages": 8},
    sample_sheet="s.csv",
)
def _rounded_ages() -> None:
    frame = study()
    frame.rename(columns={"Age": "age_months"}).assign(age_months=12 * frame["Age"] + 1).to_csv("beta.csv", index=False)
    sheet_of(frame).assign(Age=(frame["Age"] + 1 / 12).round(2)).to_csv("s.csv", index=False)


@case("A row of totals below a sample sheet", {"sheet_only": 1}, sample_sheet="s.csv")
def _totals() -> None:
    frame = study()
    transposed(frame).to_csv("beta.csv", index=False)
    Path("s.csv").write_text(csv(sheet_of(frame)) + "Total,,8,4/4,420,\n")
