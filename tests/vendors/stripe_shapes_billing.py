"""The JSON of invoices and subscriptions, where the two versions differ most."""

from datetime import datetime
from typing import Any

from tests.vendors.stripe_state import Invoice, InvoicePayment, Subscription, Version
from tests.vendors.stripe_world import World

Json = dict[str, Any]
INVOICE_NULLS = (
    *("account_name", "account_tax_ids", "application", "custom_fields", "customer_address", "customer_phone", "customer_shipping"),
    *("default_source", "due_date", "ending_balance", "footer", "from_invoice", "invoice_pdf", "last_finalization_error"),
    *("latest_revision", "on_behalf_of", "receipt_number", "shipping_cost", "shipping_details", "statement_descriptor", "test_clock"),
)
OLD_INVOICE_NULLS = ("application_fee_amount", "discount", "quote", "rendering_options", "tax", "transfer_data")
NEW_INVOICE_NULLS = ("automatically_finalizes_at", "customer_account", "rendering", "total_pretax_credit_amounts")
SUBSCRIPTION_NULLS = (
    *("application", "application_fee_percent", "billing_thresholds", "cancel_at", "days_until_due", "default_source", "description"),
    *("next_pending_invoice_item_invoice", "on_behalf_of", "pending_invoice_item_interval", "pending_setup_intent", "pending_update"),
    *("schedule", "test_clock", "transfer_data", "trial_end", "trial_settings", "trial_start"),
)


def invoice(world: World, it: Invoice, version: Version) -> Json:
    """A bill."""
    owner = world.find(it.customer)
    out: Json = dict.fromkeys(INVOICE_NULLS) | {
        "id": it.id,
        "object": "invoice",
        "account_country": world.account.country,
        "attempt_count": it.attempt_count,
        "attempted": it.attempt_count > 0,
        "auto_advance": it.auto_advance and it.status in {"draft", "open"},
        "billing_reason": it.billing_reason,
        "collection_method": it.collection_method,
        "created": _seconds(it.created),
        "currency": it.currency,
        "customer": it.customer,
        "customer_email": getattr(owner, "email", None),
        "customer_name": getattr(owner, "name", None),
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_payment_method": it.default_payment_method,
        "description": it.description,
        "effective_at": _seconds(it.created),
        "hosted_invoice_url": None if it.status == "draft" else hosted_url(it),
        "lines": _page(f"/v1/invoices/{it.id}/lines", [_line(it, version)]),
        "livemode": world.livemode,
        "metadata": dict(it.metadata),
        "next_payment_attempt": _or_none(it.next_payment_attempt),
        "number": it.number,
        "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        "period_end": _seconds(it.period_end),
        "period_start": _seconds(it.period_start),
        "status": it.status,
        "status_transitions": _transitions(it),
        "webhooks_delivered_at": _seconds(it.created),
    }
    return out | _amounts(it) | (_old_invoice(world, it) if version is Version.OLD else _new_invoice(it))


def _amounts(it: Invoice) -> Json:
    """No taxes, no discounts, no balance: what is owed is what it costs."""
    costs = ("amount_due", "subtotal", "subtotal_excluding_tax", "total", "total_excluding_tax")
    nothing = ("amount_shipping", "pre_payment_credit_notes_amount", "starting_balance")
    none_of: Json = {"default_tax_rates": [], "discounts": [], "total_discount_amounts": []}
    paid = {"amount_paid": it.amount_paid, "amount_remaining": it.amount - it.amount_paid, "post_payment_credit_notes_amount": it.credited}
    return dict.fromkeys(costs, it.amount) | dict.fromkeys(nothing, 0) | none_of | paid


def _transitions(it: Invoice) -> Json:
    return {
        "finalized_at": None if it.status == "draft" else _seconds(it.created),
        "marked_uncollectible_at": _or_none(it.marked_uncollectible_at),
        "paid_at": _or_none(it.paid_at),
        "voided_at": _or_none(it.voided_at),
    }


def hosted_url(it: Invoice) -> str:
    """The page on which the customer can pay."""
    return f"https://invoice.stripe.com/i/acct_1Double000000/test_{it.id}"


def _old_invoice(world: World, it: Invoice) -> Json:
    intent = None if it.status == "draft" else world.intent_of(it)
    return dict.fromkeys(OLD_INVOICE_NULLS) | {
        "automatic_tax": {"enabled": False, "status": None},
        "charge": intent.latest_charge if intent else None,
        "paid": it.status == "paid",
        "paid_out_of_band": it.paid_out_of_band,
        "payment_intent": intent.id if intent else None,
        "subscription": it.subscription,
        "subscription_details": {"metadata": {}},
        "total_tax_amounts": [],
    }


def _new_invoice(it: Invoice) -> Json:
    details: Json = {"metadata": {}, "subscription": it.subscription}
    parent: Json = {"quote_details": None, "subscription_details": details, "type": "subscription_details"}
    return dict.fromkeys(NEW_INVOICE_NULLS) | {
        "amount_overpaid": it.amount_overpaid,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None, "provider": None, "status": None},
        "issuer": {"type": "self"},
        "parent": parent if it.subscription else None,
        "total_taxes": [],
    }


def _line(it: Invoice, version: Version) -> Json:
    out: Json = {
        "id": f"il_{it.id}",
        "object": "line_item",
        "amount": it.amount,
        "currency": it.currency,
        "description": "Membership",
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "livemode": False,
        "metadata": {},
        "period": {"end": _seconds(it.period_end), "start": _seconds(it.period_start)},
        "quantity": 1,
        "subscription": it.subscription,
    }
    if version is Version.OLD:
        return out | {"proration": False, "tax_amounts": [], "type": "subscription" if it.subscription else "invoiceitem"}
    nulls = dict.fromkeys(("parent", "pretax_credit_amounts", "pricing", "quantity_decimal"))
    return out | nulls | {"invoice": it.id, "subtotal": it.amount, "taxes": []}


def invoice_payment(world: World, it: InvoicePayment) -> Json:
    """The tie between an invoice and a payment intent."""
    return {
        "id": it.id,
        "object": "invoice_payment",
        "amount_paid": it.amount if it.status == "paid" else None,
        "amount_requested": it.amount,
        "created": _seconds(it.created),
        "currency": it.currency,
        "invoice": it.invoice,
        "is_default": it.is_default,
        "livemode": world.livemode,
        "payment": {"payment_intent": it.intent, "type": "payment_intent"},
        "status": it.status,
        "status_transitions": {"canceled_at": _or_none(it.canceled_at), "paid_at": _or_none(it.paid_at)},
    }


def payments_page(world: World, it: Invoice) -> Json:
    """What an invoice holds under ``payments`` when that is expanded."""
    return _page("/v1/invoice_payments", [invoice_payment(world, payment) for payment in world.payments_of(it)])


def subscription(world: World, it: Subscription, version: Version) -> Json:
    """A subscription with its one item."""
    new = version is Version.NEW
    cancellation: Json = {"comment": it.cancellation_comment, "feedback": None, "reason": it.cancellation_reason}
    out: Json = dict.fromkeys(SUBSCRIPTION_NULLS) | {
        "id": it.id,
        "object": "subscription",
        "automatic_tax": {"enabled": False} | ({"disabled_reason": None, "liability": None} if new else {}),
        "billing_cycle_anchor": _seconds(it.created),
        "cancel_at_period_end": it.cancel_at_period_end,
        "canceled_at": _or_none(it.canceled_at),
        "cancellation_details": cancellation | ({"feedback_option": None} if new else {}),
        "collection_method": it.collection_method,
        "created": _seconds(it.created),
        "currency": it.currency,
        "customer": it.customer,
        "default_payment_method": it.default_payment_method,
        "default_tax_rates": [],
        "ended_at": _or_none(it.ended_at),
        "items": _page(f"/v1/subscription_items?subscription={it.id}", [_item(it, new=new)]),
        "latest_invoice": it.latest_invoice,
        "livemode": world.livemode,
        "metadata": dict(it.metadata),
        "pause_collection": it.pause_collection,
        "payment_settings": {"payment_method_options": None, "payment_method_types": None, "save_default_payment_method": "off"},
        "start_date": _seconds(it.created),
        "status": it.status,
    }
    if not new:
        return out | {"current_period_end": _seconds(it.period_end), "current_period_start": _seconds(it.period_start), "discount": None}
    settings = dict.fromkeys(("account_tax_ids", "custom_fields", "description", "footer"))
    return out | {
        "billing_cycle_anchor_config": None,
        "billing_mode": {"flexible": None, "type": "classic"},
        "billing_schedules": [],
        "customer_account": None,
        "discounts": [],
        "invoice_settings": settings | {"issuer": {"type": "self"}},
        "managed_payments": None,
    }


def _item(it: Subscription, *, new: bool) -> Json:
    common: Json = {
        "active": True,
        "billing_scheme": "per_unit",
        "created": _seconds(it.created),
        "currency": it.currency,
        "livemode": False,
    }
    common |= {"metadata": {}, "nickname": None, "product": "prod_1Double", "tiers_mode": None}
    cycle: Json = {"interval": "month", "interval_count": 1, "usage_type": "licensed"}
    price = common | {"id": "price_1Double", "object": "price", "custom_unit_amount": None, "lookup_key": None, "transform_quantity": None}
    price |= {"tax_behavior": "unspecified", "type": "recurring", "unit_amount": it.amount, "unit_amount_decimal": str(it.amount)}
    out: Json = {"id": f"si_{it.id}", "object": "subscription_item", "billing_thresholds": None, "created": _seconds(it.created)}
    out |= {"metadata": {}, "quantity": 1, "subscription": it.id, "tax_rates": []}
    if not new:
        return out | {"price": price | {"recurring": cycle | {"aggregate_usage": None}}}
    plan = common | cycle | {"id": "price_1Double", "object": "plan", "amount": it.amount, "amount_decimal": str(it.amount)}
    plan |= {"meter": None, "transform_usage": None, "trial_period_days": None}
    periods = {"current_period_end": _seconds(it.period_end), "current_period_start": _seconds(it.period_start)}
    recurring = cycle | {"meter": None, "trial_period_days": None}
    return out | periods | {"current_trial": None, "discounts": [], "plan": plan, "price": price | {"recurring": recurring}}


def _page(url: str, data: list[Json]) -> Json:
    return {"object": "list", "data": data, "has_more": False, "url": url}


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _or_none(at: datetime | None) -> int | None:
    return _seconds(at) if at else None
