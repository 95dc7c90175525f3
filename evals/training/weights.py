"""The prior's weights as data speak for them: how often which truth is behind a decline, how people are paid, how moody banks are.

Expectation-maximisation over whole courses of charges, with the published weights counting as so many courses more, so that a few change
little and many speak for themselves. What each truth means stays as it was published.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from agents.planner.belief import Belief, believe
from agents.planner.paydays import Floats
from agents.planner.prior import GROUPS, Prior, group_of
from evals.training.episodes import Example, examples_of
from evals.training.records import Records
from evals.training.tables import over_parts

# What is published counts as so many courses: of each group's truths, of the ways of being paid, of the moods.
TRUTHS_COUNT, WAYS_COUNT, MOODS_COUNT = 200.0, 400.0, 100.0
ROUNDS = 40
LEAST = 1e-12


@dataclass(frozen=True)
class Courses:
    """One entry a course of retries under one group of truths. ``likelihood``: of what came of them, by truth. ``explained``: by way of
    being paid, how well it explains the account's past, together 1 when weighed by the published ways."""

    group: NDArray[np.int8]
    likelihood: Floats
    explained: Floats

    def __len__(self) -> int:
        return len(self.group)


@dataclass(frozen=True)
class Read:
    """Reads the courses of a part before a time; goes to other processes."""

    prior: Prior
    before: float

    def __call__(self, records: Records) -> Courses:
        ways, truths = len(self.prior.ways), len(self.prior.ways) + len(self.prior.moods) + 3
        found = list(self._courses(records))
        return Courses(
            group=np.array([group for group, _, _ in found], dtype=np.int8),
            likelihood=np.array([likelihood for _, likelihood, _ in found]).reshape(-1, truths),
            explained=np.array([explained for _, _, explained in found]).reshape(-1, ways),
        )

    def _courses(self, records: Records) -> Iterator[tuple[int, Floats, Floats]]:
        known = (example for example in examples_of(records) if example.situation.now < self.before)
        for _, case in groupby(known, key=lambda example: example.case):
            for _, course in groupby(case, key=lambda example: (example.situation.updated_at, example.situation.is_fresh)):
                yield self._course(list(course))

    def _course(self, course: list[Example]) -> tuple[int, Floats, Floats]:
        beliefs = [believe(example.situation, self.prior) for example in course]
        likelihood = np.ones(len(beliefs[0].weights))
        for example, belief in zip(course, beliefs, strict=True):
            chance = belief.chances(np.array([example.situation.now]))[:, 0]
            likelihood *= chance if example.approved else 1 - chance
        return _group(course[-1]), likelihood, self._explained(beliefs[0])

    def _explained(self, belief: Belief) -> Floats:
        ways = belief.weights[: len(self.prior.ways)]
        total = ways.sum()
        return ways / total / np.maximum(self.prior.ways, LEAST) if total > 0 else np.ones_like(ways)


def fit_weights(records: Records, prior: Prior, before: float, processes: int) -> tuple[Prior, int]:
    """The prior moved by what happened before a time, and by how many courses; the prior itself where there are none."""
    parts = list(over_parts(Read(prior, before), records, processes))
    courses = Courses(**{field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Courses)})
    return (moved(prior, courses) if len(courses) else prior), len(courses)


def moved(prior: Prior, courses: Courses) -> Prior:
    """The weights that are most likely, given the courses and what is published."""
    ways, moods = len(prior.ways), len(prior.moods)
    truths = np.array([prior.truths[group] / prior.truths[group].sum() for group in GROUPS])
    now_truths, now_ways, now_moods = truths, prior.ways / prior.ways.sum(), prior.moods / prior.moods.sum()
    for _ in range(ROUNDS):
        of_way = courses.explained * now_ways
        of_way /= of_way.sum(axis=1, keepdims=True)
        inside = np.concatenate([of_way, np.tile(now_moods, (len(courses), 1)), np.ones((len(courses), 3))], axis=1)
        joint = inside * courses.likelihood
        by_truth = np.stack(
            [joint[:, :ways].sum(1), joint[:, ways : ways + moods].sum(1), *(joint[:, ways + moods + k] for k in range(3))], axis=1
        )
        total = np.maximum((now_truths[courses.group] * by_truth).sum(axis=1), LEAST)
        share = now_truths[courses.group] / total[:, None]
        counted = np.zeros_like(now_truths)
        np.add.at(counted, courses.group, share * by_truth)
        now_truths = _normal(counted + TRUTHS_COUNT * truths)
        now_ways = _normal((joint[:, :ways] * share[:, :1]).sum(axis=0) + WAYS_COUNT * prior.ways / prior.ways.sum())
        now_moods = _normal((joint[:, ways : ways + moods] * share[:, 1:2]).sum(axis=0) + MOODS_COUNT * prior.moods / prior.moods.sum())
    return prior.moved({group: now_truths[number] for number, group in enumerate(GROUPS)}, now_ways, now_moods)


def _group(example: Example) -> int:
    situation = example.situation
    latest = next((t.category for t in reversed(situation.tries) if t.category), situation.category)
    return GROUPS.index(group_of(latest, is_fresh=situation.is_fresh))


def _normal(weights: Floats) -> Floats:
    return weights / weights.sum(axis=-1, keepdims=True)
