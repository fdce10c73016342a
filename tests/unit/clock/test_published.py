"""Published clocks are plain weighted sums: what missing values take, z-scores, and what is refused."""

import re

import numpy as np
import pytest

from heteroage.age import inverse_transform_age, transform_age
from heteroage.clock.published import TRANSFORMS, read_coefficients, read_compared
from heteroage.errors import HeteroAgeError

RNG = np.random.default_rng(3)
NAMES = [f"cg{k:08d}" for k in range(12)]
COEFFICIENTS = RNG.normal(0, 1, 12)
VALUES = RNG.uniform(0, 1, (12, 5))


@pytest.fixture
def table(tmp_path):
    def write(extra="", head="CpGmarker,CoefficientTraining", columns=None):
        path = tmp_path / "clock.csv"
        columns = columns or [NAMES, [f"{c!r}" for c in COEFFICIENTS.tolist()]]
        path.write_text("\n".join([head, *(",".join(row) for row in zip(*columns, strict=True)), extra]) + "\n")
        return path

    return write


def test_ages_are_the_plain_dot_product(table):
    given = {"coefficients": table(), "intercept": 0.7, "transform": "horvath"}
    ages, missing = read_compared({"H": given})[0].ages(VALUES)
    # Sums of 12 terms in another order: rounding alone.
    np.testing.assert_allclose(ages, inverse_transform_age(0.7 + COEFFICIENTS @ VALUES), rtol=1e-12)
    assert missing.tolist() == [0] * 5


def test_a_missing_value_takes_the_reference_then_the_tables_own_median_then_0(table):
    values = VALUES.copy()
    values[[2, 7, 9], 1] = np.nan
    reference = np.full(12, np.nan)
    reference[2] = 0.31
    given = {
        "coefficients": table(
            head="CpGmarker,CoefficientTraining,medianByCpG",
            columns=[NAMES, [f"{c!r}" for c in COEFFICIENTS.tolist()], ["0.62" if k != 9 else "" for k in range(12)]],
        )
    }
    ages, missing = read_compared({"H": given})[0].ages(values, reference)
    filled = np.where(np.isnan(values), 0, values)
    filled[[2, 7, 9], 1] = 0.31, 0.62, 0
    np.testing.assert_allclose(ages, COEFFICIENTS @ filled, rtol=1e-12)
    assert missing.tolist() == [0, 3, 0, 0, 0]


def test_a_sample_without_any_of_the_cpgs_has_no_age(table):
    values = VALUES.copy()
    values[:, 0] = np.nan
    ages, _ = read_compared({"H": {"coefficients": table()}})[0].ages(values)
    assert np.isnan(ages).tolist() == [True, False, False, False, False]


def test_z_scores_are_of_the_sample(table):
    mean, deviation = VALUES.mean(axis=0), VALUES.std(axis=0)
    ages, _ = read_compared({"Z": {"coefficients": table(), "input": "z"}})[0].ages(VALUES, scale=(mean, deviation))
    np.testing.assert_allclose(ages, COEFFICIENTS @ ((VALUES - mean) / deviation), rtol=1e-12)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"transform": "logit"}, "compare.H.transform: unknown transform 'logit'. Known are horvath, identity, log"),
        ({"name": "HeteroAge"}, "has the name of a column of predictions. Give the clock another name"),
        ({"name": "Age"}, "has the name of a column of predictions."),
        ({"name": "Inflammation_Correction"}, "has the name of a column of predictions."),
        ({"intercept": "none"}, "has the intercept 'none', which is not a number. Give a number."),
    ],
)
def test_what_is_refused(table, given, text):
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        read_compared({given.pop("name", "H"): {"coefficients": table()} | given})


def test_a_clock_that_shares_no_cpg_with_the_data_is_refused(table):
    text = "compare.H, clock.csv, shares no CpG with the data (its CpGs are 12: cg00000000_beta,"
    with pytest.raises(HeteroAgeError, match=re.escape(text).replace("clock\\.csv", ".*clock\\.csv")):
        read_compared({"H": {"coefficients": table()}}, ["cg99999999_beta"])


ROWS = [("cg00075967", "0.129"), ("cg00374717", "-5e-3"), ("ch.2.71774667F", "2")]
FORMS = {
    "biolearn": "CpGmarker,CoefficientTraining\n(Intercept),0.7\n" + "".join(f"{a},{b}\n" for a, b in ROWS),
    "quoted, other columns": '"","cpg","coefficient","Symbol"\n"1","Intercept",0.7,\n'
    + "".join(f'"{k}","{a}",{b},"GENE{k}"\n' for k, (a, b) in enumerate(ROWS, 2)),
    "blanks": "probe coef\nintercept 0.7\n" + "".join(f"{a} {b}\n" for a, b in ROWS),
    "tabs, no header": "(Intercept)\t0.7\n" + "".join(f"{a}\t{b}\n" for a, b in ROWS),
    "with modality": "cpg,coefficient\n(Intercept),0.7\n" + "".join(f"{a}_beta,{b}\n" for a, b in ROWS),
}


def read(tmp_path, text, **options):
    path = tmp_path / "clock.csv"
    path.write_text(text, encoding="utf-8")
    return read_coefficients(path, "clock.csv", **options)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_clock(tmp_path, form):
    clock = read(tmp_path, FORMS[form])
    assert clock.features == [f"{name}_beta" for name, _ in ROWS]
    assert clock.coefficient.tolist() == [0.129, -0.005, 2]
    assert clock.intercept == 0.7
    assert len(clock.sha256) == 64


def test_the_intercept_may_be_given_apart(tmp_path):
    assert read(tmp_path, "cpg,coefficient\ncg00075967,1\n").intercept == 0
    assert read(tmp_path, "cpg,coefficient\ncg00075967,1\n", intercept=3).intercept == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gene,coefficient\nELOVL2,1\n", "no column of probe names such as cg00075967 (its columns are 2: gene"),
        ("cpg,coefficient\ncg00075967,1\ncg00075967,2\n", "repeated CpGs (1: cg00075967_beta). Keep one row"),
        ("cpg,coefficient\ncg00075967,high\ncg00374717,1\n", "not finite numbers (1: cg00075967 high). Correct them"),
        ("cpg,coefficient\ncg00075967,\ncg00374717,1\n", "not finite numbers (1: cg00075967 (empty))"),
        ("cpg,coefficient\ncg00075967,inf\ncg00374717,1\n", "not finite numbers (1: cg00075967 inf)"),
        ("cpg,a,b\ncg00075967,1,2\n", "2 columns of numbers beside the probes"),
        ("cpg,coefficient\ncg00075967,1\ncg00374717,1\nage,2\n", "neither a CpG nor the intercept (1: age)"),
        ("cpg,coefficient\n(Intercept),1\ncg00075967,1\nIntercept,2\ncg00374717,1\n", "more than one intercept"),
    ],
)
def test_spoilt_tables_are_refused(tmp_path, text, message):
    with pytest.raises(HeteroAgeError, match=re.escape(message)):
        read(tmp_path, text)


def test_transforms_lead_to_years():
    np.testing.assert_allclose(TRANSFORMS["horvath"](transform_age([5, 50])), [5, 50])
    np.testing.assert_allclose(TRANSFORMS["identity"]([5.0]), [5])
    np.testing.assert_allclose(TRANSFORMS["log"](np.log([5.0])), [5])
