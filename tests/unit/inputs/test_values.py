"""M-values and percent become beta values, and what is neither as stated nor beta values is refused."""

import re

import numpy as np
import pytest
from bad_tables import study
from input_files import read, write
from input_tables import merged, table

from heteroage.errors import HeteroAgeError
from heteroage.inputs.tables import TableEntry


def expect(text, tables):
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        merged(tables)


def test_m_values_and_percent_become_betas(folder):
    frame = study(n=6)
    cpgs = list(frame.filter(like="cg").columns)
    expected = frame.set_index("sample_id")[cpgs]
    for values, change in (("m_values", lambda b: np.log2(b / (1 - b))), ("percent", lambda b: 100 * b)):
        write(frame.assign(**change(frame[cpgs])), "t.parquet")
        found = read({"beta": [TableEntry("t.parquet", values=values)]})
        np.testing.assert_allclose(found.betas["beta"], expected, rtol=1e-6)
        assert found.intake.tables[0]["n_values"] == expected.size


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_values(value):
    beta = table()
    beta.loc[0, "cg00000003"] = value
    expect("the beta table x has infinite values (1: sample s0, cg00000003). Are these M-values", {"beta": beta})
