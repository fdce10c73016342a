"""What is summed over features: replicates averaged, values of another scale refused."""

import re

import numpy as np
import pandas as pd
import pytest
from sample_tables import cpgs_of, table_refused, write

from heteroage.clock.artifacts import ANCHOR
from heteroage.clock.master_table import MasterTable
from heteroage.clock.sums import SampleBlock, mean_of
from heteroage.errors import HeteroAgeError
from heteroage.tables.opening import from_frame


def test_replicates_are_averaged_under_the_plain_name(loaded, clock):
    one, *_ = loaded.anchor.features
    name = one if one.startswith("cg") else loaded.anchor.features[1]
    probe, modality = name.split("_")
    first, second = f"{probe}_TC21_{modality}", f"{probe}_BC11_{modality}"
    split = clock.master.drop(columns=name).assign(
        **{first: clock.master[name] - 0.01, second: clock.master[name] + 0.01}
    )
    ages, again = (loaded.predict(table)["HeteroAge"] for table in (clock.master, split))
    np.testing.assert_allclose(ages, again, rtol=0, atol=1e-9)  # rounding of the mean
    alone = clock.master.rename(columns={name: first})
    pd.testing.assert_series_equal(loaded.predict(alone)["HeteroAge"], ages, check_exact=True)
    half = split.assign(**{second: np.nan, first: clock.master[name]})
    pd.testing.assert_series_equal(loaded.predict(half)["HeteroAge"], ages, check_exact=True)


def test_percent_and_m_values_are_refused_with_advice(clock, tmp_path):
    cpgs = cpgs_of(clock.master)
    for factor, advice in ((lambda b: 100 * b, "percent / 100"), (lambda b: np.log2(b / (1 - b)), "2^M / (2^M + 1)")):
        frame = clock.master.copy()
        frame[cpgs] = factor(frame[cpgs].clip(0.01, 0.99) ** 2)
        table_refused(clock, write(frame, tmp_path / "m.csv"), "far outside 0 to 1", advice)


# The walk


def sums_of(clock, table):
    opened = MasterTable.of(from_frame(table, clock.wanted.is_cpg), clock.wanted)
    (part,) = opened.parts(opened.names)
    sums = SampleBlock(clock, part, clock.wanted.columns_of(opened.names))
    sums.add_cpgs()
    return sums


def as_bytes(sums):
    """All that was summed."""
    found = [*sums.totals.values(), *sums.pcs.values(), sums.missing, sums.missing_weight, sums.distance]
    return [array.tobytes() for array in [*found, sums.measured, sums.outside, sums.imputed]]


def test_an_absent_column_is_one_whose_cells_are_all_missing(loaded, clock):
    gone = cpgs_of(clock.master)[3:9]
    empty = sums_of(loaded, clock.master.assign(**dict.fromkeys(gone, np.nan)))
    assert as_bytes(sums_of(loaded, clock.master.drop(columns=gone))) == as_bytes(empty)


def test_the_distance_is_of_the_anchors_cpgs_that_were_measured(loaded, clock):
    sums = sums_of(loaded, clock.master)
    place = loaded.anchor_place
    values, at = clock.master[list(place)].to_numpy(), list(place.values())
    deviation = (values - loaded.anchor.mean[at]) / loaded.anchor.scale[at]
    np.testing.assert_allclose(sums.distance, np.nansum(deviation**2, axis=1), rtol=1e-12)  # another order
    assert sums.measured.tolist() == (~np.isnan(values)).sum(axis=1).tolist()
    assert np.isnan(values).any()


def test_weight_is_missing_where_cpgs_and_given_components_are(loaded, clock):
    sums = sums_of(loaded, clock.master)
    share = np.array([loaded.anchor_weight[name] for name in loaded.anchor_place])
    absent = clock.master[list(loaded.anchor_place)].isna().to_numpy()
    np.testing.assert_allclose(sums.missing_weight, absent @ share, rtol=0, atol=1e-12)  # another order
    before = sums.totals[ANCHOR].copy()
    median = loaded.anchor.median[loaded.anchor.features.index("RF_PC1")]
    sums.add("RF_PC1", nothing := np.full(len(clock.master), np.nan), np.isnan(nothing))
    other = sums_of(loaded, clock.master)
    other.add("RF_PC1", np.full(len(clock.master), median), np.isnan(nothing) & False)
    assert sums.totals[ANCHOR].tobytes() == other.totals[ANCHOR].tobytes()
    assert sums.totals[ANCHOR].tobytes() != before.tobytes()


def test_values_a_little_outside_0_1_are_summed_and_marked_and_far_ones_refused(loaded, clock):
    name, ids = cpgs_of(clock.master)[0], clock.master["sample_id"]
    base = clock.master.assign(**{name: 0.5})
    for value, marked in ((1 + 1e-7, False), (-1e-7, False), (1.001, True), (-0.5, True), (1.5, True)):
        table = base.astype({name: float})
        table.loc[4, name] = value
        assert (ids[sums_of(loaded, table).outside] == "n004").tolist() == [True] * marked
    for value, advice in (
        (-0.51, "Correct these cells"),
        (55.5, "Correct these cells"),
        (999, "missing_values: [999]"),
    ):
        table.loc[4, name] = value
        with pytest.raises(HeteroAgeError, match=re.escape(f"(1: {value:g} at sample n004, {name}). ")) as caught:
            sums_of(loaded, table)
        assert advice in str(caught.value)


def test_replicates_are_averaged_over_those_that_are_there():
    rng = np.random.default_rng(1)
    columns = rng.random((3, 40))
    columns[rng.random(columns.shape) < 0.4] = np.nan
    some = ~np.isnan(columns).all(axis=0)
    found = mean_of(list(columns))
    np.testing.assert_allclose(found[some], np.nanmean(columns[:, some], axis=0), rtol=1e-15)
    assert np.isnan(found[~some]).all()
    assert not some.all()
    assert mean_of([columns[0]]).tobytes() == columns[0].tobytes()
