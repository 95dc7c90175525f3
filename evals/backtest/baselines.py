"""What others do: ladders of fixed days as open systems and platforms have them, one that reads the decline code, and nothing at all.

All of them write on the same days, retry a new card at once, and ask the rules before every charge, as Recoup does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from evals.backtest.rollout import Move, Policy, Seen
from evals.backtest.standing import zone
from recoup.category import Category
from tools.sandbox.protocol import ContactKind

MESSAGE_DAYS = (0.0, 3.0, 7.0, 14.0)
# Days after the failure. Kill Bill: 8, 8, 8 apart; Polar: 2, 5, 7, 7 apart; eight within two weeks is what Stripe recommends.
LADDERS = {
    "fixed-1-3-5-7": (1.0, 3.0, 5.0, 7.0),
    "kill-bill-8-8-8": (8.0, 16.0, 24.0),
    "polar-2-5-7-7": (2.0, 7.0, 14.0, 21.0),
    "stripe-like-8-in-14": (1.0, 2.5, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0),
}
BY_CODE = {Category.TECHNICAL: (0.05, 0.25, 1.0, 3.0), Category.GENERIC: (1.0, 4.0, 8.0, 14.0)}
PAYDAYS = (1, 15)
NEEDS: dict[Category, ContactKind] = {
    Category.NEW_DATA: "update_method",
    Category.NEVER: "update_method",
    Category.POLICY: "update_method",
    Category.CUSTOMER_ACTION: "confirm_payment",
}
Tries = Callable[[Seen], tuple[datetime, ...]]


@dataclass(frozen=True)
class Ladder:
    """Charges at the times that ``tries`` gives for a case, and messages on the usual days."""

    name: str
    tries: Tries
    message_days: tuple[float, ...] = MESSAGE_DAYS
    names_the_need: bool = False

    def next(self, seen: Seen) -> Move | None:
        """See ``rollout.Policy``."""
        moves = [move for move in (self._charge(seen), self._message(seen)) if move]
        return min(moves, key=lambda move: move.at, default=None)

    def _charge(self, seen: Seen) -> Move | None:
        if seen.barred:
            return None
        if seen.is_fresh:
            return Move(seen.now, "attempt")
        last = seen.tried[-1].at if seen.tried else seen.invoice.failed_at
        at = next((at for at in self.tries(seen) if at > last), None)
        return Move(max(at, seen.now), "attempt") if at else None

    def _message(self, seen: Seen) -> Move | None:
        if len(seen.sent) >= len(self.message_days):
            return None
        at = seen.invoice.failed_at + timedelta(days=self.message_days[len(seen.sent)])
        about = NEEDS.get(seen.category, "reminder") if self.names_the_need else "reminder"
        return Move(max(at, seen.now), "message", about=about)


class Nothing:
    """Neither retries nor writes: what comes anyway, a card that was changed charged like everywhere."""

    name = "never"

    def next(self, seen: Seen) -> Move | None:
        """See ``rollout.Policy``."""
        return Move(seen.now, "attempt") if seen.is_fresh and not seen.barred else None


def baseline(name: str) -> Policy | None:
    """The policy of that name; None where it is none of these."""
    if name in LADDERS:
        days = LADDERS[name]
        return Ladder(name, lambda seen: tuple(seen.invoice.failed_at + timedelta(days=day) for day in days))
    return {"never": Nothing(), "by-code": Ladder("by-code", _by_code, names_the_need=True)}.get(name)


def _by_code(seen: Seen) -> tuple[datetime, ...]:
    start = seen.invoice.failed_at
    if seen.category is Category.FUNDS:
        return _paydays(seen)
    return tuple(start + timedelta(days=day) for day in BY_CODE.get(seen.category, BY_CODE[Category.GENERIC]))


def _paydays(seen: Seen) -> tuple[datetime, ...]:
    """The morning after the 1st, the 15th and every other Friday, four at most."""
    local = seen.invoice.failed_at.astimezone(zone(seen.invoice.timezone))
    mornings = [local.replace(hour=9, minute=0) + timedelta(days=day) for day in range(1, 28)]
    chosen = [m for m in mornings if m.day in PAYDAYS or (m.weekday() == 4 and m.isocalendar().week % 2 == 0)]
    return tuple(m.astimezone(seen.invoice.failed_at.tzinfo) for m in chosen[:4])
