"""Record of the content of the input tables and of all changes to it. Audit and report are made from it.

`results/store/intake.json` is written with the feature store. It depends only on the input and the config:

    tables      a row per modality table, by modality and file: modality, file, format (parquet, feather, csv, h5ad,
                pickle), orientation (samples_in_rows, cpgs_in_rows), orientation_from (detected, stated), n_samples,
                n_cpgs (after replicates were merged), n_values, n_missing, n_below_0, n_above_1
    modalities  a row per modality: modality, n_tables, n_samples, n_cpgs (in the store), join (union, intersection)
    steps       a row per normalising step and place, also where it found nothing: step (see STEPS), where (the
                table's modality and file, a sample sheet, or a modality), found (a count), done (in words),
                first (up to five examples)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from heteroage.errors import FIRST

# The steps in their order, and the meaning of `found`.
STEPS = {
    "map_columns": "columns renamed as inputs.columns says",
    "name_ids": "sample_ids taken from an unnamed first column",
    "shorten_ids": "sample_ids taken from columns named <sample_id>.AVG_Beta or the like",
    "ids_as_text": "sample_ids that were numbers",
    "comment_lines": "comment lines above the header",
    "blank_rows": "empty rows",
    "leave_out_columns": "columns (or rows) that are neither metadata nor CpGs of the modality",
    "merge_replicates": "replicate probes averaged under a plain name",
    "convert_values": "values converted to beta values",
    "missing_values": "values that are missing",
    "outside_0_1": "values below 0 or above 1, kept as they are",
    "convert_ages": "ages converted to years",
    "prenatal_ages": "ages before birth",
    "tissue_spellings": "tissues that differ from another one in case or blanks only",
    "similar_tissues": "pairs of tissues whose names are nearly alike",
    "unknown_sex": "samples whose sex is unknown",
    "unknown_tissue": "samples whose tissue is unknown",
    "unknown_age": "samples without an age",
    "sheet_only": "samples of a sample sheet that no table has",
    "join_cpgs": "CpGs left out (intersection) or missing in some table (union)",
    "restrict_to": "CpGs left out because a platform of inputs.restrict_to does not have them",
}


@dataclass
class Intake:
    """Collects the record."""

    tables: list[dict] = field(default_factory=list)
    modalities: list[dict] = field(default_factory=list)
    steps: list[dict] = field(default_factory=list)

    def note(self, step: str, where: str, found: int, done: str = "", first: Iterable[object] = ()) -> None:
        """Record a step; `done` and examples are kept only if `found` is not 0."""
        examples = [str(item) for _, item in zip(range(FIRST), first, strict=False)] if found else []
        self.steps.append(
            {"step": step, "where": where, "found": int(found), "done": done if found else "", "first": examples}
        )

    def as_json(self) -> dict[str, list[dict]]:
        """Return the record in a fixed order, independent of the order of tables in the config."""
        order = list(STEPS)
        return {
            "tables": sorted(self.tables, key=lambda row: (row["modality"], row["file"])),
            "modalities": sorted(self.modalities, key=lambda row: row["modality"]),
            "steps": sorted(self.steps, key=lambda row: (order.index(row["step"]), row["where"])),
        }
