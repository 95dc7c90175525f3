"""Boosted trees as arrays: the same numbers as where they were grown, wherever they are read."""

import json
from collections.abc import Mapping
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.planner.paydays import Floats
from agents.planner.trees import NO_TREES, trees_from, trees_of

NAN = float("nan")


def leaf(value: float) -> dict[str, Any]:
    return {"leaf_value": value}


def split(feature: int, at: float, left: Mapping[str, Any], right: Mapping[str, Any], **told: Any) -> dict[str, Any]:
    values = {"decision_type": "<=", "missing_type": "NaN", "default_left": False} | told
    return {"split_feature": feature, "threshold": at, "left_child": left, "right_child": right} | values


def walked(tree: Mapping[str, Any], row: list[float]) -> float:
    """The plain way: one row, one tree, node by node."""
    while "leaf_value" not in tree:
        seen = row[int(tree["split_feature"])]
        goes_left = tree["default_left"] if np.isnan(seen) else seen <= tree["threshold"]
        tree = tree["left_child"] if goes_left else tree["right_child"]
    return tree["leaf_value"]


STUMP = split(1, 2.0, leaf(-1.0), leaf(3.0))
numbers = st.floats(-5, 5).map(lambda value: round(value, 2))
grown = st.recursive(
    numbers.map(leaf),
    lambda below: st.builds(split, st.integers(0, 2), numbers, below, below, default_left=st.booleans()),
    max_leaves=12,
)
rows = st.lists(st.lists(st.one_of(numbers, st.just(NAN)), min_size=3, max_size=3), min_size=1, max_size=6)


def test_at_most_the_threshold_goes_left_and_what_nobody_told_where_training_sent_it() -> None:
    table = np.array([[0.0, 1.9], [0.0, 2.0], [0.0, 2.1], [0.0, NAN]])
    assert trees_of([STUMP]).add(table).tolist() == [-1, -1, 3, 3]
    assert trees_of([split(1, 2.0, leaf(-1.0), leaf(3.0), default_left=True)]).add(table).tolist() == [-1, -1, 3, -1]


def test_where_training_saw_nothing_missing_it_counts_as_0() -> None:
    missing = np.array([[0.0, NAN]])
    for threshold, expected in [(2.0, -1), (0.0, -1), (-2.0, 3)]:
        assert trees_of([split(1, threshold, leaf(-1.0), leaf(3.0), missing_type="None")]).add(missing).tolist() == [expected]


def test_no_trees_add_nothing() -> None:
    assert NO_TREES.add(np.ones((3, 2))).tolist() == [0, 0, 0]
    assert trees_from(json.loads(json.dumps(NO_TREES.document()))).add(np.ones((1, 2))).tolist() == [0]


def test_a_tree_that_is_a_single_leaf_adds_it_everywhere() -> None:
    assert trees_of([leaf(0.5), STUMP]).add(np.array([[0.0, 9.0]])).tolist() == [3.5]


@given(st.lists(grown, min_size=1, max_size=5), rows)
def test_all_rows_at_once_come_to_what_each_comes_to_node_by_node(trees: list[dict[str, Any]], table: list[list[float]]) -> None:
    expected = [sum(walked(tree, row) for tree in trees) for row in table]
    ours = trees_of(trees)
    assert np.allclose(ours.add(np.array(table)), expected)
    assert np.allclose(trees_from(json.loads(json.dumps(ours.document()))).add(np.array(table)), expected)


@pytest.mark.parametrize("told", [{"decision_type": "=="}, {"missing_type": "Zero"}])
def test_splits_of_another_kind_are_refused(told: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="a split of another kind"):
        trees_of([split(0, 1.0, leaf(0.0), leaf(1.0), **told)])


def test_a_document_that_lacks_something_is_none() -> None:
    document = trees_of([STUMP]).document()
    for name in document:
        with pytest.raises(KeyError):
            trees_from({key: value for key, value in document.items() if key != name})


def test_trees_say_what_lightgbm_says_that_they_say() -> None:
    dice = np.random.default_rng(7)
    table: Floats = dice.normal(size=(600, 4))
    table[dice.random((600, 4)) < 0.1] = NAN
    answers = (np.nan_to_num(table[:, 0]) + np.nan_to_num(table[:, 1] * table[:, 2]) + dice.normal(size=600) > 0).astype(int)
    settings = {"objective": "binary", "num_leaves": 8, "min_data_in_leaf": 10, "verbose": -1, "num_threads": 1, "seed": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(table, answers), 20)
    ours = trees_of([tree["tree_structure"] for tree in booster.dump_model()["tree_info"]])
    theirs: Any = booster.predict(table, raw_score=True)
    assert np.allclose(ours.add(table), theirs)
