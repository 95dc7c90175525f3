"""The arithmetic of paired comparisons, with the samples of one customer kept together: exact for gates, a bootstrap for measures."""

import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence

from recoup.record import Record

ALPHA = 0.05
# Quantiles of the normal distribution: 5 % two-sided, and a chance of 80 % to see what is there.
Z_ALPHA, Z_POWER = 1.960, 0.842
RESAMPLES = 4000
# The fewest customers, all changed to the same side, that an exact two-sided test calls more than chance: 2 x 0.5 ^ 6 = 0.031.
FEWEST_FLIPS = 6


class Difference(Record):
    """B less A. ``low`` and ``high`` bound it at 95 %; ``detectable``: the least true difference that so many samples would show with a
    chance of 80 %; None where nothing varies or nothing can be said."""

    n: int
    customers: int
    a: float
    b: float
    difference: float
    better: int
    worse: int
    p: float
    low: float | None = None
    high: float | None = None
    detectable: float | None = None


Pairs = Sequence[tuple[str, float, float]]


def compare_gates(pairs: Pairs) -> Difference:
    """McNemar's exact test on (customer, a, b) of zeros and ones. A customer's samples are flipped together; where every customer has one
    changed sample at most, it is McNemar's test as everybody knows it."""
    by_customer = _summed(pairs)
    return _described(pairs, by_customer, p=sign_flips(round(total) for total in by_customer.values()), is_gate=True)


def compare_measures(pairs: Pairs, seed: int = 1) -> Difference:
    """A bootstrap of the mean difference over customers. The same seed gives the same answer."""
    by_customer = _summed(pairs)
    described = _described(pairs, by_customer, p=1.0, is_gate=False)
    if len(by_customer) < 2 or not any(by_customer.values()):
        return described
    draw, groups = random.Random(seed), list(_grouped(pairs).values())
    means: list[float] = []
    for _ in range(RESAMPLES):
        drawn = draw.choices(groups, k=len(groups))
        means.append(sum(total for total, _ in drawn) / sum(size for _, size in drawn))
    means.sort()
    at_most, at_least = sum(m <= 0 for m in means), sum(m >= 0 for m in means)
    return described.model_copy(
        update={
            "low": means[int(RESAMPLES * ALPHA / 2)],
            "high": means[int(RESAMPLES * (1 - ALPHA / 2)) - 1],
            "p": min(1.0, 2 * (min(at_most, at_least) + 1) / (RESAMPLES + 1)),
        }
    )


def sign_flips(changes: Iterable[int]) -> float:
    """How often chance alone would give a total at least so far from zero, were each change as likely in either direction. Exact."""
    sizes = [change for change in changes if change]
    reached: Counter[int] = Counter({0: 1})
    for size in sizes:
        step: Counter[int] = Counter()
        for total, ways in reached.items():
            step[total + size] += ways
            step[total - size] += ways
        reached = step
    observed = abs(sum(sizes))
    return sum(ways for total, ways in reached.items() if abs(total) >= observed) / 2 ** len(sizes)


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """The p-values, each raised for how many questions were asked at once, by Holm's way."""
    adjusted: dict[str, float] = {}
    highest = 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, p * (len(p_values) - rank)))
        adjusted[name] = highest
    return adjusted


def kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa: how far two judges agree beyond chance; None where chance alone would agree always, or nobody judged."""
    if not pairs:
        return None
    n = len(pairs)
    agreed = sum(one == other for one, other in pairs) / n
    ones, others = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    by_chance = sum(ones[label] * others[label] for label in ones) / n**2
    return None if by_chance == 1 else (agreed - by_chance) / (1 - by_chance)


def _described(pairs: Pairs, by_customer: dict[str, float], *, p: float, is_gate: bool) -> Difference:
    n = len(pairs)
    a, b = (sum(values) / n if n else 0.0 for values in ([pair[1] for pair in pairs], [pair[2] for pair in pairs]))
    return Difference(
        n=n,
        customers=len(by_customer),
        a=a,
        b=b,
        difference=b - a,
        better=sum(one[2] > one[1] for one in pairs),
        worse=sum(one[2] < one[1] for one in pairs),
        p=p,
        detectable=_detectable(pairs, by_customer, is_gate=is_gate),
    )


def _detectable(pairs: Pairs, by_customer: dict[str, float], *, is_gate: bool) -> float | None:
    """From how much customers differ in what changed. A gate that never changed still takes a few flips to be more than chance."""
    n, customers = len(pairs), len(by_customer)
    if customers < 2:
        return None
    mean = sum(by_customer.values()) / customers
    variance = sum((total - mean) ** 2 for total in by_customer.values()) / (customers - 1)
    by_spread = (Z_ALPHA + Z_POWER) * math.sqrt(variance * customers) / n
    if not is_gate:
        return by_spread or None
    return min(1.0, max(by_spread, FEWEST_FLIPS / n)) if customers >= FEWEST_FLIPS else None


def _summed(pairs: Pairs) -> dict[str, float]:
    return {customer: total for customer, (total, _) in _grouped(pairs).items()}


def _grouped(pairs: Pairs) -> dict[str, tuple[float, int]]:
    groups: dict[str, tuple[float, int]] = {}
    for customer, a, b in pairs:
        total, size = groups.get(customer, (0.0, 0))
        groups[customer] = (total + b - a, size + 1)
    return groups
