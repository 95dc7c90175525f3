"""Who did better, by how much, and how sure that is: the comparison of policies that were played on the same cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evals.backtest.bootstrap import RESAMPLES, UNKNOWN, Array, Estimate, Sums, clusters_of, resample
from evals.backtest.calibration import calibration
from evals.backtest.figures import (
    FIXED,
    NEVER,
    NON_INFERIORITY_MARGIN,
    ORACLE,
    RECOUP,
    Against,
    CategoryFigures,
    Comparison,
    Finding,
    PolicyFigures,
)
from evals.backtest.outcome import Bound
from evals.backtest.played import Played, require_same_cases
from recoup.errors import Defect
from tools.sandbox.protocol import WINDOW


@dataclass(frozen=True)
class _Resampled:
    """The sums that every figure is made of, by ``policy:measure`` and ``category:policy:net``, and of what all policies share."""

    sums: Sums

    def ratio(self, above: str, below: str) -> Estimate:
        return self.sums.estimate(lambda t: (t[above], t[below]))

    def part(self, above: tuple[str, str], below: tuple[str, str]) -> Estimate:
        """A difference of two sums over a difference of two sums."""
        return self.sums.estimate(lambda t: (t[above[0]] - t[above[1]], t[below[0]] - t[below[1]]))

    def more(self, one: str, other: str, of: str) -> Estimate:
        return self.sums.estimate(lambda t: (t[one] - t[other], t[of]))


def compare(
    world: str,
    policies: Mapping[str, Played],
    bounds: Sequence[Bound] = (),
    training: Mapping[str, Played] | None = None,
    *,
    resamples: int = RESAMPLES,
    bootstrap_seed: int = 0,
) -> Comparison:
    """Policies by name on the same cases; the oracle's bounds on these cases, if it is among those compared; and baselines on training
    seeds, by whose net the best one is picked (without them it is picked on the judged seeds, to Recoup's disadvantage). Raises Defect
    where the cases differ."""
    named = dict(policies)
    require_same_cases(named)
    if not named:
        raise Defect("there is no policy to compare")
    some = next(iter(named.values()))
    if not len(some):
        raise Defect("there are no cases to compare policies on")
    best = _best(named, training)
    columns, oracle = _columns(named, best), _bounds(some, bounds)
    columns |= oracle
    resampled = _Resampled(resample(columns, clusters_of(some.seed, some.account), bootstrap_seed, resamples))
    figures = {name: _figures(name, one, resampled) for name, one in named.items()}
    if oracle:
        figures[ORACLE] = _oracle_figures(resampled)
    return Comparison(
        world=world,
        seeds=tuple(np.unique(some.seed).tolist()),
        cases=len(some),
        policies=figures,
        best_baseline=best,
        picked_on=None if best is None else "training seeds" if training else "the judged seeds themselves",
        lift=_lift(named, best, resampled),
        score=_of_the_way(named, FIXED, resampled, has_oracle=bool(oracle)),
        edge=_of_the_way(named, best, resampled, has_oracle=bool(oracle)),
        by_seed=_by_seed(some, columns, named, best),
        against=_against(named, resampled),
        categories=_categories(named, best, resampled),
        calibrations={name: found for name, one in named.items() if (found := calibration(one)) is not None},
        clairvoyant_net_minor=sum(bound.clairvoyant_net_minor for bound in bounds) if bounds else None,
    )


def _best(named: Mapping[str, Played], training: Mapping[str, Played] | None) -> str | None:
    """The baseline with the most net on the training seeds, if there are any."""
    judged = training or named
    nets = {name: float(judged[name].net.sum()) for name in judged if name in named and name not in {RECOUP, NEVER, ORACLE}}
    return max(nets, key=lambda name: nets[name], default=None)


def _columns(named: Mapping[str, Played], best: str | None) -> dict[str, Array]:
    """What is summed, a row a case."""
    some = next(iter(named.values()))
    columns: dict[str, Array] = {"cases": np.ones(len(some)), "owed": some.amount.astype(np.float64)}
    for name, one in named.items():
        columns |= {
            f"{name}:recovered": one.recovered.astype(np.float64),
            f"{name}:collected": np.where(one.recovered, one.amount, 0).astype(np.float64),
            f"{name}:net": one.net,
            f"{name}:attempts": one.attempts.astype(np.float64),
            f"{name}:cancelled": one.cancelled.astype(np.float64),
        }
    for category in np.unique(some.category).tolist():
        is_of = some.category == category
        columns[f"{category}::owed"] = np.where(is_of, some.amount, 0).astype(np.float64)
        pair = {name: one for name, one in named.items() if name in {RECOUP, best}}
        columns |= {f"{category}:{name}:net": np.where(is_of, one.net, 0.0) for name, one in pair.items()}
    return columns


def _bounds(some: Played, bounds: Sequence[Bound]) -> dict[str, Array]:
    """The oracle's sums, in the order of the cases."""
    if not bounds:
        return {}
    by_case = {(bound.seed, bound.case): bound for bound in bounds}
    try:
        ordered = [by_case[key] for key in zip(some.seed.tolist(), some.case.tolist(), strict=True)]
    except KeyError as exc:
        raise Defect(f"the oracle has no bound for case {exc.args[0]}") from exc
    likely: Array = np.array([bound.recovery_probability for bound in ordered], np.float64)
    return {
        f"{ORACLE}:recovered": likely,
        f"{ORACLE}:collected": likely * some.amount.astype(np.float64),
        f"{ORACLE}:net": np.array([bound.expected_net_minor for bound in ordered], np.float64),
    }


def _figures(name: str, one: Played, resampled: _Resampled) -> PolicyFigures:
    recovered, count = int(one.recovered.sum()), len(one)
    return PolicyFigures(
        recovery_rate=resampled.ratio(f"{name}:recovered", "cases"),
        recovery_amount_share=resampled.ratio(f"{name}:collected", "owed"),
        net_minor=float(one.net.sum()),
        net_per_case_minor=resampled.ratio(f"{name}:net", "cases"),
        recovered_by_day=tuple(np.searchsorted(np.sort(one.days[one.recovered]), np.arange(WINDOW.days + 1), side="right") / count),
        attempts_per_case=int(one.attempts.sum()) / count,
        attempts_per_recovery=int(one.attempts.sum()) / recovered if recovered else None,
        messages_per_case=int(one.messages.sum()) / count,
        median_days=float(np.median(one.days[one.recovered])) if recovered else None,
        cap_breaches=int(one.breaches.sum()),
        cancel_rate=int(one.cancelled.sum()) / count,
        retry_share=int((one.by_retry & one.recovered).sum()) / recovered if recovered else None,
        costs_minor=float(one.costs.sum()),
        fees_minor=float(one.fees.sum()),
    )


def _oracle_figures(resampled: _Resampled) -> PolicyFigures:
    return PolicyFigures(
        recovery_rate=resampled.ratio(f"{ORACLE}:recovered", "cases"),
        recovery_amount_share=resampled.ratio(f"{ORACLE}:collected", "owed"),
        net_minor=float(resampled.sums.totals[f"{ORACLE}:net"][0]),
        net_per_case_minor=resampled.ratio(f"{ORACLE}:net", "cases"),
    )


def _lift(named: Mapping[str, Played], other: str | None, resampled: _Resampled) -> Estimate:
    if RECOUP not in named or other is None:
        return UNKNOWN
    # (recoup - other) / other is recoup / other - 1, and keeps the pair together.
    return resampled.more(f"{RECOUP}:net", f"{other}:net", of=f"{other}:net")


def _of_the_way(named: Mapping[str, Played], start: str | None, resampled: _Resampled, *, has_oracle: bool) -> Estimate:
    """How much of the way from a baseline to the oracle Recoup comes."""
    if not has_oracle or RECOUP not in named or start is None or start not in named:
        return UNKNOWN
    return resampled.part((f"{RECOUP}:net", f"{start}:net"), (f"{ORACLE}:net", f"{start}:net"))


def _by_seed(
    some: Played, columns: Mapping[str, Array], named: Mapping[str, Played], best: str | None
) -> dict[int, dict[str, float | None]]:
    """The same three figures for each seed alone: worlds differ more than customers do."""
    found: dict[int, dict[str, float | None]] = {}
    for seed in np.unique(some.seed).tolist():
        rows = some.seed == seed
        alone = _Resampled(Sums({name: np.array([column[rows].sum()]) for name, column in columns.items() if name.endswith(":net")}))
        has_oracle = f"{ORACLE}:net" in columns
        found[seed] = {
            "lift": _lift(named, best, alone).value,
            "score": _of_the_way(named, FIXED, alone, has_oracle=has_oracle).value,
            "edge": _of_the_way(named, best, alone, has_oracle=has_oracle).value,
        }
    return found


def _against(named: Mapping[str, Played], resampled: _Resampled) -> dict[str, Against]:
    def ratio(other: str) -> Estimate:
        ours, theirs = (f"{RECOUP}:attempts", f"{RECOUP}:recovered"), (f"{other}:attempts", f"{other}:recovered")
        return resampled.sums.estimate(lambda t: (t[ours[0]] * t[theirs[1]], t[theirs[0]] * t[ours[1]]))

    if RECOUP not in named:
        return {}
    return {
        other: Against(
            lift=_lift(named, other, resampled),
            recovered_more=resampled.more(f"{RECOUP}:recovered", f"{other}:recovered", of="cases"),
            cancelled_more=resampled.more(f"{RECOUP}:cancelled", f"{other}:cancelled", of="cases"),
            attempts_ratio=ratio(other),
        )
        for other in named
        if other != RECOUP
    }


def _categories(named: Mapping[str, Played], best: str | None, resampled: _Resampled) -> dict[str, CategoryFigures]:
    some = next(iter(named.values()))
    names, places, counts = np.unique(some.category, return_inverse=True, return_counts=True)
    rates = {name: np.bincount(places, one.recovered, minlength=len(names)) / counts for name, one in named.items()}
    found: dict[str, CategoryFigures] = {}
    for place in np.argsort(-counts, kind="stable").tolist():
        category = str(names[place])
        more = UNKNOWN
        if RECOUP in named and best is not None:
            more = resampled.more(f"{category}:{RECOUP}:net", f"{category}:{best}:net", of=f"{category}::owed")
        found[category] = CategoryFigures(
            int(counts[place]), {name: float(rate[place]) for name, rate in rates.items()}, more, _finding(more)
        )
    return found


def _finding(more: Estimate) -> Finding | None:
    if more.value is None:
        return None
    if more.ci is not None and more.ci[0] > -NON_INFERIORITY_MARGIN:
        return "non-inferior"
    return "inferior" if more.ci is not None and more.ci[1] < -NON_INFERIORITY_MARGIN else "undecided"
