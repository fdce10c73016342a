"""Write a short summary of a run: its outputs, its accuracy, and the next steps."""

from collections.abc import Sequence

from heteroage.files import read_json, read_table, write_text
from heteroage.report.text import summarise
from heteroage.workflow import script


@script
def main(
    out_of_fold: str, experts: str, metadata: str, card: str, predictions: Sequence[str], simulated: bool, summary: str
) -> None:
    """Write the summary."""
    predicted = {path: read_table(path) for path in predictions}
    groups = read_json(card)["groups"]
    text = summarise(read_table(out_of_fold), read_table(experts), read_json(metadata), predicted, simulated, groups)
    write_text(text, summary)
