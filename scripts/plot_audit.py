"""Draw the audit's tables, and write its findings."""

import logging

from heteroage.checks.audit import find_noteworthy, write_findings
from heteroage.figures import audit
from heteroage.figures.style import save_png
from heteroage.files import read_table, write_text
from heteroage.grouping.folds import training_samples
from heteroage.workflow import script


@script
def main(inputs: dict[str, str], outputs: dict[str, str]) -> None:
    """Write the pictures of results/audit/ and the findings."""
    of = {name: read_table(path) for name, path in inputs.items()}
    samples = of["samples"]
    samples["trains"] = samples["sample_id"].isin(training_samples(samples)["sample_id"])
    figures = {
        "overlap": audit.plot_overlap(of["overlap"]),
        "missingness": audit.plot_missingness(of["missing_by_sample"], of["missing_by_cpg"]),
        "confounding": audit.plot_confounding(samples, of["associations"]),
        "ages": audit.plot_ages(samples, of["ages"]),
        "pc_space": audit.plot_pc_space(of["pc_space"]),
        "hallmarks": audit.plot_hallmarks(of["hallmarks"]),
    }
    if "sex" in outputs:
        figures["sex"] = audit.plot_sex(of["sex"])
    for name, figure in figures.items():
        save_png(figure, outputs[name])
    findings = find_noteworthy(of)
    for sentence in findings:
        logging.warning("%s", sentence)
    write_text(write_findings(findings), outputs["findings"])
