"""What the planner knows of a case when it decides: plain numbers, from facts in the product and from a world's protocol in a backtest."""

from dataclasses import dataclass
from typing import Literal

from recoup.category import Category

HOUR, DAY = 3600.0, 86_400.0

Need = Literal["retry", "customer"]


@dataclass(frozen=True, slots=True)
class Tried:
    """A charge of this invoice, the first one that failed among them. ``at``: POSIX seconds. ``category`` is None where it went through,
    or where nobody has answered yet."""

    at: float
    category: Category | None


@dataclass(frozen=True, slots=True)
class Past:
    """A charge of the account before this invoice failed. ``is_retry``: the invoice it was for had failed before."""

    at: float
    approved: bool
    is_retry: bool
    category: Category | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A message to the customer about this debt."""

    at: float
    channel: str


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that is known at ``now``, and nothing that is not. Times are POSIX seconds.

    ``tries`` are this invoice's, oldest first, the failure that opened the case included; ``past`` the account's other charges before it.
    ``offset_hours``: the customer's local time, from UTC. ``updated_at``: when the payment method was last changed since it failed.
    ``may_retry``: whether the rules allow another charge of the method at some time; ``needs_customer``: whether only the customer can mend
    it. ``valid_months``: until the card expires, negative after; None where nobody told. ``issuer_share``: of the recent charges of other
    customers of the same bank, how many went through; None where too few are known.
    """

    now: float
    failed_at: float
    amount_minor: float
    category: Category
    tries: tuple[Tried, ...]
    past: tuple[Past, ...] = ()
    written: tuple[Written, ...] = ()
    channels: tuple[str, ...] = ()
    offset_hours: float = 0.0
    updated_at: float | None = None
    may_retry: bool = True
    needs_customer: bool = False
    usual_amount_minor: float | None = None
    tenure_days: float | None = None
    valid_months: float | None = None
    funding: str | None = None
    brand: str | None = None
    issuer_share: float | None = None
    replied_at: float | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether the method is newer than what was tried: nothing is known against it."""
        return self.updated_at is not None and (not self.tries or self.updated_at >= self.tries[-1].at)
