"""Input: what other rules make. Output: which pictures and tables each page of the report shows, and what
flags and feeds them: functions that figures.smk and report.smk use."""

REPORT = Path(os.path.relpath(REPOSITORY / "workflow/report"))


def picture(path, category, figure):
    """Flag a picture for `snakemake --report`; its caption goes by its file's name."""
    return report(path, caption=f"../report/{Path(path).stem}.rst", category=category, labels={"figure": figure})


HELD_OUT = {
    "nested": ["results/evaluation/nested_predictions.csv", "results/evaluation/unhealthy_predictions.csv"],
    "out_of_fold": ["results/full/artifacts/stage3/Stage3_Final_Predictions_OOF.csv"],
}


def healthy_predictions(wildcards):
    """Ages of healthy held-out samples: by nested runs, or the full run's out-of-fold ones."""
    return HELD_OUT[wildcards.scored][0]


def held_out_predictions(wildcards):
    """Ages of held-out samples: nested runs predict unhealthy ones too."""
    return HELD_OUT[wildcards.scored]


# Published clocks beside ours, where `compare:` names some.
PUBLISHED_PICTURE = (
    {"published": picture("results/figures/evaluation/published.svg", "Accuracy", "Published clocks")}
    if config["compare"]
    else {}
)
BY_SCORING = ["tissues", "projects", "acceleration"]
OF_TRAINING = ["sweep", "skill", "corrections", "rounds", "importance", "cohort", "sample"]

# The page with all of it (`snakemake report`), and the one that shows what a training run alone can know.
PAGES = {
    "training": {
        "pictures": [
            *collect("results/figures/out_of_fold/{name}.svg", name=BY_SCORING),
            *collect("results/figures/training/{name}.svg", name=OF_TRAINING),
        ],
        "tables": [
            "results/full/artifacts/stage3/Stage3_Final_Predictions_OOF.csv",
            "results/full/artifacts/stage2/Stage2_Performance_Summary.csv",
        ],
    }
}
PAGES["index"] = {
    "pictures": [
        *collect("results/figures/nested/{name}.svg", name=BY_SCORING),
        *collect("results/figures/training/{name}.svg", name=OF_TRAINING),
        *collect("results/figures/evaluation/{name}.svg", name=["optimism", "ablation", "coverage"]),
        *PUBLISHED_PICTURE.values(),
        "results/figures/falsification/random_sets.svg",
        *[path for path in AUDIT if path.endswith(".png")],
    ],
    "tables": [
        *PAGES["training"]["tables"],
        *collect("results/evaluation/{name}.csv", name=["accuracy", "optimism", "ablation", "coverage"]),
        "results/falsification/certificate.csv",
        *([PUBLISHED_CLOCKS] if config["compare"] else []),
    ],
}


def pictures_of_page(wildcards):
    """The pictures of a page."""
    return PAGES[wildcards.page]["pictures"]


def report_page(wildcards):
    """The page with all of it; nothing more than the training run's where the groups are too few for nested runs."""
    return "results/report/index.html" if folds_to_leave_out() else []


def tables_of_page(wildcards):
    """The tables of a page; it tells them by their files' names."""
    return PAGES[wildcards.page]["tables"]
