"""How sure a chance of some height is: by how many attempts taught it, and fewer where those kept back show that it was wrong."""

import numpy as np
from numpy.typing import NDArray

from agents.planner.model import NOTHING_SEEN, Spread
from agents.planner.paydays import Floats, Ints
from evals.training.tables import Table

ENDS = np.array([0.0, 0.02, 0.05, 0.10, 0.15, 0.20, 0.30, 0.40, 0.50, 0.65, 0.80])


def spread_of(taught: Floats, each: int, kept_back: Table, chance: Floats) -> Spread:
    """``taught``: the chances of attempts learned from, each standing for so many; ``chance``: those of the attempts kept back."""
    if not len(taught):
        return NOTHING_SEEN
    attempts = np.bincount(_place(taught), minlength=len(ENDS)).astype(np.float64) * each
    place = _place(chance)
    for number in range(len(ENDS)):
        there = place == number
        if there.any():
            attempts[number] = min(attempts[number], _worth(chance[there], kept_back.approved[there]))
    return Spread(ENDS, attempts)


def _place(chance: Floats) -> Ints:
    return np.clip(np.searchsorted(ENDS, chance, side="right") - 1, 0, len(ENDS) - 1)


def _worth(chance: Floats, approved: NDArray[np.bool_]) -> float:
    """That many attempts would leave as much doubt as the gap between what was expected and what came, its own chance error taken off."""
    expected = float(chance.mean())
    noise = expected * (1 - expected)
    beyond = (expected - float(approved.mean())) ** 2 - noise / len(chance)
    return noise / beyond if beyond > 0 else float("inf")
