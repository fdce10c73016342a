"""Reading and checking the hallmark dictionary, {hallmark: [CpG, ...]}.

The Snakefile imports this, so no NumPy here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from heteroage.errors import HeteroAgeError, listed
from heteroage.files import read_json
from heteroage.probes import plain_name

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def read_dictionary(path: str | Path) -> dict[str, list[str]]:
    """Read and check a hallmark dictionary; hallmarks are sorted by name, their CpGs sorted and unique."""
    content = read_json(path)
    if not (isinstance(content, dict) and content and all(isinstance(cpgs, list) for cpgs in content.values())):
        raise HeteroAgeError(
            f"{path} is not a hallmark dictionary: it must be JSON of the form {{hallmark: [CpG, ...]}}."
        )
    check_names(content, path)
    no_text = sorted(name for name, cpgs in content.items() if not all(isinstance(cpg, str) for cpg in cpgs))
    if no_text:
        raise HeteroAgeError(f"{path} has hallmarks whose CpGs are not all text ({listed(no_text)}).")
    return {name: sorted(set(map(plain_name, content[name]))) for name in sorted(content)}


def check_names(hallmarks: Iterable[str], path: str | Path) -> None:
    """Reject names that are not valid file names."""
    strange = sorted(name for name in hallmarks if not NAME.fullmatch(name))
    if strange:
        raise HeteroAgeError(
            f"{path} has hallmark names that cannot be file names ({listed(map(repr, strange))}). "
            "Use letters, digits, _ and -."
        )


def features_digest(features: Sequence[str]) -> str:
    """Return a digest of a list of features."""
    return hashlib.sha256("\n".join(features).encode()).hexdigest()
