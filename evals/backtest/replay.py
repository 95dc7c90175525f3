"""What a merchant's own history tells of a policy that was not in force: it is played on that past, as far as the past can answer."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from evals.backtest.past_cases import PastCase, past_cases
from evals.backtest.past_world import NobodyKnowsError, PastWorld, Unknown
from evals.backtest.rollout import Policy, play
from evals.history import History

# A charge this far from a planned one is taken for it, where nothing happened between the two that would have changed its outcome.
TOLERANCE = timedelta(hours=12)

Fate = Literal["recovered", "lost"] | Unknown


@dataclass(frozen=True)
class Shares:
    """Of a ``total``, of cases or of money: how much is known, how much of it recovered, and what of the unknown the history recovered."""

    total: int
    known: int
    recovered: int
    unknown_recovered: int

    @property
    def known_share(self) -> float | None:
        """How much can be known at all."""
        return self.known / self.total if self.total else None

    @property
    def recovered_of_known(self) -> float | None:
        """Recovered among the known: not a fair sample of all, since what is known are cases on which the policy did as the history did."""
        return self.recovered / self.known if self.known else None

    def bounds(self) -> dict[str, float | None]:
        """The recovery rate where all that is unknown is lost, where it goes as it went in the history, and where all of it is won."""
        won = {
            "all_unknown_lost": self.recovered,
            "unknown_as_in_history": self.recovered + self.unknown_recovered,
            "all_unknown_recovered": self.recovered + self.total - self.known,
        }
        return {name: amount / self.total if self.total else None for name, amount in won.items()}


@dataclass(frozen=True)
class PolicyReplay:
    """One policy: by count, by amount in each currency, and why what is unknown is."""

    counts: Shares
    amounts: Mapping[str, Shares]
    unknown: Mapping[Unknown, int]


@dataclass(frozen=True)
class Replay:
    """All policies on one history. ``recovered``: how many of the ``cases`` the merchant recovered; ``too_young``: failed too late in the
    history for their window to be seen, and left out."""

    cases: int
    recovered: int
    too_young: int
    tolerance: timedelta
    policies: Mapping[str, PolicyReplay]

    def as_json(self) -> dict[str, Any]:
        """The object under ``replay`` in the result."""
        return {
            "cases": self.cases,
            "recovery_rate": self.recovered / self.cases if self.cases else None,
            "too_young": self.too_young,
            "tolerance_hours": self.tolerance / timedelta(hours=1),
            "policies": {
                name: {
                    **_shares(one.counts),
                    "amounts": {code: _shares(shares) for code, shares in one.amounts.items()},
                    "unknown": dict(one.unknown),
                }
                for name, one in self.policies.items()
            },
        }


def replay(history: History, policies: Mapping[str, Policy], tolerance: timedelta = TOLERANCE) -> Replay:
    """Plays each policy on each case. Rests on two assumptions that no history can prove: whether a charge is approved depends
    on when it is made, not on how many were made before; and customers act as they did, whatever the charges."""
    past = past_cases(history)
    return Replay(
        cases=len(past.cases),
        recovered=sum(case.was_recovered for case in past.cases),
        too_young=past.too_young,
        tolerance=tolerance,
        policies={name: _replayed(past.cases, policy, tolerance) for name, policy in policies.items()},
    )


def fate_of(case: PastCase, policy: Policy, tolerance: timedelta = TOLERANCE) -> Fate:
    """What would have become of one case, where that is known."""
    try:
        outcome = play(PastWorld(case, tolerance), case.invoice, policy, seed=0)
    except NobodyKnowsError as unknown:
        return unknown.why
    if outcome.recovered:
        return "recovered"
    return "stopped_before_its_success" if case.ending is not None and case.ending.kind == "charge" else "lost"


def _replayed(cases: Sequence[PastCase], policy: Policy, tolerance: timedelta) -> PolicyReplay:
    fates: list[Fate] = [fate_of(case, policy, tolerance) for case in cases]
    currencies = sorted({case.invoice.currency for case in cases})
    return PolicyReplay(
        counts=_shares_of(cases, fates, [1] * len(cases)),
        amounts={
            currency: _shares_of(cases, fates, [case.invoice.amount_minor if case.invoice.currency == currency else 0 for case in cases])
            for currency in currencies
        },
        unknown=dict(Counter(fate for fate in fates if fate not in {"recovered", "lost"})),  # type: ignore[arg-type]
    )


def _shares_of(cases: Sequence[PastCase], fates: Sequence[Fate], weights: Sequence[int]) -> Shares:
    weighed = list(zip(cases, fates, weights, strict=True))
    return Shares(
        total=sum(weights),
        known=sum(weight for _, fate, weight in weighed if fate in {"recovered", "lost"}),
        recovered=sum(weight for _, fate, weight in weighed if fate == "recovered"),
        unknown_recovered=sum(weight for case, fate, weight in weighed if fate not in {"recovered", "lost"} and case.was_recovered),
    )


def _shares(shares: Shares) -> dict[str, Any]:
    return {"known_share": shares.known_share, "recovered_of_known": shares.recovered_of_known, **shares.bounds()}
