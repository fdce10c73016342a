"""The fusion: parser and evaluator of LightGBM's text model, without LightGBM, and contributions of its features.

There are two reasons for our own code. First, LightGBM's parser trusts its input: a child index out of range or in a
cycle makes it crash or hang, and users apply folders of other people. Second, importing it takes longer than
predicting. This parser validates the whole text. The predictions have the same bits as LightGBM's own, which a test
checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heteroage.clock.artifacts import ANCHOR, OFFSET, damaged
from heteroage.errors import HeteroAgeError, readable

if TYPE_CHECKING:
    import lightgbm as lgb

    from heteroage.clock.model import ClockModel
    from heteroage.clock.sums import Rows

CATEGORICAL, DEFAULT_LEFT = 1, 2  # bits of a node's decision type
MISSING_ZERO, MISSING_NAN = 1, 2  # missing type, in bits 2 and 3 of the decision type
ZERO = 1e-35  # LightGBM treats smaller absolute values as zero
NODES = ("split_feature", "threshold", "decision_type", "left_child", "right_child")
COUNTS = ("split_gain", "leaf_weight", "leaf_count", "internal_value", "internal_weight", "internal_count")
INTEGER_FIELDS = {*NODES} - {"threshold"}  # integers
MOST_VALUES = 2**22  # maximum number of values in memory: rows of a slice times nodes


@dataclass(frozen=True)
class Tree:
    """A decision tree; leaf values are in years. The children of node k are later nodes, or leaves (~index, below
    0)."""

    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    decision: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    leaf: NDArray[np.float64]
    categories: list[NDArray[np.int64]]  # per node: categories that go left; empty for numeric splits
    fields: dict[str, NDArray]  # fields of the text model, and their numbers

    def predict(self, columns: Sequence[NDArray[np.float64]]) -> NDArray[np.float64] | float:
        """Return the leaf value of each row. Nodes are evaluated from the last to the root, children before parents."""
        values: dict[int, NDArray[np.float64] | float] = {~k: value for k, value in enumerate(self.leaf)}
        for node in reversed(range(len(self.feature))):
            sides = [values.pop(int(child)) for child in (self.left[node], self.right[node])]
            values[node] = np.where(self._goes_left(node, columns[self.feature[node]]), *sides)
        return values.popitem()[1]

    def _goes_left(self, node: int, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        decision = self.decision[node]
        if decision & CATEGORICAL:
            # As in LightGBM's C code: truncate to an integer; missing and negative values go right.
            return np.isin(np.trunc(x), self.categories[node])
        missing, default = decision >> 2, bool(decision & DEFAULT_LEFT)
        if missing == MISSING_NAN:
            return np.where(np.isnan(x), default, x <= self.threshold[node])
        x = np.where(np.isnan(x), 0.0, x)
        left = x <= self.threshold[node]
        return np.where(np.abs(x) <= ZERO, default, left) if missing == MISSING_ZERO else left


@dataclass(frozen=True)
class Trees:
    """A boosted regression model: the sum of its trees, in their order."""

    features: list[str]
    trees: list[Tree]

    def predict(self, columns: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Sum the trees for each row; `columns` are the features' values in order, categories as codes."""
        n = len(columns[0])
        total = np.zeros(n)
        step = int(np.clip(MOST_VALUES // max((len(tree.leaf) for tree in self.trees), default=1), 64, 8192))
        for start in range(0, n, step):
            rows = slice(start, start + step)
            part = [column[rows] for column in columns]
            for tree in self.trees:
                total[rows] += tree.predict(part)
        return total

    def text(self) -> str:
        """Write the model as text for LightGBM, from the validated fields only."""
        blocks = []
        for k, tree in enumerate(self.trees):
            # Numbers are written again: LightGBM ends the process at a token that only Python can read, such as 1_0.
            fields = {key: " ".join(f"{x:.17g}" for x in values.tolist()) for key, values in tree.fields.items()}
            n_sets = np.count_nonzero(tree.decision & CATEGORICAL)
            fields = {"num_leaves": len(tree.leaf), "num_cat": n_sets, **fields, "is_linear": 0, "shrinkage": 1}
            blocks.append(f"Tree={k}\n" + "".join(f"{key}={text}\n" for key, text in fields.items()) + "\n\n")
        head = {
            "version": "v4",
            "num_class": 1,
            "num_tree_per_iteration": 1,
            "label_index": 0,
            "max_feature_idx": len(self.features) - 1,
            "objective": "regression",
            "feature_names": " ".join(self.features),
            "feature_infos": " ".join(["none"] * len(self.features)),
            "tree_sizes": " ".join(str(len(block.encode())) for block in blocks),
        }
        lines = "".join(f"{key}={value}\n" for key, value in head.items())
        return f"tree\n{lines}\n{''.join(blocks)}end of trees\n\nparameters:\nend of parameters\n"


def parse_trees(text: str, where: str) -> Trees:
    """Parse LightGBM's text model.

    Raises HeteroAgeError: the text is not a single regression model, or a tree is invalid. The message says which and
    why.
    """
    head, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
    fields = _fields(head)
    wanted = {"num_class": "1", "num_tree_per_iteration": "1", "objective": "regression"}
    wrong = [f"{key} {fields.get(key)!r}" for key, value in wanted.items() if fields.get(key) != value]
    if not text.startswith("tree\n") or "\nend of trees" not in text or wrong or "average_output" in head:
        raise HeteroAgeError(
            f"{where} is not a LightGBM regression model in text format ({', '.join(wrong) or 'cut off'})."
        )
    features = fields.get("feature_names", "").split(" ")
    trees = []
    for k, block in enumerate(blocks):
        try:
            trees.append(_tree(_fields(block), len(features)))
        except (KeyError, ValueError, OverflowError, IndexError) as error:
            raise damaged(f"{where}: tree {k} is not valid ({readable(repr(error))})") from error
    if not trees:
        raise damaged(f"{where} contains no tree")
    return Trees(features, trees)


def _fields(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.split("\n") if "=" in line)


def _tree(fields: dict[str, str], n_features: int) -> Tree:
    """Parse one tree. Raises KeyError, ValueError, OverflowError or IndexError if it is invalid."""
    leaves, n_sets = int(fields["num_leaves"]), int(fields["num_cat"])
    if leaves < 1 or n_sets < 0 or fields.get("is_linear", "0") != "0":
        raise ValueError("a tree without constant leaves")
    nodes = leaves - 1
    length = {"leaf_value": leaves} | (dict.fromkeys(NODES, nodes) if nodes else {})
    length |= {key: leaves if key.startswith("leaf") else nodes for key in COUNTS if nodes and fields.get(key)}
    found = {
        key: _numbers(fields, key, n, np.int64 if key in INTEGER_FIELDS else np.float64) for key, n in length.items()
    }
    if below := [key for key in found if key.endswith("count") and (found[key] < 1).any()]:
        raise ValueError(f"{below[0]} below 1")
    feature, threshold, decision, left, right = (found.get(key, np.zeros(0, np.int64)) for key in NODES)
    if (feature < 0).any() or (feature >= n_features).any() or (decision < 0).any() or (decision > 11).any():
        raise ValueError("a split on an unknown feature or of an unknown type")
    # Every node but the root, and every leaf, is the child of one node before it.
    children = np.concatenate([left, right])
    parents = np.concatenate([np.arange(nodes)] * 2)
    each_once = sorted(children.tolist()) == [*range(-leaves, 0), *range(1, nodes)]
    if nodes and (not each_once or ((children >= 0) & (children <= parents)).any()):
        raise ValueError("child nodes do not form a tree")
    is_set = (decision & CATEGORICAL) > 0
    sets = _sets(fields, n_sets) if nodes else []
    if sorted(threshold[is_set].tolist()) != list(range(len(sets))):
        raise ValueError("splits on categories that do not exist")
    categories = [sets[int(threshold[k])] if is_set[k] else np.zeros(0, np.int64) for k in range(nodes)]
    if sets:
        found |= {key: np.array(fields[key].split(), np.int64) for key in ("cat_boundaries", "cat_threshold")}
    return Tree(feature, threshold, decision, left, right, found["leaf_value"], categories, found)


def _numbers(fields: dict[str, str], key: str, length: int, kind: type) -> NDArray:
    values = np.array(fields[key].split(), dtype=kind)
    if values.shape != (length,) or not np.isfinite(values).all():
        raise ValueError(f"{key} has {len(values)} values instead of {length}, or some values are not finite")
    return values


def _sets(fields: dict[str, str], count: int) -> list[NDArray[np.int64]]:
    """Decode the categories that go left at each categorical split, stored as bits of 32-bit words."""
    if not count:
        return []
    boundaries = _numbers(fields, "cat_boundaries", count + 1, np.int64)
    words = _numbers(fields, "cat_threshold", int(boundaries[-1]), np.int64)
    if boundaries[0] != 0 or (np.diff(boundaries) < 0).any() or (words < 0).any() or (words >= 2**32).any():
        raise ValueError("invalid category sets")
    bits = (words[:, None] >> np.arange(32)) & 1
    return [np.flatnonzero(bits[a:b].ravel()) for a, b in pairwise(boundaries)]


def contributions_of(clock: ClockModel, booster: lgb.Booster, rows: Rows, features: Rows) -> Rows:
    """Compute the contributions of all features for predicted samples.

    booster : the clock's fusion (`booster_of`)
    rows : predictions, as yielded by `Clock.stream`
    features : input features of the fusion for the same samples

    Returns sample_id, Stage1_Pred_Age, one column per feature of Stage 3 (Stage1_Pred_Age_Contribution for the anchor),
    Bias if the mean of the trees is not 0, Cohort_Offset if one is used, and HeteroAge; in years. Stage1_Pred_Age +
    contributions + Bias + Cohort_Offset = HeteroAge.
    """
    order = clock.meta["feature_order"]
    matrix = np.ascontiguousarray(np.array([features[name] for name in order]).T)
    identity = {"sample_id": rows["sample_id"], ANCHOR: rows[ANCHOR]}
    last = {name: rows[name] for name in (OFFSET, "HeteroAge") if name in rows}
    return identity | by_feature(booster, matrix, order) | last


def by_feature(booster: lgb.Booster, matrix: ArrayLike, names: Sequence[str]) -> Rows:
    """Return each feature's contribution in years, and Bias if not 0; `matrix` is (samples, features named `names`)."""
    values = booster.predict(matrix, pred_contrib=True, num_threads=1)
    labels = [f"{ANCHOR}_Contribution" if name == ANCHOR else name for name in names]
    columns = {label: np.ascontiguousarray(values[:, k]) for k, label in enumerate([*labels, "Bias"])}
    if not columns["Bias"].any():
        del columns["Bias"]
    return columns


def booster_of(clock: ClockModel) -> lgb.Booster:
    """Build LightGBM's model of the fusion, from the text that was validated only.

    Raises HeteroAgeError: LightGBM is not installed; the model has no node counts, which TreeSHAP needs as weights.
    """
    try:
        import lightgbm as lgb  # slow to import, and prediction itself does not need it
    except ImportError as error:
        raise HeteroAgeError(
            'contributions need LightGBM, which is not installed. Install it: pip install "heteroage-clock[train]", or '
            "pip install lightgbm."
        ) from error
    if any(len(tree.leaf) > 1 and "internal_count" not in tree.fields for tree in clock.fusion.trees):
        raise damaged("the fusion's model contains no node counts, which contributions need")
    return lgb.Booster(model_str=clock.fusion.text())
