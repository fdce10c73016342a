"""A signature says whose a folder is: another key, or one changed byte, and it is refused."""

import json

from command_line import command

from heteroage.clock import artifacts
from heteroage.files import read_json, write_table


def test_signing_and_checking(clock, clock_copy, tmp_path, capsys):
    mine, public, other = (tmp_path / name for name in ("key.pem", "key.pub", "other.pem"))
    assert command(capsys, "make-keys", "--private-key", mine, "--public-key", public)[0] == 0
    assert oct(mine.stat().st_mode & 0o777) == "0o600"
    assert command(capsys, "make-keys", "--private-key", other, "--public-key", tmp_path / "other.pub")[0] == 0
    code, said = command(capsys, "make-keys", "--private-key", mine, "--public-key", tmp_path / "new.pub")
    assert (code, "a key is there already" in said) == (1, True)

    write_table(clock.master, tmp_path / "m.csv")
    predict = ["pipeline-predict", "--artifact-dir", clock_copy, "--input", tmp_path / "m.csv", "--out"]
    code, said = command(capsys, *predict, tmp_path / "o.csv", "--public-key", public)
    assert (code, "has no signature (MANIFEST.json.sig)" in said) == (1, True)
    assert command(capsys, "sign", clock_copy, "--private-key", mine)[0] == 0
    assert command(capsys, *predict, tmp_path / "o.csv", "--public-key", public)[0] == 0
    assert command(capsys, "verify", clock_copy, "--public-key", public)[0] == 0
    assert command(capsys, "verify", clock_copy)[0] == 0  # whoever has no key sees a whole folder

    code, said = command(capsys, "verify", clock_copy, "--public-key", tmp_path / "other.pub")
    assert (code, "was not signed by the owner" in said) == (1, True)
    # Changed and sealed anew, so that the manifest agrees: the signature does not.
    meta = read_json(clock_copy / artifacts.STAGE3_META)
    meta["boosting_rounds"] += 1
    (clock_copy / artifacts.STAGE3_META).write_text(json.dumps(meta))
    artifacts.seal(clock_copy, {})
    assert command(capsys, "verify", clock_copy)[0] == 0
    code, said = command(capsys, "verify", clock_copy, "--public-key", public)
    assert (code, "was not signed by the owner" in said) == (1, True)
    for wrong in (tmp_path / "m.csv", mine, tmp_path / "absent"):
        assert command(capsys, "verify", clock_copy, "--public-key", wrong)[0] == 1
    assert command(capsys, "sign", clock_copy, "--private-key", public)[0] == 1
