"""Where each feature stands in a clock: every place is the feature's own, and shares of weight are shares."""

import numpy as np
import pytest

from heteroage.clock.model import Loadings
from heteroage.probes import is_pc


def test_every_place_of_a_feature_is_its_own(loaded):
    places = [(feature, key, k) for feature, own in loaded.terms.items() for key, k in own]
    assert all(loaded.models[key].features[k] == feature for feature, key, k in places)
    assert len(places) == sum(len(model.features) for model in loaded.models.values())
    assert max(len(own) for own in loaded.terms.values()) > 1  # some CpG is the anchor's and an expert's


def test_the_anchors_weight_is_shared_by_its_cpgs_those_of_computed_components_too(loaded):
    weight = dict(zip(loaded.anchor.features, np.abs(loaded.anchor.weight), strict=True))
    assert any(map(is_pc, loaded.anchor.features))
    given = loaded.for_table(["RF_PC1", "RF_PC2"])
    assert given.loadings is None
    for clock in (loaded, given, loaded.for_table(["RF_PC2"])):
        assert sum(clock.anchor_weight.values()) == pytest.approx(1)
        assert not any(map(is_pc, clock.anchor_weight))
        computed = clock.loadings.names if clock.loadings else []
        total = sum(own for name, own in weight.items() if not is_pc(name) or name in computed)
        for name, share in clock.anchor_weight.items():
            row = clock.loadings.row.get(name) if computed else None
            through = 0 if row is None else sum(weight[pc] * clock.loadings.share(pc)[row] for pc in computed)
            assert share * total == pytest.approx(weight.get(name, 0.0) + through)


def test_what_is_read_is_what_has_weight_and_what_components_are_made_of(loaded):
    assert loaded.cpgs == sorted({name for name in loaded.terms if not is_pc(name)})
    assert set(loaded.cpgs_read) == set(loaded.cpgs) | set(loaded.loadings.row)
    assert set(loaded.wanted.among(loaded.cpgs_read)) == set(loaded.cpgs_read)
    assert loaded.pc_names == ["RF_PC1", "RF_PC2"]


def test_components_are_the_product_of_centred_values_and_loadings():
    rng = np.random.default_rng(1)
    values, weight, median, mean = rng.random((5, 9)), rng.normal(size=(5, 2)), rng.random(5), rng.random(5)
    values[rng.random(values.shape) < 0.3] = np.nan
    names = [f"cg{k}_beta" for k in range(5)]
    loadings = Loadings(["RF_PC1", "RF_PC2"], {name: k for k, name in enumerate(names)}, median, mean, weight)
    found = {name: np.zeros(9) for name in loadings.names}
    for name, own in zip(names, values, strict=True):
        loadings.add(name, found, own)
    filled = np.where(np.isnan(values), median[:, None], values)
    # 1e-12: five terms near 1, in another order.
    np.testing.assert_allclose(list(found.values()), weight.T @ (filled - mean[:, None]), atol=1e-12)
