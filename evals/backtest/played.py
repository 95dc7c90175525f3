"""What a policy came to on all its cases, as columns: small enough to hand between processes and to hold for all policies at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from evals.backtest.outcome import CaseOutcome
from recoup.errors import Defect
from tools.sandbox.protocol import COSTS


@dataclass(frozen=True)
class Played:
    """One row a case, in the order of seed and case, and behind them one row an attempt.

    ``days`` is NaN where nothing was paid; ``recovered`` and ``net`` are by ``CaseOutcome``. ``fees``: what networks fine, the part of
    ``costs`` that neither an attempt nor a message costs by itself. Of attempts: ``expected`` is NaN where the policy had no opinion, and
    ``number`` counts within the case, from 1.
    """

    seed: NDArray[np.int64]
    case: NDArray[np.str_]
    account: NDArray[np.str_]
    category: NDArray[np.str_]
    amount: NDArray[np.int64]
    recovered: NDArray[np.bool_]
    by_retry: NDArray[np.bool_]
    cancelled: NDArray[np.bool_]
    days: NDArray[np.float64]
    attempts: NDArray[np.int64]
    messages: NDArray[np.int64]
    breaches: NDArray[np.int64]
    costs: NDArray[np.float64]
    fees: NDArray[np.float64]
    expected: NDArray[np.float64]
    approved: NDArray[np.bool_]
    number: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.case)

    @property
    def net(self) -> NDArray[np.float64]:
        """What each case brought, less what it cost."""
        return np.where(self.recovered, self.amount, 0) - self.costs


OF_ATTEMPTS = frozenset({"expected", "approved", "number"})


def played(outcomes: Iterable[CaseOutcome]) -> Played:
    """The columns of outcomes in any order; they are looked at once."""
    of_cases = list[tuple[object, ...]]()
    of_attempts = list[tuple[float, bool, int]]()
    for one in outcomes:
        days = np.nan if one.days is None else one.days
        told = (
            one.seed,
            one.case,
            one.account,
            one.category,
            one.amount_minor,
            one.recovered,
            one.by_retry,
            one.ending == "cancelled",
            days,
        )
        of_cases.append((*told, one.attempts, one.messages, one.breaches, one.costs_minor, _fees(one)))
        tries = [deed for deed in one.deeds if deed.kind == "attempt"]
        of_attempts += [(np.nan if d.expected is None else d.expected, d.approved, number) for number, d in enumerate(tries, 1)]
    seed, case, account, category, amount, recovered, by_retry, cancelled, days, attempts, messages, breaches, costs, fees = (
        zip(*of_cases, strict=True) if of_cases else [()] * 14
    )
    expected, approved, number = zip(*of_attempts, strict=True) if of_attempts else [()] * 3
    return _sorted(
        Played(
            seed=np.array(seed, np.int64),
            case=np.array(case, np.str_),
            account=np.array(account, np.str_),
            category=np.array(category, np.str_),
            amount=np.array(amount, np.int64),
            recovered=np.array(recovered, np.bool_),
            by_retry=np.array(by_retry, np.bool_),
            cancelled=np.array(cancelled, np.bool_),
            days=np.array(days, np.float64),
            attempts=np.array(attempts, np.int64),
            messages=np.array(messages, np.int64),
            breaches=np.array(breaches, np.int64),
            costs=np.array(costs, np.float64),
            fees=np.array(fees, np.float64),
            expected=np.array(expected, np.float64),
            approved=np.array(approved, np.bool_),
            number=np.array(number, np.int64),
        )
    )


def joined(parts: Sequence[Played]) -> Played:
    """The same policy on several seeds, or on shares of the cases."""
    if not parts:
        return played(())
    return _sorted(Played(**{field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Played)}))


def require_same_cases(all_played: dict[str, Played]) -> None:
    """Raises Defect where two policies were not played on the same cases: nothing paired can be said of them."""
    names = list(all_played)
    for name in names[1:]:
        one, other = all_played[names[0]], all_played[name]
        if not (np.array_equal(one.seed, other.seed) and np.array_equal(one.case, other.case)):
            raise Defect(f"policies {names[0]} and {name} were not played on the same cases")


def _sorted(one: Played) -> Played:
    order = np.lexsort((one.case, one.seed))
    return Played(**{f.name: getattr(one, f.name) if f.name in OF_ATTEMPTS else getattr(one, f.name)[order] for f in fields(Played)})


def _fees(one: CaseOutcome) -> float:
    messages = sum(COSTS.message_minor.get(deed.channel or "", 0.0) for deed in one.deeds if deed.kind == "message")
    return max(0.0, round(one.costs_minor - one.attempts * COSTS.attempt_minor - messages, 6))
