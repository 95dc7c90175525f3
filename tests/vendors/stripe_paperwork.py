"""What happens at the Stripe double beside paying: a credit note on what was paid, a mandate that its payer takes back."""

from datetime import datetime
from typing import Any

from tests.vendors.stripe_bank import Card
from tests.vendors.stripe_state import CreditNote, Invoice, Mandate, Version
from tests.vendors.stripe_world import World

Json = dict[str, Any]
NULLS = ("customer_balance_transaction", "effective_at", "memo", "out_of_band_amount", "shipping_cost", "voided_at")
NEW_NULLS = ("customer_account", "subtotal_excluding_tax", "total_excluding_tax")


def credit(world: World, invoice: Invoice, amount: int) -> CreditNote:
    """The merchant credits a part of what was paid, and settles it in some other way. Only the note's own event tells of it."""
    assert invoice.status == "paid", "the double models credit notes on paid invoices only"
    invoice.credited += amount
    made = CreditNote(world.new_id(CreditNote), world.now(), invoice.id, invoice.customer, amount, invoice.currency)
    world.tell("credit_note.created", world.keep(made))
    return made


def revoke(world: World, card: Card) -> Mandate:
    """The payer takes back what allowed to charge a payment method."""
    assert card.customer is not None
    made = Mandate(world.new_id(Mandate), world.now(), card.id, "inactive")
    world.tell("mandate.updated", world.keep(made), {"status": "active"})
    return made


def paperwork(world: World, it: CreditNote | Mandate, version: Version) -> Json:
    """Either, as that version shows it."""
    return _credit_note(world, it, version) if isinstance(it, CreditNote) else _mandate(world, it)


def _mandate(world: World, it: Mandate) -> Json:
    """A mandate for repeated charges."""
    return {
        "id": it.id,
        "object": "mandate",
        "customer_acceptance": {"accepted_at": _seconds(it.created), "type": "offline", "offline": {}},
        "livemode": world.livemode,
        "multi_use": {},
        "payment_method": it.payment_method,
        "payment_method_details": {"card": {}, "type": "card"},
        "status": it.status,
        "type": "multi_use",
    }


def _credit_note(world: World, it: CreditNote, version: Version) -> Json:
    """A credit note without taxes and discounts."""
    totals = dict.fromkeys(("amount", "subtotal", "total"), it.amount)
    out: Json = dict.fromkeys(NULLS) | {
        "id": it.id,
        "object": "credit_note",
        "amount_shipping": 0,
        "created": _seconds(it.created),
        "currency": it.currency,
        "customer": it.customer,
        "discount_amount": 0,
        "discount_amounts": [],
        "invoice": it.invoice,
        "lines": {"object": "list", "data": [], "has_more": False, "url": f"/v1/credit_notes/{it.id}/lines"},
        "livemode": world.livemode,
        "metadata": {},
        "number": f"{it.id}-CN",
        "pdf": f"https://pay.stripe.com/credit_notes/{it.id}/pdf",
        "reason": None,
        "status": "issued",
        "type": "post_payment",
    }
    if version is Version.OLD:
        return out | totals | {"refund": None, "tax_amounts": []}
    new: Json = {"post_payment_amount": it.amount, "pre_payment_amount": 0, "pretax_credit_amounts": [], "refunds": [], "total_taxes": []}
    return dict.fromkeys(NEW_NULLS) | out | totals | new


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
