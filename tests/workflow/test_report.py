"""A small study goes to its report: nested evaluation, falsification and page, with every rule run to its end."""

import re

import numpy as np
import pandas as pd
import pytest
from browser import CHROMIUM, browser

# Rules that need inputs of their own, with tests of their own; and those without a script.
ELSEWHERE = {"download_geo_series", "read_geo_series", "read_coverage", "simulate_demo", "build_hallmark_dictionary"}


@pytest.fixture(scope="module")
def reported(inputs, tmp_path_factory):
    """The mini study with its report and certificate, in three outer folds, and what the run printed."""
    study = inputs.inputs_alone(tmp_path_factory.mktemp("reported") / "study")
    beta = study.table("data/beta.parquet")
    cpgs = [name for name in beta.columns if name.startswith("cg")][:30]
    published = pd.DataFrame({"CpGmarker": cpgs, "CoefficientTraining": np.linspace(-9, 9, 30)})
    published.to_csv(study.path("data/published.csv"), index=False)
    study.configure(
        cross_validation__outer_folds=3,
        model_card={"evaluated": True},
        compare={
            "Simulated": {
                "coefficients": "data/published.csv",
                "intercept": 45,
                "trained_on": ["001"],
                "licence": "mine",
            }
        },
    )
    return study, study.run("report", "falsify", "all")


def test_every_rule_of_a_report_runs_to_its_end(reported):
    study, said = reported
    scripts = {path.stem for path in (study.repository / "scripts").glob("*.py")}
    finished = set(re.findall(r"\(Rule: (\w+)\)", said))
    assert scripts - finished <= ELSEWHERE
    nested = {path.name for path in study.path("results").glob("nested-*_artifacts")}
    assert nested == {f"nested-{fold}_artifacts" for fold in range(3)}


def test_nested_error_stands_on_screen_card_and_page(reported):
    study, said = reported
    accuracy = study.table("results/evaluation/accuracy.csv")
    clock = accuracy[(accuracy["stratum"] == "all") & (accuracy["model"] == "HeteroAge")]["MAE"].item()
    assert f"Nested error, the one to quote: HeteroAge {clock:.2f} years" in said
    assert "Make the report" not in said
    card = study.json("results/full_artifacts/MODEL_CARD.json")
    nested = {row["model"]: row["MAE"] for row in card["errors_nested"] if row["stratum"] == "all"}
    assert nested["HeteroAge"] == pytest.approx(clock)
    assert f"{clock:.2f}" in study.path("results/report/index.html").read_text(encoding="utf-8")


def test_the_clock_holds_the_biases_of_the_nested_studies(reported):
    study = reported[0]
    accuracy = study.table("results/evaluation/accuracy.csv")
    own = accuracy[(accuracy["model"] == "HeteroAge") & (accuracy["stratum"] == "project_id") & (accuracy["n"] >= 5)]
    studies = study.json("results/full_artifacts/stage3/Applicability.json")["studies"]
    assert (studies["source"], studies["studies"]) == ("nested", len(own))
    assert (studies["lowest"], studies["highest"]) == pytest.approx((own["Bias"].min(), own["Bias"].max()))


def test_the_certificate_has_a_verdict_for_each_test(reported):
    certificate = reported[0].table("results/falsification/certificate.csv")
    assert set(certificate["verdict"]) <= {"pass", "inconclusive"}  # a `fail` would have ended the run
    assert {"planted_study", "shuffled_ages"} <= set(certificate["test"])


def test_each_random_set_has_its_own_score(reported):
    folder = reported[0].path("results/falsification/random_sets")
    tables = [pd.read_csv(path) for path in sorted(folder.glob("*.csv"))]
    for table in tables:
        assert table["set"].tolist() == list(range(1, 1 + len(table)))
    # Sets without any skill have the same score, that of no correction.
    assert any(table["R2_Residual"].nunique() == len(table) > 1 for table in tables)


def test_published_clocks_stand_beside_ours_on_the_same_samples(reported):
    study = reported[0]
    accuracy = study.table("results/evaluation/accuracy.csv").set_index(["model", "stratum", "level"])
    nested = study.table("results/evaluation/nested_predictions.csv").set_index("sample_id")
    published = study.table("data/published.csv")
    beta = study.table("data/beta.parquet").set_index("sample_id")
    values = beta.reindex(nested.index)[published["CpGmarker"]]
    complete = values.notna().all(axis=1)
    ages = study.table("results/audit/published_ages.csv").set_index("sample_id")["Simulated"]
    expected = 45 + values[complete] @ published["CoefficientTraining"].to_numpy()
    # The store holds float32.
    np.testing.assert_allclose(ages[expected.index], expected, atol=1e-4)
    error = (ages[nested.index] - nested["Age"]).abs()
    row = accuracy.loc[("Simulated", "project_id", "001")]
    assert row["MAE"] == pytest.approx(error[nested["project_id"] == "001"].mean())
    assert str(row["In_Its_Training"]) == "True"
    assert "Training was worth it: the nested error of Simulated is larger" in study.path(
        "results/full_artifacts/MODEL_CARD.md"
    ).read_text(encoding="utf-8")
    page = study.path("results/report/index.html").read_text(encoding="utf-8")
    assert "Published clocks on the same samples" in page
    assert study.table("results/audit/published_clocks.csv")["sha256"].iloc[0] in page


@pytest.mark.skipif(CHROMIUM is None, reason="neither chromium nor chromium-browser is on the PATH")
def test_the_page_opens_in_a_browser(reported, tmp_path):
    page = reported[0].path("results/report/index.html")
    with browser(tmp_path / "browser") as tab:
        for width in (390, 1280):
            tab.open(page, width, 900)
            assert tab.value("document.documentElement.scrollWidth") <= width
            assert tab.value("[...document.images].every(image => image.naturalWidth > 100)")
        assert tab.messages == []
        assert [url for url in tab.requests if not url.startswith(("data:", page.as_uri()))] == []
