"""Draw the nested evaluation: held-out samples, ablations, coverage and published clocks."""

from heteroage.figures import held_out
from heteroage.figures.style import save_picture
from heteroage.files import read_json, read_table
from heteroage.workflow import script


@script
def main(inputs: dict[str, str], metadata: str, outputs: dict[str, str]) -> None:
    """Write the pictures."""
    intervals = read_json(metadata)["intervals"]
    pictures = {
        "ablation": held_out.plot_ablation(read_table(inputs["ablation"])),
        "coverage": held_out.plot_coverage(read_table(inputs["coverage"]), intervals and intervals["level"]),
        **held_out.plot_held_out(read_table(inputs["predictions"]), read_table(inputs["unhealthy"])),
    }
    if "published" in outputs:
        pictures["published"] = held_out.plot_published(read_table(inputs["accuracy"]))
    for name, picture in pictures.items():
        save_picture(picture, outputs[name])
