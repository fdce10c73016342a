"""Bismark coverage files become one table of beta values by position."""

import gzip
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from heteroage.clock.artifacts import ANCHOR
from heteroage.clock.master_table import open_tables
from heteroage.clock.model import LinearModel
from heteroage.clock.predict import Clock
from heteroage.errors import HeteroAgeError
from heteroage.files import coverage_files
from heteroage.inputs.conversion import write_coverage
from heteroage.tables.metadata import Conventions

LINES = {
    "a": [("chr1", 10469, 3, 1), ("chr1", 10471, 2, 2), ("chr2", 5000, 0, 9), ("chrUn_KI270302v1", 7, 5, 5)],
    "b": [("2", 5000, 1, 4), ("1", 10469, 10, 0), ("X", 2000, 8, 2)],
}


@pytest.fixture
def files(tmp_path):
    for one, rows in LINES.items():
        text = "".join(f"{c}\t{p}\t{p}\t{100 * m / (m + u)}\t{m}\t{u}\n" for c, p, m, u in rows)
        (tmp_path / f"{one}.bismark.cov.gz").write_bytes(gzip.compress(text.encode()))
    return coverage_files(str(tmp_path / "*.bismark.cov.gz"))


def table_of(files, least, tmp_path):
    counts = write_coverage(files, least, tmp_path / "table.parquet")
    return pd.read_parquet(tmp_path / "table.parquet").set_index("cpg").sort_index(), counts


def test_positions_with_enough_reads_have_values(files, tmp_path):
    table, counts = table_of(files, 4, tmp_path)
    assert counts == (4, 0)
    assert list(table.index) == ["chr1_10469", "chr1_10471", "chr2_5000", "chrX_2000"]
    np.testing.assert_allclose(table["a"], [0.75, 0.5, 0, np.nan])
    np.testing.assert_allclose(table["b"], [1, np.nan, 0.2, 0.8])


def test_positions_with_fewer_reads_are_missing_and_counted(files, tmp_path):
    table, counts = table_of(files, 6, tmp_path)
    assert counts == (3, 3)
    np.testing.assert_allclose(table["a"], [np.nan, 0, np.nan])
    with pytest.raises(
        HeteroAgeError, match=r"no position of 2: .* has 50 reads. Lower least_coverage, or check the gen"
    ):
        table_of(files, 50, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chr1\t10469\t10469\t75\n", "is not a Bismark coverage file"),
        ("chr1,10469,10469,75,3,1\n", "is not a Bismark coverage file"),
        ("chr1\t10469\t10469\t75\t3\tx\n", "is not a Bismark coverage file"),
        ("chr1\t10469\t10469\t75\t3\t-1\n", "has counts below 0"),
        ("chr1\t10469\t10469\t75\t9\t1\nchr1\t10469\t10469\t75\t9\t1\n", "has positions more than once (1; first"),
    ],
)
def test_what_is_no_coverage_file(tmp_path, text, message):
    (tmp_path / "a.cov").write_text(text)
    with pytest.raises(HeteroAgeError, match=re.escape(message)):
        write_coverage(coverage_files(str(tmp_path / "*.cov")), 5, tmp_path / "table.parquet")
    assert not (tmp_path / "table.parquet").exists()


@pytest.mark.parametrize(
    "above", ["track type=bedGraph\n", "#chr\tstart\tend\t%\tm\tu\n", "chr\tstart\tend\tp\tm\tu\n\n"]
)
@pytest.mark.parametrize(("name", "gzipped"), [("a.cov", True), ("a.cov.gz", False), ("a.cov", False)])
def test_lines_above_the_calls_and_names_that_hide_gzip(tmp_path, above, name, gzipped):
    text = (above + "chr1\t10469\t10469\t75\t9\t3\n").encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if gzipped else text)
    table, _ = table_of(coverage_files(str(tmp_path / name)), 5, tmp_path)
    assert table["a"].to_dict() == {"chr1_10469": 0.75}


def test_a_pattern_names_samples(files, tmp_path):
    assert list(files) == ["a", "b"]
    assert list(coverage_files(str(tmp_path / "a.bismark.cov.gz"))) == ["a"]
    with pytest.raises(HeteroAgeError, match="no file matches"):
        coverage_files(str(tmp_path / "*.cov"))


@pytest.fixture
def clock():
    features = ["chr1_10469_beta", "chr2_5000_beta", "chrX_2000_beta"]
    ones = np.ones(len(features))
    anchor = LinearModel(0.0, features, 0.1 * ones, 0.5 * ones, 0.5 * ones, 0.1 * ones)
    meta = {"feature_order": [ANCHOR], "categories": {"Tissue": ["Blood"], "Sex": ["F", "M"]}}
    return Clock({ANCHOR: anchor}, None, meta, conventions=Conventions.of(least_coverage=5))


def ages_of(clock, paths):
    table = open_tables(paths, clock.wanted, clock.conventions)
    return {
        one: age
        for rows, _ in clock.stream("predict_stage1", table, allow_missing=True)
        for one, age in zip(rows["sample_id"], rows["Stage1_Pred_Age"], strict=True)
    }


def test_coverage_files_are_predicted_as_a_table_of_the_same_values(files, clock, tmp_path):
    write_coverage(files, 5, tmp_path / "table.parquet")
    expected = ages_of(clock, [tmp_path / "table.parquet"])
    assert len(set(expected.values())) == 2
    assert ages_of(clock, [tmp_path / "*.bismark.cov.gz"]) == expected
    assert ages_of(clock, [*files.values()]) == expected
    for one, path in files.items():  # whatever samples stand beside it
        assert ages_of(clock, [path]) == {one: expected[one]}


def test_coverage_files_are_beta_values_for_a_clock_of_several_modalities(files, clock, tmp_path):
    features = [*clock.wanted.features, "chr1_10469_chalm"]
    anchor = LinearModel(0.0, features, *(np.full(len(features), value) for value in (0.1, 0.5, 0.5, 0.1)))
    clock = replace(clock, models={ANCHOR: anchor})
    write_coverage(files, 5, tmp_path / "table.parquet")
    table = pd.read_parquet(tmp_path / "table.parquet")
    table.assign(cpg=table["cpg"] + "_beta").to_parquet(tmp_path / "table.parquet", index=False)
    expected = ages_of(clock, [tmp_path / "table.parquet"])
    assert len(set(expected.values())) == 2
    assert ages_of(clock, [*files.values()]) == expected


def test_a_coverage_file_without_a_position_of_the_clock_is_refused(clock, tmp_path):
    (tmp_path / "a.cov").write_text("chr1\t3\t3\t75\t9\t3\n")
    with pytest.raises(HeteroAgeError, match=r"no position that the clock reads, of 1: .*a\.cov has 5 reads"):
        ages_of(clock, [tmp_path / "a.cov"])


def test_two_coverage_files_of_a_sample_are_refused(files, clock, tmp_path):
    (tmp_path / "a.cov").write_text("chr1\t10469\t10469\t75\t9\t3\n")
    with pytest.raises(HeteroAgeError, match=r"two files are of sample a \(.*\)\. Keep one of them"):
        ages_of(clock, [files["a"], tmp_path / "a.cov"])
