"""Write the report: one page that holds all pictures and tables, and opens offline."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from heteroage.figures.jobs import plot_rules, plot_run_times, sum_run_times
from heteroage.figures.style import save_picture
from heteroage.files import atomic_path, read_json, read_table
from heteroage.report.page import page, page_content, read_figure
from heteroage.workflow import run_script


def main(
    pictures: Sequence[str],
    tables: Sequence[str],
    metadata: str,
    manifest: str,
    template: str,
    edges: Sequence[tuple[str, str]],
    simulated: bool,
    report: str,
) -> None:
    """Write the page; what the tables do not hold is said in its place. Captions stand beside the template."""
    captions = Path(template).parent
    figures = {Path(path).stem: Path(path) for path in pictures}
    with TemporaryDirectory() as scratch:
        for name, picture in {"rules": plot_rules(edges), "run_times": plot_run_times(run_times(edges))}.items():
            figures[name] = Path(scratch) / f"{name}.svg"
            save_picture(picture, figures[name])
        read = {name: read_figure(path, captions / f"{name}.rst") for name, path in figures.items()}
    audit = [name for name, path in figures.items() if path.suffix == ".png"]
    content = page_content(
        {name: figure for name, figure in read.items() if name not in audit},
        [read[name] for name in audit],
        {Path(path).stem: read_table(path) for path in tables},
        read_json(metadata),
        read_json(manifest),
        simulated,
    )
    with atomic_path(report) as beside:
        beside.write_text(page(Path(template), content), encoding="utf-8")


def run_times(edges: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Read what each job's benchmark says, so far."""
    rules = {rule for edge in edges for rule in edge}
    jobs: dict[str, list[pd.DataFrame]] = {}
    for path in sorted(Path("results/benchmarks").rglob("*.tsv")):
        rule = next((part for part in (path.stem, path.parent.name) if part in rules), None)
        if rule:
            jobs.setdefault(rule, []).append(pd.read_csv(path, sep="\t"))
    return sum_run_times({rule: pd.concat(tables, ignore_index=True) for rule, tables in jobs.items()})


if __name__ == "__main__":
    run_script(main)
