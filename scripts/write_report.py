"""Write the report: one offline page with all pictures and tables."""

from collections.abc import Sequence
from pathlib import Path

from heteroage.files import read_json, read_table, write_text
from heteroage.report.page import page, page_content, read_figure
from heteroage.workflow import script


@script
def main(
    pictures: Sequence[str], tables: Sequence[str], card: str, template: str, simulated: bool, report: str
) -> None:
    """Write the page. Captions are in the folder of the template; pictures of the audit are PNG."""
    captions, paths = Path(template).parent, [Path(path) for path in pictures]
    read = {path: read_figure(path, captions / f"{path.stem}.rst") for path in paths}
    content = page_content(
        {path.stem: figure for path, figure in read.items() if path.suffix != ".png"},
        [figure for path, figure in read.items() if path.suffix == ".png"],
        {Path(path).stem: read_table(path) for path in tables},
        read_json(card),
        simulated,
    )
    write_text(page(Path(template), content), report)
