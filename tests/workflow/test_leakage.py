"""What is held out of a nested run cannot reach anything that the run makes."""

import numpy as np
from mini_study import TABLES

RUN = "nested-0"
MANIFEST = f"results/{RUN}_artifacts/MANIFEST.json"


def change_everything_about(held_out, untrained, study):
    """New features for all samples that do not train, and new ages, tissues, sexes and health for the held-out ones.

    Ids, projects and donors stay.
    """

    def change(table):
        table = table.copy()
        rows = table["sample_id"].isin(held_out).to_numpy()
        # Draws go by sample, so that a sample's metadata are the same in each table.
        draws = {sample: np.random.default_rng([7, k]) for k, sample in enumerate(sorted(held_out))}
        metadata = {
            sample: {
                "Age": [1.5, 99.5, np.nan][rng.integers(3)],
                "Tissue": ["Brain", "Blood"][rng.integers(2)],
                "Sex": [None, "F"][rng.integers(2)],
                "Is_Healthy": bool(rng.integers(2)),
            }
            for sample, rng in draws.items()
        }
        for column in ("Age", "Tissue", "Sex", "Is_Healthy"):
            table.loc[rows, column] = [metadata[sample][column] for sample in table.loc[rows, "sample_id"]]
        cpgs = [column for column in table.columns if column.startswith("cg")]
        rows = table["sample_id"].isin(untrained).to_numpy()
        table.loc[rows, cpgs] = np.random.default_rng(8).uniform(0, 1, (rows.sum(), len(cpgs))).round(4)
        table.loc[rows, cpgs[:5]] = np.nan
        return table

    return study.edit_tables(change)


def test_changing_the_held_out_samples_changes_no_byte_of_a_nested_run(study_copy, inputs, tmp_path):
    # Computed PCs: with those of a file there would be one thing less to leak.
    study_copy.configure(inputs__context_pcs="compute").run(MANIFEST)
    samples = study_copy.table("results/store/samples.csv")
    held_out = set(samples.loc[samples["outer_fold"] == 0, "sample_id"])
    trained = set(study_copy.table(f"results/{RUN}/training/samples.csv")["sample_id"])
    untrained = set(samples["sample_id"]) - trained
    assert held_out < untrained  # others are not healthy
    assert trained
    assert not held_out & trained

    changed = inputs.inputs_alone(tmp_path / "changed").configure(inputs__context_pcs="compute")
    change_everything_about(held_out, untrained, changed).run(MANIFEST)
    for name in TABLES.values():  # the change is no small one
        before, after = (study.table(name).set_index("sample_id") for study in (study_copy, changed))
        rows = before.index.isin(list(untrained))
        assert not before[rows].equals(after[rows])
        assert before[~rows].equals(after[~rows])

    one, other = (s.digests(f"results/{RUN}/artifacts", f"results/{RUN}_artifacts") for s in (study_copy, changed))
    assert set(one) == set(other)
    assert [name for name in one if one[name] != other[name]] == []
