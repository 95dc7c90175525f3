"""A Stripe ``invoice.payment_failed`` of a usual size, such as a real endpoint gets them all day."""

import json
import time
from typing import Any

EVENT_MARK, SUBJECT_MARK = "MARKEVENT", "MARKSUBJECT"
Json = dict[str, Any]


def stripe_failure() -> tuple[str, int]:
    """The body of one event, with EVENT_MARK and SUBJECT_MARK where ids go in, and its size in bytes."""
    body = json.dumps(_event(int(time.time()) - 60), indent=2)
    return body, len(body)


def filled(template: str, event: int, subject: int) -> str:
    """The event number ``event`` about customer and invoice number ``subject``."""
    return template.replace(EVENT_MARK, f"1Pgc{event:08x}B7WZ01zgkWu9").replace(SUBJECT_MARK, f"QXg1{subject:08x}vcGm")


def _event(at: int) -> Json:
    return {
        "id": f"evt_{EVENT_MARK}",
        "object": "event",
        "api_version": "2024-06-20",
        "created": at,
        "data": {"object": _invoice(at)},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": f"key-{EVENT_MARK}"},
        "type": "invoice.payment_failed",
    }


# Real payloads are full of fields that say nothing.
UNSET = (
    "account_tax_ids",
    "application",
    "custom_fields",
    "customer_phone",
    "customer_shipping",
    "default_payment_method",
    "default_source",
    "description",
    "due_date",
)


def _invoice(at: int) -> Json:
    month = 30 * 86_400
    return {
        "id": f"in_{SUBJECT_MARK}",
        "object": "invoice",
        "account_country": "US",
        "account_name": "Example Software, Inc.",
        "amount_due": 4900,
        "amount_paid": 0,
        "amount_remaining": 4900,
        "amount_shipping": 0,
        "attempt_count": 1,
        "attempted": True,
        "auto_advance": True,
        "automatic_tax": {"enabled": False, "liability": None, "status": None},
        "billing_reason": "subscription_cycle",
        "charge": _charge(at),
        "collection_method": "charge_automatically",
        "created": at - 3600,
        "currency": "usd",
        "customer": f"cus_{SUBJECT_MARK}",
        "customer_address": {"city": "Springfield", "country": "US", "line1": "1 Example Road", "line2": None, "postal_code": "62701"},
        **dict.fromkeys(UNSET),
        "customer_email": f"customer.{SUBJECT_MARK}@customer.example",
        "customer_name": "Alex Example",
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "effective_at": at - 3600,
        "ending_balance": 0,
        "hosted_invoice_url": f"https://invoice.stripe.example/i/acct_example/test_{SUBJECT_MARK}",
        "invoice_pdf": f"https://pay.stripe.example/invoice/acct_example/test_{SUBJECT_MARK}/pdf",
        "issuer": {"type": "self"},
        "lines": {"object": "list", "data": [_line(at, month)], "has_more": False, "total_count": 1, "url": "/v1/invoices/lines"},
        "livemode": False,
        "metadata": {"plan": "team", "seats": "7"},
        "next_payment_attempt": at + 3 * 86_400,
        "number": "EX-0001-0042",
        "paid": False,
        "payment_intent": f"pi_{SUBJECT_MARK}",
        "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        "period_end": at,
        "period_start": at - month,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "status": "open",
        "status_transitions": {"finalized_at": at - 3600, "marked_uncollectible_at": None, "paid_at": None, "voided_at": None},
        "subscription": f"sub_{SUBJECT_MARK}",
        "subtotal": 4900,
        "subtotal_excluding_tax": 4900,
        "tax": None,
        "total": 4900,
        "total_discount_amounts": [],
        "total_excluding_tax": 4900,
        "webhooks_delivered_at": at - 3600,
    }


def _line(at: int, month: int) -> Json:
    return {
        "id": f"il_{SUBJECT_MARK}",
        "object": "line_item",
        "amount": 4900,
        "amount_excluding_tax": 4900,
        "currency": "usd",
        "description": "7 seats of Team (at $7.00 / month)",
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "livemode": False,
        "metadata": {},
        "period": {"end": at + month, "start": at},
        "plan": {"id": "plan_team", "object": "plan", "amount": 700, "currency": "usd", "interval": "month", "product": "prod_team"},
        "price": {"id": "price_team", "object": "price", "currency": "usd", "type": "recurring", "unit_amount": 700},
        "proration": False,
        "quantity": 7,
        "subscription": f"sub_{SUBJECT_MARK}",
        "subscription_item": f"si_{SUBJECT_MARK}",
        "type": "subscription",
    }


def _charge(at: int) -> Json:
    card: Json = {
        "brand": "visa",
        "checks": {"address_line1_check": None, "address_postal_code_check": "pass", "cvc_check": None},
        "country": "US",
        "exp_month": 4,
        "exp_year": time.gmtime(at).tm_year + 2,
        "fingerprint": f"fp{SUBJECT_MARK}",
        "funding": "credit",
        "last4": "0341",
        "network": "visa",
        "three_d_secure": None,
        "wallet": None,
    }
    return {
        "id": f"ch_{SUBJECT_MARK}",
        "object": "charge",
        "amount": 4900,
        "amount_captured": 0,
        "amount_refunded": 0,
        "billing_details": {"email": None, "name": "Alex Example", "phone": None, "address": {"country": "US", "postal_code": "62701"}},
        "captured": False,
        "created": at,
        "currency": "usd",
        "customer": f"cus_{SUBJECT_MARK}",
        "failure_code": "card_declined",
        "failure_message": "Your card has insufficient funds.",
        "invoice": f"in_{SUBJECT_MARK}",
        "livemode": False,
        "outcome": {
            "network_status": "declined_by_network",
            "reason": "insufficient_funds",
            "risk_level": "normal",
            "risk_score": 21,
            "seller_message": "The bank returned the decline code `insufficient_funds`.",
            "type": "issuer_declined",
        },
        "paid": False,
        "payment_intent": f"pi_{SUBJECT_MARK}",
        "payment_method": f"pm_{SUBJECT_MARK}",
        "payment_method_details": {"card": card, "type": "card"},
        "refunded": False,
        "status": "failed",
    }
