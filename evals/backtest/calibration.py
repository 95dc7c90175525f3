"""Whether what a policy expected came true: attempts in groups of equal size, by how likely it held them to be approved."""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.backtest.played import Played

GROUPS = 10
FEWEST = 20
Z = 1.96


@dataclass(frozen=True)
class Group:
    """So many attempts, expected on average to be approved with ``expected``; ``approved`` of them were, within an interval."""

    attempts: int
    expected: float
    approved: float
    approved_ci: tuple[float, float]


@dataclass(frozen=True)
class Calibration:
    """``error``: how far expected and approved lie apart, on average over attempts. ``brier``: mean squared error."""

    attempts: int
    error: float
    brier: float
    groups: tuple[Group, ...]


def calibration(one: Played) -> Calibration | None:
    """None where the policy held no opinions, or too few to say anything."""
    has_opinion = ~np.isnan(one.expected)
    return calibration_of(one.expected[has_opinion], one.approved[has_opinion])


def calibration_of(expected: NDArray[np.float64], approved: NDArray[Any]) -> Calibration | None:
    """Of so many attempts, and whether each was approved; None for too few."""
    count = len(expected)
    if count < FEWEST:
        return None
    order = np.argsort(expected, kind="stable")
    groups: list[Group] = []
    for rows in np.array_split(order, min(GROUPS, count // (FEWEST // 2))):
        share = float(approved[rows].mean())
        groups.append(Group(len(rows), float(expected[rows].mean()), share, wilson(share, len(rows))))
    error = sum(group.attempts * abs(group.expected - group.approved) for group in groups) / count
    return Calibration(count, error, float(np.mean((expected - approved) ** 2)), tuple(groups))


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95 % score interval of a share of ``count``."""
    spread = Z * sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
    middle, scale = share + Z * Z / (2 * count), 1 + Z * Z / count
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
