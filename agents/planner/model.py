"""How likely a charge is approved: the belief about what is behind the declines, corrected by boosted trees that saw a merchant's past.

A model is one JSON file, model.json, with its hash as its name. Nothing in it is code. Without one the published prior speaks alone.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from agents.planner.belief import Belief, believe
from agents.planner.features import NAMES, features
from agents.planner.hours import NO_HOURS, Hours
from agents.planner.paydays import Floats
from agents.planner.prior import Prior, published
from agents.planner.response import Response, published_response
from agents.planner.situation import Situation
from agents.planner.trees import NO_TREES, Trees, trees_from
from recoup.errors import Misconfigured

COLD = "cold"
FORMAT = 1


@dataclass(frozen=True)
class Spread:
    """How sure a chance is: by its height, the number of attempts in training that it was learned from. Ends ascend from 0 to 1."""

    ends: Floats
    attempts: Floats
    prior_attempts: float = 30.0

    def deviation(self, chance: Floats) -> Floats:
        """One standard deviation of the chance itself, in the same unit."""
        place = np.clip(np.searchsorted(self.ends, chance, side="right") - 1, 0, len(self.attempts) - 1)
        return np.sqrt(chance * (1 - chance) / (self.attempts[place] + self.prior_attempts))


NOTHING_SEEN = Spread(ends=np.array([0.0]), attempts=np.array([0.0]))


@dataclass(frozen=True)
class Model:
    """``name``: the hash of its file, ``cold`` for the published prior alone."""

    name: str
    prior: Prior
    response: Response
    trees: Trees = NO_TREES
    spread: Spread = NOTHING_SEEN
    hours: Hours = NO_HOURS
    told: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def believe(self, situation: Situation) -> Belief:
        """What is behind the declines of a case."""
        return believe(situation, self.prior)

    def correct(self, belief: Belief, at: Floats, chances: Floats) -> Floats:
        """The chances of every truth at each time (see ``Belief.chances``) as the trees see them, each moved by the same odds, and by the
        hours of the day."""
        if len(self.trees.roots):
            odds = np.exp(self.trees.add(features(belief, at, chances)))
            chances = chances * odds / (1 - chances + chances * odds)
        return self.hours.applied(chances, at, belief.situation.offset_hours)

    def chance(self, situation: Situation, at: Floats) -> tuple[Floats, Floats]:
        """How likely a charge at each time (POSIX seconds) is approved, and one standard deviation of that."""
        belief = self.believe(situation)
        prior = np.clip(belief.expected(at), 1e-6, 1 - 1e-6)
        logit = np.log(prior / (1 - prior)) + self.trees.add(features(belief, at))
        chance = self.hours.applied(1 / (1 + np.exp(-logit)), at, situation.offset_hours)
        return chance, self.spread.deviation(chance)


def cold_model() -> Model:
    """Published figures, and nothing of anybody's own."""
    return Model(name=COLD, prior=published(), response=published_response())


def model_text(model: Model) -> str:
    """The file's content; the same model has the same text."""
    document = {
        "format": FORMAT,
        "features": list(NAMES),
        "truths": {group: weights.tolist() for group, weights in model.prior.truths.items()},
        "ways": model.prior.ways.tolist(),
        "moods": model.prior.moods.tolist(),
        "response": model.response.document(),
        "trees": model.trees.document(),
        "hours": [model.hours.cosine, model.hours.sine],
        "spread": {"ends": model.spread.ends.tolist(), "attempts": model.spread.attempts.tolist()},
        "told": dict(model.told),
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def name_of(text: str) -> str:
    """The first 16 digits of the SHA-256 of the file."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_model(folder: Path) -> Model:
    """Reads ``model.json`` in a folder that ``recoup train`` wrote. Raises Misconfigured where there is none or it does not fit."""
    path = folder / "model.json"
    try:
        return parse_model(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise Misconfigured(f"there is no model in {folder}: {exc.strerror}; recoup train writes one") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise Misconfigured(f"{path} is not a model of this version: {exc}; train it again") from exc


def parse_model(text: str) -> Model:
    """From a file's content; raises ValueError, KeyError or TypeError where it is none."""
    document = json.loads(text)
    if document["format"] != FORMAT or document["features"] != list(NAMES):
        raise ValueError("it was trained on other features")
    prior = published().moved(
        {group: np.array(weights) for group, weights in document["truths"].items()},
        np.array(document["ways"]),
        np.array(document["moods"]),
    )
    model = Model(
        name=name_of(text),
        prior=prior,
        response=Response(**document["response"]),
        trees=trees_from(document["trees"]),
        spread=Spread(np.array(document["spread"]["ends"]), np.array(document["spread"]["attempts"])),
        hours=Hours(*document["hours"]),
        told=document["told"],
    )
    _require_fits(model)
    return model


def _require_fits(model: Model) -> None:
    """A file that only looks like a model must fail when a person names it, not in the middle of a decision."""
    first, prior, trees, spread = published(), model.prior, model.trees, model.spread
    if prior.truths.keys() != first.truths.keys():
        raise ValueError("its truths are of other groups of declines")
    for told, expected in [
        *((prior.truths[g], first.truths[g]) for g in first.truths),
        (prior.ways, first.ways),
        (prior.moods, first.moods),
    ]:
        if told.shape != expected.shape or not np.isfinite(told).all() or told.min() < 0 or told.sum() <= 0:
            raise ValueError("its weights are not those of the truths that are thought of")
    if len(model.response.days) != len(model.response.moves) or not np.isfinite([*model.response.days, *model.response.moves]).all():
        raise ValueError("what messages do is not told for each of its days")
    nodes = len(trees.feature)
    if {len(column) for column in (trees.value, trees.left, trees.right, trees.nan_left)} != {nodes}:
        raise ValueError("its trees lack nodes")
    places = np.concatenate([trees.left, trees.right, trees.roots])
    if len(places) and not (places.min() >= 0 and places.max() < nodes and trees.feature.max() < len(NAMES)):
        raise ValueError("its trees point to nodes or features that are not there")
    if not len(spread.ends) or len(spread.ends) != len(spread.attempts) or np.any(np.diff(spread.ends) <= 0):
        raise ValueError("how sure it is is not told by height")
