"""The hallmark dictionary {hallmark: [CpG, ...]}: read, or made from gene sets, and assigned to a run's features.

The Snakefile imports this module, so it loads neither NumPy nor pandas at import.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from heteroage.errors import HeteroAgeError, listed
from heteroage.files import read_json
from heteroage.probes import plain_name

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from heteroage.stages.training_data import TrainingData

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
GENE_SETS = {".gmt", ".tsv", ".txt", ".csv"}
Genes = Mapping[str, frozenset[str]]  # {gene symbol: all symbols of the gene}


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


def are_gene_sets(path: str | Path) -> bool:
    """Tell from the file extension whether a file contains gene sets (and not a JSON dictionary)."""
    return Path(str(path).removesuffix(".gz")).suffix in GENE_SETS


def read_hallmark_names(path: str | Path) -> list[str]:
    """List the hallmarks of a dictionary or of gene sets, sorted."""
    return sorted(read_gene_sets(path)) if are_gene_sets(path) else list(read_dictionary(path))


def read_gene_sets(path: str | Path) -> dict[str, Genes]:
    """Read gene sets.

    GMT has one line per set: name, description and genes, separated by tabs. A table (CSV, TSV) has one row per gene,
    with columns `hallmark`, `gene` and optionally `earlier_symbol` (symbols in older annotations, separated by `;`).
    Lines that start with # are ignored.

    Returns {hallmark: {gene: all its symbols, in capitals}}, sorted.
    Raises HeteroAgeError: no such file, another layout, or hallmark names that cannot be file names.
    """
    path = Path(path)
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig", newline="") as stream:
            lines = [line for line in stream.read().splitlines() if line.strip() and not line.startswith("#")]
    except FileNotFoundError as error:
        raise HeteroAgeError(f"no file {path}. Check inputs.hallmarks.") from error
    except (UnicodeDecodeError, OSError, EOFError) as error:
        raise HeteroAgeError(f"cannot read the gene sets {path}: {error}. Give UTF-8 text.") from error
    suffix = Path(path.name.removesuffix(".gz")).suffix
    rows = _read_gmt(lines, path) if suffix == ".gmt" else _read_rows(lines, "," if suffix == ".csv" else "\t", path)
    sets: dict[str, dict[str, frozenset[str]]] = {}
    for hallmark, gene, earlier in rows:
        symbols = frozenset(symbol.strip().upper() for symbol in (gene, *earlier.split(";")) if symbol.strip())
        sets.setdefault(hallmark, {})[gene] = symbols
    if not sets:
        raise HeteroAgeError(f"{path} has no gene sets. Give a GMT file, or a table of hallmark and gene.")
    check_names(sets, path)
    return {hallmark: dict(sorted(sets[hallmark].items())) for hallmark in sorted(sets)}


def match_genes(sets: Mapping[str, Genes], annotation: pd.DataFrame) -> tuple[dict[str, list[str]], pd.DataFrame]:
    """Map the genes of each hallmark to CpGs.

    sets : {hallmark: {gene: all its symbols}}
    annotation : frame of `cpg`, `gene`
    Returns the dictionary {hallmark: sorted CpGs}, and a frame of `hallmark`, `genes` (in the set), `genes_matched`
    (with a CpG in the annotation), `cpgs`, `genes_without_cpg` (their names).

    Raises HeteroAgeError: no gene of any set is in the annotation.
    """
    import pandas as pd  # imported here, because the Snakefile reads gene sets but does not match them

    wanted = {symbol for genes in sets.values() for symbols in genes.values() for symbol in symbols}
    upper = annotation["gene"].str.upper()
    cpgs_of = annotation["cpg"][upper.isin(wanted)].groupby(upper).agg(set).to_dict()
    dictionary, sizes = {}, []
    for hallmark, genes in sets.items():
        found = {gene: set().union(*(cpgs_of.get(symbol, ()) for symbol in symbols)) for gene, symbols in genes.items()}
        dictionary[hallmark] = sorted(set().union(*found.values()))
        absent = [gene for gene, cpgs in found.items() if not cpgs]
        sizes.append((hallmark, len(genes), len(genes) - len(absent), len(dictionary[hallmark]), ";".join(absent)))
    if not any(dictionary.values()):
        raise HeteroAgeError(
            f"no gene of the gene sets is in the annotation (genes {listed(sorted(wanted))}; annotation "
            f"{listed(annotation['gene'])}). Both must name genes by symbols (TP53)."
        )
    return dictionary, pd.DataFrame(sizes, columns=["hallmark", "genes", "genes_matched", "cpgs", "genes_without_cpg"])


def _read_gmt(lines: list[str], path: Path) -> list[tuple[str, str, str]]:
    cells = [[cell.strip() for cell in line.split("\t")] for line in lines]
    sets = [(name, [gene for gene in rest[1:] if gene]) for name, *rest in cells]
    if short := [name for name, genes in sets if not genes]:
        raise HeteroAgeError(
            f"{path} has lines without genes ({listed(short)}). A line of GMT is: name, description, genes, with tabs "
            "between."
        )
    return [(name, gene, "") for name, genes in sets for gene in genes]


def _read_rows(lines: list[str], separator: str, path: Path) -> list[tuple[str, str, str]]:
    reader = csv.DictReader(lines, delimiter=separator)
    column = {name.strip().lower(): name for name in reader.fieldnames or []}
    if not {"hallmark", "gene"} <= set(column):
        raise HeteroAgeError(
            f"{path} needs the columns hallmark and gene; its first row has {listed(reader.fieldnames or [])}. Rename "
            "its columns."
        )
    earlier = column.get("earlier_symbol")
    rows = [(row[column["hallmark"]], row[column["gene"]], row[earlier] if earlier else "") for row in reader]
    return [(h.strip(), g.strip(), e or "") for h, g, e in rows if h and g and h.strip() and g.strip()]


def match_features(dictionary: Mapping[str, Sequence[str]], feature_names: Sequence[str]) -> dict[str, list[str]]:
    """Find the features of each hallmark's CpGs in all modalities; CpG names with a suffix match one modality."""
    features_of: dict[str, list[str]] = {cpg: [] for cpgs in dictionary.values() for cpg in cpgs}
    for name in feature_names:
        for cpg in (name.rpartition("_")[0], name):
            if cpg in features_of:
                features_of[cpg].append(name)
    return {
        hallmark: sorted({feature for cpg in cpgs for feature in features_of[cpg]})
        for hallmark, cpgs in dictionary.items()
    }


def absolute_correlation(X: NDArray[np.float32], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """|Pearson's r| of each feature (features, samples) with the target, missing values at the feature's median.

    The result is 0 if a feature is constant or all missing. Features do not affect each other.
    """
    import numpy as np

    from heteroage.engine.standardise import Standardiser

    centred = target - target.mean()
    X = np.ascontiguousarray(X)  # the rounding of sums depends on the memory layout
    Z = Standardiser.fit(X).apply(X)
    covariance = np.abs((Z * centred).sum(axis=1)) / (len(target) * (centred.std() or 1.0))
    return np.where(Z.any(axis=1), covariance, 0.0)


def orthogonalise(matched: Mapping[str, Sequence[str]], correlation: Mapping[str, float]) -> dict[str, list[str]]:
    """Assign each feature to the hallmark in which it ranks best by |correlation| with transformed age.

    matched : {hallmark: features}, overlapping
    correlation : {feature: |r|}
    Returns {hallmark: sorted features}, disjoint. Ties go to the hallmark that is first by name. Hallmarks without
    features remain with an empty list.
    """
    best: dict[str, tuple[int, str]] = {}
    for hallmark in sorted(matched):
        ranked = sorted(matched[hallmark], key=lambda feature: (-correlation[feature], feature))
        for rank, feature in enumerate(ranked):
            best[feature] = min(best.get(feature, (rank, hallmark)), (rank, hallmark))
    result: dict[str, list[str]] = {hallmark: [] for hallmark in sorted(matched)}
    for feature in sorted(best):
        result[best[feature][1]].append(feature)
    return result


def assign_features(
    dictionary: Mapping[str, Sequence[str]], data: TrainingData
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Match a dictionary to a run's features and orthogonalise it by the run's own samples.

    Returns ({hallmark: its features}, {hallmark without an expert: reason}).
    Raises HeteroAgeError: no hallmark has a feature.
    """
    from heteroage.age import transform_age
    from heteroage.matrix import FEATURES_PER_BLOCK

    matched = match_features(dictionary, data.with_pcs(False).feature_names)
    check_any_match(matched)
    offered = sorted(set().union(*matched.values()))
    target = transform_age(data.samples["Age"].to_numpy())
    correlation: dict[str, float] = {}
    for start in range(0, len(offered), FEATURES_PER_BLOCK):
        part = data.restrict(offered[start : start + FEATURES_PER_BLOCK])
        correlation |= zip(part.feature_names, absolute_correlation(part.X, target).tolist(), strict=True)
    orthogonal = orthogonalise(matched, correlation)
    reasons = {True: "each of its CpGs ranks better in another hallmark", False: "none of its CpGs is in the data"}
    skipped = {name: reasons[bool(matched[name])] for name, features in orthogonal.items() if not features}
    return {name: features for name, features in orthogonal.items() if features}, skipped


def check_any_match(matched: Mapping[str, Sequence[str]]) -> None:
    """Reject a dictionary if none of its CpGs is in the data."""
    if not any(matched.values()):
        raise HeteroAgeError(
            f"no hallmark has a CpG in the data (hallmarks {listed(matched)}). Check that inputs.hallmarks names "
            "CpGs as the modality tables do (cg00000029)."
        )
