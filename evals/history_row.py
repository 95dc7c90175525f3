"""The columns of a history file: what a merchant's records of failed payments hold, one row an event."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal, get_args

from recoup.invoice import Initiator, Rail
from tools.sandbox.protocol import Channel, ContactKind, EventKind

RowKind = Literal["attempt", "message", "event"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One thing that happened to one invoice; see docs/history.md. What nobody told is None.

    ``propensity``: for a logged decision, how likely the policy that took it was to take just this one. ``at`` and ``customer_since`` are
    aware.
    """

    kind: RowKind
    account_id: str
    invoice_id: str
    at: datetime
    amount_minor: int | None = None
    currency: str | None = None
    approved: bool | None = None
    credential_id: str | None = None
    processor: str | None = None
    decline_code: str | None = None
    network_code: str | None = None
    advice_code: str | None = None
    initiator: str | None = None
    rail: str | None = None
    brand: str | None = None
    funding: str | None = None
    card_country: str | None = None
    issuer: str | None = None
    expires: str | None = None
    channel: Channel | None = None
    message_kind: ContactKind | None = None
    event: EventKind | None = None
    country: str | None = None
    timezone: str | None = None
    segment: str | None = None
    plan_tier: str | None = None
    customer_since: datetime | None = None
    propensity: float | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one line of a file. The first line is 1: in a CSV file, that is the one with the columns' names."""

    line: int
    what: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}"


COLUMNS = tuple(field.name for field in fields(HistoryRow))
REQUIRED = ("kind", "account_id", "invoice_id", "at")
NUMBERS = ("at", "amount_minor", "approved", "customer_since", "propensity")
TEXTS = tuple(name for name in COLUMNS if name not in NUMBERS)
# Facts of the account: once told, they hold for its later rows until they are told anew.
ACCOUNT_FACTS = ("country", "timezone", "segment", "plan_tier", "customer_since")
# Closed sets of words, in lower case.
WORDS: dict[str, tuple[str, ...]] = {
    "kind": get_args(RowKind),
    "initiator": tuple(Initiator),
    "rail": tuple(Rail),
    "channel": get_args(Channel),
    "message_kind": get_args(ContactKind),
    "event": get_args(EventKind),
}
