"""Which columns of a table a clock uses, whatever they are called there."""

from __future__ import annotations

from collections.abc import Iterable

from heteroage.probes import is_pc, is_probe, plain_name, split_modality

ANCHOR = "Stage1_Pred_Age"
CORRECTION = "_Correction"
OFFSET = "Cohort_Offset"
TEXT = ("sample_id", "Tissue", "Sex", "Age")  # read as text; what they mean is in tables/metadata.py


class Wanted:
    """The columns that a clock may use: its features (by any name they go by), metadata and earlier stages' output."""

    def __init__(self, features: Iterable[str]) -> None:
        self.features = frozenset(features)
        self._by_plain_name = {plain_name(name): name for name in sorted(self.features)}
        self.probes = frozenset(name.split("_", 1)[0] for name in self.features)
        self._positions = any(name[:2] != "cg" for name in self.features)
        modalities = {split_modality(name)[1] for name in self.features if not is_pc(name)}
        self.modality = modalities.pop() if len(modalities) == 1 else None

    def among(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that may be used. Quick on a million names: most fall at the first look."""
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
        """The feature that a column measures: by its own name, as an EPICv2 replicate, or without the suffix of the
        clock's only modality."""
        plain = plain_name(name)
        if plain not in self._by_plain_name and self.modality and split_modality(plain)[1] is None:
            plain = f"{plain}_{self.modality}"
        return self._by_plain_name.get(plain)

    def columns_of(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Each feature's columns among `names`, sorted; several are replicates, to be averaged."""
        found: dict[str, list[str]] = {}
        for name in names:
            feature = self.feature(name)
            if feature is not None:
                found.setdefault(feature, []).append(name)
        return {feature: sorted(own) for feature, own in found.items()}

    def is_cpg(self, name: str) -> bool:
        """Tell whether a name is that of a CpG, of this clock or not."""
        return name in self.features or is_probe(name)

    def is_value(self, name: str) -> bool:
        """Tell whether a column of this name holds values: a CpG, a context component, an earlier stage's."""
        return self.is_cpg(name) or name == ANCHOR or name.endswith(CORRECTION) or is_pc(name)
