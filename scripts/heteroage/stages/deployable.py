"""Deployable models: the scikit-learn Pipeline of one configuration, for use in Python, and its table of weights.

The anchor may start from a published clock: it fits F(age) - strength x score, where the score is the published
weighted sum of CpGs on the scale of F. The sum of two linear models is linear, so weights, Pipeline and export contain
the sum. The intercept is always fitted.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from heteroage.age import ADULT_AGE, inverse_transform_age, transform_age
from heteroage.clock.artifacts import INTERCEPT, WEIGHTS
from heteroage.engine.elastic_net import exact_weights, fit_paths, one_blas_thread
from heteroage.engine.feature_pass import FeaturePass
from heteroage.engine.training_set import TrainingSet
from heteroage.errors import HeteroAgeError, listed
from heteroage.probes import is_pc

if TYPE_CHECKING:
    from heteroage.stages.training_data import TrainingData

log = logging.getLogger(__name__)

TOLERANCE = 1e-12  # tolerance of scikit-learn's duality gap, relative to |y|²
MAX_ITERATIONS = 100_000
MOST_MISSING_VALUES = 0.1  # largest accepted fraction of missing values of the published CpGs in a study
# Slope of the published sum on the scale of F, by transform.
SLOPES = {"horvath": 1.0, "identity": 1 / (ADULT_AGE + 1)}


@dataclass(frozen=True)
class Start:
    """A published clock on a run's training samples, or a multiple of it; only the CpGs that the data have.

    places : rows of X, one per CpG
    coefficient : of raw values, on the scale of F
    values : (CpGs, the run's samples)
    """

    places: NDArray[np.int64]
    coefficient: NDArray[np.float64]
    values: NDArray[np.float32]

    def times(self, strength: float) -> Start:
        """Multiply the coefficients by the strength."""
        return replace(self, coefficient=strength * self.coefficient)

    def score(self, values: NDArray, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Weighted sum of each sample; missing values at the median of the training samples.

        values : (CpGs, samples), NaN where missing
        rows : positions of the training samples; a CpG that is missing in all of them counts 0
        """
        total = np.zeros(values.shape[1])
        for coefficient, own in zip(self.coefficient, values, strict=True):
            known = own[rows][~np.isnan(own[rows])].astype(np.float64)
            if len(known):
                total += coefficient * np.where(np.isnan(own), np.median(known), own)
        return total


def open_start(start_from: Mapping[str, object] | None, data: TrainingData) -> Start | None:
    """Read the published clock of `stage1.start_from` and check it against the training samples.

    Raises HeteroAgeError: errors of `read_coefficients`; no CpG in common; studies with more than a tenth of its CpGs'
    values missing.
    """
    if not start_from:
        return None
    where = f"stage1.start_from.coefficients, {start_from['coefficients']},"
    # An import statement would make the reading of all tables code of every training, with or without a published
    # clock. The rules that read one have the parameter `reader` instead.
    clock = import_module("heteroage.clock.published").read_coefficients(str(start_from["coefficients"]), where)
    place = {name: k for k, name in enumerate(data.feature_names)}
    shared = [k for k, name in enumerate(clock.features) if name in place]
    if not shared:
        raise HeteroAgeError(
            f"{where} shares no CpG with the data (its CpGs are {listed(clock.features)}). "
            "Published clocks are read as beta values; check inputs.beta."
        )
    names = [clock.features[k] for k in shared]
    values, projects = data.values(names), data.samples["project_id"].to_numpy()
    missing, absent = np.isnan(values), len(clock.features) - len(names)
    share = (missing.sum(axis=0) + absent) / len(clock.features)
    by_study = pd.Series(share).groupby(projects).mean()
    worst = by_study[by_study > MOST_MISSING_VALUES].sort_values(ascending=False)
    if len(worst):
        raise HeteroAgeError(
            f"{where} has CpGs that are missing in some studies. Of its {len(clock.features)} CpGs, the data have no "
            f"column for {absent}. Studies with more than {MOST_MISSING_VALUES:.0%} missing: "
            f"{listed(f'{name} {share:.0%}' for name, share in worst.items())}. Leave these studies out, or remove "
            "stage1.start_from."
        )
    often = pd.DataFrame(missing.T).groupby(projects).mean().max()
    poor = [name for name, most in zip(names, often, strict=True) if most > MOST_MISSING_VALUES]
    if absent:
        log.warning("start_from: %d of %d CpGs are not in the data and count 0", absent, len(clock.features))
    if poor:
        log.warning("start_from: CpGs missing in more than a tenth of a study's samples: %s", listed(poor))
    slope = SLOPES[str(start_from.get("transform", "horvath"))]
    places = np.array([place[name] for name in names])
    return Start(places, slope * clock.coefficient[shared], values)


def fit_pipeline(
    X: NDArray[np.float32],
    feature_names: Sequence[str],
    training_set: TrainingSet,
    configuration: Mapping[str, float],
    transform_target: bool,
    threads: int = 1,
    added: Start | None = None,
    learnt: FeaturePass | None = None,
) -> Pipeline:
    """Fit the model of one configuration: imputer, scaler and elastic net on the features with a nonzero weight.

    The path down to `alpha` finds the features with a nonzero weight. scikit-learn fits imputer and scaler on them. It
    has no penalty of technical noise, so the coefficients are those of the engine. A model without features keeps one
    feature with weight 0.

    X : (features, samples), may be a memory map
    training_set : the samples to train on; targets in years
    configuration : `alpha`, `l1_ratio`, `technical_sd`
    transform_target : True: fit the transformed age (and predict years). False: fit y without an intercept, so that a
        correction is 0 on average, and 0 for all samples if no feature is used
    threads : number of threads
    learnt : statistics of training sets, as in `open_paths`
    added : coefficients of a published clock; the net is fitted to its residual, and the Pipeline contains the sum
    Returns a Pipeline with `feature_names_in_`, predicting years from a frame of these columns.
    """
    alpha, l1_ratio, technical_sd = (configuration[key] for key in ("alpha", "l1_ratio", "technical_sd"))
    training_set = training_set.normalised()
    rows, y, weight = training_set.rows, training_set.y, training_set.weight
    target = transform_age(y) if transform_target else y
    published = np.zeros(len(feature_names))
    missed = target
    if added is not None:
        values = np.asarray(X[added.places]).take(rows, axis=1)
        known = ~np.isnan(values).all(axis=1)
        published[added.places[known]] = added.coefficient[known]
        missed = target - added.score(values, np.arange(len(rows)))
    fitted = TrainingSet(rows, missed, weight)
    noisy = np.array([not is_pc(name) for name in feature_names])
    alphas, noise = np.array([alpha]), [technical_sd]
    path = fit_paths(X, [fitted], [l1_ratio], alphas, noise, noisy, threads, "final model", learnt)[0]
    offered = np.union1d(path.nearly[0], np.flatnonzero(published)).astype(np.int64)
    offered = offered if len(offered) else np.array([0])
    with one_blas_thread():
        values = np.asarray(X[offered]).take(rows, axis=1)
        weights = exact_weights(values, fitted, alpha, l1_ratio, technical_sd, noisy[offered])
        used = np.flatnonzero((weights != 0) | (published[offered] != 0))
        used = used if len(used) else np.array([0])
        frame = pd.DataFrame(values[used].T.astype(np.float64), columns=[feature_names[k] for k in offered[used]])
        net = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=TOLERANCE, max_iter=1, fit_intercept=transform_target)
        return _fitted(net, frame, training_set, weights[used], published[offered[used]], transform_target)


def _fitted(
    net: ElasticNet,
    frame: pd.DataFrame,
    training_set: TrainingSet,
    weights: NDArray[np.float64],
    published: NDArray[np.float64],
    transform_target: bool,
) -> Pipeline:
    """Fit imputer and scaler, and set the coefficients of the net.

    frame : the training samples' values of the features used
    weights : of the elastic net, on the standardised scale
    published : coefficients of a published clock, on the raw scale
    """
    y, weight = training_set.y, training_set.weight
    model = TransformedTargetRegressor(net, func=transform_age, inverse_func=inverse_transform_age, check_inverse=False)
    pipeline = Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("scale", StandardScaler()),
            ("elastic_net", model if transform_target else net),
        ]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        pipeline.fit(frame, y, scale__sample_weight=weight, elastic_net__sample_weight=weight)
    final = pipeline[-1].regressor_ if transform_target else net
    for estimator in (net, final):
        estimator.set_params(max_iter=MAX_ITERATIONS)
    final.coef_ = weights + published * pipeline[1].scale_
    if transform_target:
        final.intercept_ = float(np.average(transform_age(y), weights=weight))  # the features are centred
    final.dual_gap_ = np.nan  # of scikit-learn's solver; its last bit differs between runs
    return pipeline


def weights_table(pipeline: Pipeline) -> pd.DataFrame:
    """Convert a fitted Pipeline (imputer, scaler, elastic net) to a table.

    Returns one row for the intercept (on both scales; median, mean and scale are empty), then one row per feature,
    sorted by decreasing absolute standardised weight, ties by name.
    """
    imputer, scaler, net = pipeline
    net = getattr(net, "regressor_", net)
    table = pd.DataFrame(
        {
            "feature": pipeline.feature_names_in_,
            "weight_standardised": net.coef_,
            "weight_raw": net.coef_ / scaler.scale_,
            "median": imputer.statistics_,
            "mean": scaler.mean_,
            "scale": scaler.scale_,
        }
    )
    table = table.iloc[np.lexsort((table["feature"], -table["weight_standardised"].abs()))]
    raw_intercept = net.intercept_ - (table["weight_raw"] * table["mean"]).sum()
    head = pd.DataFrame([[INTERCEPT, net.intercept_, raw_intercept, np.nan, np.nan, np.nan]], columns=WEIGHTS)
    return pd.concat([head, table], ignore_index=True)
