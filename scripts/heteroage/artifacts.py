"""The deployable folder: what it holds, how it is sealed, and how it is checked before a file of it is used."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from heteroage.errors import HeteroAgeError, listed
from heteroage.files import read_json, sha256_of, write_json

FORMAT_VERSION = 1
MANIFEST = "MANIFEST.json"
SOFTWARE = ("heteroage-clock", "lightgbm", "numpy", "pandas", "scikit-learn")
STAGE1_WEIGHTS = "stage1/Stage1_Global_Model_Weights.csv"
PC_LOADINGS = "stage1/RF_PC_Loadings.csv"
STAGE2_WEIGHTS = "stage2/Stage2_Expert_Weights.csv"
STAGE3_MODEL = "stage3/model.txt"
STAGE3_META = "stage3/Stage3_Artifacts.json"


def software_versions() -> dict[str, str]:
    """Versions of the software whose numbers an artifact holds."""
    return {name: version(name) for name in SOFTWARE}


def training_digest(files: Sequence[str | Path]) -> dict[str, object]:
    """One digest over a run's training samples and features, and each file's."""
    digests = {Path(path).name: sha256_of(path) for path in files}
    joined = "".join(f"{name} {digest}\n" for name, digest in sorted(digests.items()))
    return {"sha256": hashlib.sha256(joined.encode()).hexdigest(), "files": digests}


def assemble(sources: Iterable[Path], root: Path, target: Path) -> None:
    """Copy artifacts into `target`, keeping their paths below `root`."""
    for source in sources:
        place = target / source.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)


def seal(folder: Path, training_data: Mapping[str, object]) -> None:
    """Write MANIFEST.json: the format, the software, the training data's digest, and each file's SHA-256."""
    manifest = {
        "format_version": FORMAT_VERSION,
        "software": software_versions(),
        "training_data": dict(training_data),
        "files": {name: sha256_of(folder / name) for name in sorted(_files_in(folder)) if name != MANIFEST},
    }
    write_json(manifest, folder / MANIFEST)


def verify(folder: Path) -> dict[str, object]:
    """Check a sealed folder, byte by byte, and return its manifest. Nothing in it is loaded.

    Raises
    ------
    HeteroAgeError
        No manifest, another format, or files that are missing, changed or not of the folder; each is named.
    """
    if not folder.is_dir():
        raise HeteroAgeError(f"no artifact folder {folder}. Give the folder that holds {MANIFEST}.")
    if not (folder / MANIFEST).is_file():
        raise HeteroAgeError(
            f"{folder} has no {MANIFEST}: it is not an assembled artifact folder. Give results/full_artifacts, or "
            "make it with snakemake."
        )
    manifest = read_json(folder / MANIFEST)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise HeteroAgeError(f"{folder / MANIFEST} is not a manifest of this software. Get the folder anew.")
    if manifest.get("format_version") != FORMAT_VERSION:
        raise HeteroAgeError(
            f"{folder} has format version {manifest.get('format_version')!r}; this heteroage reads {FORMAT_VERSION}. "
            "Use the version that made it, or train anew."
        )
    files = manifest["files"]
    strange = sorted(name for name in files if not re.fullmatch(r"[\w-][\w.-]*(?:/[\w-][\w.-]*)*", str(name)))
    if strange:
        raise HeteroAgeError(f"{folder / MANIFEST} names files outside the folder ({listed(strange)}). Do not use it.")
    present = set(_files_in(folder)) - {MANIFEST}
    problems = {
        "missing": sorted(set(files) - present),
        "foreign": sorted(present - set(files)),
        "changed": sorted(name for name in present & set(files) if sha256_of(folder / name) != files[name]),
    }
    found = [f"{word} ({listed(names)})" for word, names in problems.items() if names]
    if found:
        raise HeteroAgeError(
            f"{folder} is not as it was sealed; files {', '.join(found)}. Nothing was predicted. Get the folder anew."
        )
    return manifest


def _files_in(folder: Path) -> list[str]:
    # A link is no part of a folder's content: it counts as a foreign or missing file.
    return [
        path.relative_to(folder).as_posix() + ("@" if path.is_symlink() else "")
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    ]
