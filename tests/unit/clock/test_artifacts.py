"""The deployable folder: nothing of it is used unless it is, byte by byte, what was sealed."""

import base64
import json
import re

import pytest
from command_line import command
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from heteroage.clock import artifacts
from heteroage.clock.artifacts import check_signature, make_keys, sign
from heteroage.clock.loading import load_clock
from heteroage.errors import HeteroAgeError
from heteroage.files import read_json, sha256_of, write_table


def refused(folder, *texts):
    """Both the check and what stands before any prediction refuse the folder, naming what is wrong."""
    for use in (artifacts.verify, load_clock):
        with pytest.raises(HeteroAgeError) as caught:
            use(folder)
        for text in texts:
            assert text in str(caught.value)


def edit_manifest(folder, change):
    path = folder / artifacts.MANIFEST
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_a_sealed_folder_is_accepted_and_its_manifest_returned(clock):
    manifest = artifacts.verify(clock.folder)
    assert manifest == read_json(clock.folder / "MANIFEST.json")
    assert manifest["format_version"] == artifacts.FORMAT_VERSION
    assert manifest["training_data"] == {"samples": 80}
    assert set(manifest["software"]) == set(artifacts.SOFTWARE)
    files = {p.relative_to(clock.folder).as_posix() for p in clock.folder.rglob("*") if p.is_file()}
    assert set(manifest["files"]) == files - {"MANIFEST.json"}
    assert all(manifest["files"][name] == sha256_of(clock.folder / name) for name in manifest["files"])


def test_sealing_again_gives_the_same_bytes(clock, clock_copy):
    before = (clock_copy / "MANIFEST.json").read_bytes()
    artifacts.seal(clock_copy, {"samples": 80})
    assert (clock_copy / "MANIFEST.json").read_bytes() == before
    assert str(clock_copy.parent) not in before.decode()


def test_no_folder(tmp_path):
    refused(
        tmp_path / "absent",
        f"there is no artifact folder {tmp_path / 'absent'}. Give the folder that contains MANIFEST.json.",
    )


def test_no_manifest(clock_copy):
    (clock_copy / "MANIFEST.json").unlink()
    refused(clock_copy, "has no MANIFEST.json: it is not an assembled artifact folder. Give results/full_artifacts")


@pytest.mark.parametrize("name", [artifacts.STAGE1_WEIGHTS, "stage2/hallmarks/Hallmark_Telomere_Attrition.joblib"])
def test_missing_files_are_named(clock_copy, name):
    (clock_copy / name).unlink()
    refused(
        clock_copy,
        f"was modified after it was sealed; files missing (1: {name}). Nothing was predicted. Copy the folder again.",
    )


@pytest.mark.parametrize("name", [artifacts.STAGE3_MODEL, artifacts.STAGE3_META, "stage1/model.joblib"])
def test_changed_files_are_named(clock_copy, name):
    path = clock_copy / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # one bit; the size stays
    path.write_bytes(content)
    refused(clock_copy, f"files changed (1: {name})", "Nothing was predicted.")


@pytest.mark.parametrize("name", ["stage1/extra.csv", ".hidden", "stage3/deep/MANIFEST.json", "MANIFEST.json.bak"])
def test_foreign_files_are_named(clock_copy, name):
    path = clock_copy / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    refused(clock_copy, f"files foreign (1: {name})")


def test_all_problems_are_named_together_first_five_of_each(clock_copy):
    (clock_copy / artifacts.PC_LOADINGS).unlink()
    (clock_copy / artifacts.STAGE3_META).write_text("{}")
    for k in range(7):
        (clock_copy / f"f{k}").write_text("x")
    refused(
        clock_copy,
        f"missing (1: {artifacts.PC_LOADINGS})",
        "foreign (7: f0, f1, f2, f3, f4, ...)",
        f"changed (1: {artifacts.STAGE3_META})",
    )


def test_a_link_is_no_file_of_the_folder(clock_copy, tmp_path):
    path = clock_copy / artifacts.STAGE1_WEIGHTS
    elsewhere = tmp_path / "elsewhere.csv"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    refused(clock_copy, f"missing (1: {artifacts.STAGE1_WEIGHTS})", f"foreign (1: {artifacts.STAGE1_WEIGHTS}@)")


def test_a_linked_folder_is_no_part_of_the_folder(clock_copy, tmp_path):
    (clock_copy / "stage3").rename(tmp_path / "stage3")
    (clock_copy / "stage3").symlink_to(tmp_path / "stage3")
    refused(clock_copy, "missing (5: stage3/Applicability.json", "foreign (1: stage3@)")


def test_a_linked_manifest_is_refused(clock_copy, tmp_path):
    path = clock_copy / "MANIFEST.json"
    path.rename(tmp_path / "MANIFEST.json")
    path.symlink_to(tmp_path / "MANIFEST.json")
    refused(clock_copy, "foreign (1: MANIFEST.json@)")


@pytest.mark.parametrize(
    "name",
    [
        "../outside.csv",
        "/etc/passwd",
        "stage1/../../outside.csv",
        "./stage1/x.csv",
        "a//b",
        "..",
        "",
        "a\nb",
        "a\\..\\b",
    ],
)
def test_a_manifest_that_points_outside_is_refused(clock_copy, name):
    (clock_copy.parent / "outside.csv").write_text("x")
    digest = sha256_of(clock_copy.parent / "outside.csv")
    edit_manifest(clock_copy, lambda manifest: manifest["files"].update({name: digest}))
    shown = name.replace("\n", "\\n")
    refused(clock_copy, f"lists files outside the folder (1: {shown}). Do not use it.")


@pytest.mark.parametrize("version", [0, 3, "1", None])
def test_another_format_version(clock_copy, version):
    edit_manifest(clock_copy, lambda manifest: manifest.update(format_version=version))
    refused(
        clock_copy, f"has format version {version!r}; this heteroage reads 1 and 2. Use the version that created it"
    )


@pytest.mark.parametrize("content", ["[]", "{}", '{"files": ["a"]}', "null"])
def test_a_manifest_of_something_else(clock_copy, content):
    (clock_copy / "MANIFEST.json").write_text(content)
    refused(clock_copy, "is not a manifest of this software. Copy the folder again.")


def test_a_broken_manifest(clock_copy):
    (clock_copy / "MANIFEST.json").write_text('{"files": ')
    refused(clock_copy, "MANIFEST.json is not valid JSON")


def test_assembled_files_keep_their_place_and_content(clock, tmp_path):
    sources = [clock.folder / name for name in ("stage1/model.joblib", "stage3/model.txt")]
    artifacts.assemble(sources, clock.folder, tmp_path / "target")
    copied = {p.relative_to(tmp_path / "target").as_posix() for p in (tmp_path / "target").rglob("*") if p.is_file()}
    assert copied == {"stage1/model.joblib", "stage3/model.txt"}
    for name in copied:
        assert (tmp_path / "target" / name).read_bytes() == (clock.folder / name).read_bytes()


def test_what_file_managers_leave_is_no_reason_to_refuse_a_folder(clock_copy):
    for name in (".DS_Store", "stage1/Thumbs.db", "stage3/desktop.ini", "stage1/._model.joblib"):
        (clock_copy / name).write_text("left")
    load_clock(clock_copy)
    (clock_copy / "stage1/notes.txt").write_text("mine")
    refused(clock_copy, "files foreign (1: stage1/notes.txt)")


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
