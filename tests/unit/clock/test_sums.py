"""What is summed over features: replicates averaged, values of another scale refused."""

import numpy as np
import pandas as pd
from sample_tables import cpgs_of, table_refused, write


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
    for factor, advice in ((lambda b: 100 * b, "Divide by 100"), (lambda b: np.log2(b / (1 - b)), "2^M / (2^M + 1)")):
        frame = clock.master.copy()
        frame[cpgs] = factor(frame[cpgs].clip(0.01, 0.99) ** 2)
        table_refused(clock, write(frame, tmp_path / "m.csv"), "CpGs hold values far outside 0 to 1", advice)
