"""What a merchant's own history tells of a policy that was not in force: its attempts looked up there, as far as they can be."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from evals.backtest.past_cases import Past, PastCase, past_cases
from evals.history import History
from tools.sandbox.protocol import WINDOW, FailedInvoice

# A charge this far from a planned one is taken for it, where nothing happened between the two that would have changed its outcome.
TOLERANCE = timedelta(hours=12)

# Why nobody can know: the policy tries when the history did not; it still tries where a charge it did not make had been approved; it has
# stopped before the charge that was approved.
Unknown = Literal["tried_when_history_did_not", "went_on_after_its_success", "stopped_before_its_success"]
Fate = Literal["recovered", "lost"] | Unknown


class Planning(Protocol):
    """A policy, as far as it can be replayed."""

    def plan(self, case: FailedInvoice) -> Sequence[datetime]:
        """When it would charge, in order, as long as every attempt is declined and nothing else happens. ``case`` is what was known at
        the first failure."""
        ...


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


def replay(history: History, policies: Mapping[str, Planning], tolerance: timedelta = TOLERANCE) -> Replay:
    """Looks up what each policy would have done. Rests on two assumptions that no history can prove: whether a charge is approved depends
    on when it is made, not on how many were made before; and customers act as they did, whatever the charges."""
    past = past_cases(history)
    return Replay(
        cases=len(past.cases),
        recovered=sum(case.was_recovered for case in past.cases),
        too_young=past.too_young,
        tolerance=tolerance,
        policies={name: _replayed(past.cases, policy, tolerance) for name, policy in policies.items()},
    )


def fate_of(case: PastCase, planned: Sequence[datetime], tolerance: timedelta = TOLERANCE) -> Fate:
    """What would have become of one case, where that is known."""
    ending, since = case.ending, case.invoice.failed_at
    by_charge = ending is not None and ending.kind == "charge"
    for at in planned:
        if at > case.invoice.failed_at + WINDOW or (ending is not None and not by_charge and ending.at <= at):
            break
        found = _charge_near(case, at, since, tolerance)
        if found is None:
            return "went_on_after_its_success" if ending is not None and ending.at < at else "tried_when_history_did_not"
        if found.approved:
            return "recovered"
        since = found.at
    if by_charge:
        return "stopped_before_its_success"
    return "recovered" if case.was_recovered else "lost"


def _charge_near(case: PastCase, at: datetime, since: datetime, tolerance: timedelta) -> Past | None:
    """The history's charge that stands for one planned at that time; each stands for one, so it lies after the one before."""
    near = [past for past in case.course if past.kind == "charge" and past.at > since and abs(past.at - at) <= tolerance]
    same = [past for past in near if not _changed_between(case, *sorted((past.at, at)))]
    return min(same, key=lambda past: abs(past.at - at), default=None)


def _changed_between(case: PastCase, begin: datetime, end: datetime) -> bool:
    return any(begin < past.at < end for past in case.course if past.kind != "charge")


def _replayed(cases: Sequence[PastCase], policy: Planning, tolerance: timedelta) -> PolicyReplay:
    fates: list[Fate] = [fate_of(case, policy.plan(case.invoice), tolerance) for case in cases]
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
