"""Tables in any form give the same samples, and bad ones a message."""

import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from heteroage import master_table, readers
from heteroage.apply import run_step
from heteroage.errors import HeteroAgeError
from heteroage.loading import load_clock

QUICK = [Phase.explicit, Phase.generate]  # an example takes a tenth of a second: to shrink one would take minutes


@pytest.fixture(scope="module")
def loaded(clock):
    return load_clock(clock.folder)


@pytest.fixture(scope="module")
def expected(clock, tmp_path_factory):
    """The bytes of the predictions of the master table."""
    folder = tmp_path_factory.mktemp("expected")
    clock.master.to_csv(folder / "m.csv", index=False)
    return predicted_bytes(clock, folder / "m.csv")


def predicted_bytes(clock, *paths, **options):
    out = paths[0].parent / "predicted.csv"
    run_step("predict", clock.folder, list(paths), out, **options)
    return out.read_bytes()


def cpgs_of(table):
    return [name for name in table.columns if name.startswith("cg")]


# Forms


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


FORMS = ["csv", "csv.gz", "tsv", "semicolon.csv", "bom.csv", "quoted.csv", "indexed.csv", "parquet", "groups.parquet"]
FORMS += ["index.parquet", "categories.parquet", "feather", "batches.feather"]


@pytest.mark.parametrize("ending", FORMS)
def test_every_format_gives_the_same_bytes(clock, tmp_path, expected, ending):
    assert predicted_bytes(clock, write(clock.master, tmp_path / f"m.{ending}")) == expected


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("ending", ["csv", "batches.feather", "groups.parquet"])
def test_the_size_of_parts_does_not_matter(clock, tmp_path, expected, monkeypatch, rows, ending):
    monkeypatch.setattr(readers, "PART_ROWS", rows)
    monkeypatch.setattr(readers, "BLOCK", 1)  # of a CSV: the least that holds a line
    monkeypatch.setattr(master_table, "GROUP", rows)
    assert predicted_bytes(clock, write(clock.master, tmp_path / f"m.{ending}")) == expected


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_do_not_matter(clock, tmp_path, expected, threads):
    before = pa.cpu_count()
    try:
        pa.set_cpu_count(threads)
        assert predicted_bytes(clock, write(clock.master, tmp_path / "m.csv")) == expected
    finally:
        pa.set_cpu_count(before)


@settings(max_examples=25, phases=QUICK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_samples_row_is_its_own(clock, expected, tmp_path_factory, data):
    """Any samples beside it, in any order, form and column order: the same bytes."""
    folder = tmp_path_factory.mktemp("own")
    n = len(clock.master)
    rows = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=n, unique=True))
    table = clock.master.iloc[rows]
    strangers = data.draw(st.integers(0, 3))
    if strangers:
        rng = np.random.default_rng(data.draw(st.integers(0, 99)))
        other = clock.master.iloc[:strangers].assign(sample_id=[f"x{k}" for k in range(strangers)], Tissue=None)
        other[cpgs_of(other)] = rng.random((strangers, len(cpgs_of(other))))
        other.loc[:, rng.choice(cpgs_of(other), 5, replace=False)] = np.nan
        table = pd.concat([other, table])
    columns = data.draw(st.permutations(list(table.columns)))
    table = table[columns].reset_index(drop=True)
    path = write(table, folder / f"m.{data.draw(st.sampled_from(FORMS))}")
    lines = expected.splitlines()
    assert predicted_bytes(clock, path).splitlines()[1 + strangers :] == [lines[1 + k] for k in rows]


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\r\0", exclude_categories=["Cs"]), min_size=1)


@settings(max_examples=15, phases=QUICK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=st.lists(NAMES, min_size=1, max_size=5, unique_by=str.strip), tissue=NAMES)
def test_any_text_survives_the_way_through(loaded, clock, tmp_path_factory, ids, tissue):
    """Commas, quotes, line ends: what comes in as text comes out as text, from CSV as from Parquet."""
    ids = [one.strip() for one in ids if one.strip()]
    if not ids:
        return
    folder = tmp_path_factory.mktemp("text")
    frame = clock.master.iloc[: len(ids)].assign(sample_id=ids, Tissue=tissue)
    csv, parquet = (predicted_bytes(clock, write(frame, folder / f"m.{form}")) for form in ("csv", "parquet"))
    assert csv == parquet
    back = pd.read_csv(folder / "predicted.csv", dtype=str, keep_default_na=False)
    assert back["sample_id"].tolist() == ids


# CpGs in rows, replicates, names without suffix


def transposed(frame):
    return frame.drop(columns=["Tissue", "Sex", "Age"]).set_index("sample_id").T.rename_axis("ID_REF")


def sheet(frame):
    return frame[["sample_id", "Tissue", "Sex", "Age"]]


@pytest.mark.parametrize("form", ["csv", "corner.csv", "tsv", "csv.gz", "parquet", "index.parquet", "feather"])
def test_cpgs_in_rows_beside_a_sample_sheet(clock, tmp_path, expected, form):
    path, values = tmp_path / f"betas.{form}", transposed(clock.master)
    if form == "corner.csv":  # as R's write.table does
        text = values.to_csv()
        path.write_text(text.partition(",")[2])
    elif form in ("csv", "csv.gz"):
        values.to_csv(path)
    elif form == "tsv":
        values.to_csv(path, sep="\t")
    elif form == "parquet":
        values.reset_index().to_parquet(path)
    elif form == "index.parquet":
        values.rename_axis(None).to_parquet(path)
    else:
        values.reset_index().to_feather(path)
    sheet(clock.master).iloc[::-1].to_csv(tmp_path / "sheet.csv", index=False)
    assert predicted_bytes(clock, path, tmp_path / "sheet.csv") == expected


def test_cpgs_in_rows_with_metadata_rows(clock, tmp_path, expected):
    clock.master.set_index("sample_id").T.to_csv(tmp_path / "m.csv")
    assert predicted_bytes(clock, tmp_path / "m.csv") == expected


def test_a_frame_with_cpgs_in_rows(loaded, clock):
    whole = loaded.predict(clock.master)
    values = transposed(clock.master)
    np.testing.assert_array_equal(loaded.predict(values)["Stage1_Pred_Age"], whole["Stage1_Pred_Age"])
    indexed = loaded.predict(clock.master.set_index("sample_id"))
    pd.testing.assert_frame_equal(indexed, whole, check_exact=True)


def test_replicates_are_averaged_under_the_plain_name(loaded, clock):
    one, *_ = loaded.anchor.features
    name = one if one.startswith("cg") else loaded.anchor.features[1]
    probe, modality = name.split("_")
    first, second = f"{probe}_TC21_{modality}", f"{probe}_BC11_{modality}"
    split = clock.master.drop(columns=name).assign(
        **{first: clock.master[name] - 0.01, second: clock.master[name] + 0.01}
    )
    ages, again = (loaded.predict(table)["HeteroAge"] for table in (clock.master, split))
    np.testing.assert_allclose(ages, again, rtol=0, atol=1e-9)  # rounding of the mean
    alone = clock.master.rename(columns={name: first})
    pd.testing.assert_series_equal(loaded.predict(alone)["HeteroAge"], ages, check_exact=True)
    half = split.assign(**{second: np.nan, first: clock.master[name]})
    pd.testing.assert_series_equal(loaded.predict(half)["HeteroAge"], ages, check_exact=True)


# What is refused


def refused(clock, path, *texts):
    out = path.parent / "predicted.csv"
    before = sorted(path.parent.iterdir())
    with pytest.raises(HeteroAgeError) as caught:
        run_step("predict", clock.folder, [path], out)
    for text in texts:
        assert text in str(caught.value)
    assert sorted(path.parent.iterdir()) == before


def test_text_among_numbers_is_named_from_a_csv_too(clock, tmp_path):
    name = cpgs_of(clock.master)[3]
    frame = clock.master.astype({name: object})
    frame.loc[[4, 6], name] = ["n.d.", "0,5"]
    for form in ("csv", "tsv"):
        refused(
            clock, write(frame, tmp_path / f"m.{form}"), f"column {name} holds text", "2: 'n.d.' at n004, '0,5' at n006"
        )


def test_percent_and_m_values_are_refused_with_advice(clock, tmp_path):
    cpgs = cpgs_of(clock.master)
    for factor, advice in ((lambda b: 100 * b, "Divide by 100"), (lambda b: np.log2(b / (1 - b)), "2^M / (2^M + 1)")):
        frame = clock.master.copy()
        frame[cpgs] = factor(frame[cpgs].clip(0.01, 0.99) ** 2)
        refused(clock, write(frame, tmp_path / "m.csv"), "CpGs hold values far outside 0 to 1", advice)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is empty"),
        (b"\xff\xfe\x00s", "cannot read"),
        (b"name,Tissue\na,Blood\n", "has no column sample_id"),
        (b"sample_id,Sex\n", "shares 0 of the clock's 48 CpGs"),
    ],
)
def test_files_that_are_no_tables(clock, tmp_path, content, text):
    (tmp_path / "m.csv").write_bytes(content)
    refused(clock, tmp_path / "m.csv", text)


def test_tables_cut_short(clock, tmp_path):
    for form in ("parquet", "feather", "csv.gz"):
        path = write(clock.master, tmp_path / f"m.{form}")
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        refused(clock, path, f"cannot read {path}")
    text = clock.master.to_csv(index=False)
    (tmp_path / "m.csv").write_text(text[: int(len(text) * 0.9)])
    refused(clock, tmp_path / "m.csv", "cannot read", "Expected")
    with gzip.open(tmp_path / "m.csv.gz", "wt") as stream:
        stream.write("sample_id")
    refused(clock, tmp_path / "m.csv.gz", "shares 0")


def test_no_rows_and_repeated_ids_and_ages(clock, tmp_path):
    for form in ("csv", "parquet", "feather"):
        refused(clock, write(clock.master.iloc[:0], tmp_path / f"none.{form}"), "the table has no rows")
        twice = pd.concat([clock.master, clock.master.iloc[[2, 2]]], ignore_index=True)
        refused(clock, write(twice, tmp_path / f"twice.{form}"), "has duplicate sample_ids (1: n002)")
        old = clock.master.assign(Age=clock.master["Age"] + 200)
        refused(clock, write(old, tmp_path / f"old.{form}"), "column Age has ages outside 0 to 122 years (14:")


def test_ids_repeated_across_parts(clock, tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "PART_ROWS", 1)
    monkeypatch.setattr(readers, "BLOCK", 1)
    twice = pd.concat([clock.master, clock.master.iloc[[2]]], ignore_index=True)
    refused(clock, write(twice, tmp_path / "twice.csv"), "has duplicate sample_ids (1: n002)")


def test_columns_full_of_nothing(clock, loaded, tmp_path):
    whole = loaded.predict(clock.master)
    name = cpgs_of(clock.master)[5]
    pd.testing.assert_frame_equal(
        loaded.predict(clock.master.assign(**{name: None})), loaded.predict(clock.master.drop(columns=name))
    )
    empty = clock.master.assign(**dict.fromkeys(cpgs_of(clock.master), np.nan))
    refused(clock, write(empty, tmp_path / "m.csv"), "every sample lacks more than 50% of the anchor's weight")
    beside = pd.concat([clock.master, empty.iloc[[0]].assign(sample_id="empty")], ignore_index=True)
    output = loaded.predict(beside)
    pd.testing.assert_frame_equal(output.iloc[:-1], whole)
    assert "mostly_imputed" in output["Flags"].iloc[-1]
    assert output["Imputed_Fraction"].iloc[-1] == 1


def test_both_with_and_without_suffix_is_refused(clock, clock_copy, reseal, loaded):
    from heteroage.columns import Wanted

    wanted = Wanted(["cg00000001_beta", "cg00000002_beta"])
    assert wanted.columns_of(["cg00000001", "cg00000002_TC11"]) == {
        "cg00000001_beta": ["cg00000001"],
        "cg00000002_beta": ["cg00000002_TC11"],
    }
    with pytest.raises(HeteroAgeError, match=r"both with and without .* \(1: cg00000001_beta\)"):
        wanted.columns_of(["cg00000001", "cg00000001_beta"])
    # Of a clock with two modalities a bare name says nothing.
    assert Wanted(["cg00000001_beta", "cg00000002_chalm"]).columns_of(["cg00000001"]) == {}
