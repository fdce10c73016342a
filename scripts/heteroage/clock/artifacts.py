"""The artifact folder: its files, how it is sealed, and how it is verified before use."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

from heteroage.clock.seal import MANIFEST, SIGNATURE
from heteroage.errors import HeteroAgeError, listed
from heteroage.files import sha256_of, write_json

FORMAT_VERSION = 2
READABLE = (1, 2)  # supported format versions; predictions are the same as those of the version that created them
SOFTWARE = ("heteroage-clock", "lightgbm", "numpy", "pandas", "scikit-learn")
STAGE1_WEIGHTS = "stage1/Stage1_Global_Model_Weights.csv"
PC_LOADINGS = "stage1/RF_PC_Loadings.csv"
STAGE2_WEIGHTS = "stage2/Stage2_Expert_Weights.csv"
STAGE3_MODEL = "stage3/model.txt"
STAGE3_META = "stage3/Stage3_Artifacts.json"
APPLICABILITY = "stage3/Applicability.json"
COVARIANCE = "stage3/Feature_Covariance.csv"
REFERENCE_SAMPLES = "reference/samples.csv"
REFERENCE_PREDICTIONS = "reference/predictions.csv"
READING = "Reading.json"  # conventions of the training tables (tables/conventions.py)
# Files that file managers create; they are ignored.
LEFT_BY_DESKTOPS = re.compile(r"\.DS_Store|\._.*|Thumbs\.db|desktop\.ini")

# Limits far above the needs of a clock. They protect against folders made to exhaust memory or time.
MOST_JSON, MOST_TEXT, MOST_BYTES, MOST_FILES = 8 * 2**20, 32 * 2**20, 2 * 2**30, 10_000


def software_versions() -> dict[str, str]:
    """Return the versions of the packages that determine the numbers in an artifact."""
    return {name: version(name) for name in SOFTWARE}


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


def verify(folder: Path, public_key: Path | None = None) -> dict[str, object]:
    """Compare all files of a sealed folder with its manifest and return the manifest. No file is loaded.

    Raises
    ------
    HeteroAgeError
        No manifest; unsupported format version; missing, changed or additional files (listed in the message); folder
        too large; with a public key: no signature, or the signature of another key.
    """
    if not folder.is_dir():
        raise HeteroAgeError(f"there is no artifact folder {folder}. Give the folder that contains {MANIFEST}.")
    if not (folder / MANIFEST).is_file():
        raise HeteroAgeError(
            f"{folder} has no {MANIFEST}: it is not an assembled artifact folder. Give results/full_artifacts, or "
            "create it with snakemake."
        )
    sealed = _read_limited(folder / MANIFEST, MOST_JSON)
    if public_key is not None:
        from heteroage.clock.signing import check_signature  # cryptography is slow to import

        check_signature(folder, sealed, public_key)
    manifest = parse_json(sealed, folder / MANIFEST)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise HeteroAgeError(f"{folder / MANIFEST} is not a manifest of this software. Copy the folder again.")
    version = manifest.get("format_version")
    if type(version) is not int or version not in READABLE:
        raise HeteroAgeError(
            f"{folder} has format version {version!r}; this heteroage reads "
            f"{' and '.join(map(str, READABLE))}. Use the version that created it, or train again."
        )
    files = manifest["files"]
    strange = sorted(name for name in files if not re.fullmatch(r"[\w-][\w.-]*(?:/[\w-][\w.-]*)*", str(name)))
    if strange:
        raise HeteroAgeError(f"{folder / MANIFEST} lists files outside the folder ({listed(strange)}). Do not use it.")
    content = _content(folder)
    size = sum(content.values())
    if size > MOST_BYTES:
        raise HeteroAgeError(f"{folder} contains {size / 2**30:.1f} GiB, more than any clock. Copy the folder again.")
    problems = {
        "missing": sorted(set(files) - set(content)),
        "foreign": sorted(set(content) - set(files)),
        "changed": sorted(name for name in set(content) & set(files) if sha256_of(folder / name) != files[name]),
    }
    found = [f"{word} ({listed(names)})" for word, names in problems.items() if names]
    if found:
        raise HeteroAgeError(
            f"{folder} was modified after it was sealed; files {', '.join(found)}. Nothing was predicted. Copy "
            "the folder again."
        )
    return manifest


def read_sealed(folder: Path, name: str, manifest: Mapping[str, object]) -> bytes:
    """Read a file of a verified folder, and check its digest again on the bytes that were read."""
    content = _read_limited(folder / name, MOST_JSON if name.endswith(".json") else MOST_TEXT)
    if hashlib.sha256(content).hexdigest() != manifest["files"][name]:
        raise HeteroAgeError(
            f"{folder / name} changed while it was read. Nothing was predicted. Copy the folder again."
        )
    return content


def parse_json(content: bytes, where: str | Path) -> object:
    """Parse untrusted JSON. NaN, infinity and very deep nesting are rejected."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not valid JSON")

    try:
        return json.loads(content.decode(), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise HeteroAgeError(
            f"{where} is not valid JSON: {error}. Fix it, or check that it is the right file."
        ) from error


def _read_limited(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(most + 1)
    except OSError as error:
        raise HeteroAgeError(f"cannot read {path}: {error.strerror}. Copy the folder again.") from error
    if len(content) > most:
        raise HeteroAgeError(
            f"{path} is larger than {most // 2**20} MiB, more than any clock file. Copy the folder again."
        )
    return content


def _content(folder: Path) -> dict[str, int]:
    """Return the size of each file, without the manifest and its signature.

    Links, pipes and devices are listed as `name@`, so that they count as additional files.
    """
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
            raise HeteroAgeError(
                f"{folder} contains over {MOST_FILES} files, more than any clock. Copy the folder again."
            )
    return found
