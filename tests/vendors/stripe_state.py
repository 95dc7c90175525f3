"""What the Stripe double keeps: plain objects that know nothing of versions, requests or JSON."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from tests.vendors.stripe_bank import Card, Verdict


class Version(StrEnum):
    """The API versions that the double speaks."""

    OLD = "2023-08-16"
    NEW = "2026-10-28.endive"


def _metadata() -> dict[str, str]:
    return {}


@dataclass
class Customer:
    """Somebody who owes."""

    id: str
    created: datetime
    email: str
    name: str
    description: str | None = None
    default_payment_method: str | None = None
    metadata: dict[str, str] = field(default_factory=_metadata)


@dataclass
class Subscription:
    """``renews``: the platform bills it at the end of each period; otherwise only the test does. ``final_action``: after the last retry."""

    id: str
    created: datetime
    customer: str
    amount: int
    currency: str
    period_start: datetime
    period_end: datetime
    renews: bool = True
    collection_method: Literal["charge_automatically", "send_invoice"] = "charge_automatically"
    final_action: Literal["past_due", "unpaid", "cancel"] = "past_due"
    status: Literal["active", "past_due", "unpaid", "canceled"] = "active"
    default_payment_method: str | None = None
    pause_collection: dict[str, Any] | None = None
    cancel_at_period_end: bool = False
    canceled_at: datetime | None = None
    ended_at: datetime | None = None
    cancellation_reason: str | None = None
    cancellation_comment: str | None = None
    latest_invoice: str | None = None
    metadata: dict[str, str] = field(default_factory=_metadata)


@dataclass
class Invoice:
    """A bill. ``planned``: when the platform would try next if it were allowed to, which survives ``auto_advance`` being off."""

    id: str
    created: datetime
    number: str
    customer: str
    subscription: str | None
    amount: int
    currency: str
    period_start: datetime
    period_end: datetime
    billing_reason: str = "subscription_cycle"
    status: Literal["draft", "open", "paid", "uncollectible", "void"] = "open"
    collection_method: Literal["charge_automatically", "send_invoice"] = "charge_automatically"
    auto_advance: bool = True
    attempt_count: int = 0
    retries: int = 0
    planned: datetime | None = None
    default_payment_method: str | None = None
    amount_paid: int = 0
    amount_overpaid: int = 0
    credited: int = 0
    paid_out_of_band: bool = False
    paid_at: datetime | None = None
    voided_at: datetime | None = None
    marked_uncollectible_at: datetime | None = None
    description: str | None = None
    metadata: dict[str, str] = field(default_factory=_metadata)

    @property
    def next_payment_attempt(self) -> datetime | None:
        """When the platform tries next."""
        return self.planned if self.auto_advance and self.status == "open" else None


@dataclass
class Intent:
    """A payment intent: one amount, tried as often as it takes."""

    id: str
    created: datetime
    customer: str
    invoice: str
    amount: int
    currency: str
    status: Literal["requires_payment_method", "requires_action", "processing", "succeeded", "canceled"] = "requires_payment_method"
    payment_method: str | None = None
    latest_charge: str | None = None
    last_verdict: Verdict | None = None
    canceled_at: datetime | None = None
    cancellation_reason: str | None = None
    metadata: dict[str, str] = field(default_factory=_metadata)


@dataclass
class InvoicePayment:
    """The tie between an invoice and a payment intent; the default one is the platform's own, others are customers' doing."""

    id: str
    created: datetime
    invoice: str
    intent: str
    amount: int
    currency: str
    is_default: bool = True
    status: Literal["open", "paid", "canceled"] = "open"
    paid_at: datetime | None = None
    canceled_at: datetime | None = None


@dataclass
class Charge:
    """One attempt that reached a bank. Until ``settles_at`` has come, which clears it, nobody has been told the verdict."""

    id: str
    created: datetime
    customer: str
    invoice: str
    intent: str
    amount: int
    currency: str
    card: Card
    verdict: Verdict
    settles_at: datetime | None = None
    amount_refunded: int = 0
    disputed: bool = False
    metadata: dict[str, str] = field(default_factory=_metadata)

    @property
    def status(self) -> Literal["pending", "succeeded", "failed"]:
        """What is known of it."""
        if self.settles_at:
            return "pending"
        return "succeeded" if self.verdict.approved else "failed"


@dataclass
class Dispute:
    """A customer's bank takes a payment back."""

    id: str
    created: datetime
    charge: str
    intent: str
    amount: int
    currency: str
    reason: str
    status: Literal["needs_response", "won", "lost"] = "needs_response"


@dataclass
class CreditNote:
    """The merchant's word that less was owed than was paid."""

    id: str
    created: datetime
    invoice: str
    customer: str
    amount: int
    currency: str


@dataclass
class Mandate:
    """A payer's leave to charge a payment method again and again."""

    id: str
    created: datetime
    payment_method: str
    status: Literal["active", "inactive"]


@dataclass
class Refund:
    """Money given back."""

    id: str
    created: datetime
    charge: str
    intent: str
    amount: int
    currency: str
    reason: str | None
    metadata: dict[str, str] = field(default_factory=_metadata)


@dataclass
class Event:
    """Something that happened, as it was told at that moment in each version."""

    id: str
    created: datetime
    type: str
    bodies: dict[Version, dict[str, Any]]


@dataclass
class Endpoint:
    """Where webhooks go. While a secret is rolled there are two, and both sign."""

    id: str
    created: datetime
    url: str
    enabled_events: list[str]
    version: Version
    secrets: list[str]
    status: Literal["enabled", "disabled"] = "enabled"


@dataclass
class PortalSession:
    """A page on which a customer can change the card."""

    id: str
    created: datetime
    customer: str
    return_url: str | None


@dataclass(frozen=True)
class Account:
    """The merchant."""

    id: str
    created: datetime
    email: str = "owner@merchant.example"
    country: str = "DE"
    currency: str = "eur"


@dataclass(frozen=True)
class ApiKey:
    """A secret key, or with ``permissions`` a restricted one: resource -> "read" or "write"."""

    secret: str
    permissions: dict[str, str] | None = None


Billed = Customer | Subscription | Invoice | InvoicePayment
Money = Card | Intent | Charge | Refund | Dispute
Thing = Billed | Money | CreditNote | Mandate | Event | Endpoint | PortalSession | Account
