"""A signature says whose a folder is: another key, or one changed byte, and it is refused."""

import base64
import json
import re

import pytest
from command_line import command
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from heteroage.clock import artifacts
from heteroage.clock.signing import check_signature, make_keys, sign
from heteroage.errors import HeteroAgeError
from heteroage.files import read_json, write_table


def test_signing_and_checking(clock, clock_copy, tmp_path, capsys):
    mine, public, other = (tmp_path / name for name in ("key.pem", "key.pub", "other.pem"))
    assert command(capsys, "make-keys", "--private-key", mine, "--public-key", public)[0] == 0
    assert oct(mine.stat().st_mode & 0o777) == "0o600"
    assert command(capsys, "make-keys", "--private-key", other, "--public-key", tmp_path / "other.pub")[0] == 0
    code, said = command(capsys, "make-keys", "--private-key", mine, "--public-key", tmp_path / "new.pub")
    assert (code, "a key file exists already" in said) == (1, True)

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


@pytest.fixture
def keys(tmp_path):
    private, public = tmp_path / "key.pem", tmp_path / "key.pub"
    make_keys(private, public)
    return private, public


def test_the_signature_is_ed25519_over_the_manifest(keys, clock_copy):
    """As any other tool checks it: RFC 8032, in base64."""
    sign(clock_copy, keys[0])
    public = serialization.load_pem_public_key(keys[1].read_bytes())
    manifest = (clock_copy / artifacts.MANIFEST).read_bytes()
    public.verify(base64.b64decode((clock_copy / artifacts.SIGNATURE).read_bytes()), manifest)
    check_signature(clock_copy, manifest, keys[1])
    with pytest.raises(HeteroAgeError, match="was not signed by the owner"):
        check_signature(clock_copy, manifest + b"\n", keys[1])


def test_a_folder_that_is_not_as_it_was_sealed_is_not_signed(keys, clock_copy, capsys):
    (clock_copy / artifacts.STAGE3_META).write_text("{}")
    code, said = command(capsys, "sign", clock_copy, "--private-key", keys[0])
    assert (code, "files changed" in said) == (1, True)
    assert not (clock_copy / artifacts.SIGNATURE).exists()


@pytest.mark.parametrize("content", [b"", b"no base64!", base64.b64encode(bytes(64)), base64.b64encode(b"short")])
def test_what_is_no_signature_signs_nothing(keys, clock_copy, content):
    (clock_copy / artifacts.SIGNATURE).write_bytes(content)
    text = f"{clock_copy} was not signed by the owner of {keys[1]}, or was changed after signing. Do not use it."
    with pytest.raises(HeteroAgeError, match=f"^{re.escape(text)}$"):
        check_signature(clock_copy, b"manifest", keys[1])


def test_a_key_of_another_kind_is_refused(keys, clock_copy, tmp_path):
    other = ec.generate_private_key(ec.SECP256R1())
    pem, kind = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "ec.pub").write_bytes(other.public_key().public_bytes(pem, kind))
    text = f"{tmp_path / 'ec.pub'} is not an Ed25519 public key. Create a pair with `heteroage make-keys`."
    with pytest.raises(HeteroAgeError, match=f"^{re.escape(text)}$"):
        check_signature(clock_copy, b"manifest", tmp_path / "ec.pub")
