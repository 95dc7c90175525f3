"""Boosted trees as plain arrays: read from a model file, evaluated with numpy alone, the same numbers wherever they were trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.planner.paydays import Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Trees:
    """All nodes of all trees in a row. ``feature`` is -1 at a leaf; ``value`` there is what it adds, elsewhere the threshold: at most it
    goes ``left``. ``nan_left``: where what nobody told goes. ``roots``: each tree's first node."""

    feature: Ints
    value: Floats
    left: Ints
    right: Ints
    nan_left: NDArray[np.bool_]
    roots: Ints
    depth: int

    def add(self, table: Floats) -> Floats:
        """What all trees together add, for each row."""
        if not len(self.roots):
            return np.zeros(len(table))
        node = np.broadcast_to(self.roots, (len(table), len(self.roots))).ravel()
        row = np.repeat(np.arange(len(table)), len(self.roots))
        for _ in range(self.depth):
            feature = self.feature[node]
            seen = table[row, np.maximum(feature, 0)]
            goes_left = np.where(np.isnan(seen), self.nan_left[node], seen <= self.value[node])
            node = np.where(feature < 0, node, np.where(goes_left, self.left[node], self.right[node]))
        return self.value[node].reshape(len(table), -1).sum(axis=1)

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "feature": self.feature.tolist(),
            "value": self.value.tolist(),
            "left": self.left.tolist(),
            "right": self.right.tolist(),
            "nan_left": self.nan_left.astype(int).tolist(),
            "roots": self.roots.tolist(),
            "depth": self.depth,
        }


def trees_from(document: Mapping[str, Any]) -> Trees:
    """Back from JSON; raises KeyError or ValueError where it is none."""
    return Trees(
        feature=np.array(document["feature"], dtype=np.int64),
        value=np.array(document["value"], dtype=np.float64),
        left=np.array(document["left"], dtype=np.int64),
        right=np.array(document["right"], dtype=np.int64),
        nan_left=np.array(document["nan_left"], dtype=bool),
        roots=np.array(document["roots"], dtype=np.int64),
        depth=int(document["depth"]),
    )


def trees_of(grown: Sequence[Mapping[str, Any]]) -> Trees:
    """From trees as LightGBM dumps them (``tree_structure`` of each). Raises ValueError for splits that are not by a number's size."""
    feature: list[int] = []
    value: list[float] = []
    left: list[int] = []
    right: list[int] = []
    nan_left: list[bool] = []
    depths: list[int] = [0]

    def grow(node: Mapping[str, Any], depth: int) -> int:
        at = len(feature)
        is_leaf = "leaf_value" in node
        feature.append(-1 if is_leaf else int(node["split_feature"]))
        value.append(float(node["leaf_value"] if is_leaf else node["threshold"]))
        nan_left.append(not is_leaf and _takes_nan_left(node))
        left.append(at)
        right.append(at)
        if not is_leaf:
            left[at], right[at] = grow(node["left_child"], depth + 1), grow(node["right_child"], depth + 1)
        depths.append(depth)
        return at

    roots = [grow(tree, 0) for tree in grown]
    return Trees(
        feature=np.array(feature, dtype=np.int64),
        value=np.array(value, dtype=np.float64),
        left=np.array(left, dtype=np.int64),
        right=np.array(right, dtype=np.int64),
        nan_left=np.array(nan_left, dtype=bool),
        roots=np.array(roots, dtype=np.int64),
        depth=max(depths),
    )


def _takes_nan_left(node: Mapping[str, Any]) -> bool:
    if node["decision_type"] != "<=" or node["missing_type"] == "Zero":
        raise ValueError(f"a split of another kind than by size: {node['decision_type']}, missing {node['missing_type']}")
    # Where training never saw a missing value, LightGBM takes one for 0.
    return bool(node["default_left"]) if node["missing_type"] == "NaN" else float(node["threshold"]) >= 0


NO_TREES = trees_of([])
