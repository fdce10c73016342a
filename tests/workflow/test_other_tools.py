"""What people do with a run outside of this package: read its weights in R, open its report in a browser."""

import re
import shutil
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from browser import CHROMIUM, browser
from mini_study import ASSEMBLED, REPOSITORY, call

RSCRIPT = shutil.which("Rscript")


@pytest.mark.skipif(RSCRIPT is None, reason="Rscript is not on the PATH")
def test_r_predicts_stage1_from_the_weights_table(study_copy):
    # As CSV, and with samples that lack values: some of a CpG, one of them a whole column.
    table = study_copy.table("data/held_back.parquet")
    first, second = study_copy.table(f"{ASSEMBLED}/stage1/Stage1_Global_Model_Weights.csv")["feature"].iloc[1:3]
    table.loc[table.index[:4], first] = np.nan
    table.drop(columns=second).to_csv(study_copy.path("samples.csv"), index=False)

    heteroage = [sys.executable, "-m", "heteroage.cli", "stage1-predict", "--artifact-dir", ASSEMBLED]
    heteroage += ["--input", "samples.csv", "--out", "by_python.csv"]
    weights = f"{ASSEMBLED}/stage1/Stage1_Global_Model_Weights.csv"
    in_r = [RSCRIPT, str(REPOSITORY / "resources/r/predict_stage1.R"), weights, "samples.csv", "by_r.csv"]
    for command in (heteroage, in_r):
        done = call(command, study_copy.folder, study_copy.repository)
        assert done.returncode == 0, done.stdout

    by_python, by_r = (pd.read_csv(study_copy.path(name)) for name in ("by_python.csv", "by_r.csv"))
    assert by_r["sample_id"].tolist() == by_python["sample_id"].tolist()
    # What imputes is rounded to 2^-23 of its sum over all CpGs (clock/imputation.py), but not in R.
    np.testing.assert_allclose(by_r["Stage1_Pred_Age"], by_python["Stage1_Pred_Age"], rtol=0, atol=1e-3)


# Does what a reader does: opens the results, and the category of the figure (where there is only one, it is
# opened at once).
CLICKS = """<script>
["Results", "Accuracy"].forEach((name, k) => setTimeout(() => {
  const link = [...document.querySelectorAll("#app a")].find((a) => a.textContent.trim() === name);
  if (link) link.click();
}, 1000 * (k + 1)));
</script></body>"""


@pytest.mark.skipif(CHROMIUM is None, reason="neither chromium nor chromium-browser is on the PATH")
def test_the_report_opens_in_a_browser_and_shows_the_figures_label(study_copy):
    study_copy.run("--report", "report.html")
    report = study_copy.path("report.html")
    before, _, after = report.read_text(encoding="utf-8").rpartition("</body>")
    report.write_text(before + CLICKS + after, encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command += [f"--user-data-dir={study_copy.path('browser')}", "--virtual-time-budget=10000", "--dump-dom"]
    shown = texts(call([*command, report.as_uri()], study_copy.folder, study_copy.repository).stdout)
    assert "Predicted against actual age" in shown
    assert "full" in shown  # the figure's run


@pytest.mark.skipif(CHROMIUM is None, reason="neither chromium nor chromium-browser is on the PATH")
def test_the_page_opens_offline_on_a_phone_and_on_a_desk(study_copy):
    study_copy.run("results/report/training.html")
    page = study_copy.path("results/report/training.html")
    assert page.stat().st_size < 5e6
    with browser(study_copy.path("browser")) as tab:
        for width, height in ((390, 844), (1280, 900)):
            tab.open(page, width, height)
            assert tab.value("document.documentElement.scrollWidth") <= width
            widths = tab.value("[...document.images].map((image) => image.complete ? image.naturalWidth : 0)")
            assert len(widths) == 10
            assert min(widths) > 300
            # Wide tables scroll on their own, opened as well.
            tab.value("document.querySelectorAll('details').forEach((part) => (part.open = true))")
            assert tab.value("document.documentElement.scrollWidth") <= width
        assert tab.messages == []
        assert {url for url in tab.requests if not url.startswith("data:")} == {page.as_uri()}
        headings = tab.value("[...document.querySelectorAll('h2')].map((heading) => heading.textContent)")
        described = tab.value("[...document.images].map((image) => image.alt)")
    assert {"Accuracy", "Leakage certificate", "Stage 2: the hallmarks", "Age acceleration"} <= set(headings)
    assert all(re.search(r"\w{3}", text) for text in described)
    assert str(study_copy.folder) not in page.read_text(encoding="utf-8")


def texts(page):
    """A page's pieces of text, those of scripts and styles left out."""

    class Reader(HTMLParser):
        hidden, found = False, []

        def handle_starttag(self, tag, attributes):
            self.hidden = tag in ("script", "style")

        def handle_endtag(self, tag):
            self.hidden = False

        def handle_data(self, data):
            if not self.hidden and data.strip():
                self.found.append(data.strip())

    reader = Reader()
    reader.feed(page)
    return reader.found
