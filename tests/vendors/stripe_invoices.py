"""The operations on invoices."""

from tests.vendors.stripe_bank import Card
from tests.vendors.stripe_calls import Call, Page, merge_metadata, page
from tests.vendors.stripe_collecting import Order, attempt, card_for, settle
from tests.vendors.stripe_dunning import plan
from tests.vendors.stripe_errors import Declined, Refusal
from tests.vendors.stripe_state import Invoice, InvoicePayment


def retrieve(call: Call) -> Invoice:
    """One invoice."""
    return call.about(Invoice)


def listing(call: Call) -> Page:
    """Invoices, by customer, subscription and status."""
    names = ("customer", "subscription", "status")
    wanted = {name: call.values[name] for name in names if name in call.values}
    return page(call, Invoice, lambda it: all(getattr(it, name) == value for name, value in wanted.items()))


def update(call: Call) -> Invoice:
    """Takes an invoice out of the platform's own collection or gives it back; writes metadata."""
    invoice = call.about(Invoice)
    before = call.world.render(call.world, invoice, call.version)
    if "auto_advance" in call.values:
        invoice.auto_advance = call.values["auto_advance"]
        if invoice.auto_advance and invoice.status == "open" and (invoice.planned is None or invoice.planned <= call.world.now()):
            plan(call.world, invoice)
    if "metadata" in call.values:
        invoice.metadata = merge_metadata(invoice.metadata, call.values["metadata"])
    if "default_payment_method" in call.values:
        invoice.default_payment_method = _card(call, invoice).id
    if "description" in call.values:
        invoice.description = call.values["description"]
    after = call.world.render(call.world, invoice, call.version)
    changed = {name: before[name] for name in before if before[name] != after[name]}
    if changed:
        call.world.tell("invoice.updated", invoice, changed)
    return invoice


def pay(call: Call) -> Invoice:
    """Charges an invoice now. Raises Declined when the bank says no, Refusal when the invoice cannot be paid."""
    invoice = call.about(Invoice)
    if invoice.status == "paid":
        raise Refusal(400, "Invoice is already paid")
    if invoice.status not in {"open", "uncollectible"}:
        raise Refusal(400, f"You can only pay an invoice that is open or uncollectible. This invoice is {invoice.status}.")
    _not_processing(call, invoice)
    if call.values.get("paid_out_of_band"):
        invoice.paid_out_of_band = True
        settle(call.world, invoice)
        return invoice
    card = _card(call, invoice) if "payment_method" in call.values else card_for(call.world, invoice)
    if card is None:
        message = "There is no default payment method set on this customer or invoice."
        raise Refusal(400, message, code="resource_missing", param="payment_method")
    order = Order("merchant", call.key, on_session=not call.values.get("off_session", True))
    verdict, charge = attempt(call.world, invoice, card, order)
    if not verdict.approved:
        raise Declined(verdict, call.world.intent_of(invoice), card, charge.id if charge else None)
    return invoice


def void(call: Call) -> Invoice:
    """Nothing is owed any more."""
    invoice = call.about(Invoice)
    if invoice.status not in {"open", "uncollectible"}:
        raise Refusal(400, f"You can only void an invoice that is open or uncollectible. This invoice is {invoice.status}.")
    _not_processing(call, invoice)
    invoice.status, invoice.voided_at, invoice.planned = "void", call.world.now(), None
    for payment in call.world.payments_of(invoice):
        payment.status, payment.canceled_at = "canceled", call.world.now()
    intent = call.world.intent_of(invoice)
    intent.status, intent.canceled_at, intent.cancellation_reason = "canceled", call.world.now(), "void_invoice"
    call.world.tell("payment_intent.canceled", intent)
    call.world.tell("invoice.voided", invoice)
    return invoice


def mark_uncollectible(call: Call) -> Invoice:
    """The merchant gives up; a customer can still pay."""
    invoice = call.about(Invoice)
    if invoice.status != "open":
        raise Refusal(400, f"You can only mark an open invoice as uncollectible. This invoice is {invoice.status}.")
    invoice.status, invoice.marked_uncollectible_at, invoice.planned = "uncollectible", call.world.now(), None
    call.world.tell("invoice.marked_uncollectible", invoice)
    return invoice


def payments(call: Call) -> Page:
    """What ties payment intents to invoices."""
    wanted = {name: call.values[name] for name in ("invoice", "status") if name in call.values}
    intent = call.values.get("payment", {}).get("payment_intent")
    return page(
        call,
        InvoicePayment,
        lambda it: all(getattr(it, name) == value for name, value in wanted.items()) and intent in {None, it.intent},
    )


def _not_processing(call: Call, invoice: Invoice) -> None:
    if call.world.intent_of(invoice).status == "processing":
        raise Refusal(400, "A payment of this invoice is still processing.", code="payment_intent_unexpected_state")


def _card(call: Call, invoice: Invoice) -> Card:
    name = "payment_method" if "payment_method" in call.values else "default_payment_method"
    card = call.world.get(Card, call.values[name], param=name, status=400)
    if card.customer != invoice.customer:
        message = "The payment method does not belong to the customer of this invoice."
        raise Refusal(400, message, code="payment_method_unexpected_state", param=name)
    return card
