"""The double's books and its mouth: where objects are kept, and how what happens to them becomes events and webhooks."""

import hashlib
import hmac
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tests.vendors.chassis import Attempt, Clock
from tests.vendors.chassis_courier import Courier, Parcel
from tests.vendors.stripe_bank import Card
from tests.vendors.stripe_errors import missing
from tests.vendors.stripe_state import (
    Account,
    Charge,
    CreditNote,
    Customer,
    Dispute,
    Endpoint,
    Event,
    Intent,
    Invoice,
    InvoicePayment,
    Mandate,
    PortalSession,
    Refund,
    Subscription,
    Thing,
    Version,
)

EVENTS_KEPT = timedelta(days=30)
KINDS: dict[type, tuple[str, str]] = {
    Customer: ("customer", "cus"),
    Card: ("payment_method", "pm"),
    Subscription: ("subscription", "sub"),
    Invoice: ("invoice", "in"),
    Intent: ("payment_intent", "pi"),
    InvoicePayment: ("invoice_payment", "inpay"),
    Charge: ("charge", "ch"),
    Refund: ("refund", "re"),
    Dispute: ("dispute", "dp"),
    CreditNote: ("credit_note", "cn"),
    Mandate: ("mandate", "mandate"),
    Event: ("event", "evt"),
    Endpoint: ("webhook endpoint", "we"),
    PortalSession: ("portal session", "bps"),
}

OWNERS: dict[type, str] = {
    Card: "customer",
    Subscription: "customer",
    Invoice: "customer",
    InvoicePayment: "invoice",
    Charge: "intent",
    Refund: "charge",
}
Kept = TypeVar("Kept", bound=Thing)


class World:
    """Everything that the platform knows of one merchant. ``render`` gives an object's JSON in a version."""

    def __init__(
        self,
        clock: Clock,
        courier: Courier,
        attempts: list[Attempt],
        render: "Callable[[World, Thing, Version], dict[str, Any]]",
        account_version: Version,
        *,
        livemode: bool,
    ) -> None:
        self.clock, self.courier, self.attempts, self.render = clock, courier, attempts, render
        self.account_version, self.livemode = account_version, livemode
        self.account = Account("acct_1Double000000", clock.now())
        self.retry_gaps: tuple[timedelta, ...] = (timedelta(days=3), timedelta(days=5), timedelta(days=7))
        self.pending: list[Charge] = []
        self.tells = True
        self.caused_by: tuple[str | None, str | None] = (None, None)
        self._things: dict[str, Thing] = {}
        self._by_kind: dict[type, list[Thing]] = {kind: [] for kind in KINDS}
        self._places: dict[str, int] = {}
        self._owned: dict[tuple[type, str], list[Thing]] = {}
        self._numbers = itertools.count(1)

    def new_id(self, kind: type) -> str:
        """An identifier that was never given out."""
        return f"{KINDS[kind][1]}_1Double{next(self._numbers):010d}"

    def keep(self, thing: Kept) -> Kept:
        """Enters a new object into the books."""
        row = self._by_kind[type(thing)]
        self._things[thing.id], self._places[thing.id] = thing, len(row)
        row.append(thing)
        owner = getattr(thing, OWNERS[type(thing)]) if type(thing) in OWNERS else None
        if owner is not None:
            self._owned.setdefault((type(thing), owner), []).append(thing)
        return thing

    def get(self, kind: type[Kept], identity: str, *, param: str = "id", status: int = 404) -> Kept:
        """The object of that kind and id. Raises Refusal if there is none."""
        thing = self._things.get(identity)
        if not isinstance(thing, kind):
            raise missing(KINDS[kind][0], identity, param, status)
        return thing

    def find(self, identity: str) -> Thing | None:
        """Whatever has that id."""
        return self._things.get(identity)

    def all(self, kind: type[Kept]) -> Iterator[Kept]:
        """All objects of a kind, oldest first."""
        return (thing for thing in self._by_kind[kind] if isinstance(thing, kind))

    def owned(self, kind: type[Kept], owner: str) -> list[Kept]:
        """The objects of a kind that belong to another object, oldest first."""
        return [thing for thing in self._owned.get((kind, owner), []) if isinstance(thing, kind)]

    def newest_first(self, kind: type[Kept], after: str | None = None) -> Iterator[Kept]:
        """All objects of a kind, or those older than one of them."""
        row = self._by_kind[kind]
        start = self._places[after] if after else len(row)
        return (thing for place in range(start - 1, -1, -1) if isinstance(thing := row[place], kind))

    def oldest_first(self, kind: type[Kept], after: str) -> Iterator[Kept]:
        """The objects of a kind that are newer than one of them."""
        row = self._by_kind[kind]
        return (thing for place in range(self._places[after] + 1, len(row)) if isinstance(thing := row[place], kind))

    def payments_of(self, invoice: Invoice) -> list[InvoicePayment]:
        """What ties payment intents to an invoice, oldest first."""
        return self.owned(InvoicePayment, invoice.id)

    def intent_of(self, invoice: Invoice) -> Intent:
        """The platform's own payment intent of an invoice."""
        return next(self.get(Intent, payment.intent) for payment in self.payments_of(invoice) if payment.is_default)

    def now(self) -> datetime:
        """The double's present."""
        return self.clock.now()

    def tell(self, event_type: str, thing: Thing, previous: dict[str, Any] | None = None) -> None:
        """Records an event about an object as it is now, and sends it to every endpoint that wants it."""
        if not self.tells:
            return
        listeners = [e for e in self.all(Endpoint) if e.status == "enabled" and {"*", event_type} & set(e.enabled_events)]
        versions = {self.account_version, *(endpoint.version for endpoint in listeners)}
        if event_type.startswith("invoice_payment."):
            versions.discard(Version.OLD)  # an object that the old version does not have
        event = Event(self.new_id(Event), self.now(), event_type, {})
        for version in versions:
            event.bodies[version] = self._body(event, thing, version, previous, len(listeners))
        if not event.bodies:
            return
        self.keep(event)
        for endpoint in listeners:
            if endpoint.version in event.bodies:
                raw = json.dumps(event.bodies[endpoint.version]).encode()
                self.courier.send(Parcel(event.id, event_type, endpoint.url, raw, signer(endpoint)))

    def _body(self, event: Event, thing: Thing, version: Version, previous: dict[str, Any] | None, waiting: int) -> dict[str, Any]:
        request, key = self.caused_by
        data: dict[str, Any] = {"object": self.render(self, thing, version)}
        # What a version does not have has not changed in it either.
        if changed := {name: value for name, value in (previous or {}).items() if name in data["object"]}:
            data["previous_attributes"] = changed
        return {
            "id": event.id,
            "object": "event",
            "api_version": version.value,
            "created": int(event.created.timestamp()),
            "data": data,
            "livemode": self.livemode,
            "pending_webhooks": waiting,
            "request": {"id": request, "idempotency_key": key},
            "type": event.type,
        }


def signer(endpoint: Endpoint) -> Callable[[bytes, datetime], dict[str, str]]:
    """Signs for an endpoint with all of its secrets."""

    def sign(body: bytes, at: datetime) -> dict[str, str]:
        stamp = str(int(at.timestamp()))
        signed = stamp.encode() + b"." + body
        marks = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in endpoint.secrets]
        return {"Stripe-Signature": ",".join([f"t={stamp}", *(f"v1={mark}" for mark in marks)])}

    return sign
