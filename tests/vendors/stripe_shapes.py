"""The JSON of the double's objects, in the shapes of both API versions."""

from datetime import datetime
from typing import Any

from tests.vendors.stripe_bank import Card
from tests.vendors.stripe_paperwork import paperwork
from tests.vendors.stripe_shapes_billing import invoice, invoice_payment, subscription
from tests.vendors.stripe_shapes_payments import bank_details, card_details, charge, dispute, intent, refund
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
from tests.vendors.stripe_world import World

Json = dict[str, Any]


def render(world: World, thing: Thing, version: Version) -> Json:
    """An object as that version shows it, with references as ids."""
    match thing:
        case Invoice() | InvoicePayment() | Subscription():
            return _billing(world, thing, version)
        case Charge() | Dispute() | Intent() | Refund():
            return _payment(world, thing, version)
        case Customer():
            return customer(world, thing, version)
        case Card():
            return payment_method(world, thing, version)
        case Event():
            # An event is told in the version of the account at the time, whatever the reader's.
            return thing.bodies[world.account_version]
        case Endpoint():
            return endpoint(world, thing)
        case PortalSession():
            return portal_session(world, thing, version)
        case CreditNote() | Mandate():
            return paperwork(world, thing, version)
        case Account():
            return account(thing)


def _billing(world: World, thing: Invoice | InvoicePayment | Subscription, version: Version) -> Json:
    match thing:
        case Invoice():
            return invoice(world, thing, version)
        case InvoicePayment():
            return invoice_payment(world, thing)
        case Subscription():
            return subscription(world, thing, version)


def _payment(world: World, thing: Charge | Dispute | Intent | Refund, version: Version) -> Json:
    match thing:
        case Charge():
            return charge(world, thing, version)
        case Intent():
            return intent(world, thing, version, payment_method_of(world, thing.payment_method, version))
        case Dispute():
            return dispute(world, thing, version)
        case Refund():
            return refund(thing, version)


def payment_method_of(world: World, identity: str | None, version: Version) -> Json | None:
    """The JSON of a payment method, if there is one."""
    return payment_method(world, world.get(Card, identity), version) if identity else None


def customer(world: World, it: Customer, version: Version) -> Json:
    """A customer."""
    out: Json = {
        "id": it.id,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": seconds(it.created),
        "currency": world.account.currency,
        "default_source": None,
        "delinquent": any(i.status == "open" and i.attempt_count for i in world.owned(Invoice, it.id)),
        "description": it.description,
        "discount": None,
        "email": it.email,
        "invoice_prefix": it.id[-8:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": it.default_payment_method,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": world.livemode,
        "metadata": dict(it.metadata),
        "name": it.name,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    return out if version is Version.OLD else out | {"customer_account": None}


def payment_method(world: World, it: Card, version: Version) -> Json:
    """A card or a bank account on file."""
    details: Json = dict.fromkeys(("address", "email", "name", "phone"))
    out: Json = {
        "id": it.id,
        "object": "payment_method",
        "billing_details": details,
        it.rail: _kept_details(it, version),
        "created": seconds(it.created),
        "customer": it.customer,
        "livemode": world.livemode,
        "metadata": dict(it.metadata),
        "type": it.rail,
    }
    if version is Version.NEW:
        details["tax_id"] = None
        out |= {"customer_account": None, "allow_redisplay": "unspecified"}
    return out


def _kept_details(it: Card, version: Version) -> Json:
    if it.rail == "sepa_debit":
        return bank_details(it) | {"generated_from": None}
    if it.rail == "us_bank_account":
        return bank_details(it) | {"financial_connections_account": None, "networks": None, "status_details": None}
    card = card_details(it, version) | {
        "generated_from": None,
        "networks": {"available": [it.brand], "preferred": None},
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    return card if version is Version.OLD else card | {"display_brand": it.brand}


def endpoint(world: World, it: Endpoint) -> Json:
    """A webhook endpoint; its secret is shown only when it is made."""
    return {
        "id": it.id,
        "object": "webhook_endpoint",
        "api_version": it.version.value,
        "application": None,
        "created": seconds(it.created),
        "description": None,
        "enabled_events": list(it.enabled_events),
        "livemode": world.livemode,
        "metadata": {},
        "status": it.status,
        "url": it.url,
    }


def portal_session(world: World, it: PortalSession, version: Version) -> Json:
    """A page for a customer."""
    out: Json = {
        "id": it.id,
        "object": "billing_portal.session",
        "configuration": "bpc_1Double",
        "created": seconds(it.created),
        "customer": it.customer,
        "flow": None,
        "livemode": world.livemode,
        "locale": None,
        "on_behalf_of": None,
        "return_url": it.return_url,
        "url": f"https://billing.stripe.com/p/session/test_{it.id}",
    }
    return out if version is Version.OLD else out | {"customer_account": None}


def account(it: Account) -> Json:
    """The merchant's account."""
    return {
        "id": it.id,
        "object": "account",
        "charges_enabled": True,
        "country": it.country,
        "created": seconds(it.created),
        "default_currency": it.currency,
        "details_submitted": True,
        "email": it.email,
        "payouts_enabled": True,
        "type": "standard",
    }


def seconds(at: datetime) -> int:
    """Unix seconds."""
    return int(at.timestamp())
