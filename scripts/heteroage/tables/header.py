"""A text file's encoding, line ends, separator and header line.

All of them are determined together from the first lines. Lines that end with a separator, and lines whose first column
has no name (R's `write.table`), cannot be distinguished by the number of fields alone.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from heteroage.errors import HeteroAgeError, listed
from heteroage.tables.source import is_missing, number_of

SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "vertical bars", " ": "blanks"}
DELIMITERS = ",\t;|"
# Names of a column with row names. If the header starts with one of these, no name is missing.
CORNER = re.compile(
    r"id_?ref|(sample|probe|target|cpg|ilmn|array|composite)[ _.]?(id|name|element ref)?|names?|ids?|index|unnamed: ?0|"
    r"row\.?names?|rn|probes?|cpgs?|gsm|geo_accession|barcode|basename",
    re.IGNORECASE,
)
DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+(e[-+]?\d+)?", re.IGNORECASE)
SECTION = re.compile(r"\[\w[\w ]*\]")  # of Illumina's sample sheets
TABLE_FORMATS = "CSV, TSV, Parquet, Feather, .h5ad or .xlsx"
MOST_HEADER = 256 << 20  # maximum number of bytes of a line
NEWLINE, QUOTE = b'\n"'
FEW = 50  # number of rows that are examined
csv.field_size_limit(MOST_HEADER)


@dataclass(frozen=True)
class Header:
    """Format of a text file.

    names : column names as in the file, "" for a column without a name
    first : number of the first line after the header, from 1
    size : bytes (as UTF-8) before this line
    """

    names: list[str]
    separator: str
    first: int
    size: int
    rows: list[list[str]]
    blank: int = 0
    comments: int = 0
    decimal_comma: bool = False
    collapse: bool = False  # several blanks are one separator
    section: bool = False  # the table is a section of a sample sheet, and ends at the next section


def encoding_of(head: bytes) -> str:
    """Return the encoding of a file by its byte-order mark, or by the zeros of UTF-16; otherwise UTF-8."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    zeros = tuple(half.count(0) > 0.9 * len(half) > 0 for half in (head[::2], head[1::2]))
    return {(True, False): "utf-16-be", (False, True): "utf-16-le"}.get(zeros, "utf-8-sig")


def decoder(encoding: str) -> Callable[[bytes, bool], bytes]:
    """Return a function that converts blocks of a file to UTF-8 with \\n as line ends, without the byte-order mark."""
    utf8 = encoding == "utf-8-sig"  # its invalid bytes are kept: most columns are never decoded
    characters = codecs.getincrementaldecoder(encoding)("surrogateescape" if utf8 else "replace")
    lines = io.IncrementalNewlineDecoder(characters, translate=True)
    return lambda block, final: lines.decode(block, final).encode("utf-8", "surrogateescape" if utf8 else "replace")


def whole_lines(rest: bytes, block: bytes) -> tuple[bytes, bytes]:
    """Join two pieces of text, and divide them after the last line end that is not in quotes."""
    if b'"' in rest or b'"' in block:
        rest, block = b"", rest + block
    end = block.rfind(b"\n") + 1
    if b'"' in block and len(block) < MOST_HEADER and block.count(b'"', 0, end) % 2:
        characters = np.frombuffer(block, np.uint8)
        lines, quotes = (np.flatnonzero(characters == character) for character in (NEWLINE, QUOTE))
        outside = lines[np.searchsorted(quotes, lines) % 2 == 0]
        end = int(outside[-1]) + 1 if len(outside) else 0
    if not end:
        return b"", rest + block
    return b"".join((rest, memoryview(block)[:end])), block[end:]


def decode(text: bytes, where: str) -> str:
    """Decode UTF-8, or raise an error with the position of the invalid byte."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        near = text[max(error.start - 20, 0) : error.start + 10]
        if binary(text):
            raise HeteroAgeError(
                f"{where} is not a table: it is binary (near {near!r}). Give {TABLE_FORMATS}."
            ) from error
        raise HeteroAgeError(
            f"{where} is not UTF-8 text (byte {error.start}, near {near!r}). Save it as UTF-8, for instance with "
            "iconv -f latin1 -t utf-8."
        ) from error


def has_nul(where: str, place: str) -> HeteroAgeError:
    """Return the error for NUL bytes in text."""
    return HeteroAgeError(f"{where} has NUL bytes ({place}). Is it damaged? Copy or download it again.")


def binary(text: bytes) -> bool:
    """Tell whether bytes are binary, not text in any encoding."""
    odd = sum(byte < 9 or 13 < byte < 32 for byte in text[:4096])
    return b"\0" in text[:4096] or odd > len(text[:4096]) / 20


def read_header(head: bytes, whole: bool, where: str) -> Header:
    """Find the header among a file's first lines (UTF-8, line ends as \\n).

    head : the file's first bytes, cut anywhere
    whole : whether this is the complete file
    Raises HeteroAgeError: lines above the header that are not comments; rows that cannot be assigned to columns.
    """
    if binary(head):
        decode(head, where)
        if (at := head.find(b"\0")) > 0 and not binary(head[:at]):
            raise has_nul(where, f"the first is byte {at}")
        raise HeteroAgeError(f"{where} is not a table: it is binary. Give {TABLE_FORMATS}.")
    complete = head if whole else head[: head.rfind(b"\n") + 1]
    lines = decode(complete, where).split("\n")
    if lines and not lines[-1]:
        lines.pop()
    at = blank = comments = 0
    section = False
    while at < len(lines):
        bare = _bare(lines[at])
        if SECTION.match(bare):
            at, section = _data_section(lines, at, where), True
            break
        if bare and not _is_comment(lines, at):
            break
        comments, blank, at = comments + bool(bare), blank + (not bare), at + 1
    if at >= len(lines):
        raise HeteroAgeError(f"{where} is empty. Check how it was written.")
    below = lines[at : at + 4 * FEW]
    separator = _separator(below)
    try:
        (names, above), *rows = islice(rows_of(below, separator), FEW + 1)
    except csv.Error as error:
        raise HeteroAgeError(f"cannot read {where}: {error}. Check how it was written.") from error
    collapse = separator == " " and any(" ".join(line.split()) != line for line in below)
    rows = [row for row, _ in rows if len(row) > 1 or len(names) == 1]
    if section:
        rows = rows[: next((k for k, row in enumerate(rows) if SECTION.fullmatch(row[0].strip())), len(rows))]
    names = _aligned(names, rows, separator, where, at + 1)
    size = len("\n".join(lines[: at + above]).encode()) + (at + above < len(lines) or complete.endswith(b"\n"))
    return Header(
        names, separator, at + above + 1, size, rows, blank, comments, _has_decimal_commas(rows), collapse, section
    )


def rows_of(lines: Sequence[str], separator: str) -> Iterator[tuple[list[str], int]]:
    """Yield the rows that are not blank: (fields, lines so far). Quoted fields may contain line breaks."""
    if separator == " ":
        lines = [" ".join(line.split()) for line in lines]
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=separator)
    for row in reader:
        if any(cell.strip() for cell in row):
            yield row, reader.line_num


def _aligned(names: list[str], rows: Sequence[list[str]], separator: str, where: str, line: int) -> list[str]:
    """Return the names, one for each field of the rows.

    Raises HeteroAgeError: one name above rows of several fields, which is a title; a missing name.
    """
    named = [name.strip() for name in names if name.strip()]
    widest = max((sum(bool(cell.strip()) for cell in row) for row in rows), default=0)
    if len(named) == 1 and widest > 2 and len(rows) > 1:
        raise HeteroAgeError(
            f"line {line} of {where} ({named[0][:60]!r}) is a title, not a header: the lines below have {widest} "
            "fields. Delete the lines above the header."
        )
    lengths = {len(row) for row in rows}
    if lengths == {len(names) - 1} and not names[-1].strip():
        return names[:-1]  # the header alone ends in a separator
    if lengths != {len(names) + 1}:
        return names
    known = next((name for name in names[:20] if CORNER.fullmatch(name.strip())), None) if names[0].strip() else ""
    if not any(row[-1].strip() for row in rows):
        if known is not None:
            return [*names, ""]  # every row ends in a separator
        problem = f"its first column has no name, or its rows end in a separator ({SEPARATORS[separator]})"
    else:
        numbered = [row[0].strip() for row in rows] == [str(k + 1) for k in range(len(rows))]
        if names[0].strip() and (numbered or not CORNER.fullmatch(names[0].strip())):
            return ["", *names]  # R's write.table gives the row names no header
        problem = f"a name is missing, and {names[0]!r} seems to be that of the first column"
    raise HeteroAgeError(
        f"{where} has one more field in its rows than in its header: {problem}. Give each column one name (in R: "
        "write.csv, or write.table with col.names = NA)."
    )


def _separator(lines: Sequence[str]) -> str:
    """Choose the separator for which most rows have the same number of fields, and that gives most fields."""
    if max(map(len, lines[:2])) > 1 << 20:  # a line of a wide table: counting is enough
        return max(DELIMITERS, key=lines[0].count)

    def judge(separator: str) -> tuple[float, int]:
        try:
            counts = [len(row) for row, _ in islice(rows_of(lines, separator), 11)]
        except csv.Error:
            return 0, 0
        common = Counter(counts[1:] or counts).most_common(1)[0][0]
        return sum(abs(n - common) <= 1 for n in counts) / len(counts) if common > 1 else 0, common

    best, blanks = max(DELIMITERS, key=judge), judge(" ")
    # Decimal commas occur only in the rows, not in the header.
    if best not in lines[0] and blanks[1] > 1 and blanks[0] >= judge(best)[0]:
        return " "
    return best if judge(best)[0] or best in lines[0] else ","


def _data_section(lines: Sequence[str], at: int, where: str) -> int:
    """Return the line of the header of a sample sheet's section [Data]."""
    found = [k for k in range(at, len(lines)) if _bare(lines[k]).lower() == "[data]"]
    sections = [_bare(line) for line in lines[at:] if SECTION.fullmatch(_bare(line))]
    if not found or found[0] + 1 >= len(lines):
        raise HeteroAgeError(
            f"{where} has sections ({listed(sections)}) and no table below [Data]. Give the part that is a table."
        )
    at = found[0] + 1
    while at < len(lines) - 1 and not _bare(lines[at]):
        at += 1
    return at


def _is_comment(lines: Sequence[str], at: int) -> bool:
    """Tell whether a line is a comment: it begins with # and is not built as the rows below, or is Excel's `sep=,`."""
    line = lines[at].lstrip()
    if re.fullmatch(r'"?sep=.?"?\s*', line, re.IGNORECASE):
        return True  # names the separator to Excel
    if not line.startswith("#"):
        return False
    below = next((text for text in lines[at + 1 :] if _bare(text) and not text.startswith("#")), "")
    return not any(below.count(s) and abs(below.count(s) - line.count(s)) <= 1 for s in DELIMITERS)


def _bare(line: str) -> str:
    return line.strip(' ,;\t\r"')


def _has_decimal_commas(rows: Sequence[list[str]]) -> bool:
    cells = [cell.strip() for row in rows for cell in row if cell.strip()]
    if not any("," in cell and DECIMAL_COMMA.fullmatch(cell) for cell in cells):
        return False
    return not any("." in cell and number_of(cell) is not None and not is_missing(cell) for cell in cells)
