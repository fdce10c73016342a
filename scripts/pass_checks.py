"""Mark that tables to predict and published clocks are valid, so that training can start."""

from pathlib import Path

from heteroage.files import atomic_path, read_table
from heteroage.workflow import run_script


def main(checked: str, predicted: str | None = None, clocks: str | None = None) -> None:
    """Write what was checked, a line per table."""
    lines = [f"predict.{name}: can be predicted" for name in (read_table(predicted)["table"] if predicted else [])]
    if clocks:
        lines += [
            f"compare.{row.clock}: {row.not_in_data} of {row.CpGs} CpGs are not in the data"
            for row in read_table(clocks).itertuples()
        ]
    with atomic_path(Path(checked)) as beside:
        beside.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    run_script(main)
