"""Elastic-net paths over a training set, the clear way: scikit-learn's warm path on the standardised matrix.

Each path minimises, for every alpha of a falling grid,

    (1 / 2n) ||y - b - Z w||²  +  alpha (l1_ratio |w|₁ + (1 - l1_ratio) / 2 |w|₂²)

over the coefficients w and the intercept b, where Z is the training set's feature matrix after median
imputation and standardisation (Zou and Hastie, JRSS B 67:301, 2005; the scaling is scikit-learn's).
Every statistic comes from the training set's own rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet, enet_path
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from heteroage.age import inverse_transform_age, transform_age
from heteroage.standardise import Standardiser

# Dual gap, relative to |y|²: leaves the objective within 1e-6 of its optimum, relatively, on a fit that
# explains 90% of the variance.
PATH_TOLERANCE = 1e-7
FINAL_TOLERANCE = 1e-12
MAX_ITERATIONS = 100_000


@dataclass(frozen=True)
class Paths:
    """The solutions of one training set: for each l1_ratio and alpha, coefficients on the standardised scale.

    `coef` is (l1_ratios, alphas, features); `intercept` the training mean of y, as Z is centred.
    """

    standardiser: Standardiser
    coef: NDArray[np.float64]
    intercept: float

    @property
    def n_features(self) -> NDArray[np.int64]:
        """Number of used features, (l1_ratios, alphas)."""
        return (self.coef != 0).sum(axis=2)

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict samples X (features x samples); returns (l1_ratios, alphas, samples) on y's scale."""
        used = (self.coef != 0).any(axis=(0, 1))
        s = self.standardiser
        Z = Standardiser(s.median[used], s.mean[used], s.scale[used]).apply(X[used])
        return self.intercept + self.coef[:, :, used] @ Z


def fit_paths(
    X: NDArray[np.float32], y: NDArray[np.float64], l1_ratios: Sequence[float], alphas: NDArray[np.float64]
) -> Paths:
    """Solve the paths of one training set.

    Parameters
    ----------
    X : (features, training samples), NaN where missing
    y : (training samples,)
    l1_ratios : each in (0, 1]
    alphas : falling

    Returns
    -------
    Paths, to a duality gap of 1e-7 |y|².
    """
    standardiser = Standardiser.fit(X)
    Z = standardiser.apply(X).T
    intercept = float(y.mean())
    coef = np.stack([_solve(Z, y - intercept, l1_ratio, alphas) for l1_ratio in l1_ratios])
    return Paths(standardiser, coef, intercept)


def fit_pipeline(
    X: NDArray[np.float32],
    feature_names: Sequence[str],
    y: NDArray[np.float64],
    alpha: float,
    l1_ratio: float,
    alphas: NDArray[np.float64],
    transform_target: bool,
) -> Pipeline:
    """Fit the deployable model of one configuration: imputer, scaler, elastic net, on the features it uses.

    The warm path over `alphas` down to `alpha` finds the features with weight; the Pipeline is scikit-learn's
    own fit on those, which has the same optimum. A model that uses none keeps one feature, at weight 0.

    Parameters
    ----------
    X : (features, training samples)
    y : (training samples,) years
    transform_target : fit the transformed age (and predict years), or y as it is

    Returns
    -------
    Pipeline with `feature_names_in_`, predicting years from a frame of these columns.
    """
    import pandas as pd

    target = transform_age(y) if transform_target else y
    path = fit_paths(X, target, [l1_ratio], np.append(alphas[alphas > alpha], alpha))
    used = np.flatnonzero(path.coef[0, -1])
    if not len(used):
        used = np.array([0])
    net = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=FINAL_TOLERANCE, max_iter=MAX_ITERATIONS)
    model = TransformedTargetRegressor(net, func=transform_age, inverse_func=inverse_transform_age, check_inverse=False)
    pipeline = Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("scale", StandardScaler()),
            ("elastic_net", model if transform_target else net),
        ]
    )
    frame = pd.DataFrame(X[used].T.astype(np.float64), columns=[feature_names[row] for row in used])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return pipeline.fit(frame, y)


def _solve(
    Z: NDArray[np.float64], y: NDArray[np.float64], l1_ratio: float, alphas: NDArray[np.float64]
) -> NDArray[np.float64]:
    _, coef, _ = enet_path(
        Z, y, l1_ratio=l1_ratio, alphas=alphas, tol=PATH_TOLERANCE, max_iter=MAX_ITERATIONS, precompute=False
    )
    return coef.T
