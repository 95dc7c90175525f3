"""A model is one file with its hash as its name: it comes back as it was written, and what is no model is refused with what to do."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.planner.model import COLD, NOTHING_SEEN, Model, Spread, cold_model, load_model, model_text, name_of
from agents.planner.paydays import Floats
from agents.planner.plan import make_plan
from agents.planner.prior import published
from agents.planner.trees import trees_of
from recoup.category import Category
from recoup.errors import Misconfigured
from tests.situations import on, paid_on, situation, terms

AT: Floats = np.array([on(day) for day in (0.5, 1.75, 4.0, 9.0, 20.0)])
CASE = situation(past=paid_on("2026-01-15", "2026-02-13"))
TWICE_THE_ODDS = trees_of([{"leaf_value": float(np.log(2))}])
EARLY = trees_of(
    [
        {
            "split_feature": 3,
            "threshold": 3.0,
            "decision_type": "<=",
            "missing_type": "None",
            "default_left": True,
            "left_child": {"leaf_value": 1.5},
            "right_child": {"leaf_value": -1.5},
        }
    ]
)


def a_model(**changes: Any) -> Model:
    values: dict[str, Any] = {
        "prior": published().moved({"funds": np.array([0.5, 0.2, 0.1, 0.1, 0.1])}, moods=np.array([0.1, 0.2, 0.3, 0.4])),
        "trees": EARLY,
        "spread": Spread(np.array([0.0, 0.2, 0.5]), np.array([900.0, 400.0, 50.0])),
        "told": {"retries": 1350},
    }
    return replace(cold_model(), **(values | changes))


def written(folder: Path, text: str) -> Path:
    (folder / "model.json").write_text(text, encoding="utf-8")
    return folder


def test_a_model_comes_back_as_it_was_written_under_the_hash_of_its_file(tmp_path: Path) -> None:
    text = model_text(a_model())
    back = load_model(written(tmp_path, text))
    assert back.name == name_of(text)
    assert model_text(back) == text
    for one, other in zip(back.chance(CASE, AT), a_model().chance(CASE, AT), strict=True):
        assert np.allclose(one, other)
    assert replace(make_plan(CASE, back, terms()), gone=0.0) == replace(make_plan(CASE, a_model(), terms()), gone=0.0)


def test_another_model_has_another_name() -> None:
    assert len({name_of(model_text(model)) for model in (cold_model(), a_model(), a_model(told={}), a_model(trees=TWICE_THE_ODDS))}) == 4


def test_without_data_the_published_prior_speaks_alone() -> None:
    cold = cold_model()
    assert (cold.name, cold.spread) == (COLD, NOTHING_SEEN)
    assert np.allclose(cold.chance(CASE, AT)[0], cold.believe(CASE).expected(AT))


def test_trees_move_the_odds_under_every_truth_alike() -> None:
    model = replace(cold_model(), trees=TWICE_THE_ODDS)
    belief = model.believe(CASE)
    before = belief.chances(AT)
    after = model.correct(belief, AT, before)
    assert np.allclose(after / (1 - after), 2 * before / (1 - before))
    assert np.allclose(cold_model().correct(belief, AT, before), before)


def test_what_trees_have_seen_moves_the_plan() -> None:
    early, cold = (make_plan(CASE, model, terms()).first("retry") for model in (replace(cold_model(), trees=EARLY), cold_model()))
    assert early is not None
    assert cold is not None
    assert early.chance > cold.chance
    assert early.at <= on(3)


def test_a_chance_is_surer_the_more_was_seen_of_its_height() -> None:
    seen = Spread(np.array([0.0, 0.5]), np.array([0.0, 970.0]))
    low, high = seen.deviation(np.array([0.4, 0.6]))
    assert low == pytest.approx(NOTHING_SEEN.deviation(np.array([0.4]))[0])
    assert high == pytest.approx(np.sqrt(0.24 / 1000))
    assert (NOTHING_SEEN.deviation(np.array([0.0, 1.0])) == 0).all()


@pytest.mark.parametrize("category", list(Category))
def test_chances_and_their_deviations_are_both_shares(category: Category) -> None:
    for model in (cold_model(), a_model()):
        chance, deviation = model.chance(situation(category), AT)
        assert ((chance > 0) & (chance < 1) & (deviation > 0) & (deviation < 0.5)).all()


def test_where_there_is_no_model_one_is_told_what_writes_one(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"there is no model in .*: No such file.*; recoup train writes one"):
        load_model(tmp_path / "nowhere")


def _without(name: str) -> str:
    return json.dumps({key: value for key, value in json.loads(model_text(a_model())).items() if key != name})


def _with(**told: Any) -> str:
    return json.dumps(json.loads(model_text(a_model())) | told)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        _with(format=0),
        _with(features=["prior_logit"]),
        _with(response={"days": [0]}),
        _with(trees={}),
        _with(ways="many"),
        _with(ways=[1.0]),
        _with(moods=[0.0, 0.0, 0.0, 0.0]),
        _with(moods=[0.1, 0.2, float("nan"), 0.4]),
        _with(truths={"moon": [0.2, 0.2, 0.2, 0.2, 0.2]}),
        _with(truths=json.loads(model_text(a_model()))["truths"] | {"funds": [1.0]}),
        _with(response=a_model().response.document() | {"moves": [0.1]}),
        _with(trees=EARLY.document() | {"left": []}),
        _with(trees=EARLY.document() | {"roots": [3]}),
        _with(trees=EARLY.document() | {"feature": [99, -1, -1]}),
        _with(spread={"ends": [0.0, 0.5], "attempts": [10.0]}),
        _with(spread={"ends": [], "attempts": []}),
        *(_without(name) for name in json.loads(model_text(a_model()))),
    ],
)
def test_what_is_no_model_of_this_version_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Misconfigured, match=r"is not a model of this version: .*; train it again"):
        load_model(written(tmp_path, text))
