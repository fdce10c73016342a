"""The same values in any form give training the same store and prediction the same ages, to the byte."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heteroage.clock.apply import run_step
from heteroage.inputs import store
from heteroage.inputs.cohorts import InputOptions, read_cohorts
from heteroage.inputs.store import Intake, TableEntry, write_store
from heteroage.tables import formats, text

SHEET = ["sample_id", "project_id", "Tissue", "Sex", "Age", "Is_Healthy"]
forms = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["text", "text", "text", "parquet", "feather", "xlsx"]),
        "cpgs_in_rows": st.booleans(),
        "separator": st.sampled_from([",", "\t", ";", " "]),
        "line_end": st.sampled_from(["\n", "\r\n", "\r"]),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
        "gzipped": st.booleans(),
        "quoted": st.booleans(),
        "index": st.sampled_from(["named", "unnamed", "no corner", "numbered before"]),
        "trailing": st.sampled_from(["none", "everywhere", "rows"]),
        "blank_rows": st.booleans(),
        "snps_on_top": st.booleans(),
        "p_values": st.booleans(),
        "labels": st.sampled_from(["str", "category", "object"]),
        "numbers": st.sampled_from(["float64", "text"]),
        "missing": st.sampled_from(["", "NA", "NaN", "n/a"]),
        "block": st.sampled_from([60, 1 << 24]),
        "shuffle": st.integers(0, 5),
    }
)


@pytest.fixture(scope="module")
def study(clock):
    """The clock's new samples, with what training asks of them, in values of few digits."""
    frame = clock.master.copy()
    cpgs = [name for name in frame.columns if name.startswith("cg")]
    frame[cpgs] = frame[cpgs].round(3)
    frame.insert(1, "project_id", [f"p{k % 3}" for k in range(len(frame))])
    frame.insert(5, "Is_Healthy", True)
    return frame


def written(frame, form, folder):
    """Write the values in a form; returns the table, and the sheet that goes with it where CpGs stand in rows."""
    rng = np.random.default_rng(form["shuffle"])
    cpgs = [name for name in frame.columns if name.startswith("cg")]
    cpgs = list(rng.permutation(cpgs)) if form["shuffle"] else cpgs
    label, values = "sample_id", frame.set_index("sample_id")[[*SHEET[1:], *cpgs]]
    if form["cpgs_in_rows"]:
        label, values = "ID_REF", frame.set_index("sample_id")[cpgs].T
        if form["snps_on_top"]:
            snps = pd.DataFrame(0.5, [f"rs{k}" for k in range(65)], values.columns)
            values = pd.concat([snps, values])
        if form["p_values"]:
            values = values.join(values.mul(0).fillna(0.0).add_suffix(".Detection Pval"))
    values = values.rename_axis(label)
    path = Path(folder) / f"table.{form['kind'] if form['kind'] != 'text' else 'csv'}"
    (write_text if form["kind"] == "text" else write_binary)(values, form, path)
    if not form["cpgs_in_rows"]:
        return path, None
    sheet = frame[SHEET].sample(frac=1, random_state=form["shuffle"])
    sheet.to_csv(Path(folder) / "sheet.csv", index=False)
    return path, Path(folder) / "sheet.csv"


def write_text(values, form, path):
    separator = form["separator"]
    missing = form["missing"] or ("NA" if separator == " " else "")
    text = values.to_csv(sep=separator, na_rep=missing, quoting=1 if form["quoted"] else 0, lineterminator="\n")
    header, *rows = text.rstrip("\n").split("\n")
    _, _, names = header.partition(separator)
    header = {"unnamed": f"{separator}{names}", "no corner": names}.get(form["index"], header)
    if separator == " ":
        header = header.lstrip()  # R never writes a blank for a missing name
    else:
        if form["index"] == "numbered before":
            header = f"{separator}{header}"
            rows = [f"{k}{separator}{row}" for k, row in enumerate(rows)]
        if form["trailing"] != "none" and form["index"] != "no corner":
            rows = [row + separator for row in rows]
            header += separator * (form["trailing"] == "everywhere")
        if form["blank_rows"]:
            rows += [separator * rows[0].count(separator), ""]
    content = (form["line_end"].join([header, *rows]) + form["line_end"]).encode(form["encoding"])
    path.write_bytes(gzip.compress(content) if form["gzipped"] else content)


def write_binary(values, form, path):
    if form["numbers"] == "text":
        cpgs = [c for c in values.columns if c not in SHEET]
        values = values.astype(dict.fromkeys(cpgs, str)).replace("nan", form["missing"])
    if form["kind"] == "xlsx":
        pytest.importorskip("openpyxl")
        values.to_excel(path)
        return
    if form["labels"] == "category":
        values.index = pd.CategoricalIndex(values.index, name=values.index.name)
    if form["index"] != "named":
        values = values.reset_index() if form["index"] == "no corner" else values.rename_axis(None)
    if form["kind"] == "feather":
        if form["index"] != "no corner":
            values = values.reset_index(names=values.index.name or "Unnamed: 0")
        pa.feather.write_feather(values, path, chunksize=5)
    else:
        pq.write_table(pa.Table.from_pandas(values), path, row_group_size=7)


def understood(path, sheet, folder, clock_folder):
    """What training writes to its store, and what prediction says, as bytes."""
    folder = Path(folder)
    entries = {modality: [TableEntry(str(path))] for modality in ("beta", "chalm")}
    sheets, intake = [TableEntry(str(sheet))] if sheet else [], Intake()
    cohorts = read_cohorts(entries, sheets, InputOptions(), intake)
    write_store(cohorts, folder / "features.npy", folder / "names.txt", intake)
    run_step("predict", clock_folder, [path, *([sheet] if sheet else [])], folder / "ages.csv")
    files = [(folder / name).read_bytes() for name in ("features.npy", "names.txt", "ages.csv")]
    return [*files, cohorts.samples.to_csv()]


@given(form=forms)
def test_any_form_of_the_same_values_is_understood_alike_by_both_sides(form, study, clock, tmp_path_factory):
    folder = tmp_path_factory.mktemp("form")
    plain = folder / "plain.parquet"
    study.to_parquet(plain, index=False)
    with pytest.MonkeyPatch.context() as patch:
        expected = understood(plain, None, folder, clock.folder)
        patch.setattr(text, "BYTES_PER_BLOCK", form["block"])
        patch.setattr(formats, "READ_BYTES", form["block"])
        patch.setattr(store, "STRIP_BYTES", form["block"])
        assert understood(*written(study, form, folder), folder, clock.folder) == expected
