"""What another policy would have come to, told from the decisions of the one that ran: importance sampling over logged propensities.

The estimator is per-decision importance sampling, self-normalised at every decision: a case's reward after its t-th decision counts as much
more or less as the target would have come that far more or less often. Intervals are by a bootstrap over accounts, whose cases are not
independent. How many accounts the answer really rests on comes first (the effective sample size); where it is too small there is no answer.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.decision_log import Logged

ENOUGH = 100.0  # effective accounts; with fewer, a few of them decide the figure
RESAMPLES = 1_000
TAIL_PERCENT = 2.5

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimated:
    """``value_minor``: net a case under the target, with its 95 % interval; None where the log cannot tell, and ``why_not`` says so.
    ``effective_accounts``: how many accounts the answer rests on, of ``accounts``. ``logged_minor``: what the policy that ran came to."""

    accounts: int
    cases: int
    decisions: int
    effective_accounts: float
    logged_minor: float | None
    value_minor: float | None
    ci_minor: tuple[float, float] | None
    why_not: str | None

    def as_json(self) -> dict[str, Any]:
        """The one object of ``recoup evaluate --json``."""
        return {
            "accounts": self.accounts,
            "cases": self.cases,
            "decisions": self.decisions,
            "effective_accounts": round(self.effective_accounts, 1),
            "logged_minor": _rounded(self.logged_minor),
            "value_minor": _rounded(self.value_minor),
            "ci_minor": [_rounded(end) for end in self.ci_minor] if self.ci_minor else None,
            "why_not": self.why_not,
        }


def estimate(log: Iterable[Logged], *, enough: float = ENOUGH, seed: int = 0) -> Estimated:
    """Of a whole log; ``enough``: the effective sample size under which there is no answer."""
    cases: dict[tuple[str, str], list[Logged]] = defaultdict(list)
    for row in log:
        cases[row.account, row.case].append(row)
    if not cases:
        return Estimated(0, 0, 0, 0.0, None, None, None, "the log holds no decision")
    steps = max(len(rows) for rows in cases.values())
    rewards, weights = np.zeros((len(cases), steps)), np.zeros((len(cases), steps))
    for number, rows in enumerate(cases.values()):
        rewards[number], weights[number] = _trajectory(sorted(rows, key=lambda row: row.step), steps)
    accounts = {account: number for number, account in enumerate(dict.fromkeys(account for account, _ in cases))}
    of_account = np.array([accounts[account] for account, _ in cases])
    final = np.bincount(of_account, weights[:, -1])
    effective = float(final.sum() ** 2 / (final**2).sum()) if final.any() else 0.0
    decisions = sum(len(rows) for rows in cases.values())
    logged = float(rewards.sum() / len(cases))
    told = (len(accounts), len(cases), decisions, effective, logged)
    if effective < enough:
        why = f"to this target the log is worth {effective:.0f} of its {len(accounts)} accounts, and {enough:.0f} are needed"
        return Estimated(*told, None, None, why)
    return Estimated(*told, *_with_interval(rewards, weights, of_account, len(accounts), seed), None)


def _trajectory(rows: Sequence[Logged], steps: int) -> tuple[Floats, Floats]:
    """One case: its rewards, and at every decision how much more often the target would have come that far. Once it is over the weight
    stays as it is: the target would have got nothing more either."""
    rewards, weights, weight = np.zeros(steps), np.empty(steps), 1.0
    for number, row in enumerate(rows):
        weight *= row.target / row.propensity
        rewards[number], weights[number] = row.reward_minor, weight
    weights[len(rows) :] = weight
    return rewards, weights


def _with_interval(
    rewards: Floats, weights: Floats, of_account: NDArray[np.int64], accounts: int, seed: int
) -> tuple[float, tuple[float, float]]:
    """A bootstrap of the studentised estimate: a few large invoices make it skewed, and plain percentiles then lie too low."""
    steps = rewards.shape[1]
    above = np.array([np.bincount(of_account, weights[:, t] * rewards[:, t], minlength=accounts) for t in range(steps)], dtype=np.float64).T
    below = np.array([np.bincount(of_account, weights[:, t], minlength=accounts) for t in range(steps)], dtype=np.float64).T
    value, error = _ratio(above, below, np.ones(accounts))
    dice, off = np.random.default_rng(seed), np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        drawn, its_error = _ratio(above, below, np.bincount(dice.integers(0, accounts, accounts), minlength=accounts).astype(np.float64))
        off[number] = (drawn - value) / its_error if its_error > 0 else 0.0
    low, high = np.percentile(off, [TAIL_PERCENT, 100 - TAIL_PERCENT])
    return value, (value - float(high) * error, value - float(low) * error)


def _ratio(above: Floats, below: Floats, times: Floats) -> tuple[float, float]:
    """The sum over decisions of what each was worth a case, and its standard error; every account counts ``times``."""
    total = times @ below
    worth = np.divide(times @ above, total, out=np.zeros_like(total), where=total > 0)
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    pull = ((above - worth * below) * scale).sum(axis=1)
    return float(worth.sum()), float(np.sqrt(times @ pull**2))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
