"""The JSON of charges, payment intents and refunds."""

from datetime import datetime, timedelta
from typing import Any

from tests.vendors.stripe_bank import APPROVED, Card, Verdict
from tests.vendors.stripe_state import Charge, Dispute, Intent, Refund, Version
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

EVIDENCE = (
    *("access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure", "cancellation_rebuttal"),
    *("customer_communication", "customer_email_address", "customer_name", "customer_purchase_ip", "customer_signature"),
    *("duplicate_charge_documentation", "duplicate_charge_explanation", "duplicate_charge_id", "product_description", "receipt"),
    *("refund_policy", "refund_policy_disclosure", "refund_refusal_explanation", "service_date", "service_documentation"),
    *("shipping_address", "shipping_carrier", "shipping_date", "shipping_documentation", "shipping_tracking_number"),
    *("uncategorized_file", "uncategorized_text"),
)
RESPONSE_TIME = timedelta(days=7)


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
    paid, failed = it.status == "succeeded", it.status == "failed"
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
        "disputed": it.disputed,
        "failure_code": it.verdict.code if failed else None,
        "failure_message": it.verdict.message if failed else None,
        "fraud_details": {},
        "livemode": world.livemode,
        "metadata": dict(it.metadata),
        "outcome": _outcome(it.verdict if failed else APPROVED, version),
        "paid": paid,
        "payment_intent": it.intent,
        "payment_method": it.card.id,
        "payment_method_details": {it.card.rail: _charged(it.card, version), "type": it.card.rail},
        "refunded": 0 < it.amount == it.amount_refunded,
        "status": it.status,
    }
    if version is Version.OLD:
        return out | {"invoice": it.invoice}
    out["billing_details"]["tax_id"] = None
    return out | {"source": None}


def _charged(card: Card, version: Version) -> Json:
    if card.rail == "sepa_debit":
        return bank_details(card) | {"mandate": None}
    if card.rail == "us_bank_account":
        return bank_details(card) | ({} if version is Version.OLD else {"payment_reference": None})
    nulls = dict.fromkeys(("installments", "mandate", "network_token", "three_d_secure", "wallet"))
    out = card_details(card, version) | nulls | {"network": card.brand}
    return out if version is Version.OLD else dict.fromkeys(NEW_CARD_NULLS) | out


def bank_details(card: Card) -> Json:
    """What every JSON of a bank account has."""
    if card.rail == "sepa_debit":
        return {"bank_code": "37040044", "branch_code": "", "country": card.country, "fingerprint": card.fingerprint, "last4": card.last4}
    return {
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "STRIPE TEST BANK",
        "fingerprint": card.fingerprint,
        "last4": card.last4,
        "routing_number": "110000000",
    }


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
        "payment_method": it.payment_method if it.status in {"processing", "succeeded", "requires_action"} else None,
        "payment_method_types": ["card", "sepa_debit", "us_bank_account"],
        "status": it.status,
    }
    if it.last_verdict and not it.last_verdict.approved and it.status != "processing":
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
    out: Json = {"type": "card_error", "code": verdict.code, "message": verdict.message}
    if verdict.decline_code:
        out["decline_code"] = verdict.decline_code
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


def dispute(world: World, it: Dispute, version: Version) -> Json:
    """A payment taken back by the customer's bank."""
    due = _seconds(it.created + RESPONSE_TIME)
    details: Json = {"due_by": due, "has_evidence": False, "past_due": False, "submission_count": 0}
    out: Json = {
        "id": it.id,
        "object": "dispute",
        "amount": it.amount,
        "balance_transactions": [],
        "charge": it.charge,
        "created": _seconds(it.created),
        "currency": it.currency,
        "evidence": dict.fromkeys(EVIDENCE),
        "evidence_details": details,
        "is_charge_refundable": False,
        "livemode": world.livemode,
        "metadata": {},
        "payment_intent": it.intent,
        "reason": it.reason,
        "status": it.status,
    }
    if version is Version.OLD:
        return out
    details |= {"enhanced_eligibility": {}, "submission_method": "not_submitted"}
    out["evidence"]["enhanced_evidence"] = {}
    return out | {"enhanced_eligibility_types": [], "intended_submission_method": None}


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
