"""Implementation of the command `heteroage` and of the predict rule: read a clock and tables, predict, write."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from heteroage.clock.cohort import CohortSummary
from heteroage.clock.compare import Beside
from heteroage.clock.loading import load_clock
from heteroage.clock.master_table import Table, open_tables
from heteroage.clock.output import check_ending, writing
from heteroage.clock.predict import Clock
from heteroage.clock.published import read_compared
from heteroage.errors import HeteroAgeError
from heteroage.files import check_writable, write_json


def run_step(
    step: str,
    artifact_dir: Path,
    inputs: Sequence[Path],
    out: Path,
    *,
    contributions: Path | None = None,
    summary: Path | None = None,
    compare: Mapping[str, Mapping[str, object]] | None = None,
    offset: Path | None = None,
    allow_missing: bool = False,
    public_key: Path | None = None,
    conventions: Mapping[str, object] | None = None,
) -> str:
    """Predict tables with a clock, block by block.

    Parameters
    ----------
    compare : published clocks whose ages are added, in the form of the config's `compare`
    offset : file written by `calibrate`; its offset is added to each HeteroAge
    conventions : conventions of the tables, as in `load_clock`

    Returns
    -------
    a summary line to print, and a warning if the table has a systematic offset

    Raises
    ------
    HeteroAgeError
        The folder, the tables or the output path are invalid. Nothing is written.
    """
    outputs = [out] if contributions is None else [out, contributions]
    _check_outputs(outputs, summary, [*inputs, *([] if offset is None else [offset])])
    if contributions is not None:
        from heteroage.clock.explain import check_lightgbm

        check_lightgbm()
    clock = load_clock(artifact_dir, public_key, **(conventions or {}))
    if offset is not None:
        clock = clock.with_offset(offset)
    beside = Beside(read_compared(compare), clock) if compare else None
    table = open_tables(inputs, (beside or clock).wanted, clock.conventions)
    if beside:
        beside.check(table)
    cohort = CohortSummary(studies=clock.studies)
    with writing(outputs) as writers:
        for rows, features in _progress(clock.stream(step, table, allow_missing, beside), table):
            writers[0].write(rows)
            cohort.add(rows)
            if contributions is not None:
                from heteroage.clock.explain import contributions as explain  # LightGBM takes a second to import

                writers[1].write(explain(clock, rows, features))
    if summary is not None:
        write_json(cohort.as_json(), summary)
    warning = cohort.warning()
    return f"{out}: {cohort.line()}" + (f"\nWarning: {warning}" if warning else "")


def calibrate(clock: Clock, inputs: Sequence[Path], out: Path, allow_missing: bool = False) -> str:
    """Estimate an offset from samples of known age and write it; returns a summary line to print.

    Raises
    ------
    HeteroAgeError
        In the cases of `Clock.calibrate`. Nothing is written.
    """
    check_writable(out)
    _check_places([*inputs], [out])
    offset = clock.calibrate(list(inputs), allow_missing)
    write_json(offset.as_json(), out)
    return f"{out}: {offset.line()}"


def _check_outputs(tables: Sequence[Path], summary: Path | None, inputs: Sequence[Path]) -> None:
    """Reject output paths that cannot be written to, before the work."""
    for path in tables:
        check_ending(path)
        check_writable(path)
    if summary is not None:
        check_writable(summary)
    _check_places(inputs, [*tables, *([] if summary is None else [summary])])


def _check_places(inputs: Sequence[Path], outputs: Sequence[Path]) -> None:
    """Reject output paths that are equal to each other or to an input."""
    places = [path.resolve() for path in outputs]
    twice = [path for path, place in zip(outputs, places, strict=True) if places.count(place) > 1]
    if twice:
        raise HeteroAgeError(f"two outputs have the same file name ({twice[0]}). Change one of them.")
    same = [path for path in outputs for given in inputs if path.resolve() == given.resolve()]
    if same:
        raise HeteroAgeError(f"{same[0]} is an input and would be overwritten. Choose another output file.")


def _progress(parts: Iterator[tuple], table: Table) -> Iterable[tuple]:
    """Show a progress bar if standard error is a terminal."""
    if not sys.stderr.isatty():
        yield from parts
        return
    from tqdm import tqdm

    with tqdm(total=table.n_rows, unit=" samples", unit_scale=True) as bar:
        for rows, features in parts:
            yield rows, features
            bar.update(len(rows["sample_id"]))
