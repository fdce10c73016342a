"""Files are whole or absent, and tables read back equal to the bit."""

import json
import os
import re
import stat
import threading

import numpy as np
import pandas as pd
import pytest

from heteroage.errors import HeteroAgeError
from heteroage.files import (
    atomic_path,
    check_writable,
    read_json,
    read_table,
    rows_of,
    sha256_of,
    write_json,
    write_model,
    write_table,
)


def test_atomic_path_leaves_the_old_file_when_the_work_fails(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as beside:
        beside.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_path_makes_nothing_when_the_work_fails(tmp_path):
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "table.csv") as beside:
        beside.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_atomic_path_replaces_the_old_file_only_at_the_end(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with atomic_path(path) as beside:
        beside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_output_folder_is_said_before_the_work(tmp_path):
    path = tmp_path / "nowhere" / "out.csv"
    text = re.escape(f"cannot write {path}: there is no folder {path.parent}. Make it first.")
    with pytest.raises(HeteroAgeError, match=text):
        check_writable(path)
    with pytest.raises(HeteroAgeError, match=text), atomic_path(path):
        pytest.fail("the work must not start")


@pytest.mark.parametrize("name", ["table.csv", "table.parquet", "table.pq"])
def test_tables_read_back_equal_to_the_bit(tmp_path, name):
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "sample_id": ["007", "08", "x"],
            "Tissue": ["Blood", "Whole Blood, cord", "Ärm"],
            "third": [1 / 3, np.pi * 1e-300, np.nan],
            "random": rng.random(3),
            "large": [1e22, -1.7976931348623157e308, 5e-324],
        }
    )
    write_table(table, tmp_path / name)
    back = read_table(tmp_path / name)
    assert back["sample_id"].tolist() == table["sample_id"].tolist()
    assert back["Tissue"].tolist() == table["Tissue"].tolist()
    for column in ("third", "random", "large"):
        np.testing.assert_array_equal(back[column].to_numpy().view(np.int64), table[column].to_numpy().view(np.int64))


@pytest.mark.parametrize("column", ["sample_id", "donor_id", "project_id", "group", "Tissue", "Sex", "hallmark"])
@pytest.mark.parametrize("labels", [["1", "2"], ["001", "1.5"], ["TRUE", "FALSE"], ["True", "None"], ["NA", "1e3"]])
def test_labels_read_back_as_the_text_that_they_are(tmp_path, column, labels):
    write_table(pd.DataFrame({column: labels, "Age": [1.5, np.nan]}), tmp_path / "t.csv")
    back = read_table(tmp_path / "t.csv")
    assert back[column].tolist() == labels
    assert back["Age"].isna().tolist() == [False, True]


def test_an_empty_label_is_missing(tmp_path):
    write_table(pd.DataFrame({"donor_id": ["7", None]}), tmp_path / "t.csv")
    assert read_table(tmp_path / "t.csv")["donor_id"].isna().tolist() == [False, True]


def test_rows_are_found_by_sample_id_and_a_table_of_other_samples_is_refused():
    table = pd.DataFrame({"sample_id": ["b", "c", "a"]})
    assert rows_of(["a", "b"], table, "t.csv").tolist() == [2, 0]
    with pytest.raises(HeteroAgeError, match=re.escape("t.csv has no row for samples (2: d, e)")):
        rows_of(["a", "d", "e"], table, "t.csv")
    with pytest.raises(HeteroAgeError, match=re.escape("t.csv has several rows for samples (1: a)")):
        rows_of(["a"], pd.DataFrame({"sample_id": ["a", "a"]}), "t.csv")


def test_many_random_floats_survive_csv_as_they_survive_parquet(tmp_path):
    values = np.random.default_rng(2).random(5000)
    table = pd.DataFrame({"sample_id": [f"s{k}" for k in range(5000)], "cg00000001_beta": values})
    for name in ("t.csv", "t.parquet"):
        write_table(table, tmp_path / name)
        assert read_table(tmp_path / name)["cg00000001_beta"].tolist() == values.tolist()


def test_identifiers_of_digits_stay_text_in_csv(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("sample_id,project_id,donor_id,Age\n007,01,0001,5\n12,02,,6\n")
    table = read_table(path)
    assert table["sample_id"].tolist() == ["007", "12"]
    assert table["project_id"].tolist() == ["01", "02"]
    assert table["donor_id"].tolist()[0] == "0001"
    assert table["donor_id"].isna().tolist() == [False, True]


def test_parquet_with_sample_id_as_index(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"cg00000001": [0.5]}, index=pd.Index(["007"], name="sample_id")).to_parquet(path)
    assert read_table(path)["sample_id"].tolist() == ["007"]


def test_compressed_csv(tmp_path):
    path = tmp_path / "t.csv.gz"
    pd.DataFrame({"sample_id": ["007"], "Age": [5.5]}).to_csv(path, index=False)
    assert read_table(path)["sample_id"].tolist() == ["007"]


def test_missing_file_is_named(tmp_path):
    path = tmp_path / "absent.csv"
    with pytest.raises(HeteroAgeError, match=re.escape(f"no file {path}. Check the path")):
        read_table(path)
    with pytest.raises(HeteroAgeError, match=re.escape(f"no file {path}. Check the path")):
        read_json(path)
    with pytest.raises(HeteroAgeError, match="no file"):
        read_table(tmp_path)  # a folder is no table


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.parquet", b"this is no parquet"),
        ("t.csv", b""),
        ("t.csv", b"a,b\n1,2\n1,2,3,4\n"),
        ("t.csv", b"\xff\xfe\x00a,b\n"),
    ],
)
def test_unreadable_tables_are_named(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(HeteroAgeError, match=re.escape(f"cannot read {path}: ") + ".*(?s:.)*Give CSV"):
        read_table(path)


def test_broken_json_is_named(tmp_path):
    path = tmp_path / "t.json"
    path.write_text('{"a": [1, 2}')
    with pytest.raises(HeteroAgeError, match=re.escape(f"{path} is not valid JSON: ") + ".*Fix it"):
        read_json(path)
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(HeteroAgeError, match="is not valid JSON"):
        read_json(path)


def test_json_keeps_order_and_refuses_what_is_no_json(tmp_path):
    path = tmp_path / "t.json"
    content = {"z": 1 / 3, "a": ["ä", None, True]}
    write_json(content, path)
    assert read_json(path) == content
    assert list(read_json(path)) == ["z", "a"]
    with pytest.raises(ValueError, match="JSON"):
        write_json({"a": float("nan")}, path)
    assert json.loads(path.read_text()) == content
    assert list(tmp_path.iterdir()) == [path]


def test_equal_models_give_equal_bytes(tmp_path, make_pipeline):
    X, y = np.random.default_rng(3).random((20, 4)), np.arange(20.0)
    for name in ("one", "two"):
        write_model(make_pipeline(0.1, 0.5, True).fit(X, y), tmp_path / name)
    assert sha256_of(tmp_path / "one") == sha256_of(tmp_path / "two")


def test_sha256(tmp_path):
    path = tmp_path / "t"
    path.write_bytes(b"abc")
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# What --out may name


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    target, link, dangling = tmp_path / "real/ages.csv", tmp_path / "link.csv", tmp_path / "dangling.csv"
    target.write_text("old")
    link.symlink_to(target)
    dangling.symlink_to(tmp_path / "real/new.csv")
    for path in (link, dangling):
        with atomic_path(path) as beside:
            beside.write_text("new")
        assert path.is_symlink()
        assert path.read_text() == "new"
    assert sorted(path.name for path in (tmp_path / "real").iterdir()) == ["ages.csv", "new.csv"]
    with pytest.raises(HeteroAgeError, match=r"it is a folder. Give a file in it"), atomic_path(tmp_path / "real"):
        pytest.fail("the work must not start")


def test_a_pipe_is_written_to_and_stays(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    received = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_text()))
    reader.start()
    with atomic_path(tmp_path / "pipe") as path:
        path.write_text("text")
    reader.join(10)
    assert received == ["text"]
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_second_writer_of_a_file_is_told_and_leaves_the_first_alone(tmp_path):
    path = tmp_path / "ages.csv"
    with atomic_path(path) as beside:
        beside.write_text("first")
        with pytest.raises(HeteroAgeError, match=r"another process is writing it. Wait"), atomic_path(path):
            pytest.fail("the work must not start")
    assert path.read_text() == "first"
    (tmp_path / ".ages.csv.part").write_text("left by a killed process, longer than what comes")
    with atomic_path(path) as beside:
        beside.open("r+").write("second")
    assert path.read_text() == "second"
    assert list(tmp_path.iterdir()) == [path]
