"""Coefficient tables of published clocks, in the forms that they are published in; and what is refused."""

import re

import numpy as np
import pytest

from heteroage.age import transform_age
from heteroage.clock.coefficients import read_coefficients, transform_named
from heteroage.errors import HeteroAgeError

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
def test_what_is_refused(tmp_path, text, message):
    with pytest.raises(HeteroAgeError, match=re.escape(message)):
        read(tmp_path, text)


def test_transforms_lead_to_years():
    np.testing.assert_allclose(transform_named("horvath")(transform_age([5, 50])), [5, 50])
    np.testing.assert_allclose(transform_named("identity")([5.0]), [5])
    np.testing.assert_allclose(transform_named("log")(np.log([5.0])), [5])
    with pytest.raises(HeteroAgeError, match=r"unknown transform 'logit'\. Known are horvath, identity, log"):
        transform_named("logit")
