"""Mapping from the columns of a table to the features of a clock."""

from __future__ import annotations

from collections.abc import Iterable

from heteroage.probes import is_pc, is_probe, plain_name, split_modality

ANCHOR = "Stage1_Pred_Age"
CORRECTION = "_Correction"
OFFSET = "Cohort_Offset"
# Read as text; parsed by tables/metadata.py.
TEXT = ("sample_id", "Tissue", "Sex", "Age", "project_id")


def stage_column(key: str | None) -> str:
    """Return the output column of an expert, or of the anchor (None)."""
    return ANCHOR if key is None else f"{key}{CORRECTION}"


class Wanted:
    """The columns that a clock can use: its features (under all accepted names), metadata, output of earlier stages."""

    def __init__(self, features: Iterable[str]) -> None:
        self.features = frozenset(features)
        self._by_plain_name = {plain_name(name): name for name in sorted(self.features)}
        self.probes = frozenset(name.split("_", 1)[0] for name in self.features)
        self._positions = any(name[:2] != "cg" for name in self.features)
        modalities = {split_modality(name)[1] for name in self.features if not is_pc(name)}
        self.modality = modalities.pop() if len(modalities) == 1 else None

    def among(self, names: Iterable[str]) -> list[str]:
        """Return the usable columns among `names`. Fast for a million names, because most are rejected early."""
        probes, features, positions = self.probes, self.features, self._positions
        return [
            name
            for name in names
            if name in features
            or name == ANCHOR
            or ((name.split("_", 1)[0] in probes or (positions and name[:2] != "cg")) and self.feature(name))
            or name.endswith(CORRECTION)
            or is_pc(name)
        ]

    def feature(self, name: str) -> str | None:
        """Return the feature of a column: same name, EPICv2 replicate, or name without the clock's only suffix."""
        plain = plain_name(name)
        if plain not in self._by_plain_name and self.modality and split_modality(plain)[1] is None:
            plain = f"{plain}_{self.modality}"
        return self._by_plain_name.get(plain)

    def columns_of(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Return the columns of each feature among `names`, sorted. Several columns are replicates to be averaged."""
        found: dict[str, list[str]] = {}
        for name in names:
            feature = self.feature(name)
            if feature is not None:
                found.setdefault(feature, []).append(name)
        return {feature: sorted(own) for feature, own in found.items()}

    def is_cpg(self, name: str) -> bool:
        """Tell whether a name is a CpG name, used by the clock or not."""
        return name in self.features or is_probe(name)

    def is_value(self, name: str) -> bool:
        """Tell whether a column contains numbers: a CpG, an RF_PC, or output of an earlier stage."""
        return self.is_cpg(name) or name == ANCHOR or name.endswith(CORRECTION) or is_pc(name)
