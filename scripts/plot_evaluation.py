"""Draw the nested evaluation: held-out samples, optimism, ablations, coverage, published clocks, random CpG sets."""

from heteroage.figures import held_out, training
from heteroage.figures.style import save_pictures
from heteroage.files import read_json, read_table
from heteroage.workflow import script


@script
def main(inputs: dict[str, str], metadata: str, outputs: dict[str, str]) -> None:
    """Write the pictures."""
    intervals = read_json(metadata)["intervals"]
    pictures = {
        "optimism": held_out.plot_optimism(read_table(inputs["optimism"])),
        "ablation": held_out.plot_ablation(read_table(inputs["ablation"])),
        "random_sets": training.plot_random_sets(read_table(inputs["hallmarks"]), read_table(inputs["random_scores"])),
        "coverage": held_out.plot_coverage(read_table(inputs["coverage"]), intervals and intervals["level"]),
        **held_out.plot_held_out(read_table(inputs["healthy"]), read_table(inputs["unhealthy"])),
    }
    if "published" in outputs:
        pictures["published"] = held_out.plot_published(read_table(inputs["accuracy"]))
    save_pictures(pictures, outputs)
