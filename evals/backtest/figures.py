"""What a backtest found, as values: figures of each policy, comparisons with their intervals, and the one JSON object of it all."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from evals.backtest.bootstrap import Estimate
from evals.backtest.calibration import Calibration

RECOUP, FIXED, NEVER, ORACLE = "recoup", "fixed-1-3-5-7", "never", "oracle"
# Non-inferiority: in a decline category Recoup may net less than the best baseline by at most this share of what was owed there.
# Declared before any result was looked at.
NON_INFERIORITY_MARGIN = 0.02

Finding = Literal["non-inferior", "inferior", "undecided"]


@dataclass(frozen=True)
class PolicyFigures:
    """One policy over all cases.

    ``recovery_rate``, ``recovery_amount_share``: within 28 days of the failure, cancellations not counted. ``recovered_by_day``: the share
    recovered after 0, 1, 2 … days. ``median_days``: from failure to payment, of the recovered. ``retry_share``: of the recovered, by a
    charge the policy made. What an oracle's bound cannot tell is None.
    """

    recovery_rate: Estimate
    recovery_amount_share: Estimate
    net_minor: float
    net_per_case_minor: Estimate
    recovered_by_day: tuple[float, ...] = ()
    attempts_per_case: float | None = None
    attempts_per_recovery: float | None = None
    messages_per_case: float | None = None
    median_days: float | None = None
    cap_breaches: int | None = None
    cancel_rate: float | None = None
    retry_share: float | None = None
    costs_minor: float | None = None
    fees_minor: float | None = None


@dataclass(frozen=True)
class Against:
    """Recoup beside one baseline. ``lift``: by net. ``recovered_more``, ``cancelled_more``: differences of the shares of cases.
    ``attempts_ratio``: Recoup's attempts per recovery over the baseline's."""

    lift: Estimate
    recovered_more: Estimate
    cancelled_more: Estimate
    attempts_ratio: Estimate


@dataclass(frozen=True)
class CategoryFigures:
    """Cases whose first decline meant the same. ``recovery_rates`` by policy; ``net_more`` is Recoup's net less the best baseline's, as
    a share of what was owed."""

    cases: int
    recovery_rates: Mapping[str, float]
    net_more: Estimate
    finding: Finding | None


@dataclass(frozen=True)
class Comparison:
    """All of it. ``picked_on``: by which seeds the best baseline was chosen. ``clairvoyant_net_minor``: of one who knew the draws too."""

    world: str
    seeds: tuple[int, ...]
    cases: int
    policies: Mapping[str, PolicyFigures]
    best_baseline: str | None
    picked_on: Literal["training seeds", "the judged seeds themselves"] | None
    lift: Estimate
    score: Estimate
    edge: Estimate
    by_seed: Mapping[int, Mapping[str, float | None]]
    against: Mapping[str, Against]
    categories: Mapping[str, CategoryFigures]
    calibrations: Mapping[str, Calibration]
    clairvoyant_net_minor: float | None

    def as_json(self) -> dict[str, Any]:
        """The object that ``recoup backtest --json`` ends in."""
        return {
            "world": self.world,
            "seeds": list(self.seeds),
            "cases": self.cases,
            "policies": {name: _policy(figures) for name, figures in self.policies.items()},
            "best_baseline": self.best_baseline,
            **_spread("lift", self.lift),
            **_spread("score", self.score),
            **_spread("edge", self.edge),
            "best_baseline_picked_on": self.picked_on,
            "clairvoyant": {"net_minor": _money(self.clairvoyant_net_minor)},
            "by_seed": {str(seed): {name: _share(value) for name, value in figures.items()} for seed, figures in self.by_seed.items()},
            "against": {name: _against(one) for name, one in self.against.items()},
            "non_inferiority_margin": NON_INFERIORITY_MARGIN,
            "categories": {name: _category(one) for name, one in self.categories.items()},
            "calibration": {name: _calibration(one) for name, one in self.calibrations.items()},
        }


def _policy(figures: PolicyFigures) -> dict[str, Any]:
    return {
        "recovery_rate": _share(figures.recovery_rate.value),
        "recovery_amount_share": _share(figures.recovery_amount_share.value),
        "net_minor": _money(figures.net_minor),
        "attempts_per_recovery": _share(figures.attempts_per_recovery),
        "messages_per_case": _share(figures.messages_per_case),
        "median_days": _share(figures.median_days),
        "cap_breaches": figures.cap_breaches,
        "cancel_rate": _share(figures.cancel_rate),
        "recovery_rate_ci": _ci(figures.recovery_rate),
        "recovery_amount_share_ci": _ci(figures.recovery_amount_share),
        **_spread("net_per_case_minor", figures.net_per_case_minor),
        "attempts_per_case": _share(figures.attempts_per_case),
        "retry_share": _share(figures.retry_share),
        "recovered_by_day": [round(share, 6) for share in figures.recovered_by_day] or None,
        "costs_minor": _money(figures.costs_minor),
        "fees_minor": _money(figures.fees_minor),
    }


def _against(one: Against) -> dict[str, Any]:
    return (
        _spread("lift", one.lift)
        | _spread("recovered_more", one.recovered_more)
        | _spread("cancelled_more", one.cancelled_more)
        | _spread("attempts_per_recovery_ratio", one.attempts_ratio)
    )


def _category(one: CategoryFigures) -> dict[str, Any]:
    rates = {name: _share(rate) for name, rate in one.recovery_rates.items()}
    return {"cases": one.cases, "recovery_rates": rates, **_spread("net_more_of_owed", one.net_more), "finding": one.finding}


def _calibration(one: Calibration) -> dict[str, Any]:
    groups = [{"attempts": group.attempts, "expected": _share(group.expected), "approved": _share(group.approved)} for group in one.groups]
    return {"attempts": one.attempts, "error": _share(one.error), "brier": _share(one.brier), "groups": groups}


def _spread(name: str, estimate: Estimate) -> dict[str, Any]:
    return {name: _share(estimate.value), f"{name}_ci": _ci(estimate)}


def _ci(estimate: Estimate) -> list[float] | None:
    return None if estimate.ci is None else [round(end, 6) for end in estimate.ci]


def _share(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _money(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
