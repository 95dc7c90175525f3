"""Intervals of ratios of sums by a bootstrap over clusters: one resample of accounts serves all policies, so that it stays paired."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2_000
TAIL_PERCENT = 2.5
AT_ONCE = 50
# More accounts than this are put together at random: an interval of ratios needs no more, and time and memory stay bounded.
MOST_CLUSTERS = 30_000

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95% interval. None: nothing to divide by; an interval is None where a resample had nothing to divide by."""

    value: float | None
    ci: tuple[float, float] | None


UNKNOWN = Estimate(None, None)


@dataclass(frozen=True)
class Sums:
    """Named sums over all cases, and over each resample of clusters of cases: one array of ``1 + resamples``, as it is first."""

    totals: Mapping[str, Array]

    def estimate(self, figure: Callable[[Mapping[str, Array]], tuple[Array, Array]]) -> Estimate:
        """A ratio of sums: ``figure`` gives what is divided and by what, which must be above 0."""
        above, below = figure(self.totals)
        if below[0] <= 0:
            return UNKNOWN
        value = float(above[0] / below[0])
        if len(below) == 1 or np.any(below[1:] <= 0):
            return Estimate(value, None)
        low, high = np.percentile(above[1:] / below[1:], [TAIL_PERCENT, 100 - TAIL_PERCENT])
        return Estimate(value, (float(low), float(high)))


def resample(columns: Mapping[str, Array], clusters: NDArray[np.int64], seed: int, resamples: int = RESAMPLES) -> Sums:
    """``columns`` have a row a case, ``clusters`` says which cluster, numbered from 0, a case is of."""
    dice = np.random.default_rng(seed)
    count = int(clusters.max()) + 1 if len(clusters) else 0
    if count > MOST_CLUSTERS:
        clusters, count = dice.permutation(count)[clusters] % MOST_CLUSTERS, MOST_CLUSTERS
    by_cluster = np.column_stack([np.bincount(clusters, column, minlength=count) for column in columns.values()])
    parts = [by_cluster.sum(axis=0, keepdims=True)]
    # A single cluster resampled is always itself: it would look as if nothing were uncertain.
    for begin in range(0, resamples if count > 1 else 0, AT_ONCE):
        rounds = min(AT_ONCE, resamples - begin)
        weights = np.empty((rounds, count))
        for row in range(rounds):
            weights[row] = np.bincount(dice.integers(0, count, count), minlength=count)
        parts.append(weights @ by_cluster)
    totals = np.concatenate(parts)
    return Sums({name: totals[:, place] for place, name in enumerate(columns)})


def clusters_of(seed: NDArray[np.int64], account: NDArray[np.str_]) -> NDArray[np.int64]:
    """Cases of one account of one seed are one cluster."""
    _, accounts = np.unique(account, return_inverse=True)
    _, seeds = np.unique(seed, return_inverse=True)
    _, clusters = np.unique(seeds.astype(np.int64) * (int(accounts.max(initial=0)) + 1) + accounts, return_inverse=True)
    return clusters.astype(np.int64)
