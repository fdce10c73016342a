"""Simulated cohorts with a planted truth, for the demo and for tests. Nothing in them is measured.

On the logit scale a CpG is: its base level, plus tissue, study and sample effects, plus a drift with
transformed age if it is one of the drifting CpGs, plus noise. Three kinds of CpG drift:

- a few clear ones, which make up most of the anchor;
- many faint ones, spread over all CpGs: too faint to be found one by one;
- those that the accelerated hallmark alone has. Together they tell age, but a model of all CpGs can hardly find them
  among the thousands. A model of the hallmark's own CpGs can.

The planted heterogeneity, and the part of the clock that should find it:

- The accelerated hallmark's own drift (`hallmark_drift`) should be found by its expert.
- Some drifting CpGs follow the pace of their tissue (`tissue_pace`, else 1). The fusion should find it, because Tissue
  is one of its features.
- In accelerated samples, most of them unhealthy, that hallmark's CpGs drift as if the sample were `acceleration_years`
  older. The hallmark's correction should show it in new samples. CpGs shared with other hallmarks do not drift
  faster, so no other correction shows it.

Without these three, there is nothing for the later stages to find, and HeteroAge is the anchor.
The three modalities see the same samples through different CpGs, gains and noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np
import pandas as pd

from heteroage.age import transform_age
from heteroage.probes import MODALITIES

# Gain and noise (logit scale) with which each modality shows a CpG's state.
VIEW = {"beta": (1.0, 0.5), "chalm": (0.8, 0.7), "camda": (0.6, 0.9)}
MISSES = {"beta": None, "chalm": 3, "camda": 8}  # which of every fifteen samples each modality does not have


def cpg_names(settings: Mapping) -> list[str]:
    """Return the names of the simulated CpGs."""
    rng = np.random.default_rng([settings["seed"], 1])
    return [f"cg{number:08d}" for number in np.sort(rng.choice(30_000_000, settings["cpgs"], replace=False))]


def simulate_dictionary(settings: Mapping) -> dict[str, list[str]]:
    """Return the demo's hallmark dictionary (resources/demo/hallmarks.json). Neighbouring hallmarks share CpGs."""
    rng = np.random.default_rng([settings["seed"], 2])
    names, size, shared = (settings["hallmarks"], settings["cpgs_per_hallmark"], settings["shared_by_hallmarks"])
    order = rng.permutation(cpg_names(settings))
    own = [order[k * size : (k + 1) * size] for k in range(len(names))]
    return {name: sorted([*own[k], *own[(k + 1) % len(names)][:shared]]) for k, name in enumerate(names)}


def simulate(settings: Mapping, dictionary: Mapping[str, list[str]]) -> SimpleNamespace:
    """Simulate the demo: `tables` by modality, `context_pcs`, the master table `new_samples`, and the `truth`.

    The same settings give the same cohorts.
    """
    rng = np.random.default_rng([settings["seed"], 3])
    samples = _samples(settings, rng)
    cpgs = cpg_names(settings)
    state, drifting = _state(settings, samples, cpgs, dictionary, rng)
    betas = {modality: _measure(settings, samples, state, cpgs, modality, rng) for modality in MODALITIES}
    pcs = _principal_components(betas["beta"], samples, settings["n_pcs"])

    visible = ["project_id", "donor_id", "Tissue", "Sex", "Age", "Is_Healthy"]
    training = samples["project_id"] != "new_samples"
    identity = samples.set_index("sample_id")[visible]
    new_samples = [betas[m].add_suffix(f"_{m}") for m in MODALITIES]
    accelerated, fifteenth = samples["acceleration"] > 0, samples.index.to_series() % 15
    return SimpleNamespace(
        tables={
            # Each modality misses some samples, as in real studies; chalm's table repeats the metadata.
            m: pd.concat([identity, betas[m]], axis=1)[(training & (fifteenth != MISSES[m])).to_numpy()].reset_index()
            for m in MODALITIES
        },
        context_pcs=pcs[training.to_numpy()].reset_index(),
        new_samples=pd.concat([identity[["Tissue", "Sex", "Age"]], pcs, *new_samples], axis=1)[
            (~training).to_numpy()
        ].reset_index(),
        truth={
            "simulated": True,
            "drifting_cpgs": sorted(drifting),
            "accelerated_hallmark": settings["accelerated_hallmark"],
            "acceleration_years": settings["acceleration_years"],
            "accelerated_samples": sorted(samples.loc[accelerated, "sample_id"]),
        },
    )


def _samples(settings: Mapping, rng: np.random.Generator) -> pd.DataFrame:
    tissues, n = settings["tissues"], settings["samples_per_project"]
    rows = []
    for k in range(settings["projects"] + 1):
        name = f"study_{k + 1:02d}" if k < settings["projects"] else "new_samples"
        centre = rng.uniform(30, 65)
        # Every third study has two tissues; all tissues come up in at least two studies.
        own = [tissues[k % len(tissues)], tissues[(k + 2) % len(tissues)]][: 2 if k % 3 == 0 else 1]
        for _ in range(n):
            rows.append(
                {
                    "project_id": name,
                    "Tissue": own[rng.integers(len(own))],
                    "Sex": rng.choice(["F", "M"]),
                    "Age": round(float(np.clip(rng.normal(centre, 16), 0, 95)), 1),
                    "Is_Healthy": bool(rng.random() >= settings["unhealthy_share"]),
                }
            )
    samples = pd.DataFrame(rows)
    numbers = rng.permutation(len(samples))
    samples.insert(0, "sample_id", [f"sample_{number:04d}" for number in numbers])
    samples["donor_id"] = [f"donor_{number:04d}" for number in rng.permutation(len(samples))]
    training = np.flatnonzero(samples["project_id"] != "new_samples")
    for repeat in range(settings["repeated_donors"]):
        first = int(rng.choice(training))
        # The first two donors tie two studies each; the others gave twice within their study.
        same = samples["project_id"] == samples["project_id"][first]
        others = np.flatnonzero(~same & (samples.index <= training[-1])) if repeat < 2 else np.flatnonzero(same)
        second = int(rng.choice(others[others != first]))
        for column in ("donor_id", "Sex", "Age"):
            samples.loc[second, column] = samples.loc[first, column]
    share = samples["Is_Healthy"].map(
        {True: settings["accelerated_share"]["healthy"], False: settings["accelerated_share"]["unhealthy"]}
    )
    samples["acceleration"] = np.where(rng.random(len(samples)) < share, settings["acceleration_years"], 0.0)
    return samples.sort_values("sample_id", ignore_index=True)


def _state(
    settings: Mapping,
    samples: pd.DataFrame,
    cpgs: list[str],
    dictionary: Mapping[str, list[str]],
    rng: np.random.Generator,
) -> tuple[np.ndarray, set[str]]:
    """Each CpG's state in each sample (samples × CpGs, logit), and the CpGs that drift with age."""
    n, p = len(samples), len(cpgs)
    hallmark, sizes = settings["accelerated_hallmark"], settings["drift"]
    others = set().union(*(members for name, members in dictionary.items() if name != hallmark))
    own = np.isin(cpgs, sorted(set(dictionary[hallmark]) - others))
    free = np.flatnonzero(~np.isin(cpgs, dictionary[hallmark]))
    planted = np.random.default_rng([settings["seed"], 4])
    drift = np.where(own, settings["hallmark_drift"], 0.0)
    drift[planted.choice(free, sizes["faint_cpgs"], replace=False)] = sizes["faint"]
    drift[rng.choice(free, sizes["clear_cpgs"], replace=False)] = sizes["clear"]
    drift *= rng.choice([-1, 1], p)
    age = transform_age(samples["Age"])
    accelerated = transform_age(samples["Age"] + samples["acceleration"])
    pace = samples["Tissue"].map(settings["tissue_pace"]).fillna(1.0).to_numpy()
    paced = planted.random(p) < settings["paced_share"]
    state = np.outer(age, drift) + rng.choice([-2.0, 0.0, 2.0], p) + rng.normal(0, 0.4, p)
    state += np.outer(age * (pace - 1), np.where(paced, drift, 0))
    state += np.outer(accelerated - age, np.where(own, drift, 0))
    for column, spread in (("Tissue", 0.3), ("project_id", 0.05)):
        codes, levels = pd.factorize(samples[column], sort=True)
        state += rng.normal(0, spread, (len(levels), p))[codes]
    # Cell mixture: a few latent directions of variation between samples.
    state += rng.normal(0, 1, (n, 4)) @ (rng.normal(0, 0.3, (4, p)) * (rng.random((4, p)) < 0.3))
    return state, {cpg for cpg, slope in zip(cpgs, drift, strict=True) if slope}


def _measure(
    settings: Mapping,
    samples: pd.DataFrame,
    state: np.ndarray,
    cpgs: list[str],
    modality: str,
    rng: np.random.Generator,
) -> pd.DataFrame:
    gain, noise = VIEW[modality]
    covered = np.sort(rng.choice(len(cpgs), settings["cpgs_per_modality"], replace=False))
    logit = gain * state[:, covered] + rng.normal(0, noise, (len(samples), len(covered)))
    values = np.round(1 / (1 + np.exp(-logit)), 4)
    values[rng.random(values.shape) < settings["missing_share"]] = np.nan
    return pd.DataFrame(values, index=samples["sample_id"], columns=[cpgs[k] for k in covered])


def _principal_components(beta: pd.DataFrame, samples: pd.DataFrame, n_pcs: int) -> pd.DataFrame:
    """Compute PCs of all beta values from the training studies, without ages."""
    filled = beta.fillna(beta.median())
    training = (samples["project_id"] != "new_samples").to_numpy()
    centred = filled - filled[training].mean()
    loadings = np.linalg.svd(centred[training], full_matrices=False)[2][:n_pcs]
    loadings *= np.sign(loadings[np.arange(n_pcs), np.abs(loadings).argmax(axis=1)])[:, None]
    return pd.DataFrame(
        np.round(centred.to_numpy() @ loadings.T, 5), index=beta.index, columns=[f"RF_PC{k + 1}" for k in range(n_pcs)]
    )
