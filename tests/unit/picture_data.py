"""Tables such as a run leaves, with random numbers in them, for the pictures of it."""

import numpy as np
import pandas as pd

RNG = np.random.default_rng(5)


def predictions(tissues=3, projects=6, n=120):
    ages = RNG.uniform(2, 90, n).round(1)
    rows = np.arange(n)
    return pd.DataFrame(
        {
            "sample_id": [f"s{k:03d}" for k in rows],
            "project_id": [f"p{k % projects:02d}" for k in rows],
            "Tissue": [f"tissue_{k % tissues:02d}" for k in rows],
            "Sex": np.where(rows % 2, "F", "M"),
            "Age": ages,
            "fold": rows % 4,
            "Stage1_Pred_Age": ages + RNG.normal(0, 4, n),
            "HeteroAge": ages + RNG.normal(0, 3, n),
        }
    )


def sweep_report():
    rows = [(1, 30, 500, m, a, r) for m in (1.0, 2.0) for r in (0.1, 0.9) for a in (0.4, 0.2, 0.1)]
    report = pd.DataFrame(rows, columns=["min_cohorts", "min_cap", "max_cap", "median_mult", "alpha", "l1_ratio"])
    report["Score"] = -np.linspace(9, 5, len(rows))
    return report.assign(n_features=10.0, selected=np.arange(len(rows)) == len(rows) - 1)


def tuning_curve():
    curve = [5.0, 4.5, 4.2, 4.1, 4.15]
    table = pd.DataFrame({"rounds": range(5), "Group_MAE": curve, "Paired_SE": [0.3, 0.2, 0.05, 0.0, 0.02]})
    return table.assign(chosen=table["rounds"] == 3)


def experts():
    return pd.DataFrame(
        {
            "hallmark": ["Cellular_Senescence", "Telomere_Attrition"],
            "R2_Residual": [0.2, -0.03],
            "skill": [True, False],
        }
    )


def corrections(table):
    years = RNG.normal(0, 1, len(table))
    return pd.DataFrame(
        {
            "sample_id": table["sample_id"],
            "Cellular_Senescence_Correction": years,
            "Telomere_Attrition_Correction": 0.0,
        }
    )


def contributions(n=30):
    table = pd.DataFrame({"sample_id": [f"s{k}" for k in range(n)], "Stage1_Pred_Age": RNG.uniform(20, 80, n)})
    table["Cellular_Senescence_Correction"] = RNG.normal(0, 2, n)
    table["Stage1_Pred_Age_Contribution"] = RNG.normal(0, 0.2, n)
    return table.assign(Bias=0.1, HeteroAge=table.iloc[:, 1:].sum(axis=1) + 0.1)


def ablation():
    table = pd.DataFrame({"model": ["anchor", "full"], "MicroMAE": [4.0, 3.9], "MacroMAE": [4.1, 4.0], "R": 0.9})
    changes = {"Minus_Anchor": [0.0, -0.1], "Minus_Anchor_SE": [0.0, 0.04]}
    return table.assign(**changes, Minus_Previous=[0.0, -0.1], Minus_Previous_SE=[0.0, 0.04])
