"""The same input and the same config give the same bytes, however a run came about."""

from mini_study import ASSEMBLED, SETTINGS, edit_dictionary, permute


def test_rerun_or_from_scratch_on_two_cores_or_one_in_any_order_the_bytes_are_the_same(study_rerun, inputs, tmp_path):
    """One comparison for four promises, since each run takes long. If it fails, undo one difference at a time:

    study_rerun                  this run
    ---------------------------  ----------------------------------
    dictionary edited, rerun     edited dictionary from the start
    two cores                    one core
    tables as they were made     rows, columns and keys permuted
    """
    from_scratch = permute(edit_dictionary(inputs.inputs_alone(tmp_path / "from_scratch")))
    from_scratch.run(cores=1)
    one, other = (study.digests(ASSEMBLED, "results/predictions") for study in (study_rerun, from_scratch))
    assert set(one) == set(other)
    assert [name for name in one if one[name] != other[name]] == []
    assert sum(name.endswith(".joblib") for name in one) == 2 + len(
        SETTINGS["hallmarks"]
    )  # the anchor, the fusion, the experts


def test_a_nested_run_has_the_same_bytes_on_two_cores_and_one(study, tmp_path):
    """Its experts are trained in as many processes."""
    folder, made = "results/nested-0_artifacts", []
    for cores in (2, 1):
        copy = study.copy(tmp_path / str(cores))
        copy.run(f"{folder}/MANIFEST.json", cores=cores)
        made.append(copy.digests(folder))
    assert made[0] == made[1]
    assert any("Hallmark_" in name for name in made[0])
