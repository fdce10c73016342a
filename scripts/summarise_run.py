"""Write a short summary of a run: its outputs, its accuracy, and the next steps."""

from collections.abc import Sequence

from heteroage.files import atomic_path, read_json, read_table
from heteroage.report.text import summarise
from heteroage.workflow import run_script


def main(
    out_of_fold: str, experts: str, metadata: str, card: str, predictions: Sequence[str], simulated: bool, summary: str
) -> None:
    """Write the summary."""
    predicted = {path: read_table(path) for path in predictions}
    groups = read_json(card)["groups"]
    text = summarise(read_table(out_of_fold), read_table(experts), read_json(metadata), predicted, simulated, groups)
    with atomic_path(summary) as beside:
        beside.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_script(main)
