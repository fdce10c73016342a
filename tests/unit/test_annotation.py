"""An annotation says the same of its probes whatever its layout, its columns' names and its packing."""

import gzip

import pandas as pd
import pytest
from illumina import MANIFEST

from heteroage.errors import HeteroAgeError
from heteroage.probes import annotates, read_annotation


def pairs(table):
    return sorted(map(tuple, table.to_numpy().tolist()))


@pytest.mark.parametrize("how", [str, lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text])
def test_illuminas_manifest(tmp_path, how):
    (tmp_path / "manifest.csv").write_bytes(how(MANIFEST).encode())
    genes = read_annotation(tmp_path / "manifest.csv", "gene")
    assert pairs(genes) == [
        ("cg00000029", "RBL2"),
        ("cg00000108", "C3orf35"),
        ("cg00000108", "MYD88"),
        ("cg00000165", "tp53"),
    ]
    chromosomes = read_annotation(tmp_path / "manifest.csv", "chromosome")
    assert dict(pairs(chromosomes)) == {"cg00000029": "16", "cg00000108": "3", "cg00000109": "3", "cg00000165": "X"}


def test_other_tables(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"probe,symbol\ncg1_TC11,A\ncg1_TC12,A\ncg2,B\n"))
    assert pairs(read_annotation(tmp_path / "a.csv.gz", "gene")) == [("cg1", "A"), ("cg2", "B")]
    (tmp_path / "b.tsv").write_text("seqnames\tprobe_ID\tgene\nchrX\tcg1\tA;B\nchr2\tcg2\t\n")
    assert dict(pairs(read_annotation(tmp_path / "b.tsv", "chromosome"))) == {"cg1": "X", "cg2": "2"}
    pd.DataFrame({"cpg": ["cg1", "cg2"], "Gene": ["A", None]}).to_parquet(tmp_path / "c.parquet")
    assert pairs(read_annotation(tmp_path / "c.parquet", "gene")) == [("cg1", "A")]


def test_what_an_annotation_has(manifest, tmp_path):
    (tmp_path / "genes.csv").write_text("cpg,gene\ncg1,A\n")
    assert (annotates(manifest, "gene"), annotates(manifest, "chromosome")) == (True, True)
    assert (annotates(tmp_path / "genes.csv", "gene"), annotates(tmp_path / "genes.csv", "chromosome")) == (True, False)
    with pytest.raises(HeteroAgeError, match=r"no column of chromosomes \(it has 2: cpg, gene\)"):
        read_annotation(tmp_path / "genes.csv", "chromosome")


def test_an_annotation_that_cannot_be_read(tmp_path):
    with pytest.raises(HeteroAgeError, match=r"no file .*inputs\.annotation"):
        read_annotation(tmp_path / "none.csv", "gene")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(MANIFEST.encode())[:-20])
    with pytest.raises(HeteroAgeError, match="cannot read the annotation"):
        read_annotation(tmp_path / "cut.csv.gz", "gene")
