import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browser import CHROMIUM, browser
from picture_data import ablation
from report_card import CARD
from report_card import ERRORS as OUT_OF_FOLD

from heteroage.figures.held_out import plot_ablation
from heteroage.figures.style import save_picture
from heteroage.report.page import out_of_fold_errors, page, page_content, read_figure

FOLDER = Path(__file__).parents[3] / "workflow/report"
ERRORS = {"MicroMAE": [4.0, 5.0], "MacroMAE": [4.1, 5.1], "R": [0.9, 0.8]}
EXPERTS = pd.DataFrame(
    {
        "hallmark": ["Telomere_Attrition", "Cellular_Senescence"],
        "features_offered": 3,
        "features_used": 1,
        "MAE_Anchor": 3.0,
        "R2_Residual": [-0.01, 0.2],
        "MAE_Anchor_Plus_Correction": 2.9,
        "skill": [False, True],
    }
)


@pytest.fixture
def tables():
    age = np.arange(10, 70, 5.0)
    out_of_fold = pd.DataFrame(
        {
            "sample_id": [f"s{k}" for k in range(12)],
            "project_id": ["p", "q", "r"] * 4,
            "Age": age,
            "fold": [0, 1, 2] * 4,
            "Stage1_Pred_Age": age + 3,
            "HeteroAge": age - 2,
        }
    )
    return {"Stage3_Final_Predictions_OOF": out_of_fold}


@pytest.fixture
def evaluated(tables):
    accuracy = pd.DataFrame({"model": ["HeteroAge", "Stage1_Pred_Age", "Training_Mean_Age"], "MAE": [4.56, 4.7, 15.0]})
    accuracy = accuracy.assign(stratum="all", level="all", n=12, n_projects=3, MAE_Lower=4.1, MAE_Upper=5.2, MedAE=4.0)
    accuracy = accuracy.assign(Bias=0.1, R=0.95, R2=0.9, MacroMAE=4.6)
    by_tissue = accuracy.assign(stratum="Tissue", level="Blood", MAE_Lower=np.nan, MAE_Upper=np.nan, MacroMAE=np.nan)
    certificate = pd.DataFrame({"test": ["shuffled_ages", "near_duplicates"], "measured": [0.01, 0.0]})
    return tables | {
        "accuracy": pd.concat([accuracy, by_tissue], ignore_index=True),
        "optimism": pd.DataFrame(ERRORS | {"scoring": ["random_split", "nested"], "model": "HeteroAge"}).assign(
            Gap_Years=[1.0, 0.0]
        ),
        "ablation": ablation(),
        "coverage": pd.DataFrame(
            {"stratum": ["all"], "level": ["all"], "n": [12], "coverage": [0.914], "group_coverage": 0.9}
        ).assign(median_width=20.0),
        "certificate": certificate.assign(limit=[0.1, 0.0], verdict="pass", meaning="about 0"),
    }


def written(tables, simulated=False, figures=None, audit=(), groups=(), experts=EXPERTS, errors=OUT_OF_FOLD):
    stages = {"stage2": {"experts": experts.to_dict("records")}}
    stages["stage3"] = {"boosting_rounds": 0, "intervals": {"level": 0.9}, "errors_out_of_fold": errors}
    content = page_content(figures or {}, audit, tables, CARD | stages | {"groups": groups}, simulated)
    return page(FOLDER / "report.html.j2", content)


def test_a_plain_run_says_which_command_makes_what_is_missing(tables):
    html = written(tables)
    assert "out of fold" in html
    assert html.count("<code>snakemake --cores 2 report</code>") == 1  # the advice is given once
    assert "are probably too small" in html
    assert "<strong>2.00 years</strong>" in html


def test_what_ties_studies_is_said_before_the_numbers(tables):
    html = written(tables, groups=["2 of 3 projects are one group: a, <b>."])
    assert html.index("2 of 3 projects are one group: a, &lt;b&gt;.") < html.index("MAE, all samples")


def test_an_evaluated_run_quotes_the_nested_error(evaluated):
    html = written(evaluated)
    assert "<strong>4.56 years</strong> (95% interval 4.1 to 5.2, by project)" in html
    assert "are probably too small" not in html
    assert "Of 2 tests 2 passed, 0 failed, 0 were inconclusive." in html
    assert "91.4" in html
    assert re.search(r"Blood.*15\.00", html, re.DOTALL)  # the training-mean predictor stands beside


def test_a_failed_certificate_cannot_be_overlooked(evaluated):
    evaluated["certificate"]["verdict"] = ["inconclusive", "fail"]
    html = written(evaluated)
    assert "1 of 2 failed: do not quote this clock" in html
    assert "Of 2 tests 0 passed, 1 failed, 1 was inconclusive." in html
    assert html.count("? inconclusive") == 1
    assert html.count("✗ FAIL") == 1


def test_experts_without_skill_are_named(tables):
    assert "<strong>1 of 2 experts have no skill</strong> out of fold: Telomere Attrition." in written(tables)


def test_only_simulated_cohorts_are_called_so(tables):
    said = [word in written(tables, simulated=True) for word in ("Simulated data.", "(simulated data)</title>")]
    assert said == [True, True]
    assert "simulated" not in written(tables).partition("</style>")[2].lower()


def test_a_page_loads_nothing_and_runs_nothing(evaluated, tmp_path):
    save_picture(plot_ablation(evaluated["ablation"]), tmp_path / "ablation.svg")
    figure = read_figure(tmp_path / "ablation.svg", FOLDER / "ablation.rst")
    html = written(evaluated, figures={"ablation": figure})
    assert "default-src 'none'" in html
    assert "<script" not in html
    links = re.findall(r"(?:src|href)=\"([^\"]{0,40})", html)
    assert [link for link in links if not link.startswith(("#", "data:"))] == []
    assert "Nested mean absolute error: anchor alone 4.00 years" in html  # as alternative text


@pytest.mark.skipif(CHROMIUM is None, reason="neither chromium nor chromium-browser is on the PATH")
def test_an_evaluated_page_fits_a_phone_in_a_browser(evaluated, tmp_path):
    evaluated["certificate"]["meaning"] = "share of a planted shift " * 12
    save_picture(plot_ablation(evaluated["ablation"]), tmp_path / "ablation.svg")
    figures = {"ablation": read_figure(tmp_path / "ablation.svg", FOLDER / "ablation.rst")}
    (tmp_path / "index.html").write_text(written(evaluated, figures=figures), encoding="utf-8")
    with browser(tmp_path / "browser") as tab:
        for width in (390, 1280):
            tab.open(tmp_path / "index.html", width, 900)
            assert tab.value("document.documentElement.scrollWidth") <= width
            assert tab.value("document.images[0].naturalWidth") > 300
        assert tab.messages == []
        assert [url for url in tab.requests if not url.startswith(("data:", tmp_path.as_uri()))] == []


def test_names_from_the_data_are_text(tables):
    html = written(tables, experts=EXPERTS.assign(hallmark=["<b>bold</b>", "Cellular_Senescence"]))
    assert "&lt;b&gt;bold" in html
    assert "<b>bold" not in html


def test_pictures_of_the_data_are_shown_by_their_names(tables, tmp_path):
    (tmp_path / "pc_space.png").write_bytes(b"png")
    (tmp_path / "pc_space.rst").write_text("Look at ``their``\nlabels.\n", encoding="utf-8")
    picture = read_figure(tmp_path / "pc_space.png", tmp_path / "pc_space.rst")
    html = written(tables, audit=[picture])
    assert '<h2 id="data">' in html
    assert '<img src="data:image/png;base64,cG5n" alt="Look at their labels.">' in html
    assert "PC space" in html
    assert 'id="data"' not in written(tables)


def test_every_picture_has_a_caption_that_is_plain_text():
    captions = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.rst")}
    template = (FOLDER / "report.html.j2").read_text(encoding="utf-8")
    shown = set(re.findall(r'show\("(\w+)"\)', template))
    assert len(shown) == 15
    assert [name for name in sorted(shown) if re.search(r"[`*|]|::", captions[name])] == []


def test_the_guess_of_a_fold_is_the_mean_age_of_the_others(tables):
    table = tables["Stage3_Final_Predictions_OOF"].assign(fold=[0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 2])
    errors = out_of_fold_errors(table).set_index("model")
    by_hand = [abs(row["Age"] - table.loc[table["fold"] != row["fold"], "Age"].mean()) for _, row in table.iterrows()]
    assert errors.loc["Training_Mean_Age", "MAE"] == pytest.approx(np.mean(by_hand))
    assert errors.loc["HeteroAge", "Bias"] == pytest.approx(-2)


def test_the_procedures_error_stands_on_the_page_of_one_training_run(tables, evaluated):
    errors = OUT_OF_FOLD | {"procedure": {"MicroMAE": 4.72}}
    said = "<dt>MAE with rounds chosen in each fold</dt><dd>4.72 <small>"
    assert said in written(tables, errors=errors)
    assert said not in written(evaluated, errors=errors)
