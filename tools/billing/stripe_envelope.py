"""The envelope of a Stripe event: what it says around the object that it is about."""

from dataclasses import dataclass
from datetime import datetime

from recoup.events import EventKind, Reading
from recoup.invoice import AccountSnapshot
from tools.billing.json_part import Part

# What the request that makes an attempt causes; later events of a payment are caused by refunds and other changes.
FIRST_TOLD = frozenset(
    {
        *("charge.failed", "charge.pending", "charge.succeeded"),
        *("payment_intent.payment_failed", "payment_intent.processing", "payment_intent.requires_action", "payment_intent.succeeded"),
    }
)


@dataclass(frozen=True)
class Envelope:
    """The event around its object. ``previous`` are the attributes that changed, as they were; ``request_id`` and ``key``, the
    idempotency key, are those of the request that caused it, None where it came by itself."""

    event_type: str
    created: datetime
    livemode: bool | None
    subject: Part
    previous: Part
    key: str | None = None
    request_id: str | None = None

    def reading(self, kind: EventKind, **told: object) -> Reading:
        """A reading with what the envelope knows."""
        base: dict[str, object] = {
            "kind": kind,
            "event_type": self.event_type,
            "occurred_at": self.created,
            "livemode": self.livemode,
        }
        return Reading.model_validate(base | told)

    def account(self) -> AccountSnapshot | None:
        """The customer that the object names, or named until this event."""
        vendor_id = self.subject.ref("customer") or self.previous.ref("customer")
        return AccountSnapshot(vendor_id=vendor_id, observed_at=self.created) if vendor_id else None
