"""Write the report: one offline page with all pictures and tables."""

from pathlib import Path

from heteroage.files import read_json, read_table, write_text
from heteroage.report.page import page, page_content, read_figure
from heteroage.workflow import script


@script
def main(inputs: dict, simulated: bool, report: str) -> None:
    """Write the page. Captions are in the folder of the template; pictures of the audit are PNG."""
    template = Path(inputs["template"])
    read = {path: read_figure(path, template.with_name(f"{path.stem}.rst")) for path in map(Path, inputs["pictures"])}
    content = page_content(
        {path.stem: figure for path, figure in read.items() if path.suffix != ".png"},
        [figure for path, figure in read.items() if path.suffix == ".png"],
        {Path(path).stem: read_table(path) for path in inputs["tables"]},
        read_json(inputs["card"]),
        simulated,
    )
    write_text(page(template, content), report)
