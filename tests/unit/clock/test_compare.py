"""`heteroage compare`, and published clocks' columns beside ours."""

import numpy as np
import pandas as pd
import pytest

from heteroage.cli import main
from heteroage.clock.master_table import Wanted
from heteroage.files import read_table, write_table


@pytest.fixture
def given(clock, tmp_path):
    """A master table, and a published clock on twelve of its CpGs with one that the table does not have."""
    write_table(clock.master, tmp_path / "master.csv")
    cpgs = [name for name in clock.master.columns if Wanted([]).is_cpg(name)][:12]
    coefficients = pd.DataFrame(
        {"cpg": [c.split("_")[0] for c in cpgs], "coefficient": np.linspace(-30, 40, len(cpgs))}
    )
    more = pd.DataFrame({"cpg": ["(Intercept)", "cg99999999"], "coefficient": [50.0, 1.0]})
    pd.concat([more, coefficients]).to_csv(tmp_path / "published.csv", index=False)
    return tmp_path, clock.master, cpgs, coefficients["coefficient"].to_numpy()


def test_errors_are_those_of_the_plain_sum(given, clock, capsys):
    folder, master, cpgs, coefficients = given
    options = ["--input", str(folder / "master.csv"), "--coefficients", f"P={folder / 'published.csv'}"]
    assert main(["compare", *options, "--out", str(folder / "ages.csv")]) == 0
    ages = read_table(folder / "ages.csv")
    complete = master[cpgs].notna().all(axis=1).to_numpy()
    assert complete.sum() > 3
    np.testing.assert_allclose(
        ages["P"][complete], 50 + master.loc[complete, cpgs].to_numpy() @ coefficients, rtol=1e-9
    )
    assert (ages["P_Missing_CpGs"] == 1 + master[cpgs].isna().sum(axis=1).to_numpy()).all()
    printed = capsys.readouterr().out.splitlines()[1].split()
    error = (ages["P"] - ages["Age"]).abs()
    assert printed[:3] == ["P", str(len(master)), f"{error.mean():.2f}"]


def test_ours_stands_beside_them(given, clock, capsys):
    folder = given[0]
    options = ["--input", str(folder / "master.csv"), "--coefficients", f"P={folder / 'published.csv'}"]
    assert main(["compare", *options, "--artifact-dir", str(clock.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["clock", "HeteroAge", "P"]
    assert any(line.startswith("P minus HeteroAge: ") for line in lines)


def test_errors_stand_by_project_and_differences_are_means_over_projects(given, clock, capsys):
    folder, master, cpgs, _ = given
    master = master.assign(project_id=np.resize(["a", "b", "c"], len(master)))
    write_table(master.drop(columns=cpgs[0]), folder / "projects.csv")
    options = ["--input", str(folder / "projects.csv"), "--coefficients", f"P={folder / 'published.csv'}"]
    assert main(["compare", *options, "--artifact-dir", str(clock.folder), "--out", str(folder / "ages.csv")]) == 0
    lines = capsys.readouterr().out.splitlines()
    ages = read_table(folder / "ages.csv")
    errors = ages[["P", "HeteroAge"]].sub(ages["Age"], axis=0).abs().groupby(ages["project_id"]).mean()
    printed = {(line.split()[0], line.split()[-1]): line.split()[2] for line in lines[1:9]}
    assert list(printed) == [(name, level) for level in ["all", *"abc"] for name in ("HeteroAge", "P")]
    assert all(printed["P", level] == f"{errors.loc[level, 'P']:.2f}" for level in "abc")
    change = errors["P"] - errors["HeteroAge"]
    assert lines[9] == (
        f"P minus HeteroAge: {change.mean():+.2f} years of error (mean over 3 projects, paired; "
        f"standard error {change.std() / 3**0.5:.2f})"
    )
    missing = 2 + master[cpgs[1:]].isna().sum(axis=1).mean()
    assert lines[10] == (
        f"Warning: samples are missing {missing:.0f} of the 13 CpGs of P: the comparison is unfair to it."
    )


def test_a_published_age_does_not_depend_on_batch_mates(given, clock):
    folder, master, *_ = given
    options = ["--artifact-dir", str(clock.folder), "--compare", f"P={folder / 'published.csv'}"]
    assert (
        main(["pipeline-predict", *options, "--input", str(folder / "master.csv"), "--out", str(folder / "a.csv")]) == 0
    )
    write_table(master.iloc[[5]], folder / "one.csv")
    assert main(["pipeline-predict", *options, "--input", str(folder / "one.csv"), "--out", str(folder / "b.csv")]) == 0
    everyone, alone = (folder / name for name in ("a.csv", "b.csv"))
    assert alone.read_text().splitlines()[1] == everyone.read_text().splitlines()[6]
    without = [*options[:2], "--input", str(folder / "master.csv"), "--out", str(folder / "c.csv")]
    assert main(["pipeline-predict", *without]) == 0
    ours = read_table(folder / "c.csv")
    pd.testing.assert_frame_equal(read_table(everyone)[list(ours.columns)], ours)


@pytest.mark.parametrize(
    ("change", "options", "text"),
    [
        (lambda t: t.drop(columns="Age"), [], "has no column Age, with which predicted ages are compared."),
        (lambda t: t.rename(columns=lambda c: c.replace("cg", "cg9")), [], "shares no CpG with P, which reads 13"),
        (lambda t: t, ["--coefficients", "P=a.csv", "P=b.csv"], "P names two coefficient tables. Give each clock"),
        (lambda t: t, ["--transform", "Q=log"], "Q is not the name of a coefficient table (P)."),
    ],
)
def test_what_is_refused(given, clock, capsys, change, options, text):
    folder, master, *_ = given
    write_table(change(master), folder / "changed.csv")
    table = ["--input", str(folder / "changed.csv"), "--coefficients", f"P={folder / 'published.csv'}"]
    assert main(["compare", *table, *options]) == 1
    assert text in capsys.readouterr().err


def test_its_input_is_not_overwritten(given, capsys):
    folder = given[0]
    before = (folder / "master.csv").read_bytes()
    options = ["--input", str(folder / "master.csv"), "--coefficients", f"P={folder / 'published.csv'}"]
    assert main(["compare", *options, "--out", str(folder / "master.csv")]) == 1
    assert "is an input and would be overwritten" in capsys.readouterr().err
    assert (folder / "master.csv").read_bytes() == before
