"""The audit of a run, near-identical arrays in its folds, a dictionary made of gene sets, and GEO."""

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from mini_study import SETTINGS, TABLES
from series_matrix import series_matrix, serving

from heteroage.probes import MODALITIES

AUDIT = {"audit_inputs", "plot_audit", "check_predicted_tables"}
STORE = {"build_feature_store", "assign_groups"}
SAMPLES = "results/store/samples.csv"


def jobs(study, *targets):
    return {rule: n for rule, n in study.plan(*targets).jobs.items() if rule != "audit"}


def test_the_audit_trains_nothing(new_study):
    assert jobs(new_study, "audit") == dict.fromkeys(AUDIT | STORE, 1)


def test_a_run_makes_the_audit(study):
    assert jobs(study, "audit") == {}
    data = {m: study.table(TABLES[m]) for m in MODALITIES}
    samples = study.table(SAMPLES)
    overlap = study.table("results/audit/overlap.csv").set_index("modalities")
    assert overlap["n_samples"].sum() == len(samples)
    assert overlap.loc["beta+chalm+camda", "n_samples"] == len(
        set.intersection(*(set(t.sample_id) for t in data.values()))
    )
    missing = study.table("results/audit/missing_by_sample.csv").set_index(["modality", "sample_id"])
    beta = data["beta"].set_index("sample_id").filter(regex="^cg").isna().mean(axis=1)
    np.testing.assert_allclose(missing.loc["beta", "missing_fraction"].loc[beta.index], beta, atol=1e-6)
    assert study.table("results/audit/ages.csv")["n"].sum() == len(samples)
    assert study.table("results/audit/confounding.csv")["n"].sum() == len(samples)
    assert list(study.table("results/audit/hallmarks.csv")["hallmark"]) == SETTINGS["hallmarks"]
    assert study.table("results/audit/duplicated_arrays.csv").empty
    assert set(study.table("results/audit/tables.csv")["modality"]) == set(MODALITIES)
    assert study.path("results/audit/findings.txt").read_text().startswith("The audit found ")


@pytest.mark.parametrize("name", ["overlap", "missingness", "confounding", "ages", "pc_space", "hallmarks"])
def test_pictures_show_something(study, name):
    picture = matplotlib.image.imread(study.path(f"results/audit/{name}.png"))
    assert min(picture.shape[:2]) > 150
    assert (picture[..., :3].min(axis=2) < 0.9).mean() > 0.01


def test_near_identical_arrays_are_never_parted(new_study):
    table = new_study.table(TABLES["beta"])
    first, second = table.drop_duplicates("project_id").iloc[:2].index
    cpgs = [column for column in table if column.startswith("cg")]

    def copy(table):
        table = table.copy()
        table.loc[second, cpgs] = table.loc[first, cpgs]
        return table

    new_study.edit_table(TABLES["beta"], copy)
    ids, projects = table.loc[[first, second], "sample_id"], table.loc[[first, second], "project_id"]
    printed = new_study.run("audit")
    assert "projects are one group: " in printed  # the audit ends with words
    assert "results/audit/duplicated_arrays.csv" in printed
    pairs = new_study.table("results/audit/duplicated_arrays.csv")
    assert {frozenset(pair) for pair in pairs[["sample_1", "sample_2"]].to_numpy()} == {frozenset(ids)}
    samples = new_study.table(SAMPLES)
    tied = samples[samples["project_id"].isin(projects)]
    assert tied["group"].nunique() == tied["outer_fold"].nunique() == 1

    new_study.configure(audit__duplicates="error")
    done = new_study.snakemake(SAMPLES)
    assert done.returncode != 0
    assert "near-identical arrays (1: " in done.stdout
    assert "audit.duplicates: group" in done.stdout


def test_a_table_to_predict_in_percent_ends_the_run_before_training(new_study):
    def percent(table):
        cpgs = [column for column in table if column.startswith("cg")]
        return table.assign(**{cpg: table[cpg] * 100 for cpg in cpgs})

    new_study.edit_table("data/held_back.parquet", percent)
    done = new_study.snakemake("audit")
    assert done.returncode != 0
    assert "predict.held_back (data/held_back.parquet) looks like percent, from 0 to 100" in done.stdout
    assert not new_study.path("results/full").exists()


def take_gene_sets(study):
    """Put gene sets in place of a study's dictionary: a gene for each CpG, and an annotation."""
    cpgs = sorted({cpg for own in study.hallmarks.values() for cpg in own})
    gene = {cpg: f"GENE{k}" for k, cpg in enumerate(cpgs)}
    annotation = pd.DataFrame({"Name": cpgs, "UCSC_RefGene_Name": [f"{gene[cpg]};{gene[cpg]}" for cpg in cpgs]})
    annotation["CHR"] = ["X" if k < 60 else "Y" if k < 80 else "1" for k in range(len(cpgs))]
    annotation.to_csv(study.path("data/annotation.csv"), index=False)
    lines = ["\t".join([name, "na", *(gene[cpg] for cpg in own)]) for name, own in study.hallmarks.items()]
    study.path("data/genes.gmt").write_text("\n".join([*lines, ""]))
    return study.configure(inputs__hallmarks="data/genes.gmt", inputs__annotation="data/annotation.csv"), gene


@pytest.fixture(scope="module")
def of_genes(inputs, tmp_path_factory):
    """The study with gene sets, one of them of a gene that no CpG is on."""
    study, _ = take_gene_sets(inputs.inputs_alone(tmp_path_factory.mktemp("genes") / "study"))
    with study.path("data/genes.gmt").open("a") as stream:
        stream.write("Not_On_The_Array\tna\tNOGENE\n")
    return study


def test_a_dictionary_of_gene_sets_hides_no_job(of_genes):
    plan = of_genes.plan()
    assert plan.jobs["orthogonalise_hallmarks"] == 1  # then it is known which hallmarks have an expert
    assert plan.jobs["build_hallmark_dictionary"] == 1


def test_a_dictionary_of_gene_sets_and_the_sex_check(of_genes):
    of_genes.run("results/audit/hallmarks.csv", "results/audit/sex.png")
    built = of_genes.json("results/hallmarks/dictionary.json")
    assert built == {hallmark: sorted(own) for hallmark, own in of_genes.hallmarks.items()} | {"Not_On_The_Array": []}
    sizes = of_genes.table("results/audit/hallmarks.csv").set_index("hallmark")
    assert sizes.loc["Not_On_The_Array"].to_list() == [1, 0, 0, 0, 0]
    assert (sizes["genes"] - sizes["genes_matched"]).sum() == 1
    # The simulated CpGs know nothing of sex.
    assert not of_genes.table("results/audit/sex.csv")["Mismatch"].any()


def test_an_edited_gene_set_reruns_no_anchor(study_copy):
    study, _ = take_gene_sets(study_copy)
    plan = study.plan("--rerun-triggers", "mtime", "params")  # another input is no reason of interest here
    assert plan.jobs["build_hallmark_dictionary"] == plan.jobs["orthogonalise_hallmarks"] == 1
    assert not {"build_feature_store", "train_stage1"} & set(plan.jobs)


def test_gene_sets_need_an_annotation(new_study):
    new_study.path("data/genes.gmt").write_text("One\tna\tA\n")
    done = new_study.configure(inputs__hallmarks="data/genes.gmt").snakemake("-n")
    assert "inputs.annotation: not given" in done.stdout


def test_a_series_of_geo_joins_the_cohorts(new_study):
    table = new_study.table(TABLES["beta"])
    cpgs = [column for column in table if column.startswith("cg")][:100]
    values = table[cpgs].iloc[:6].T.set_axis([f"GSM{k}" for k in range(6)], axis=1)
    new_study.configure(inputs__chalm=None, inputs__camda=None, inputs__geo=["GSE123456"])
    path = "/GSE123nnn/GSE123456/matrix/GSE123456_series_matrix.txt.gz"
    told = [[f"age: {20 + k}" for k in range(6)], ["gender: female"] * 6]
    with serving() as server:
        server.files[path] = series_matrix(1 - values, told)
        server.cuts = [500]
        new_study.configure(geo={"base_url": server.url})
        done = new_study.snakemake(SAMPLES)
        assert "GSE123456 has no characteristic for Is_Healthy (it has 2: age, gender;" in done.stdout
        new_study.configure(geo__series={"GSE123456": {"Is_Healthy": True}})
        new_study.run(SAMPLES)
        assert server.requests == [(path, None), (path, "bytes=500-")]
    samples = new_study.table(SAMPLES).set_index("sample_id")
    assert len(samples) == len(table) + 6
    assert samples.loc["GSM3", ["project_id", "Tissue", "Sex", "Age", "Is_Healthy"]].to_list() == [
        "GSE123456", "whole blood", "F", 23, True,
    ]  # fmt: skip
    names = new_study.path("results/store/feature_names.txt").read_text().splitlines()
    assert names == sorted(f"{cpg}_beta" for cpg in cpgs)
    store = np.load(new_study.path("results/store/features.npy"))
    column = samples.index.get_loc("GSM3")
    np.testing.assert_allclose(store[:, column], 1 - values.loc[sorted(cpgs), "GSM3"], atol=1e-6)
