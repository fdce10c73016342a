"""What jobs ask for, by what they read."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from heteroage.needs import LEAST_MINUTES, Need, grids, own_share, read_needs, request, values_read

SWEEP = Need(mb=300, bytes_per_value=4, bytes_per_path=0.1, seconds=5, ns_per_value=20, ns_per_solution=0.5)
CONFIG = {
    "cross_validation": {"folds": 5},
    "stage1": {"balancing": [{}, {}], "l1_ratio": [0.1, 0.5, 0.9], "alpha": {"steps": 11}},
    "stage2": {"l1_ratio": [0.02, 0.5], "alpha": {"steps": 10}},
    "falsification": {"random_sets": 19},
}


def test_larger_studies_more_paths_and_later_attempts_ask_for_more_memory():
    of_size = [request(SWEEP, values, (30, 11)).mem_mb for values in (1e6, 1e8, 1e9)]
    of_paths = [request(SWEEP, 1e9, (paths, 11)).mem_mb for paths in (1, 30, 90)]
    of_attempt = [request(SWEEP, 1e8, (30, 11), attempt=attempt).mem_mb for attempt in (1, 2, 3)]
    for asked in (of_size, of_paths, of_attempt):
        assert all(less < more for less, more in pairwise(asked))


def test_more_is_asked_for_than_the_table_says():
    asked = request(SWEEP, 1e9, (30, 11), most_threads=8)
    assert asked.mem_mb > SWEEP.memory_mb(1e9, 30)
    assert asked.minutes * 60 > SWEEP.core_seconds(1e9, 330) / asked.threads


def test_small_jobs_take_one_thread_and_large_ones_all_they_can_use():
    assert request(SWEEP, 1e6, (30, 11), most_threads=8).threads == 1
    assert request(SWEEP, 1e10, (30, 11), most_threads=8).threads == 8
    assert request(SWEEP, 1e10, (30, 11)).threads == 1


def test_no_job_asks_for_less_than_a_scheduler_is_worth():
    assert request(Need(0, 0, 0, 0, 0, 0), 0, (0, 0)).minutes >= LEAST_MINUTES
    assert request(Need(0, 0, 0, 0, 0, 0), 0, (0, 0), most_threads=8).threads == 1


def test_paths_are_counted_from_the_config():
    solved = grids(CONFIG)
    assert solved["sweep_stage1"] == (2 * 3 * 5, 11)
    assert solved["cross_fit_stage1"] == (5 + 10, 11)
    assert solved["train_expert"] == (2 * (1 + 5 + 10), 10)
    assert solved["score_random_sets"] == (19 * 2 * 16, 10)


def test_of_a_job_with_a_matrix_its_values_count_and_else_the_size_of_all_its_input(tmp_path):
    for name, size in (("features.npy", 400), ("samples.csv", 40)):
        (tmp_path / name).write_bytes(bytes(size))
    paths = [str(tmp_path / name) for name in ("features.npy", "samples.csv")]
    assert values_read(paths, paths[0]) == 100
    assert values_read(paths, None) == 110
    with pytest.raises(FileNotFoundError):
        values_read(paths, str(tmp_path / "absent.npy"))


def test_the_table_has_a_row_for_every_rule_that_asks_by_it():
    workflow = Path(__file__).parents[2] / "workflow"
    text = "".join(path.read_text(encoding="utf-8") for path in (workflow / "rules").glob("*.smk"))
    asking = {part.split('"')[1] for part in text.split("**needs(")[1:] if part.startswith('"')}
    assert asking == set(read_needs(workflow / "needs.csv"))


def test_an_expert_asks_for_what_its_hallmark_has(tmp_path):
    names, dictionary = tmp_path / "feature_names.txt", tmp_path / "hallmarks.json"
    names.write_text("".join(f"cg{k:08d}_beta\n" for k in range(100)))
    dictionary.write_text(json.dumps({"Few": ["cg00000001", "cg00000002"], "Many": [f"cg{k:08d}" for k in range(90)]}))
    assert own_share(str(dictionary), "Few", str(names), modalities=3) == 0.06
    assert own_share(str(dictionary), "Many", str(names), modalities=3) == 1
