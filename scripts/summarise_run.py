"""Write a short summary of a run (its outputs, accuracy and next steps), and the picture that it names."""

from heteroage.figures.held_out import plot_predicted_age
from heteroage.figures.style import save_png
from heteroage.files import read_json, read_table, write_text
from heteroage.report.text import summarise
from heteroage.workflow import script


@script
def main(out_of_fold: str, card: str, predictions: list[str], simulated: bool, summary: str, figure: str) -> None:
    """Write the summary, and the picture of predicted against actual age."""
    predicted = {path: read_table(path) for path in predictions}
    write_text(summarise(read_json(card), predicted, simulated), summary)
    save_png(plot_predicted_age(read_table(out_of_fold)), figure)
