"""The digest of a run's training data."""

import json
from dataclasses import replace

from heteroage.assembly import training_digest
from heteroage.files import sha256_of


def test_the_training_digest_changes_with_any_byte_and_not_with_order_or_place(tmp_path, training_data):
    for name in ("samples.csv", "names.txt"):
        (tmp_path / name).write_text(name)
    files = [tmp_path / "samples.csv", tmp_path / "names.txt"]
    digest = training_digest(files, training_data)
    assert digest["files"] == {path.name: sha256_of(path) for path in files} | {"values": training_data.digest()}
    assert training_digest(files[::-1], training_data)["sha256"] == digest["sha256"]
    assert str(tmp_path) not in json.dumps(digest)
    values = training_data.X.copy()
    values[0, 0] += 0.25
    assert training_digest(files, replace(training_data, X=values))["sha256"] != digest["sha256"]
    files[0].write_text("Samples.csv")
    assert training_digest(files, training_data)["sha256"] != digest["sha256"]
