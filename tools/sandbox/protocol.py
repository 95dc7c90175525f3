"""What a world of failed payments shows to whoever recovers them, and takes from them: the whole of what a backtest knows of one.

A world is a merchant's customers behind one seam. ``open`` hands out failed invoices with what a webhook and the merchant's own records
would show; ``attempt`` and ``contact`` act on one of them; ``advance`` lets time pass and tells what happened meanwhile. What is behind a
decline (the balance, the issuer's mood, how the customer takes a reminder) never comes out.

Another world needs nothing of ours but the types of this file::

    class MyWorld:
        def open(self, count, seed): ...
        def attempt(self, case, at, credential): ...
        def contact(self, case, at, channel, kind): ...
        def advance(self, case, until): ...
        def oracle(self, case): ...

    def my_world():          # the factory takes no arguments: recoup backtest --world my_package:my_world
        return MyWorld()

What a world keeps to:

- **Same seed, same world.** ``open`` begins anew and forgets whatever was done before. With one ``count`` and ``seed`` it gives the same
  invoices every time, and the same deeds have the same outcomes: policies are compared on equal draws. Draws that are keyed by what they
  are about (this card, this day) rather than taken from one stream make the comparison much sharper.
- **Cases are independent** of each other and may be played in any order, or some of them not at all. Invoices of one ``account`` should
  come from one person; intervals are clustered by account.
- **Time ascends** within a case: ``at`` and ``until`` never lie before an earlier one of the same case, nor before ``failed_at``. All are
  aware datetimes in UTC.
- **Money** is integer minor units, in one currency for a whole world.

Net value, by which policies are compared, is what was collected within ``WINDOW`` of the failure less ``COSTS``: see ``Costs``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

# An invoice counts as recovered where it was paid in full within so long of its first failure, and not cancelled before.
WINDOW = timedelta(days=28)

Channel = Literal["email", "sms", "in_app", "push"]
# What a message is about: that the payment failed, that other card details are needed, that the bank wants the payment confirmed.
ContactKind = Literal["reminder", "update_method", "confirm_payment"]
EventKind = Literal["method_updated", "paid_by_link", "cancelled", "replied", "disputed"]


@dataclass(frozen=True, slots=True)
class Costs:
    """What deeds cost, in minor units of the world's currency: part of the definition of net value, the oracle's included.

    ``attempt_minor``: one authorisation that we ask for, approved or not. ``excess_attempt_minor``: more for each attempt that a network
    fines. ``message_minor``: one message, by channel. That customers leave is no cost here: it is reported beside the net, and a case
    that was cancelled is not recovered.
    """

    attempt_minor: float = 10.0
    excess_attempt_minor: float = 25.0
    message_minor: Mapping[str, float] = field(default_factory=lambda: {"email": 0.1, "sms": 5.0, "in_app": 0.0, "push": 0.0})


COSTS = Costs()


@dataclass(frozen=True, slots=True)
class Decline:
    """What the processor passed on, raw: ``code`` is a word of ``processor`` (``stripe``: ``insufficient_funds``), ``network_code`` the
    card network's response code (``51``), ``advice`` the network's advice code. What nobody told is None."""

    code: str
    processor: str = "stripe"
    network_code: str | None = None
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Credential:
    """A payment method on file. ``issuer``: an opaque name, the same for all cards of one bank. ``expires``: YYYY-MM. ``rail``: card,
    ach or sepa."""

    id: str
    rail: str = "card"
    brand: str | None = None
    funding: str | None = None
    country: str | None = None
    issuer: str | None = None
    expires: str | None = None


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """A charge of the account before this invoice failed. ``decline`` is None where it was approved. ``invoice``: which one it was for,
    so that a retry is told from a new charge."""

    at: datetime
    invoice: str
    amount_minor: int
    credential: str
    decline: Decline | None = None


@dataclass(frozen=True, slots=True)
class FailedInvoice:
    """One invoice whose first charge has failed: what the webhook says and what the merchant's records hold.

    ``case`` is the id that every other call takes. ``credential`` is the method that failed and that the platform would charge next,
    ``backups`` are others on file. ``channels`` are those by which the customer may be written to. ``history`` is the account's past,
    oldest first, not this invoice's own failure, which is ``decline`` at ``failed_at``. ``timezone`` is an IANA name.
    """

    case: str
    account: str
    amount_minor: int
    currency: str
    failed_at: datetime
    decline: Decline
    credential: Credential
    backups: tuple[Credential, ...] = ()
    channels: tuple[Channel, ...] = ("email",)
    country: str | None = None
    timezone: str | None = None
    locale: str | None = None
    segment: str | None = None
    plan_tier: str | None = None
    customer_since: datetime | None = None
    history: tuple[PastAttempt, ...] = ()


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What came of one charge of what remains, merchant-initiated. ``decline`` is None exactly where it was ``approved``."""

    approved: bool
    decline: Decline | None = None


@dataclass(frozen=True, slots=True)
class WorldEvent:
    """What a customer, a bank or an account updater did by itself.

    ``method_updated``: ``credential`` is on file now, and is what is charged from here on (its id may be the old one, with new data).
    ``paid_by_link``: all of it is paid. ``cancelled``: the subscription ended at once and the debt went with it. ``disputed``: the
    customer contests the charge; nothing may be collected or written any more. ``replied``: an answer came in, which a person reads.
    """

    at: datetime
    kind: EventKind
    credential: Credential | None = None


@dataclass(frozen=True, slots=True)
class OracleBound:
    """How far anybody could come with one case, from the moment it failed, within ``WINDOW``, costs (``COSTS``) taken off.

    ``expected_net_minor``: by the best plan of one who knows the case's latent state and the world's parameters, but not the draws that are
    still to come. ``recovery_probability``: how likely that plan recovers it. ``clairvoyant_net_minor``: by one who knows the draws too,
    so that it is 0 or nearly the whole amount. Either may lie a little too high (a bound), never too low.
    """

    expected_net_minor: float
    recovery_probability: float
    clairvoyant_net_minor: float


class World(Protocol):
    """A population with its future. See the head of this file for what it keeps to."""

    def open(self, count: int, seed: int) -> list[FailedInvoice]:
        """``count`` failed invoices of the world that ``seed`` names, everything before forgotten."""
        ...

    def attempt(self, case: str, at: datetime, credential: str) -> AttemptResult:
        """Charges what remains on a credential, by its id. Whoever calls has asked the rules before. On a case that is over, and on a
        credential that is not on file, a world raises ValueError."""
        ...

    def contact(self, case: str, at: datetime, channel: Channel, kind: ContactKind) -> None:
        """A message reaches the customer. What it moves them to shows in later ``advance``."""
        ...

    def advance(self, case: str, until: datetime) -> list[WorldEvent]:
        """Lets time pass up to and including ``until``, and tells what happened since the last call, in order. After ``paid_by_link``,
        ``cancelled`` or an approved attempt nothing more happens."""
        ...

    def oracle(self, case: str) -> OracleBound:
        """The bounds for a case of the last ``open``, whatever has been done with it since."""
        ...
