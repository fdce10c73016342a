"""Takes in what other rules make; gives out which pictures and tables each page of the report shows, and what
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


healthy_predictions.paths = [paths[0] for paths in HELD_OUT.values()]


def held_out_predictions(wildcards):
    """Ages of held-out samples: nested runs predict unhealthy ones too."""
    return HELD_OUT[wildcards.scored]


held_out_predictions.paths = sum(HELD_OUT.values(), [])


BY_SCORING = ["tissues", "projects", "acceleration"]
OF_TRAINING = ["sweep", "skill", "corrections", "importance", "cohort", "sample"]

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
        "results/figures/falsification/random_sets.svg",
        *[path for path in AUDIT if path.endswith(".png")],
    ],
    "tables": [
        *PAGES["training"]["tables"],
        *collect("results/evaluation/{name}.csv", name=["accuracy", "optimism", "ablation", "coverage"]),
        "results/falsification/certificate.csv",
    ],
}


def pictures_of_page(wildcards):
    """The pictures of a page."""
    return PAGES[wildcards.page]["pictures"]


pictures_of_page.paths = PAGES["index"]["pictures"]


def report_page(wildcards):
    """The page with all of it; nothing more than the training run's where the groups are too few for nested runs."""
    return "results/report/index.html" if folds_to_leave_out() else []


def tables_of_page(wildcards):
    """The tables of a page; it tells them by their files' names."""
    return PAGES[wildcards.page]["tables"]


tables_of_page.paths = PAGES["index"]["tables"]


EXAMPLES = {"run": "full", "fold": "0", "hallmark": HALLMARKS[0], "scored": "nested", "page": "index"}
EXAMPLES["name"] = next(iter(config["predict"] or []), "name")


def rule_graph(wildcards):
    """Which rule uses what another makes, as [(maker, user), ...], by the paths that rules name.

    An input function that finds its paths from the data names them in an attribute `paths`. Rules stand in run order:
    what leads back to an earlier one is of another run.
    """
    ours = (rule for rule in workflow.rules if Path(rule.snakefile).is_relative_to(REPOSITORY))
    rules = [(Path(rule.script).stem, rule) for rule in ours if rule.output]  # a module's rules may be renamed
    edges = set()
    for position, (user_name, user) in enumerate(rules):
        for wanted in user.input:
            for pattern in [wanted] if isinstance(wanted, str) else getattr(wanted, "paths", []):
                path = re.sub(r"\{(\w+)[^}]*\}", lambda found: EXAMPLES.get(found[1], found[1]), pattern)
                edges |= {(name, user_name) for name, maker in rules[:position] if maker.is_producer(path)}
    return sorted(edges)
