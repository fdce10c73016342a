"""Write the report: one offline page with all pictures and tables."""

from collections.abc import Sequence
from pathlib import Path

from heteroage.files import read_json, read_table, write_text
from heteroage.report.page import page, page_content, read_figure
from heteroage.workflow import script


@script
def main(
    pictures: Sequence[str],
    tables: Sequence[str],
    metadata: str,
    manifest: str,
    card: str,
    template: str,
    simulated: bool,
    report: str,
) -> None:
    """Write the page; what the tables do not hold is said in its place. Captions stand beside the template."""
    captions = Path(template).parent
    figures = {Path(path).stem: Path(path) for path in pictures}
    read = {name: read_figure(path, captions / f"{name}.rst") for name, path in figures.items()}
    audit = [name for name, path in figures.items() if path.suffix == ".png"]
    content_of_card = read_json(card)
    content = page_content(
        {name: figure for name, figure in read.items() if name not in audit},
        [read[name] for name in audit],
        {Path(path).stem: read_table(path) for path in tables},
        read_json(metadata),
        read_json(manifest),
        simulated,
        content_of_card["groups"],
        content_of_card,
    )
    write_text(page(Path(template), content), report)
