"""How good chances are: Brier skill over what the category alone tells, and whether they come true."""

from dataclasses import dataclass

import numpy as np

from agents.planner.paydays import Floats
from evals.backtest.calibration import Calibration, calibration_of
from evals.training.tables import Table
from evals.training.treated import CATEGORIES

# The mean of all categories counts as so many attempts of each.
SHRUNK_BY = 50.0


@dataclass(frozen=True)
class Measured:
    """On attempts that were kept back. ``skill``: how much of the squared error of the category's own approval rate the model takes away;
    ``skill_over_cold``: the same of the published prior's error, ``skill_without_trees``: as ``skill``, by the prior's moved weights alone.
    """

    attempts: int
    customers: int
    approved: float
    brier: float
    skill: float
    skill_without_trees: float
    skill_over_cold: float
    calibration: Calibration | None

    @property
    def calibration_error(self) -> float | None:
        """How far expected and approved lie apart, on average over attempts."""
        return self.calibration.error if self.calibration else None


def category_rates(table: Table) -> Floats:
    """The share that was approved, by category, of the attempts that were learned from."""
    everywhere = float(table.approved.mean()) if len(table) else 0.5
    count = np.bincount(table.category, minlength=len(CATEGORIES))
    good = np.bincount(table.category, weights=table.approved, minlength=len(CATEGORIES))
    return (good + SHRUNK_BY * everywhere) / (count + SHRUNK_BY)


def measure(table: Table, chance: Floats, rates: Floats) -> Measured | None:
    """``rates``: see ``category_rates``. None where there is nothing to measure on."""
    if not len(table):
        return None
    by_category, without_trees = rates[table.category], 1 / (1 + np.exp(-table.prior_logit))
    errors = [float(np.mean((one - table.approved) ** 2)) for one in (chance, by_category, without_trees, table.cold)]
    model, category, weights, cold = (max(error, 1e-12) for error in errors)
    return Measured(
        attempts=len(table),
        customers=len(np.unique(table.account)),
        approved=float(table.approved.mean()),
        brier=model,
        skill=1 - model / category,
        skill_without_trees=1 - weights / category,
        skill_over_cold=1 - model / cold,
        calibration=calibration_of(chance, table.approved),
    )
