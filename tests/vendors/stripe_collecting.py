"""How money moves: one attempt on an invoice with one card, and everything that the platform then changes and tells."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from tests.vendors.chassis import Attempt
from tests.vendors.stripe_bank import APPROVED, Card, Verdict
from tests.vendors.stripe_state import Charge, Customer, Intent, Invoice, InvoicePayment, Subscription
from tests.vendors.stripe_world import World

PERIOD = timedelta(days=30)
SETTLES_AFTER = timedelta(days=5)


Outcome = Literal["succeeded", "failed", "pending", "requires_action"]


@dataclass(frozen=True)
class Order:
    """Who wants the attempt, and how. ``on_session``: the cardholder is there, so that the bank can ask for authentication."""

    initiator: Literal["merchant", "platform", "customer"]
    key: str | None = None
    on_session: bool = False


def card_for(world: World, invoice: Invoice) -> Card | None:
    """The card that an invoice would be charged to: its own, its subscription's, its customer's, in that order."""
    subscription = world.get(Subscription, invoice.subscription) if invoice.subscription else None
    customer = world.get(Customer, invoice.customer)
    chosen = (
        invoice.default_payment_method or (subscription.default_payment_method if subscription else None) or customer.default_payment_method
    )
    return world.get(Card, chosen) if chosen else None


def open_invoice(world: World, subscription: Subscription, *, status: Literal["draft", "open"] = "open") -> Invoice:
    """Bills a subscription for its current period; nothing is tried yet."""
    number = f"DOUBLE-{sum(1 for _ in world.owned(Invoice, subscription.customer)) + 1:04d}"
    invoice = Invoice(
        world.new_id(Invoice),
        world.now(),
        number,
        subscription.customer,
        subscription.id,
        subscription.amount,
        subscription.currency,
        subscription.period_start,
        subscription.period_end,
        status=status,
        collection_method=subscription.collection_method,
    )
    world.keep(invoice)
    subscription.latest_invoice = invoice.id
    if status == "open":
        add_payment(world, invoice, is_default=True)
    world.tell("invoice.created", invoice)
    if status == "open":
        world.tell("invoice.finalized", invoice)
    return invoice


def add_payment(world: World, invoice: Invoice, *, is_default: bool) -> Intent:
    """A payment intent for the invoice's amount."""
    intent = Intent(world.new_id(Intent), world.now(), invoice.customer, invoice.id, invoice.amount, invoice.currency)
    world.keep(intent)
    amounts = (invoice.amount, invoice.currency, is_default)
    world.keep(InvoicePayment(world.new_id(InvoicePayment), world.now(), invoice.id, intent.id, *amounts))
    world.tell("payment_intent.created", intent)
    return intent


def attempt(world: World, invoice: Invoice, card: Card, order: Order, intent: Intent | None = None) -> tuple[Verdict, Charge | None]:
    """Asks the bank once. There is no charge if the bank first wants the cardholder, who is there."""
    intent = intent or world.intent_of(invoice)
    verdict = card.ask_bank(authenticated=order.initiator == "customer")
    if invoice.attempt_count == 0 or order.initiator == "platform":
        invoice.attempt_count += 1
    intent.last_verdict = verdict
    if order.on_session and verdict.code == "authentication_required":
        intent.status, intent.payment_method = "requires_action", card.id
        _enter(world, invoice, card, order, intent.id, "requires_action", verdict)
        world.tell("payment_intent.requires_action", intent)
        world.tell("invoice.payment_action_required", invoice)
        return verdict, None
    charge = Charge(
        world.new_id(Charge), world.now(), invoice.customer, invoice.id, intent.id, invoice.amount, invoice.currency, card, verdict
    )
    world.keep(charge)
    intent.latest_charge, intent.payment_method = charge.id, card.id
    if card.rail != "card":
        _submit(world, invoice, intent, charge, order)
        return APPROVED, charge
    _enter(world, invoice, card, order, charge.id, "succeeded" if verdict.approved else "failed", verdict)
    if verdict.approved:
        _succeed(world, invoice, intent, charge)
    else:
        _fail(world, invoice, intent, charge)
    return verdict, charge


def _submit(world: World, invoice: Invoice, intent: Intent, charge: Charge, order: Order) -> None:
    """A direct debit is under way; what comes of it is known only days later."""
    intent.status, charge.settles_at, invoice.planned = "processing", world.now() + SETTLES_AFTER, None
    world.pending.append(charge)
    _enter(world, invoice, charge.card, order, charge.id, "pending", APPROVED)
    world.tell("charge.pending", charge)
    world.tell("payment_intent.processing", intent)


def finish(world: World, charge: Charge) -> bool:
    """A direct debit comes to its end; whether it brought the money."""
    world.pending.remove(charge)
    charge.settles_at = None
    said = charge.verdict
    outcome: Outcome = "succeeded" if said.approved else "failed"
    place = next(place for place, entry in enumerate(world.attempts) if entry.id == charge.id)
    world.attempts[place] = replace(world.attempts[place], outcome=outcome, codes=said.codes)
    ends = _succeed if said.approved else _fail
    ends(world, world.get(Invoice, charge.invoice), world.get(Intent, charge.intent), charge)
    return said.approved


def _enter(world: World, invoice: Invoice, card: Card, order: Order, identity: str, outcome: Outcome, said: Verdict) -> None:
    money = (invoice.id, card.fingerprint, invoice.amount, invoice.currency, world.now())
    world.attempts.append(Attempt(identity, *money, order.initiator, order.key, outcome, said.codes))


def _succeed(world: World, invoice: Invoice, intent: Intent, charge: Charge) -> None:
    intent.status = "succeeded"
    payment = next(payment for payment in world.payments_of(invoice) if payment.intent == intent.id)
    payment.status, payment.paid_at = "paid", world.now()
    world.tell("charge.succeeded", charge)
    world.tell("payment_intent.succeeded", intent)
    world.tell("invoice_payment.paid", payment)
    if invoice.status == "paid":
        invoice.amount_overpaid += charge.amount
        world.tell("invoice.updated", invoice, {"amount_overpaid": invoice.amount_overpaid - charge.amount})
    else:
        settle(world, invoice)


def settle(world: World, invoice: Invoice) -> None:
    """The invoice is paid, by whatever."""
    before = invoice.status
    invoice.status, invoice.paid_at, invoice.amount_paid, invoice.planned = "paid", world.now(), invoice.amount, None
    world.tell("invoice.updated", invoice, {"status": before})
    world.tell("invoice.paid", invoice)
    world.tell("invoice.payment_succeeded", invoice)
    subscription = world.get(Subscription, invoice.subscription) if invoice.subscription else None
    if subscription and subscription.status in {"past_due", "unpaid"}:
        owed = [i for i in world.owned(Invoice, invoice.customer) if i.subscription == subscription.id and i.status == "open"]
        if not owed:
            _move(world, subscription, "active")


def _fail(world: World, invoice: Invoice, intent: Intent, charge: Charge) -> None:
    intent.status = "requires_payment_method"
    world.tell("charge.failed", charge)
    world.tell("payment_intent.payment_failed", intent)
    fall_behind(world, invoice)


def fall_behind(world: World, invoice: Invoice) -> None:
    """An attempt came to nothing."""
    world.tell("invoice.payment_failed", invoice)
    subscription = world.get(Subscription, invoice.subscription) if invoice.subscription else None
    if subscription and subscription.status == "active":
        _move(world, subscription, "past_due")


def _move(world: World, subscription: Subscription, status: Literal["active", "past_due", "unpaid"]) -> None:
    before, subscription.status = subscription.status, status
    world.tell("customer.subscription.updated", subscription, {"status": before})


def cancel(world: World, subscription: Subscription, reason: str) -> None:
    """Ends a subscription now; what it still owes is no longer collected by the platform."""
    subscription.status, subscription.ended_at = "canceled", world.now()
    subscription.canceled_at = subscription.canceled_at or world.now()
    subscription.cancellation_reason = reason
    for invoice in world.owned(Invoice, subscription.customer):
        if invoice.subscription == subscription.id and invoice.status == "open" and invoice.auto_advance:
            invoice.auto_advance = False
            world.tell("invoice.updated", invoice, {"auto_advance": True})
    world.tell("customer.subscription.deleted", subscription)


def give_up(world: World, subscription: Subscription) -> None:
    """What the merchant has set for after the last retry."""
    if subscription.final_action == "cancel":
        cancel(world, subscription, "payment_failed")
    elif subscription.final_action == "unpaid":
        _move(world, subscription, "unpaid")
