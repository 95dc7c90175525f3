"""What the platform does by itself as time goes by: renewals, its own retries, direct debits that end, the end of a pause."""

from datetime import UTC, datetime

from tests.vendors.stripe_bank import NOT_RETRIED
from tests.vendors.stripe_collecting import Order, attempt, cancel, card_for, fall_behind, finish, give_up, open_invoice
from tests.vendors.stripe_state import Charge, Invoice, Subscription
from tests.vendors.stripe_world import World

PLATFORM = Order("platform")


def next_due(world: World) -> datetime | None:
    """When the platform next has something to do."""
    retries = (at for invoice in world.all(Invoice) if (at := invoice.next_payment_attempt))
    turns = (at for subscription in world.all(Subscription) if (at := _next_turn(subscription)))
    debits = (charge.settles_at for charge in world.pending if charge.settles_at)
    return min((*retries, *turns, *debits), default=None)


def run_due(world: World) -> None:
    """Everything that is due now, each thing once."""
    now = world.now()
    for charge in list(world.pending):
        if charge.settles_at and charge.settles_at <= now and not finish(world, charge):
            plan(world, world.get(Invoice, charge.invoice))
    for invoice in list(world.all(Invoice)):
        if (at := invoice.next_payment_attempt) and at <= now:
            _retry(world, invoice)
    for subscription in list(world.all(Subscription)):
        if (at := _next_turn(subscription)) and at <= now:
            _turn(world, subscription)


def first_attempt(world: World, invoice: Invoice) -> None:
    """The attempt that comes with a bill."""
    _try(world, invoice)
    plan(world, invoice)


def plan(world: World, invoice: Invoice) -> None:
    """Sets the platform's next attempt, or ends its efforts."""
    if invoice.status != "open" or world.intent_of(invoice).status == "processing":
        return
    if invoice.retries < len(world.retry_gaps):
        invoice.planned = world.now() + world.retry_gaps[invoice.retries]
        invoice.retries += 1
        world.tell("invoice.updated", invoice, {"next_payment_attempt": None})
        return
    invoice.planned, invoice.auto_advance = None, False
    world.tell("invoice.updated", invoice, {"auto_advance": True})
    subscription = world.get(Subscription, invoice.subscription) if invoice.subscription else None
    if subscription and subscription.status == "past_due":
        give_up(world, subscription)


def _retry(world: World, invoice: Invoice) -> None:
    invoice.planned = None
    _try(world, invoice)
    plan(world, invoice)


def _try(world: World, invoice: Invoice) -> None:
    """One attempt by the platform; counted even when there is nothing to try it with, or only what can never work."""
    card = card_for(world, invoice)
    charges = world.owned(Charge, world.intent_of(invoice).id)
    last = charges[-1] if charges else None
    if card is None or (last and last.card is card and (last.verdict.decline_code or last.verdict.code) in NOT_RETRIED):
        invoice.attempt_count += 1
        fall_behind(world, invoice)
    else:
        attempt(world, invoice, card, PLATFORM)


def _next_turn(subscription: Subscription) -> datetime | None:
    """The end of the period, or of a pause before it."""
    if subscription.status == "canceled":
        return None
    resumes = (subscription.pause_collection or {}).get("resumes_at")
    ends = [datetime.fromtimestamp(resumes, UTC)] if resumes else []
    if subscription.renews or subscription.cancel_at_period_end:
        ends.append(subscription.period_end)
    return min(ends, default=None)


def _turn(world: World, subscription: Subscription) -> None:
    now = world.now()
    pause = subscription.pause_collection
    if pause and pause["resumes_at"] and pause["resumes_at"] <= now.timestamp():
        subscription.pause_collection = None
        world.tell("customer.subscription.updated", subscription, {"pause_collection": pause})
    if subscription.period_end > now:
        return
    if subscription.cancel_at_period_end:
        cancel(world, subscription, "cancellation_requested")
    elif subscription.renews:
        _renew(world, subscription)


def _renew(world: World, subscription: Subscription) -> None:
    length = subscription.period_end - subscription.period_start
    subscription.period_start, subscription.period_end = subscription.period_end, subscription.period_end + length
    world.tell("customer.subscription.updated", subscription)
    bill(world, subscription)


def bill(world: World, subscription: Subscription) -> Invoice:
    """Bills a subscription and tries its card, unless its collection is paused or its customers are sent their bills."""
    behaviour = (subscription.pause_collection or {}).get("behavior")
    invoice = open_invoice(world, subscription, status="draft" if behaviour == "keep_as_draft" else "open")
    if behaviour == "keep_as_draft":
        invoice.auto_advance = False
    elif behaviour == "void":
        invoice.status, invoice.voided_at = "void", world.now()
        world.tell("invoice.voided", invoice)
    elif behaviour == "mark_uncollectible":
        invoice.status, invoice.marked_uncollectible_at = "uncollectible", world.now()
        world.tell("invoice.marked_uncollectible", invoice)
    elif invoice.collection_method == "charge_automatically":
        first_attempt(world, invoice)
    return invoice
