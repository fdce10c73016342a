"""What a case of bad or unusual input is, and how one is made from a sound table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd


def study(n: int = 8, n_cpgs: int = 4) -> pd.DataFrame:
    """A sound table: samples in rows, with their metadata."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"sample_id": [f"s{k}" for k in range(n)], "project_id": [f"p{k % 3}" for k in range(n)]})
    frame["Tissue"], frame["Sex"] = "Blood", ["F", "M"] * (n // 2)
    frame["Age"], frame["Is_Healthy"] = np.arange(20, 20 + 5 * n, 5), True
    for k in range(n_cpgs):
        frame[f"cg{k + 1:08d}"] = rng.uniform(0.1, 0.9, n).round(4)
    return frame


def transposed(frame: pd.DataFrame) -> pd.DataFrame:
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


def two_tables(first: pd.DataFrame, second: pd.DataFrame) -> Callable[[], None]:
    def write() -> None:
        first.to_csv("beta.csv", index=False)
        second.to_csv("other.csv", index=False)

    return write


def in_rows(title: str, expected: str | dict[str, int], write: Callable[[pd.DataFrame], object]) -> None:
    """A case of CpGs in rows (a frame with ID_REF and a column per sample), with a sample sheet."""

    def both() -> None:
        sheet_of(study()).to_csv("sheet.csv", index=False)
        made = write(transposed(study()))
        if isinstance(made, str):
            Path("beta.csv").write_text(made, encoding="utf-8")

    case(title, expected, sample_sheet="sheet.csv")(both)
