"""What is behind a case's declines, as far as they and the account's past tell: weights over truths, and each truth's chance at any time.

A truth is a pay calendar with how long the money lasts, a bank in a mood, a bank that is away, a card that is gone, or nothing wrong.
Given the truth, charges at different times are independent but for one thing: in a pay period in which one has failed, another has less
of a chance. Bayes' rule does the rest: a failure right after payday speaks against that calendar, and against there being one at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.planner.paydays import Floats, Ints, calendars, local_days, since_payday
from agents.planner.prior import TRUTHS, Prior, group_of
from agents.planner.situation import HOUR, Situation
from recoup.category import Category

SOFT_EDGE = 0.12  # of the time to the next payday: how gradually the money runs out
# Past declines that tell of an empty account, or may.
TELLING = frozenset({Category.FUNDS, Category.GENERIC})


@dataclass(frozen=True)
class Belief:
    """``weights``: of every truth, together 1. ``failed_paydays``: for each failed try, by calendar, which payday came before it."""

    situation: Situation
    prior: Prior
    weights: Floats
    failed: Floats
    failed_paydays: Ints

    def chances(self, at: Floats) -> Floats:
        """For every truth and each time (POSIX seconds) how likely a charge goes through: one row a truth."""
        return _chances(self.situation, self.prior, at, self.failed, self.failed_paydays)

    def expected(self, at: Floats) -> Floats:
        """How likely a charge goes through at each time, whatever the truth."""
        return self.weights @ self.chances(at)

    def paydays(self, at: Floats) -> Ints:
        """For every truth and each time which payday came before, as a day number; -1 for truths without paydays."""
        by_calendar = since_payday(local_days(at, self.situation.offset_hours))[1]
        ways = len(self.prior.ways)
        found = np.full((len(self.weights), len(at)), -1)
        found[:ways] = np.repeat(by_calendar, ways // len(by_calendar), axis=0)
        return found

    def share(self, truth: str) -> float:
        """How much of the belief lies on one of TRUTHS."""
        return float(self.weights[_where(self.prior)[truth]].sum())


def believe(situation: Situation, prior: Prior) -> Belief:
    """The belief at ``situation.now``."""
    tries = [t for t in situation.tries if t.category is not None and not (situation.is_fresh or _is_before_update(t.at, situation))]
    group = group_of(tries[-1].category if tries and tries[-1].category else situation.category, is_fresh=situation.is_fresh)
    weights = _start(prior, group)
    where = _where(prior)
    failed = np.array([t.at for t in tries])
    paydays = since_payday(local_days(failed, situation.offset_hours))[1]
    ways = where["paydays"]
    weights[ways] *= _normal(_likelihood_of_past(situation, prior, failed[:1]) * prior.ways, prior.ways)
    for number in range(1, len(tries)):
        before = _chances(situation, prior, failed[number : number + 1], failed[:number], paydays[:, :number])
        weights *= 1 - before[:, 0]
        weights /= weights.sum()
    return Belief(situation, prior, weights, failed, paydays)


def _is_before_update(at: float, situation: Situation) -> bool:
    return situation.updated_at is not None and at < situation.updated_at


def _where(prior: Prior) -> dict[str, slice]:
    ways, moods = len(prior.ways), len(prior.moods)
    ends = (ways, ways + moods, ways + moods + 1, ways + moods + 2, ways + moods + 3)
    starts = (0, *ends[:-1])
    return {truth: slice(start, end) for truth, start, end in zip(TRUTHS, starts, ends, strict=True)}


def _start(prior: Prior, group: str) -> Floats:
    of_group = prior.truths[group] / prior.truths[group].sum()
    return np.concatenate([of_group[0] * prior.ways, of_group[1] * prior.moods, of_group[2:]])


def _normal(weighted: Floats, before: Floats) -> Floats:
    """Factors that turn the weights ``before`` into ``weighted`` without changing their sum."""
    total = weighted.sum()
    return weighted / total / np.maximum(before, 1e-300) if total > 0 else np.ones_like(before)


def _likelihood_of_past(situation: Situation, prior: Prior, first_failure: Floats) -> Floats:
    """How well each way of being paid explains what the account's charges came to; the failure that opened the case counts among them."""
    told = [p for p in situation.past if p.approved or p.category in TELLING]
    at = np.array([*(p.at for p in told), *first_failure])
    if not len(at):
        return np.ones_like(prior.ways)
    covered = _covered(prior, *since_payday(local_days(at, situation.offset_hours))[:1])
    approved = np.array([*(p.approved for p in told), *(False for _ in first_failure)])
    logs = np.log(np.where(approved, covered, 1 - covered)).sum(axis=1)
    return np.exp(logs - logs.max())


def _covered(prior: Prior, since: Floats) -> Floats:
    """For every way of being paid the chance that the account holds enough, so many days after pay."""
    pay, cycle = prior.numbers["paydays"], calendars().cycle_days
    share = since / cycle[:, None]
    left = np.asarray(pay["lasts"])[None, :, None] - share[:, None, :]
    covered = pay["dry"] + (pay["covered"] - pay["dry"]) * np.clip(left / SOFT_EDGE + 0.5, 0.0, 1.0)
    return covered.reshape(len(prior.ways), -1)


def _chances(situation: Situation, prior: Prior, at: Floats, failed: Floats, failed_paydays: Ints) -> Floats:
    numbers, lengths = prior.numbers, len(prior.numbers["paydays"]["lasts"])
    since, payday = since_payday(local_days(at, situation.offset_hours))
    ways = _covered(prior, since)
    if len(failed):
        again = (payday[:, :, None] == failed_paydays[:, None, :]).any(axis=2)
        ways = ways * np.repeat(np.where(again, numbers["paydays"]["after_failure_times"], 1.0), lengths, axis=0)
    last = failed[-1] if len(failed) else situation.failed_at
    away_hours = np.maximum(at - last, 0.0) / HOUR
    passing = numbers["passing"]["covered"] * (1 - np.exp(-away_hours / numbers["passing"]["back_after_hours"]))
    flat: Sequence[float] = (*numbers["moods"]["levels"], numbers["gone"]["chance"])
    rows = [np.full(len(at), level) for level in flat]
    return np.vstack([ways, *rows, passing, np.full(len(at), numbers["good"]["covered"])])
