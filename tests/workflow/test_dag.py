"""What a change reruns: what it touches and what follows, and nothing else. Mostly dry runs."""

import os
import sys
from collections import Counter
from contextlib import contextmanager

import joblib
import numpy as np
import pytest
from mini_study import ARTIFACTS, ASSEMBLED, SETTINGS, TRAINING, call, experts_trained

PREDICT = {"assemble_artifacts", "predict_samples", "summarise_run"}
STAGE3 = {"train_stage3", *PREDICT}
STAGE2 = {"train_expert", "collect_experts", *STAGE3}
STAGE1 = {"train_stage1", *STAGE2}
EXPERTS = len(SETTINGS["hallmarks"])


@contextmanager
def edited(path, change=lambda content: content + b"\n_EDITED = 1\n"):
    """Change a module; then put back the file's content and its time."""
    content, times = path.read_bytes(), path.stat()
    path.write_bytes(change(content))
    try:
        yield
    finally:
        path.write_bytes(content)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def once(rules, **counts):
    """Each rule once, and train_expert for every hallmark, unless said otherwise."""
    return {rule: counts.get(rule, EXPERTS if rule == "train_expert" else 1) for rule in rules}


def without(dictionary, cpg):
    return {hallmark: [c for c in cpgs if c != cpg] for hallmark, cpgs in dictionary.items()}


def removal(study, times_shared, experts):
    """A dictionary without a CpG that `times_shared` hallmarks have, such that the features of `experts` change."""
    dictionary = study.hallmarks
    before = study.orthogonalised(dictionary)
    for cpg, shared in Counter(cpg for cpgs in dictionary.values() for cpg in cpgs).items():
        if shared != times_shared:
            continue
        owners = [h for h in dictionary if any(f.rpartition("_")[0] == cpg for f in before[h])]
        candidate = without(dictionary, cpg)
        if shared > 1:  # it stays in the other hallmark
            candidate = {h: cpgs if h not in owners[:1] else candidate[h] for h, cpgs in dictionary.items()}
        after = study.orthogonalised(candidate)
        changed = {h for h in dictionary if before[h] != after[h]}
        if len(changed) == experts:
            return candidate, changed
    raise AssertionError("the mini study has no such CpG")


def test_a_second_run_has_nothing_to_do(study):
    assert "Nothing to be done" in study.run("-n")


def test_a_changed_alpha_grid_reruns_stage1_and_what_follows(study_copy):
    assert study_copy.configure(stage1__alpha__steps=4).plan().jobs == once(STAGE1)


def test_a_changed_grid_of_the_experts_reruns_stage2_and_what_follows(study_copy):
    assert study_copy.configure(stage2__alpha__steps=4).plan().jobs == once(STAGE2)


def test_a_changed_lightgbm_setting_reruns_stage3_and_what_follows(study_copy):
    assert study_copy.configure(stage3__lightgbm__learning_rate=0.07).plan().jobs == once(STAGE3)


def test_another_table_to_predict_or_to_compare_with_retrains_nothing(study_copy):
    study_copy.path("data/published.csv").write_text("cpg,coefficient\ncg00000001,1\n", encoding="utf-8")
    study_copy.configure(compare={"Mine": {"coefficients": "data/published.csv"}})
    assert study_copy.plan().jobs == once({"predict_published"})


COLLECTED = f"{ARTIFACTS}/stage2/Stage2_Expert_Weights.csv"


@pytest.mark.parametrize(("times_shared", "experts"), [(1, 1), (2, 2)])
def test_an_edited_dictionary_reruns_the_experts_concerned(study_copy, times_shared, experts):
    """One that loses a CpG; or the two between which a CpG moves. The anchor stays."""
    dictionary, changed = removal(study_copy, times_shared, experts)
    study_copy.write_hallmarks(dictionary)
    plan = study_copy.plan()
    assert plan.jobs == once({"audit_inputs", "plot_audit", "orthogonalise_hallmarks", *STAGE2} - {"train_expert"})
    assert experts_trained(study_copy.run(COLLECTED)) == changed


def test_a_reordered_dictionary_reruns_no_expert(study_copy):
    dictionary = {h: cpgs[::-1] for h, cpgs in reversed(study_copy.hallmarks.items())}
    assert experts_trained(study_copy.write_hallmarks(dictionary).run(COLLECTED)) == set()


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("stage1/Stage1_Global_Model_Weights.csv", "train_stage1"),
        ("stage2/hallmarks/Hallmark_Genomic_Instability.joblib", "train_expert"),
        ("stage3/Stage3_Final_Predictions_OOF.csv", "train_stage3"),
    ],
)
def test_a_deleted_artifact_asked_for_by_name_is_one_job(study_copy, name, rule):
    study_copy.path(f"{ARTIFACTS}/{name}").unlink()
    assert study_copy.plan(f"{ARTIFACTS}/{name}").jobs == {rule: 1}


def test_a_deleted_artifact_comes_back_with_the_same_bytes(study, study_copy):
    name = f"{ARTIFACTS}/stage3/Stage3_Attention_Importance.csv"
    study_copy.path(name).unlink()
    study_copy.run(name)
    assert study_copy.path(name).read_bytes() == study.path(name).read_bytes()


def test_a_given_sweep_report_skips_the_sweep_and_is_followed(study_copy):
    report = study_copy.table(f"{ARTIFACTS}/stage1/Stage1_Sweep_Report.csv")
    other = int(np.flatnonzero(~report["selected"] & (report["n_features"] > 0))[-1])
    report["selected"] = np.arange(len(report)) == other
    report.to_csv(study_copy.path("data/earlier.csv"), index=False)
    study_copy.configure(stage1__sweep_report="data/earlier.csv")
    assert study_copy.plan().jobs == once(STAGE1)
    study_copy.run(f"{ARTIFACTS}/stage1/model.joblib")
    net = joblib.load(study_copy.path(f"{ARTIFACTS}/stage1/model.joblib"))[-1].regressor_
    assert (net.alpha, net.l1_ratio) == tuple(report.loc[other, ["alpha", "l1_ratio"]])


@pytest.mark.parametrize(
    ("module", "rules"),
    [
        ("engine/elastic_net", STAGE1),
        ("stages/stage2", STAGE2),
        ("report/model_card", PREDICT),
        ("figures/held_out", {"summarise_run"}),
        ("demo", set()),  # this study is not simulated by the workflow
    ],
)
def test_an_edited_module_reruns_the_rules_that_use_it(study_copy, module, rules):
    with edited(study_copy.repository / f"scripts/heteroage/{module}.py"):
        assert study_copy.plan().jobs == once(rules)


def test_an_edited_script_reruns_its_rule(study_copy):
    with edited(study_copy.repository / "scripts/predict_samples.py"):
        assert study_copy.plan().jobs == once({"predict_samples", "summarise_run"})


def test_a_reworded_module_or_script_reruns_nothing(study):
    def reworded(content):
        return b"# A comment.\n" + content.replace(b'"""', b'"""Reworded: ', 1)

    scripts = study.repository / "scripts"
    with edited(scripts / "heteroage/engine/elastic_net.py", reworded), edited(scripts / "train_stage1.py", reworded):
        assert study.plan().jobs == {}


def test_a_table_of_the_study_that_changes_reruns_everything(study_copy):
    study_copy.edit_table("data/beta.parquet", lambda table: table.iloc[:-1])
    inputs = {"build_feature_store", "assign_groups", "audit_inputs", "plot_audit", "select_training_samples"}
    inputs.add("check_predicted_tables")
    # Which hallmarks have an expert is known when they are matched to the data.
    assert study_copy.plan().jobs == once({*inputs, "orthogonalise_hallmarks", *STAGE1} - {"train_expert"})


def test_an_older_file_in_place_of_an_input_reruns_the_rules_that_read_it(new_study):
    """Time stamps do not show it."""
    probes, held_back = new_study.path("data/probes.txt"), new_study.path("data/held_back.parquet")
    names = [name for name in new_study.table("data/beta.parquet") if name.startswith("cg")]
    probes.write_text("\n".join(names), encoding="utf-8")
    target = "results/audit/predicted_tables.csv"
    new_study.configure(inputs__restrict_to=["data/probes.txt"]).run(target)
    assert new_study.plan(target).jobs == {}
    new_study.edit_table("data/held_back.parquet", lambda table: table.iloc[:-1])
    os.utime(held_back, (0, 0))
    assert new_study.plan(target).jobs == {"check_predicted_tables": 1}
    probes.write_text("\n".join(names[1:]), encoding="utf-8")
    os.utime(probes, (0, 0))
    assert new_study.plan(target).jobs == once({"build_feature_store", "assign_groups", "check_predicted_tables"})


@pytest.fixture(scope="module")
def beta_alone(inputs, tmp_path_factory):
    """The study with beta values alone and its RF_PCs computed, run through to the predictions."""
    study = inputs.inputs_alone(tmp_path_factory.mktemp("beta_alone") / "study")
    study.configure(inputs__chalm=None, inputs__camda=None, inputs__context_pcs="compute")
    # The loadings are a stage's artifact: prediction has to compute what this table lacks.
    study.edit_table("data/held_back.parquet", lambda table: table.drop(columns=table.filter(regex="^RF_PC").columns))
    study.run()
    return study


def test_one_modality_is_enough(beta_alone):
    names = beta_alone.training_frame().columns
    assert {name.rpartition("_")[2] for name in names if name.startswith("cg")} == {"beta"}
    assert beta_alone.table("results/predictions/held_back.csv")["HeteroAge"].notna().all()


def test_computed_pcs_come_with_their_loadings(beta_alone, inputs):
    loadings = f"{ASSEMBLED}/stage1/RF_PC_Loadings.csv"
    assert "stage1/RF_PC_Loadings.csv" in beta_alone.json(f"{ASSEMBLED}/MANIFEST.json")["files"]
    assert list(beta_alone.table(loadings).filter(regex="^RF_PC")) == ["RF_PC1", "RF_PC2", "RF_PC3"]
    frame = beta_alone.training_frame()
    assert list(frame.columns[-3:]) == ["RF_PC1", "RF_PC2", "RF_PC3"]
    # Not the components of the file that the config no longer names.
    samples = beta_alone.table(f"{TRAINING}/samples.csv")["sample_id"]
    given = inputs.table("data/context_pcs.csv").set_index("sample_id").loc[samples, "RF_PC1"]
    assert not np.allclose(frame["RF_PC1"], given)


def test_a_changed_table_trains_the_clock_again(study_copy):
    """The plan alone does not show it: jobs may be dropped when the DAG is built again after a checkpoint."""
    before = study_copy.digests(ARTIFACTS)
    cpg = next(name for name in study_copy.table("data/beta.parquet") if name.startswith("cg"))
    study_copy.edit_table("data/beta.parquet", lambda table: table.assign(**{cpg: 1 - table[cpg]})).run()
    assert study_copy.digests(ARTIFACTS) != before


@pytest.mark.parametrize("job", [["train_stage3", "run=full"], ["collect_experts"]])
def test_a_script_run_by_hand_makes_the_same_files(study_copy, job):
    """The first plans its memory from the sizes of its inputs, the second its inputs from a checkpoint."""
    made = [study_copy.path(f"{ARTIFACTS}/{name}") for name in ("stage2/manifest.json", "stage3/model.txt")]
    before = [path.read_bytes() for path in made]
    script = study_copy.repository / f"scripts/{job[0]}.py"
    done = call(
        [sys.executable, script, *job[1:], "--configfile", "config.yaml"], study_copy.folder, study_copy.repository
    )
    assert done.returncode == 0, done.stdout
    assert [path.read_bytes() for path in made] == before
