"""The JSON of charges, payment intents and refunds."""

from datetime import datetime
from typing import Any

from tests.vendors.stripe_bank import Card, Verdict
from tests.vendors.stripe_state import Charge, Intent, Refund, Version
from tests.vendors.stripe_world import World

Json = dict[str, Any]
CHARGE_NULLS = (
    *("application", "application_fee", "application_fee_amount", "balance_transaction", "calculated_statement_descriptor", "description"),
    *("failure_balance_transaction", "on_behalf_of", "receipt_email", "receipt_number", "receipt_url", "review", "shipping"),
    *("source_transfer", "statement_descriptor", "statement_descriptor_suffix", "transfer_data", "transfer_group"),
)
INTENT_NULLS = (
    *("application", "application_fee_amount", "automatic_payment_methods", "description", "next_action", "on_behalf_of"),
    *("payment_method_options", "processing", "receipt_email", "review", "setup_future_usage", "shipping"),
    *("statement_descriptor", "statement_descriptor_suffix", "transfer_data", "transfer_group"),
)
NEW_INTENT_NULLS = (
    *("allowed_payment_method_types", "customer_account", "excluded_payment_method_types", "managed_payments"),
    *("payment_method_configuration_details", "payment_record", "source"),
)
NEW_CARD_NULLS = (
    *("amount_authorized", "authorization_code", "electronic_commerce_indicator"),
    *("network_transaction_id", "regulated_status", "transaction_link_id"),
)


def card_details(card: Card, version: Version) -> Json:
    """What every JSON of a card has."""
    out: Json = {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": card.country,
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
        "fingerprint": card.fingerprint,
        "funding": card.funding,
        "last4": card.last4,
    }
    return out if version is Version.OLD else out | {"regulated_status": "unregulated"}


def charge(world: World, it: Charge, version: Version) -> Json:
    """One attempt."""
    paid = it.verdict.approved
    out: Json = dict.fromkeys(CHARGE_NULLS) | {
        "id": it.id,
        "object": "charge",
        "amount": it.amount,
        "amount_captured": it.amount if paid else 0,
        "amount_refunded": it.amount_refunded,
        "billing_details": dict.fromkeys(("address", "email", "name", "phone")),
        "captured": paid,
        "created": _seconds(it.created),
        "currency": it.currency,
        "customer": it.customer,
        "disputed": False,
        "failure_code": it.verdict.code or None,
        "failure_message": None if paid else it.verdict.message,
        "fraud_details": {},
        "livemode": world.livemode,
        "metadata": dict(it.metadata),
        "outcome": _outcome(it.verdict, version),
        "paid": paid,
        "payment_intent": it.intent,
        "payment_method": it.card.id,
        "payment_method_details": {"card": _charged_card(it.card, version), "type": "card"},
        "refunded": 0 < it.amount == it.amount_refunded,
        "status": "succeeded" if paid else "failed",
    }
    if version is Version.OLD:
        return out | {"invoice": it.invoice}
    out["billing_details"]["tax_id"] = None
    return out | {"source": None}


def _charged_card(card: Card, version: Version) -> Json:
    nulls = dict.fromkeys(("installments", "mandate", "network_token", "three_d_secure", "wallet"))
    out = card_details(card, version) | nulls | {"network": card.brand}
    return out if version is Version.OLD else dict.fromkeys(NEW_CARD_NULLS) | out


def _outcome(verdict: Verdict, version: Version) -> Json:
    out: Json = {
        "network_status": "approved_by_network" if verdict.approved else "declined_by_network",
        "reason": verdict.decline_code or None,
        "risk_level": "normal",
        "seller_message": "Payment complete." if verdict.approved else "The bank did not return any further details with this decline.",
        "type": "authorized" if verdict.approved else "issuer_declined",
    }
    if version is Version.OLD:
        return out
    return out | {name: getattr(verdict, name) for name in ("advice_code", "network_advice_code", "network_decline_code")}


def intent(world: World, it: Intent, version: Version, payment_method: Json | None) -> Json:
    """A payment intent; ``payment_method`` is shown in its last error."""
    out: Json = dict.fromkeys(INTENT_NULLS) | {
        "id": it.id,
        "object": "payment_intent",
        "amount": it.amount,
        "amount_capturable": 0,
        "amount_received": it.amount if it.status == "succeeded" else 0,
        "canceled_at": _seconds(it.canceled_at) if it.canceled_at else None,
        "cancellation_reason": it.cancellation_reason,
        "capture_method": "automatic",
        "client_secret": f"{it.id}_secret_double",
        "confirmation_method": "automatic",
        "created": _seconds(it.created),
        "currency": it.currency,
        "customer": it.customer,
        "last_payment_error": None,
        "latest_charge": it.latest_charge,
        "livemode": world.livemode,
        "metadata": dict(it.metadata),
        "payment_method": it.payment_method if it.status in {"succeeded", "requires_action"} else None,
        "payment_method_types": ["card"],
        "status": it.status,
    }
    if it.last_verdict and not it.last_verdict.approved:
        error = error_fields(it.last_verdict, it.latest_charge, version)
        out["last_payment_error"] = error | ({"payment_method": payment_method} if payment_method else {})
    if it.status == "requires_action":
        url = f"https://hooks.stripe.com/3d_secure_2/hosted?payment_intent={it.id}"
        out["next_action"] = {"type": "redirect_to_url", "redirect_to_url": {"url": url, "return_url": None}}
    if version is Version.OLD:
        return out | {"invoice": it.invoice}
    return out | dict.fromkeys(NEW_INTENT_NULLS)


def error_fields(verdict: Verdict, charge_id: str | None, version: Version) -> Json:
    """What a decline puts into an error."""
    out: Json = {"type": "card_error", "code": verdict.code, "decline_code": verdict.decline_code, "message": verdict.message}
    out["doc_url"] = f"https://stripe.com/docs/error-codes/{verdict.code.replace('_', '-')}"
    if charge_id:
        out["charge"] = charge_id
    if version is Version.NEW:
        names = ("advice_code", "network_advice_code", "network_decline_code")
        out |= {name: value for name in names if (value := getattr(verdict, name))}
    return out


def refund(it: Refund, version: Version) -> Json:
    """Money given back."""
    out: Json = {
        "id": it.id,
        "object": "refund",
        "amount": it.amount,
        "balance_transaction": None,
        "charge": it.charge,
        "created": _seconds(it.created),
        "currency": it.currency,
        "metadata": dict(it.metadata),
        "payment_intent": it.intent,
        "reason": it.reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }
    return out if version is Version.OLD else out | dict.fromkeys(("customer", "customer_account", "payment_method"))


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
