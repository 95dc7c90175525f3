"""What a plan costs: the next step of cases as they go on in the home world, by a model as large as training makes them. No database."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from statistics import median, quantiles
from time import thread_time
from typing import Any

from agents.planner.features import NAMES
from agents.planner.model import Model, cold_model
from agents.planner.trees import trees_of
from evals.backtest.recoup import Recoup
from evals.backtest.rollout import Move, Seen, play
from evals.bench.figure import Figure
from evals.bench.server import Server
from tools.sandbox.world import home as home_world

MOST_PLAN_MS = 2.0
TREES, LEAVES = 60, 15
CASES, REPEATS = 60, 5


@dataclass(frozen=True)
class _Timed:
    """Recoup, with what each of its steps took: reading the case, its terms, and the plan."""

    recoup: Recoup
    took_ms: list[float] = field(default_factory=list[float])
    name: str = "recoup"

    def next(self, seen: Seen) -> Move | None:
        """See ``rollout.Policy``."""
        started = thread_time()
        move = self.recoup.next(seen)
        self.took_ms.append((thread_time() - started) * 1e3)
        return move


async def figures(postgres: Server, home: Path) -> AsyncGenerator[Figure]:  # noqa: ARG001 - every benchmark takes the same
    """The median plan on one core against what was promised, reading the case and its terms included; waiting for a core is not counted."""
    world, repeats = home_world(), list[list[float]]()
    for seed in range(REPEATS + 1):
        timed = _Timed(Recoup(_trained_size()))
        for invoice in world.open(CASES, seed):
            play(world, invoice, timed, seed=seed)
        repeats.append(timed.took_ms)
    medians = [median(took) for took in repeats[1:]]  # the first fills caches
    shares = [one / MOST_PLAN_MS for one in medians]
    every = [one for took in repeats[1:] for one in took]
    told = {"median_ms": round(median(every), 2), "p95_ms": round(quantiles(every, n=20)[-1], 2), "plans": len(every), "trees": TREES}
    yield Figure(name="plan", ratio=median(shares), spread=(min(shares), max(shares)), ceiling=1.0, extra=told)


def _trained_size() -> Model:
    """What its trees say does not matter here, so they say next to nothing."""
    dice = Random(7)
    return replace(cold_model(), name="of trained size", trees=trees_of([_grown(dice, LEAVES) for _ in range(TREES)]))


def _grown(dice: Random, leaves: int) -> dict[str, Any]:
    if leaves == 1:
        return {"leaf_value": dice.gauss(0, 0.01)}
    left = dice.randrange(1, leaves)
    return {
        "split_feature": dice.randrange(len(NAMES)),
        "threshold": dice.gauss(0, 5),
        "decision_type": "<=",
        "missing_type": "NaN",
        "default_left": dice.random() < 0.5,
        "left_child": _grown(dice, left),
        "right_child": _grown(dice, leaves - left),
    }
