"""Merge the nested runs' predictions, tabulate their errors, and draw them."""

from heteroage.evaluation.nested import ablation, accuracy, coverage, put_together
from heteroage.evaluation.published import with_published
from heteroage.figures import held_out
from heteroage.figures.style import save_picture
from heteroage.files import read_table, write_table
from heteroage.workflow import script


@script
def main(inputs: dict, trained_on: dict[str, list[str]], level: float, outputs: dict[str, str]) -> None:
    """Write the predictions of healthy and of unhealthy samples, and tables and pictures of the healthy ones' errors.

    level : nominal coverage of the prediction intervals
    """
    table = put_together([read_table(path) for path in inputs["held_out"]])
    is_healthy = table["Is_Healthy"].astype(str) == "True"
    healthy, unhealthy = table[is_healthy], table[~is_healthy]
    errors = accuracy(healthy)
    if "published" in inputs:
        errors = with_published(healthy, read_table(inputs["published"]), read_table(inputs["clocks"]), trained_on)
    without_context = put_together([read_table(path) for path in inputs["ablated"]])
    tables = {
        "predictions": healthy,
        "unhealthy": unhealthy,
        "accuracy": errors,
        "coverage": coverage(healthy),
        "ablation": ablation(healthy.merge(without_context, on="sample_id")),
    }
    pictures = {
        "ablation": held_out.plot_ablation(tables["ablation"]),
        "coverage": held_out.plot_coverage(tables["coverage"], level),
        **held_out.plot_held_out(healthy, unhealthy),
    }
    if "published" in inputs:
        pictures["published"] = held_out.plot_published(errors)
    for name, content in tables.items():
        write_table(content, outputs[name])
    for name, picture in pictures.items():
        save_picture(picture, outputs[f"{name}_picture"])
