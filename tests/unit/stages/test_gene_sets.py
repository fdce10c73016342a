"""Gene sets and annotations into a hallmark dictionary."""

from pathlib import Path

import pandas as pd
import pytest

from heteroage.errors import HeteroAgeError
from heteroage.probes import read_annotation
from heteroage.stages.hallmarks import NAME, are_gene_sets, match_genes, read_gene_sets, read_hallmark_names

SHIPPED = Path(__file__).parents[3] / "resources/hallmark_genes.tsv"


def test_gmt_and_table_say_the_same(tmp_path):
    (tmp_path / "a.gmt").write_text("Two\thttp://x\tB\tC\t\nOne\tna\tA\tTP53\n")
    (tmp_path / "a.csv").write_text("# a comment\ngene,Hallmark\nC,Two\nA,One\nTP53,One\nB,Two\n")
    sets = read_gene_sets(tmp_path / "a.gmt")
    assert sets == read_gene_sets(tmp_path / "a.csv")
    assert {hallmark: list(genes) for hallmark, genes in sets.items()} == {"One": ["A", "TP53"], "Two": ["B", "C"]}
    assert read_hallmark_names(tmp_path / "a.gmt") == ["One", "Two"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.gmt", "One\tna\nTwo\tna\tA\n", r"lines without genes \(1: One\)"),
        (
            "a.tsv",
            "hallmark\tsymbol\nOne\tA\n",
            "needs the columns hallmark and gene; its first row has 2: hallmark, symbol",
        ),
        ("a.tsv", "One\tA\nTwo\tB\n", "needs the columns hallmark and gene"),
        ("a.csv", "hallmark,gene\n", "has no gene sets"),
        ("a.csv", "", "needs the columns hallmark and gene"),
        ("a.csv", "hallmark,gene\nStem cells,A\n", r"cannot be file names \(1: 'Stem cells'\)"),
    ],
)
def test_gene_sets_of_another_layout(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(HeteroAgeError, match=message):
        read_gene_sets(tmp_path / name)


def test_genes_become_cpgs(tmp_path, manifest):
    (tmp_path / "a.tsv").write_text(
        "hallmark\tgene\tearlier_symbol\nOne\tTp53\t\nOne\tNEW1\tOLD1;MYD88\nTwo\tRBL2\t\nTwo\tGONE\t\nNo\tX\t\n"
    )
    dictionary, sizes = match_genes(read_gene_sets(tmp_path / "a.tsv"), read_annotation(manifest, "gene"))
    assert dictionary == {"No": [], "One": ["cg00000108", "cg00000165"], "Two": ["cg00000029"]}
    assert sizes.to_numpy().tolist() == [["No", 1, 0, 0, "X"], ["One", 2, 2, 2, ""], ["Two", 2, 1, 1, "GONE"]]


def test_no_gene_in_the_annotation(tmp_path, manifest):
    (tmp_path / "a.csv").write_text("hallmark,gene\nOne,ENSG00000141510\n")
    with pytest.raises(HeteroAgeError, match=r"no gene .* in the annotation \(genes 1: ENSG00000141510; .*symbols"):
        match_genes(read_gene_sets(tmp_path / "a.csv"), read_annotation(manifest, "gene"))


def test_endings_tell_gene_sets_from_a_dictionary():
    assert [are_gene_sets(p) for p in ("a.gmt", "a.tsv", "a.csv.gz", "a.json")] == [True, True, True, False]


def test_the_shipped_genes():
    table = pd.read_csv(SHIPPED, sep="\t", comment="#", keep_default_na=False)
    assert table["hallmark"].nunique() == 12
    assert table.groupby("hallmark").size().between(10, 30).all()
    assert not table.duplicated(["hallmark", "gene"]).any()
    assert table["source"].str.fullmatch(r"GO:\d{7}|R-HSA-\d+|doi:10\.\d+/\S+").all()
    assert table.groupby("source")["source_name"].nunique().max() == 1
    assert table["hallmark"].map(NAME.fullmatch).all()
    assert list(read_gene_sets(SHIPPED)) == sorted(table["hallmark"].unique())
    assert "IL8" in read_gene_sets(SHIPPED)["Chronic_Inflammation"]["CXCL8"]
