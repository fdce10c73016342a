"""The artifact folder: its files, how it is sealed and signed, and how it is verified before use.

The manifest, with the SHA-256 of every file, proves that a folder is complete. A signature of the manifest (Ed25519,
RFC 8032, by `cryptography`) proves its author.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from heteroage.errors import HeteroAgeError, listed
from heteroage.files import atomic_path, parse_json, sha256_of, write_json

FORMAT_VERSION = 2
# Supported format versions; predictions are the same as those of the version that created them.
READABLE_VERSIONS = (1, 2)
SOFTWARE = ("heteroage-clock", "lightgbm", "numpy", "pandas", "scikit-learn")
MANIFEST = "MANIFEST.json"
SIGNATURE = "MANIFEST.json.sig"
STAGE1_WEIGHTS = "stage1/Stage1_Global_Model_Weights.csv"
PC_LOADINGS = "stage1/RF_PC_Loadings.csv"
STAGE2_WEIGHTS = "stage2/Stage2_Expert_Weights.csv"
STAGE3_MODEL = "stage3/model.txt"
STAGE3_META = "stage3/Stage3_Artifacts.json"
APPLICABILITY = "stage3/Applicability.json"
COVARIANCE = "stage3/Feature_Covariance.csv"
REFERENCE_SAMPLES = "reference/samples.csv"
REFERENCE_PREDICTIONS = "reference/predictions.csv"
ANCHOR, CORRECTION, OFFSET = "Stage1_Pred_Age", "_Correction", "Cohort_Offset"  # columns, and the suffix of columns
MISSING = "_Missing_CpGs"  # suffix of a published clock's column with the number of missing CpGs
MUCH_MISSING = 0.1  # fraction of a clock's CpGs; if more are missing, comparisons report it
# Columns of a weights table, and the name of its first row.
WEIGHTS = ["feature", "weight_standardised", "weight_raw", "median", "mean", "scale"]
INTERCEPT = "(intercept)"
READING = "Reading.json"  # conventions of the training tables (tables/metadata.py)
# Files that file managers create; they are ignored.
LEFT_BY_DESKTOPS = re.compile(r"\.DS_Store|\._.*|Thumbs\.db|desktop\.ini")

# Limits far above the needs of a clock. They protect against folders made to exhaust memory or time.
MOST_JSON, MOST_TEXT, MOST_BYTES, MOST_FILES = 8 * 2**20, 32 * 2**20, 2 * 2**30, 10_000
MOST_KEY = 64 * 2**10  # bytes of a key file that are read


def software_versions() -> dict[str, str]:
    """Return the versions of the packages that determine the numbers in an artifact."""
    return {name: version(name) for name in SOFTWARE}


def is_staged(name: str) -> bool:
    """Tell whether a column is output of Stage 1 or 2, which is in years."""
    return name == ANCHOR or name.endswith(CORRECTION)


def assemble(sources: Iterable[Path], root: Path, target: Path) -> None:
    """Copy artifacts into `target`, keeping their paths below `root`."""
    for source in sources:
        place = target / source.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)


def seal(folder: Path, training_data: Mapping[str, object]) -> None:
    """Write MANIFEST.json: format version, software versions, digest of the training data, SHA-256 of each file."""
    manifest = {
        "format_version": FORMAT_VERSION,
        "software": software_versions(),
        "training_data": dict(training_data),
        "files": {name: sha256_of(folder / name) for name in sorted(_content(folder))},
    }
    write_json(manifest, folder / MANIFEST)


def verify(folder: Path, public_key: Path | None = None) -> dict[str, Any]:
    """Compare all files of a sealed folder with its manifest and return the manifest. No file is loaded.

    Raises HeteroAgeError: no manifest; unsupported format version; missing, changed or additional files (listed in the
    message); folder too large; with a public key: no signature, or the signature of another key.
    """
    path = folder / MANIFEST
    if not folder.is_dir():
        raise HeteroAgeError(f"there is no artifact folder {folder}. Give the folder that contains {MANIFEST}.")
    if not path.is_file():
        raise HeteroAgeError(
            f"{folder} has no {MANIFEST}: it is not an assembled artifact folder. Give results/full_artifacts, or "
            "create it with snakemake."
        )
    sealed = _read_limited(path, MOST_JSON)
    if public_key is not None:
        check_signature(folder, sealed, public_key)
    manifest = parse_json(sealed, path)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise damaged(f"{path} is not a manifest of this software")
    version = manifest.get("format_version")
    if type(version) is not int or version not in READABLE_VERSIONS:
        raise HeteroAgeError(
            f"{folder} has format version {version!r}; this heteroage reads "
            f"{' and '.join(map(str, READABLE_VERSIONS))}. Use the version that created it, or train again."
        )
    files, content = manifest["files"], _content(folder)
    if strange := sorted(name for name in files if not re.fullmatch(r"[\w-][\w.-]*(?:/[\w-][\w.-]*)*", str(name))):
        raise HeteroAgeError(f"{path} lists files outside the folder ({listed(strange)}). Do not use it.")
    if (size := sum(content.values())) > MOST_BYTES:
        raise damaged(f"{folder} contains {size / 2**30:.1f} GiB, more than any clock")
    problems = {
        "missing": sorted(set(files) - set(content)),
        "foreign": sorted(set(content) - set(files)),
        "changed": sorted(name for name in set(content) & set(files) if sha256_of(folder / name) != files[name]),
    }
    if found := [f"{word} ({listed(names)})" for word, names in problems.items() if names]:
        raise damaged(f"{folder} was modified after it was sealed; files {', '.join(found)}. Nothing was predicted")
    return manifest


def read_sealed(folder: Path, name: str, manifest: Mapping[str, Any]) -> bytes:
    """Read a file of a verified folder, and check its digest again on the bytes that were read."""
    content = _read_limited(folder / name, MOST_JSON if name.endswith(".json") else MOST_TEXT)
    if hashlib.sha256(content).hexdigest() != manifest["files"][name]:
        raise damaged(f"{folder / name} changed while it was read. Nothing was predicted")
    return content


def damaged(what: str) -> HeteroAgeError:
    """Return the error for a damaged artifact file, with the advice to copy the folder again."""
    return HeteroAgeError(f"{what}. Copy the folder again.")


def decoded(content: bytes, where: str) -> str:
    """Decode the text of a file."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise damaged(f"{where} is not UTF-8 text") from error


@contextmanager
def entries_of(where: str, advice: str = "Copy the folder again.") -> Iterator[None]:
    """Context in which JSON entries are read. A missing entry, or one of the wrong type, raises HeteroAgeError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise HeteroAgeError(f"{where} has a missing or invalid entry ({error}). {advice}") from error


def make_keys(private: Path, public: Path) -> None:
    """Create a pair of keys (PEM). Only the owner can read the private key. Existing files are never overwritten."""
    from cryptography.hazmat.primitives import serialization as pem  # slow to import
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if there := [str(path) for path in (private, public) if path.exists()]:
        raise HeteroAgeError(f"a key file exists already ({', '.join(there)}). Choose another file name.")
    key = Ed25519PrivateKey.generate()
    with atomic_path(private) as beside:
        beside.chmod(0o600)  # before the key is written
        beside.write_bytes(key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()))
    with atomic_path(public) as beside:
        beside.write_bytes(key.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo))


def sign(folder: Path, private: Path) -> None:
    """Sign a verified folder: write the signature into the folder, next to the manifest."""
    signature = _load_key(private, "private").sign((folder / MANIFEST).read_bytes())
    with atomic_path(folder / SIGNATURE) as beside:
        beside.write_bytes(base64.b64encode(signature) + b"\n")


def check_signature(folder: Path, manifest: bytes, public: Path) -> None:
    """Check that the manifest was signed with the private key of this public key. Raises HeteroAgeError otherwise."""
    from cryptography.exceptions import InvalidSignature

    key, path = _load_key(public, "public"), folder / SIGNATURE
    if path.is_symlink() or not path.is_file():
        raise HeteroAgeError(f"{folder} has no signature ({SIGNATURE}). Ask the author for a signed folder.")
    try:
        with path.open("rb") as stream:
            key.verify(base64.b64decode(stream.read(1024).strip(), validate=True), manifest)
    except (InvalidSignature, binascii.Error) as error:
        raise HeteroAgeError(
            f"{folder} was not signed by the owner of {public}, or was changed after signing. Do not use it."
        ) from error


def _load_key(path: Path, word: str) -> Any:  # noqa: ANN401
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

    try:
        with path.open("rb") as stream:
            pem = stream.read(MOST_KEY)
        key = load_pem_private_key(pem, None) if word == "private" else load_pem_public_key(pem)
    except OSError as error:
        raise HeteroAgeError(f"cannot read the {word} key {path}: {error.strerror}. Check the path.") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise HeteroAgeError(
            f"{path} is not a readable {word} key ({error}). Give an Ed25519 key in PEM without a password."
        ) from error
    if not isinstance(key, getattr(ed25519, f"Ed25519{word.capitalize()}Key")):
        raise HeteroAgeError(f"{path} is not an Ed25519 {word} key. Create a pair with `heteroage make-keys`.")
    return key


def _read_limited(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(most + 1)
    except OSError as error:
        raise damaged(f"cannot read {path}: {error.strerror}") from error
    if len(content) > most:
        raise damaged(f"{path} is larger than {most // 2**20} MiB, more than any clock file")
    return content


def _content(folder: Path) -> dict[str, int]:
    """Return the size of each file, except manifest and signature. Links, pipes and devices are listed as `name@`."""
    found: dict[str, int] = {}
    for parent, folders, names in os.walk(folder):
        for name in [*names, *(f for f in folders if (Path(parent) / f).is_symlink())]:
            path = Path(parent) / name
            status = path.lstat()
            regular = stat.S_ISREG(status.st_mode)
            place = path.relative_to(folder).as_posix() + ("" if regular else "@")
            if place not in (MANIFEST, SIGNATURE) and not (regular and LEFT_BY_DESKTOPS.fullmatch(name)):
                found[place] = status.st_size
        if len(found) > MOST_FILES:
            raise damaged(f"{folder} contains over {MOST_FILES} files, more than any clock")
    return found
