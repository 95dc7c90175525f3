"""Boosted trees as plain arrays: read from a model file, evaluated with numpy alone, the same numbers wherever they were trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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
        rows, columns = table.shape
        seen, node = table.ravel(), np.tile(self.roots, rows)
        begin: Ints = np.repeat(np.arange(0, rows * columns, columns, dtype=np.int64), len(self.roots))
        for _ in range(self.depth):
            value, threshold = seen.take(begin + self._column.take(node)), self.value.take(node)
            # Nothing is at most, nor above, what nobody told.
            goes_left = np.where(self.nan_left.take(node), ~(value > threshold), value <= threshold)
            node = self._next.take(2 * node + goes_left)
        return self.value.take(node).reshape(rows, -1).sum(axis=1)

    @cached_property
    def _column(self) -> Ints:
        """What each node looks at; a leaf at anything, since it leads to itself."""
        return np.maximum(self.feature, 0)

    @cached_property
    def _next(self) -> Ints:
        """For each node in turn where it leads to the right, and to the left."""
        return np.stack([self.right, self.left], axis=1).ravel()

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
