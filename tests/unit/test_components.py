"""Principal components are those of scikit-learn, to the byte."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from heteroage.components import principal_components


@pytest.mark.parametrize(("samples", "features"), [(30, 90), (90, 30)])
@pytest.mark.parametrize(("solver", "by_covariance"), [("full", False), ("covariance_eigh", True)])
def test_components_are_scikit_learns(samples, features, solver, by_covariance):
    values = np.random.default_rng(0).normal(3, 1, (samples, features))
    peer = PCA(4, svd_solver=solver)
    expected = peer.fit_transform(values)
    components, loadings, mean = principal_components(values, 4, by_covariance)
    np.testing.assert_array_equal(loadings, peer.components_)
    np.testing.assert_array_equal(mean, peer.mean_)
    np.testing.assert_array_equal(components, expected)
