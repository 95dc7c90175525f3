"""One invoice read from Stripe as a whole: its customer, its subscription, every try to pay it and every method that could."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from stripe.params import ChargeListParams, CustomerPaymentMethodListParams, InvoicePaymentListParams

from recoup.errors import NotFound
from recoup.events import EventKind, Reading
from recoup.invoice import AttemptSnapshot, AttemptStatus, CredentialSlot, CredentialSnapshot
from tools.billing.json_part import Part
from tools.billing.stripe_api import PAGE_SIZE, StripeApi, next_page
from tools.billing.stripe_invoices import account_of_invoice, invoice_of, subscription_of
from tools.billing.stripe_origins import Origin, Origins
from tools.billing.stripe_payments import (
    attempt_of_charge,
    attempt_of_intent,
    attempt_of_invoice_payment,
    credential_named,
    credential_of,
    credentials_of_payment,
    made_by,
)

EXPANDED = ["customer", "payments.data.payment.payment_intent", "parent.subscription_details.subscription"]
EXPANDED_BEFORE_INVOICE_PAYMENTS = ["customer", "payment_intent", "subscription"]
# What is said of an intent while no charge of its own shows it yet.
WITHOUT_CHARGE = frozenset({AttemptStatus.PROCESSING, AttemptStatus.REQUIRES_ACTION, AttemptStatus.SUCCEEDED})


class Gathered(NamedTuple):
    """Everything about an invoice but who made its charges, which are told oldest first."""

    invoice: Part
    at: datetime
    payments: list[Part]
    charges: list[Part]
    methods: list[Part]


class InvoiceReader:
    """Reads whole invoices, in three rounds: the invoice, its charges beside the customer's methods, and who made the charges."""

    def __init__(self, api: StripeApi, origins: Origins) -> None:
        self._api, self._origins = api, origins

    async def read(self, invoice_id: str) -> Reading:
        """The invoice as it stands; raises NotFound, BillingUnavailable."""
        invoice, at = await self.invoice(invoice_id)
        payments = await self.payments_of(invoice)
        charges, methods = await asyncio.gather(self.charges_of(invoice, payments), self.methods_of(invoice))
        return await self.complete(Gathered(invoice, at, payments, charges, methods))

    async def complete(self, gathered: Gathered) -> Reading:
        """Asks who made the charges, and tells the whole; raises BillingUnavailable."""
        invoice, at, payments, charges, methods = gathered
        origins = await asyncio.gather(*(self._origins.of(charge, at) for charge in charges))
        refunded = sum(charge.integer("amount_refunded") or 0 for charge in charges)
        return Reading(
            kind=EventKind.INVOICE_CHANGED,
            event_type="invoice.read",
            occurred_at=at,
            livemode=invoice.flag("livemode"),
            account=account_of_invoice(invoice, at),
            invoice=invoice_of(invoice, at).model_copy(update={"refunded_minor": refunded}),
            attempts=(
                *(_attempt(charge, origin, at) for charge, origin in zip(charges, origins, strict=True)),
                *_without_charge(invoice, payments, charges, at),
            ),
            credentials=_credentials(invoice, methods, charges),
            subscription_vendor_id=subscription_of(invoice),
        )

    async def invoice(self, invoice_id: str) -> tuple[Part, datetime]:
        """The invoice with its customer, its subscription and its payments expanded, and when it was told; raises NotFound."""
        expanded = EXPANDED if self._api.has_invoice_payments else EXPANDED_BEFORE_INVOICE_PAYMENTS
        return await self._api.ask(self._api.v1.invoices.retrieve_async(invoice_id, {"expand": expanded}))

    async def payments_of(self, invoice: Part) -> list[Part]:
        """Its InvoicePayments; more than the invoice itself shows are listed."""
        if not invoice.part("payments").flag("has_more"):
            return invoice.parts("payments")
        wanted: InvoicePaymentListParams = {
            "invoice": invoice.need_text("id"),
            "limit": PAGE_SIZE,
            "expand": ["data.payment.payment_intent"],
        }
        service = self._api.v1.invoice_payments
        return (await self._api.all_of(lambda after: service.list_async(next_page(wanted, after)))).items

    async def charges_of(self, invoice: Part, payments: list[Part]) -> list[Part]:
        """Every charge that was ever made for it, oldest first."""
        if not self._api.has_invoice_payments and invoice.ref("customer"):
            return await self._charges_naming(invoice)
        intents = [_id(intent) for intent in intents_of(invoice, payments)]
        alone = [payment.part("payment").ref("charge") for payment in payments]
        if not intents:
            alone.append(invoice.ref("charge"))
        listed = await asyncio.gather(
            *(self._charges_of_intent(intent) for intent in intents),
            *(self._charge(charge) for charge in alone if charge),
        )
        return sorted((charge for charges in listed for charge in in_order(charges)), key=_made)

    async def _charges_naming(self, invoice: Part) -> list[Part]:
        """Before InvoicePayments an invoice knows of one intent only, while each charge says which invoice it pays."""
        wanted: ChargeListParams = {
            "customer": invoice.ref("customer") or "",
            "created": {"gte": invoice.integer("created") or 0},
            "limit": PAGE_SIZE,
        }
        charges = await self._api.all_of(lambda after: self._api.v1.charges.list_async(next_page(wanted, after)))
        return in_order([charge for charge in charges.items if charge.ref("invoice") == _id(invoice)])

    async def _charges_of_intent(self, intent: str) -> list[Part]:
        wanted: ChargeListParams = {"payment_intent": intent, "limit": PAGE_SIZE}
        return (await self._api.all_of(lambda after: self._api.v1.charges.list_async(next_page(wanted, after)))).items

    async def _charge(self, charge_id: str) -> list[Part]:
        return [(await self._api.ask(self._api.v1.charges.retrieve_async(charge_id))).body]

    async def methods_of(self, invoice: Part) -> list[Part]:
        """The payment methods of its customer."""
        customer = invoice.ref("customer")
        if customer is None or invoice.part("customer").flag("deleted"):
            return []
        wanted: CustomerPaymentMethodListParams = {"limit": PAGE_SIZE}
        service = self._api.v1.customers.payment_methods
        try:
            return (await self._api.all_of(lambda after: service.list_async(customer, next_page(wanted, after)))).items
        except NotFound:
            return []  # deleted since the invoice was read


def in_order(newest_first: list[Part]) -> list[Part]:
    """Charges as they were made: lists are newest first, and what was made in the same second keeps its order."""
    made = newest_first[::-1]
    return sorted(made, key=_made)


def intents_of(invoice: Part, payments: Iterable[Part]) -> list[Part]:
    """The payment intents of an invoice, in whichever place its version has them."""
    intents = [payment.part("payment").part("payment_intent") for payment in payments]
    return [intent for intent in (*intents, invoice.part("payment_intent")) if intent]


def _attempt(charge: Part, origin: Origin | None, at: datetime) -> AttemptSnapshot:
    key, request_id = origin or Origin(None, None)
    return made_by(attempt_of_charge(charge, at), key, request_id)


def _without_charge(invoice: Part, payments: list[Part], charges: list[Part], at: datetime) -> list[AttemptSnapshot]:
    """What the intents tell that no charge shows: one that waits for the cardholder, or goes its way before there is a charge."""
    shown = {(charge.ref("payment_intent"), attempt_of_charge(charge, at).status) for charge in charges}
    found: list[AttemptSnapshot] = []
    for intent in intents_of(invoice, payments):
        attempt = attempt_of_intent(intent, at)
        if attempt.status in WITHOUT_CHARGE and (attempt.intent_vendor_id, attempt.status) not in shown:
            # ``latest_charge`` is still the charge of the try before.
            found.append(attempt.model_copy(update={"vendor_key": attempt.intent_vendor_id, "charge_vendor_id": None}))
    records = [payment for payment in payments if payment.part("payment").has("payment_record")]
    return found + [attempt for record in records if (attempt := attempt_of_invoice_payment(record, at, open_means=None))]


def _credentials(invoice: Part, methods: list[Part], charges: list[Part]) -> tuple[CredentialSnapshot, ...]:
    """The customer's methods with their slots, the defaults that no list has, and methods that were charged and are gone."""
    slots = slots_of(invoice)
    found = {_id(method): credential_of(method, slot=slots.get(_id(method), CredentialSlot.BACKUP)) for method in methods}
    for charge in charges:
        for credential in credentials_of_payment(charge):
            # A payment method that was taken from its customer can never be charged again; older sources are in no list.
            gone = {"is_usable": False, "slot": CredentialSlot.BACKUP} if credential.vendor_id.startswith("pm_") else {}
            found.setdefault(credential.vendor_id, credential.model_copy(update=gone))
    for vendor_id, slot in slots.items():
        known = found.get(vendor_id)
        found[vendor_id] = known.model_copy(update={"slot": slot}) if known else credential_named(vendor_id, slot=slot)
    return tuple(found.values())


def slots_of(invoice: Part) -> dict[str, CredentialSlot]:
    """Which methods Stripe would charge: the invoice's own, else its subscription's, else its customer's.

    A subscription's method that the invoice overrides is a backup of this invoice.
    """
    subscription = invoice.part("parent").part("subscription_details").part("subscription") or invoice.part("subscription")
    customer = invoice.part("customer")
    own, subscribed = _default(invoice), _default(subscription)
    default = customer.part("invoice_settings").ref("default_payment_method") or customer.ref("default_source")
    slots = dict.fromkeys((method for method in (subscribed, default) if method), CredentialSlot.BACKUP)
    if default:
        slots[default] = CredentialSlot.CUSTOMER
    if own or subscribed:
        slots[own or subscribed or ""] = CredentialSlot.SUBSCRIPTION
    return slots


def _default(owner: Part) -> str | None:
    return owner.ref("default_payment_method") or owner.ref("default_source")


def _made(charge: Part) -> int:
    return charge.integer("created") or 0


def _id(thing: Part) -> str:
    return thing.need_text("id")
