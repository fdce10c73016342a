"""Bad input ends a run with a clear message, before any training, with nothing half-written."""

import os

import numpy as np
import pytest
from mini_study import ABSENT, ARTIFACTS, ASSEMBLED, ORTHOGONAL, TABLES, TRAINING


def refused(study, *texts):
    """Run a study that has to be refused, and look for the texts in what it prints."""
    done = study.snakemake()
    assert done.returncode != 0, done.stdout
    for text in texts:
        assert text in done.stdout
    trained = study.path("results/full/artifacts")
    assert [path for path in trained.rglob("*") if path.is_file()] == []
    assert list(study.folder.rglob("*.part")) == []
    return done.stdout


def changed_in(column, change, rows=3):
    """A change of one column in a table's first rows."""

    def edit(table):
        table = table.copy()
        table[column] = table[column].astype(object)
        table.loc[table.index[:rows], column] = [change(value) for value in table[column].iloc[:rows]]
        return table

    return edit


def test_misspelt_keys_and_wrong_values_of_a_config_come_in_one_message(new_study):
    new_study.configure(
        stage1__alhpa={"steps": 3},
        stgae2={"l1_ratio": [0.5]},
        stage3__lightgbm__num_leafs=4,
        cross_validation__folds="five",
        stage1__l1_ratio=[0.5, 1.5],
        stage3__max_rounds=0,
    )
    refused(
        new_study,
        "stage1.alhpa: unknown key. Did you mean alpha?",
        "stgae2: unknown key. Did you mean stage2?",
        "stage3.lightgbm.num_leafs: unknown key. Did you mean num_leaves?",
        "cross_validation.folds: 'five' is not of type 'integer'",
        "stage1.l1_ratio.1: 1.5 is greater than the maximum of 1",
        "stage3.max_rounds: 0 is less than the minimum of 1",
    )
    assert not new_study.path("results").exists()


@pytest.mark.parametrize(
    ("changes", "texts"),
    [
        ({"stage1__alhpa": {"steps": 3}}, ["stage1.alhpa: unknown key. Did you mean alpha?"]),
        ({"stage2__alpha__lowest": 9.0}, ["stage2.alpha: 3 steps do not lead from 2.0 down to 9.0"]),
        ({"inputs__hallmarks": None}, ["inputs: 'hallmarks' is a required property"]),
        (
            {"inputs__beta": "data/bta.parquet", "predict__held_back": "nowhere.csv"},
            ["files that do not exist (2: inputs.beta: data/bta.parquet, predict.held_back: nowhere.csv)"],
        ),
        (
            {f"inputs__{modality}": None for modality in TABLES},
            ["inputs: no modality is given", "beta, chalm, camda"],
        ),
    ],
    ids=["misspelt", "grid", "required", "missing files", "no modality"],
)
def test_a_config_that_is_not_valid(new_study, changes, texts):
    refused(new_study.configure(**changes), *texts)
    assert not new_study.path("results").exists()


def test_a_table_without_sample_id(new_study):
    new_study.edit_table(TABLES["chalm"], lambda table: table.rename(columns={"sample_id": "sample"}))
    refused(new_study, f"the chalm table {TABLES['chalm']} has no column sample_id", "it has ", "sample, project_id")


def test_duplicate_sample_ids_are_listed(new_study):
    table = new_study.table(TABLES["beta"])
    twice = sorted(table["sample_id"].iloc[:7])
    new_study.edit_table(TABLES["beta"], lambda table: table.iloc[[*range(len(table)), *range(7)]])
    refused(new_study, f"the beta table {TABLES['beta']} has duplicate sample_ids (7: {', '.join(twice[:5])}, ...)")


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("Age", lambda age: age + 1),
        ("Sex", {"F": "M", "M": "F"}.get),
        ("Tissue", "other_{}".format),
        ("project_id", "other_{}".format),
    ],
)
def test_a_sample_with_different_metadata_in_two_tables(new_study, column, change):
    samples = sorted(
        set(new_study.table(TABLES["beta"])["sample_id"]) & set(new_study.table(TABLES["chalm"])["sample_id"])
    )
    before = new_study.table(TABLES["beta"]).set_index("sample_id").loc[samples[0], column]
    new_study.edit_table(TABLES["chalm"], lambda table: changed_in(column, change)(table.sort_values("sample_id")))
    refused(
        new_study,
        f"samples whose {column} in the chalm table {TABLES['chalm']} differs from that in the beta table "
        f"{TABLES['beta']}",
        f"(3: {samples[0]}: {before} and {change(before)}, {samples[1]}: ",
    )


def test_no_healthy_sample(new_study):
    new_study.edit_tables(lambda table: table.assign(Is_Healthy=False))
    refused(new_study, "no sample can train: of 200, 0 are Is_Healthy and 200 have an Age")


def test_fewer_groups_than_folds(new_study):
    refused(
        new_study.configure(cross_validation__folds=12),
        "fewer groups than folds: 12 folds, groups ",
        "allow_leave_one_group_out: true",
    )


def test_fewer_groups_than_folds_leave_one_group_out_where_allowed(study_copy):
    study_copy.configure(cross_validation__folds=12, cross_validation__allow_leave_one_group_out=True)
    study_copy.run(f"{TRAINING}/samples.csv")
    samples = study_copy.table(f"{TRAINING}/samples.csv")
    assert (samples.groupby("fold")["group"].nunique() == 1).all()
    assert samples["fold"].nunique() == samples["group"].nunique() < 12


def test_a_file_of_pcs_without_pcs(new_study):
    new_study.edit_table("data/context_pcs.csv", lambda table: table.rename(columns=lambda c: c.replace("RF_PC", "PC")))
    refused(new_study, "data/context_pcs.csv has no RF_PC column (it has 4: sample_id, PC1, PC2, PC3)", "compute")


def test_a_file_of_pcs_without_some_training_samples(new_study):
    new_study.edit_table("data/context_pcs.csv", lambda table: table.iloc[:-30])
    refused(new_study, "data/context_pcs.csv has no RF_PCs of training samples (")


def test_no_hallmark_is_in_the_data(new_study):
    new_study.write_hallmarks({"One": ["cg99999998"], "Two": ["cg99999999"]})
    refused(new_study, "no hallmark has a CpG in the data (hallmarks 2: One, Two)")


def test_text_in_a_cpg_column(new_study):
    cpg = next(column for column in new_study.table(TABLES["camda"]).columns if column.startswith("cg"))
    new_study.edit_table(TABLES["camda"], changed_in(cpg, lambda value: "n/d", rows=2))
    refused(
        new_study,
        f"table {TABLES['camda']} has text in place of numbers (2: 'n/d' at sample ",
        f", {cpg}, 'n/d' at ",
    )


def test_cpgs_in_rows_with_a_sample_sheet_give_the_same_store(new_study, study):
    """As a lab has them: a gzipped table from minfi, the metadata beside it, sexes as codes."""
    table = new_study.table(TABLES["chalm"]).set_index("sample_id")
    cpgs = [column for column in table.columns if column.startswith("cg")]
    table[cpgs].T.rename_axis("ID_REF").to_csv(new_study.path("data/chalm.tsv.gz"), sep="\t")
    sheet = table.drop(columns=cpgs).rename(columns={"Sex": "gender"})
    sheet = sheet.assign(gender=sheet["gender"].map({"F": 2, "M": 1}))
    sheet.to_csv(new_study.path("data/sheet.csv"))
    new_study.configure(
        inputs__chalm={"file": "data/chalm.tsv.gz", "orientation": "cpgs_in_rows"},
        inputs__sample_sheet="data/sheet.csv",
        inputs__columns={"Sex": ["gender"]},
        inputs__sex_codes={1: "M", 2: "F"},
    )
    new_study.run("results/store/features.npy")
    made, before = new_study.digests("results/store"), study.digests("results/store")
    for name in ("features.npy", "feature_names.txt", "metadata.csv"):
        assert made[f"results/store/{name}"] == before[f"results/store/{name}"], name


def test_a_table_to_predict_that_shares_no_cpg_with_the_clock(study_copy):
    study_copy.edit_table("data/held_back.parquet", lambda table: table.rename(columns=lambda c: c.replace("cg", "x")))
    done = study_copy.snakemake("results/predictions/held_back.csv")  # a whole run stops at its audit
    assert done.returncode != 0
    assert "data/held_back.parquet shares 0 of the clock's" in done.stdout
    assert not study_copy.path("results/predictions/held_back.csv").exists()


def test_an_artifact_that_was_changed_is_named_and_nothing_is_predicted(study_copy):
    weights = study_copy.path(f"{ASSEMBLED}/stage1/Stage1_Global_Model_Weights.csv")
    times = weights.stat()
    weights.write_text(weights.read_text(encoding="utf-8").replace("0.", "1.", 1), encoding="utf-8")
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))  # so that Snakemake sees nothing
    study_copy.path("results/predictions/held_back.csv").unlink()
    done = study_copy.snakemake("results/predictions/held_back.csv")
    assert done.returncode != 0
    assert "files changed (1: stage1/Stage1_Global_Model_Weights.csv)" in done.stdout
    assert not study_copy.path("results/predictions/held_back.csv").exists()


def test_a_hallmark_without_a_cpg_in_the_data_is_skipped_aloud_and_the_run_succeeds(study_rerun):
    log = study_rerun.path("logs/full/orthogonalise_hallmarks.log").read_text(encoding="utf-8")
    assert f"{ABSENT} is skipped: none of its CpGs is in the data" in log
    for folder in (ARTIFACTS, ASSEMBLED):
        manifest = study_rerun.json(f"{folder}/stage2/manifest.json")
        assert manifest["skipped"] == {ABSENT: "none of its CpGs is in the data"}
        assert ABSENT not in manifest["hallmarks"]
    assert np.isfinite(study_rerun.table("results/predictions/held_back.csv")["HeteroAge"]).all()


def test_a_skipped_hallmark_leaves_no_correction_and_no_model(study_rerun):
    assert ABSENT not in study_rerun.json(ORTHOGONAL)
    assert list(study_rerun.path(ASSEMBLED).rglob(f"*{ABSENT}*")) == []
    tables = [f"{ASSEMBLED}/stage2/Stage2_Expert_OOF_Corrections.csv", "results/predictions/held_back.csv"]
    for name in tables:
        assert f"{ABSENT}_Correction" not in study_rerun.table(name).columns
    for name in ("Stage2_Expert_Weights.csv", "Stage2_Performance_Summary.csv"):
        assert ABSENT not in set(study_rerun.table(f"{ASSEMBLED}/stage2/{name}")["hallmark"])
    assert f"{ABSENT}_Correction" not in study_rerun.json(f"{ASSEMBLED}/stage3/Stage3_Artifacts.json")["feature_order"]


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("name,coefficient\nage,1\nsex,2\n", "has no column of probe names such as cg00075967"),
        ("cpg,coefficient\ncg00000001,high\ncg00000002,1\n", "has coefficients that are not finite numbers"),
        ("cpg,coefficient\ncg99999998,1\ncg99999998,2\n", "has repeated CpGs"),
        ("cpg,coefficient\ncg99999998,1\ncg99999999,2\n", "shares no CpG with the data"),
    ],
    ids=["no probes", "text", "twice", "nothing in common"],
)
def test_coefficients_of_a_published_clock_are_read_before_training(new_study, table, text):
    new_study.path("data/published.csv").write_text(table, encoding="utf-8")
    new_study.configure(compare={"Mine": {"coefficients": "data/published.csv"}})
    done = new_study.snakemake()
    assert done.returncode != 0
    assert "compare.Mine, data/published.csv," in done.stdout
    assert text in done.stdout
    assert list(new_study.path("results").rglob("*.joblib")) == []


def test_a_rejected_table_to_predict_stops_the_training_until_it_is_removed(new_study):
    new_study.edit_table("data/held_back.parquet", lambda table: table.assign(Sex="7"))
    done = new_study.snakemake()
    assert done.returncode != 0
    assert "1 of 1 tables under predict:" in done.stdout
    assert "column Sex of predict.held_back" in new_study.path("results/audit/rejected.txt").read_text(encoding="utf-8")
    assert not new_study.path(f"{ARTIFACTS}/stage1/model.joblib").exists()
    new_study.configure(predict={}).run(f"{ARTIFACTS}/stage1/model.joblib")
    assert not new_study.path("results/audit/rejected.txt").exists()
