"""Within what a plan is made (limits, hours, prices), and what it says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["retry", "write"]


@dataclass(frozen=True, slots=True)
class Terms:
    """Limits as times (POSIX seconds) and counts, prices in minor units of the invoice's currency.

    ``end``: the last moment of the plan; ``window_end``: after it a payment no longer counts as recovered. ``charge_from``,
    ``write_from``: before them rules forbid it. ``attempts_left``: what every cap leaves. ``closed_weekdays``: 0 is Monday, local; nothing
    is charged then. ``silent_days``: public holidays, as local days since 1970: nobody is written to, and nothing is charged where
    ``bank_days_only``. ``attempt_share``: of the amount, added to the price of a charge: what a bank that is asked in vain may hold
    against the next. ``customer_worth_invoices``: what is lost with a customer who leaves, in invoices like this one. ``lost_per_day``:
    what a day of waiting costs, as a share.
    """

    end: float
    window_end: float
    charge_from: float = 0.0
    write_from: float = 0.0
    attempts_left: int = 8
    messages_most: int = 4
    contact_from_hour: float = 8.0
    contact_until_hour: float = 21.0
    closed_weekdays: frozenset[int] = frozenset()
    silent_days: frozenset[int] = frozenset()
    bank_days_only: bool = False
    attempt_minor: float = 10.0
    attempt_share: float = 0.0
    message_minor: Mapping[str, float] = field(default_factory=dict[str, float])
    customer_worth_invoices: float = 3.0
    lost_per_day: float = 0.01

    def charge_price(self, amount_minor: float) -> float:
        """What one charge of so much costs, approved or not."""
        return self.attempt_minor + self.attempt_share * amount_minor


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to do at one time. ``chance``: that it brings the money, where the case is still open by then. ``value_minor``: what it
    adds to the plan. ``loses``: the chance that it drives the customer away."""

    kind: Kind
    at: float
    value_minor: float
    chance: float
    channel: str | None = None
    loses: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """``steps`` in the order of time; none: nothing is worth its price. ``left_out``: the next best charge and message, which are not.
    ``choices``: for the first charge the best time of each day, the most valuable first, and what it would add to the plan.
    ``recovers``: how likely the whole plan recovers the invoice. ``gone``: how likely the method is dead."""

    steps: tuple[Option, ...]
    left_out: tuple[Option, ...]
    choices: tuple[Option, ...]
    recovers: float
    value_minor: float
    gone: float

    @property
    def next(self) -> Option | None:
        """What comes first."""
        return self.steps[0] if self.steps else None

    def first(self, kind: Kind) -> Option | None:
        """The first charge, or the first message."""
        return next((step for step in self.steps if step.kind == kind), None)
