"""M-values and percent become beta values, and what is neither as stated nor beta values is refused."""

import re

import numpy as np
import pytest
from input_files import read, write
from input_tables import merged, table
from table_cases import study

from heteroage.errors import HeteroAgeError
from heteroage.inputs.store import TableEntry
from heteroage.tables.values import ValueCheck


def expect(text, tables):
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        merged(tables)


def test_m_values_and_percent_become_betas(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
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
    expect(
        f"the beta table x has infinite values (1: {value:g} at sample s0, cg00000003). Are these M-values",
        {"beta": beta},
    )


def checked(values, stated, parts=((slice(0, None), slice(0, None)),)):
    """A check that has seen the values (CpGs x samples) in these parts, and what it made of them."""
    cpgs, samples = [f"cg{k}" for k in range(len(values))], [f"s{k}" for k in range(values.shape[1])]
    check, made = ValueCheck("the beta table x", stated), np.empty_like(values)
    for rows, columns in parts:
        made[rows, columns] = check.convert(values[rows, columns], cpgs[rows], samples[columns])
    return check, made


def betas(n_cpgs=50, n_samples=40):
    values = np.random.default_rng(1).uniform(0.02, 0.98, (n_cpgs, n_samples))
    values[::7, ::5] = np.nan
    return values


def test_values_are_converted_by_their_definition_and_missing_stays_missing():
    values = betas()
    for stated, change in (
        ("beta", lambda b: b),
        ("percent", lambda b: 100 * b),
        ("m_values", lambda b: np.log2(b / (1 - b))),
    ):
        check, made = checked(change(values), stated)
        check.verdict(40, 50)
        np.testing.assert_allclose(made, values, rtol=1e-12)
        assert (check.n, check.missing) == (values.size, np.isnan(values).sum())


def test_the_parts_in_which_values_come_do_not_matter():
    values = betas()
    values[[3, 9, 9, 30, 31, 32], [4, 0, 39, 39, 2, 2]] = [np.inf, -np.inf, np.inf, np.inf, np.inf, np.inf]
    values[5, :4] = -0.1, 1.1, -9, 9
    halves = [(slice(a, a + 25), slice(b, b + 20)) for a in (0, 25) for b in (0, 20)]
    whole, parted, backwards = (
        checked(values, "beta", p)[0] for p in ([(slice(0, 50), slice(0, 40))], halves, halves[::-1])
    )
    assert vars(whole) == vars(parted) == vars(backwards)
    cells = ["-inf at sample s0, cg9", "inf at sample s2, cg31", "inf at sample s2, cg32", "inf at sample s39, cg30"]
    text = f"the beta table x has infinite values (6: {', '.join(cells)}, inf at sample s39, cg9, ...). Are"
    for check in (whole, parted, backwards):
        with pytest.raises(
            HeteroAgeError,
            match=re.escape(text),
        ):
            check.verdict(40, 50)


@pytest.mark.parametrize("stated", ["beta", "percent", "m_values"])
@pytest.mark.parametrize("found", ["beta", "percent", "m_values"])
def test_values_are_what_they_are_said_to_be_or_are_refused_with_the_key_to_set(stated, found):
    values = betas(200)
    values = {"beta": values, "percent": 100 * values, "m_values": np.log2(values / (1 - values))}[found]
    check, _ = checked(values, stated)
    if stated == found:
        check.verdict(40, 50)
        return
    with pytest.raises(
        HeteroAgeError, match=rf"looks like .* not .*\. Set values: {found} for this table in the config"
    ):
        check.verdict(40, 50)


@pytest.mark.parametrize("stray", [-0.25, 1.3])
def test_one_in_a_hundred_may_stray_and_more_may_not(stray):
    values = np.full((10, 100), 0.5, np.float32)
    values.ravel()[:10] = stray
    checked(values, "beta")[0].verdict(5, 4)
    values.ravel()[10] = stray
    with pytest.raises(HeteroAgeError, match=f"looks like {'M-values' if stray < 0 else 'percent'}"):
        checked(values, "beta")[0].verdict(5, 4)


@pytest.mark.parametrize("highest", [101.0, 65_000.0])
def test_intensities_are_no_values_of_any_kind(highest):
    values = np.full((4, 5), highest, np.float32)
    text = (
        "the beta table x does not hold beta values: 100% of its values are far outside 0 to 1 (the highest is "
        f"{highest:g}). Are these intensities or counts? Give beta values."
    )
    with pytest.raises(HeteroAgeError, match=f"^{re.escape(text)}$"):
        checked(values, "percent")[0].verdict(5, 4)


def test_a_table_of_nothing_is_of_any_kind():
    for stated in ("beta", "percent", "m_values"):
        checked(np.full((4, 5), np.nan, np.float32), stated)[0].verdict(5, 4)


def test_codes_and_samples_on_another_scale_are_named_with_the_remedy():
    def refusal(values):
        with pytest.raises(HeteroAgeError) as caught:
            checked(values, "beta")[0].verdict(5, 4)
        return str(caught.value)

    for codes in ([-9], [-1], [9], [999, -9]):
        values = np.full((50, 40), 0.5)
        values[3, :3], values[4, 7] = codes[0], codes[-1]
        wanted = ", ".join(f"{code:g}" for code in sorted(set(codes)))
        assert f"Set inputs.missing_values: [{wanted}]" in refusal(values)
    values = np.full((50, 40), 0.5)
    values[3, 7] = 1.62
    assert "(1: 1.62 at sample s7, cg3). Correct these cells" in refusal(values)
    for change, looks in ((lambda b: 100 * b, "percent"), (lambda b: np.log2(b / (1 - b)), "M-values")):
        values = betas()
        values[:, 7] = change(values[:, 7])
        message = refusal(values)
        assert f"These samples (1: s7) look like {looks}" in message
        assert "as a table of their own with values: " in message


SCALES = {"percent": lambda b: 100 * b, "m_values": lambda b: np.log2(b / (1 - b))}


@pytest.mark.parametrize("stated", SCALES)
def test_one_sample_of_beta_values_among_others_is_named(stated):
    values = SCALES[stated](betas())
    values[:, 7] = betas()[:, 7]
    with pytest.raises(HeteroAgeError, match=r"has samples \(1: s7\) that look like beta values.* with values: beta\."):
        checked(values, stated)[0].verdict(40, 50)


@pytest.mark.parametrize(("stated", "code"), [("percent", -9), ("percent", -1), ("m_values", -99), ("m_values", 999)])
def test_codes_for_missing_values_are_found_in_all_scales(stated, code):
    values = SCALES[stated](betas())
    values[3, :3] = code
    with pytest.raises(HeteroAgeError, match=rf"which are not \w.*Set inputs.missing_values: \[{code}\]"):
        checked(values, stated)[0].verdict(40, 50)
