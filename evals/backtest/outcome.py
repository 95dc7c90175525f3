"""What one policy came to on one case, and by what rules that is counted: recovery by our definition, net value by the world's costs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tools.sandbox.protocol import WINDOW, Channel

Ending = Literal["recovered", "cancelled", "disputed", "open"]
WINDOW_DAYS = WINDOW.total_seconds() / 86_400


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that a policy did. ``expected``: how likely the policy held an attempt to be approved; None where it had no opinion."""

    at: datetime
    kind: Literal["attempt", "message"]
    channel: Channel | None = None
    approved: bool = False
    expected: float | None = None


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """One case under one policy, played to the end. ``category`` is what the first decline meant.

    ``days``: from the failure to the payment, however late; None where it was not paid. ``by_retry``: paid by a charge that the policy
    made, not by the customer's own hand. ``breaches``: attempts that the independent checker of network rules objects to.
    ``costs_minor``: of all attempts and messages, by ``protocol.COSTS``.
    """

    seed: int
    case: str
    account: str
    category: str
    amount_minor: int
    ending: Ending
    days: float | None
    by_retry: bool
    deeds: tuple[Deed, ...]
    breaches: int
    costs_minor: float

    @property
    def recovered(self) -> bool:
        """Paid in full within the window, and not cancelled before."""
        return self.days is not None and self.days <= WINDOW_DAYS

    @property
    def net_minor(self) -> float:
        """What was collected within the window, less what it cost."""
        return (self.amount_minor if self.recovered else 0) - self.costs_minor

    @property
    def attempts(self) -> int:
        """How many charges the policy made; the first one, which failed, was not its own."""
        return sum(deed.kind == "attempt" for deed in self.deeds)

    @property
    def messages(self) -> int:
        """How many messages the policy sent."""
        return sum(deed.kind == "message" for deed in self.deeds)


@dataclass(frozen=True, slots=True)
class Bound:
    """What an oracle makes of one case, and what a clairvoyant would: see ``protocol.OracleBound``."""

    seed: int
    case: str
    account: str
    category: str
    amount_minor: int
    expected_net_minor: float
    recovery_probability: float
    clairvoyant_net_minor: float
