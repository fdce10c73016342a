"""Tables of samples in every form that prediction reads, and what is predicted of them, as bytes."""

import re

import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from heteroage.clock.apply import run_step
from heteroage.clock.master_table import open_tables
from heteroage.errors import HeteroAgeError

FORMS = ["csv", "csv.gz", "tsv", "semicolon.csv", "bom.csv", "quoted.csv", "indexed.csv", "parquet", "groups.parquet"]
FORMS += ["index.parquet", "categories.parquet", "feather", "batches.feather"]


def write(frame, path):
    """Write a frame as its path's ending says."""
    ending = path.name.partition(".")[2]
    if ending in ("csv", "csv.gz"):
        frame.to_csv(path, index=False)
    elif ending == "tsv":
        frame.to_csv(path, index=False, sep="\t")
    elif ending == "semicolon.csv":
        frame.to_csv(path, index=False, sep=";")
    elif ending == "bom.csv":
        frame.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\r\n")
    elif ending == "quoted.csv":
        frame.to_csv(path, index=False, quoting=1)
    elif ending == "indexed.csv":
        frame.to_csv(path)
    elif ending == "parquet":
        frame.to_parquet(path, index=False)
    elif ending == "groups.parquet":
        pq.write_table(pa.Table.from_pandas(frame), path, row_group_size=3)
    elif ending == "index.parquet":
        frame.set_index("sample_id").to_parquet(path)
    elif ending == "categories.parquet":
        frame.astype({"Tissue": "category", "Sex": "category"}).to_parquet(path, index=False)
    elif ending == "feather":
        frame.to_feather(path)
    elif ending == "batches.feather":
        pa.feather.write_feather(frame, path, chunksize=4)
    else:
        raise AssertionError(path)
    return path


def predicted_bytes(clock, *paths, **options):
    """The file of predictions."""
    out = paths[0].parent / "predicted.csv"
    run_step("predict", clock.folder, list(paths), out, **options)
    return out.read_bytes()


def cpgs_of(table):
    """The names of the CpGs."""
    return [name for name in table.columns if name.startswith("cg")]


def table_refused(clock, path, *texts):
    """A file is refused with these texts, and nothing is written."""
    out = path.parent / "predicted.csv"
    before = sorted(path.parent.iterdir())
    with pytest.raises(HeteroAgeError) as caught:
        run_step("predict", clock.folder, [path], out)
    for text in texts:
        assert text in str(caught.value)
    assert sorted(path.parent.iterdir()) == before


def equal(one, two):
    """Frames are equal to the bit."""
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def refused(text, work, *arguments):
    """The work ends in an error that says this."""
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        work(*arguments)


def from_files(clock, *paths, step="predict"):
    """What is predicted of files, as a frame."""
    return pd.concat(
        [pd.DataFrame(rows) for rows, _ in clock.stream(step, open_tables(paths, clock.wanted))], ignore_index=True
    )
