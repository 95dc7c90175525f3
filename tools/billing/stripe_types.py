"""Every Stripe event type: what it is about, or why it is ignored. A type in neither list is unknown, kept and reported."""

from recoup.events import EventKind

INVOICE_KINDS = {
    "invoice.created": EventKind.INVOICE_CHANGED,
    "invoice.finalized": EventKind.INVOICE_CHANGED,
    "invoice.finalization_failed": EventKind.INVOICE_CHANGED,
    "invoice.updated": EventKind.INVOICE_CHANGED,
    "invoice.sent": EventKind.INVOICE_CHANGED,
    "invoice.will_be_due": EventKind.INVOICE_CHANGED,
    "invoice.overdue": EventKind.INVOICE_CHANGED,
    "invoice.overpaid": EventKind.INVOICE_CHANGED,
    "invoice.payment_attempt_required": EventKind.INVOICE_CHANGED,
    "invoice.paid": EventKind.PAYMENT_SUCCEEDED,
    "invoice.payment_succeeded": EventKind.PAYMENT_SUCCEEDED,
    "invoice.payment_failed": EventKind.PAYMENT_FAILED,
    "invoice.payment_action_required": EventKind.PAYMENT_ACTION_REQUIRED,
    "invoice.voided": EventKind.INVOICE_VOIDED,
    "invoice.marked_uncollectible": EventKind.INVOICE_UNCOLLECTIBLE,
}

# Type to the kind of object that it is about, where the object itself does not say.
TYPES: dict[str, str] = {
    **dict.fromkeys(INVOICE_KINDS, "invoice"),
    "invoice_payment.paid": "invoice_payment",
    "invoice_payment.detached": "invoice_payment",
    "charge.succeeded": "charge",
    "charge.captured": "charge",
    "charge.failed": "charge",
    "charge.pending": "charge",
    "charge.updated": "charge",
    "charge.refunded": "charge",
    "charge.dispute.created": "dispute",
    "charge.dispute.closed": "dispute",
    "payment_intent.succeeded": "payment_intent",
    "payment_intent.processing": "payment_intent",
    "payment_intent.requires_action": "payment_intent",
    "payment_intent.payment_failed": "payment_intent",
    "customer.subscription.deleted": "subscription",
    "customer.subscription.updated": "subscription",
    "customer.subscription.paused": "subscription",
    "customer.subscription.resumed": "subscription",
    "payment_method.attached": "payment_method",
    "payment_method.detached": "payment_method",
    "payment_method.updated": "payment_method",
    "payment_method.automatically_updated": "payment_method",
    "payment_method.card_automatically_updated": "payment_method",  # until 2020
    "customer.source.created": "card",
    "customer.source.updated": "card",
    "customer.source.deleted": "card",
    "customer.created": "customer",
    "customer.updated": "customer",
    "customer.deleted": "customer",
    "mandate.updated": "mandate",
    "credit_note.created": "credit_note",
    "credit_note.updated": "credit_note",
    "credit_note.voided": "credit_note",
}

CATALOGUE = "the catalogue: owes nothing"
OWN_BOOKS = "the merchant's own books and payouts"
OTHER_PRODUCT = "another product of Stripe's"
OTHERS_TELL = "says no more than the events that come with it"

# Reviewed one by one (2026-11). What ends in a dot stands for all types that begin so and are not read above.
IGNORED: tuple[tuple[str, str], ...] = (
    ("invoice.upcoming", "a preview of an invoice that does not exist yet"),
    ("invoice.deleted", "only drafts are deleted, and a draft is not collected"),
    ("invoiceitem.", "the invoice's own events tell its amounts"),
    ("charge.expired", "an authorisation that was never captured"),
    ("charge.dispute.updated", "evidence; created and closed tell what counts"),
    ("charge.dispute.funds_withdrawn", "the dispute's own events have said so"),
    ("charge.dispute.funds_reinstated", "the dispute's own events have said so"),
    ("charge.refund.updated", "charge.refunded tells the amount given back"),
    ("refund.", "charge.refunded tells the amount given back"),
    ("payment_intent.created", "nothing was tried yet"),
    ("payment_intent.canceled", "the invoice's own events tell why"),
    ("payment_intent.amount_capturable_updated", "an authorisation: no money has moved"),
    ("payment_intent.partially_funded", "a bank transfer on its way; the invoice's payment follows"),
    ("setup_intent.", "payment_method.attached tells the method"),
    ("source.", "the charge or the customer's source tells what came of it"),
    ("checkout.session.", OTHERS_TELL),
    ("payment_link.", OTHERS_TELL),
    ("quote.", "its invoice sends its own events"),
    ("subscription_schedule.", "the subscription's own events tell what it did"),
    ("customer.subscription.created", "a new subscription owes nothing but its first invoice"),
    ("customer.subscription.trial_will_end", "nothing is owed yet"),
    ("customer.subscription.pending_update_applied", OTHERS_TELL),
    ("customer.subscription.pending_update_expired", OTHERS_TELL),
    ("customer.source.expiring", "the card's own data tell its expiry"),
    ("customer.discount.", "the invoice's own events tell its amounts"),
    ("customer.tax_id.", "changes no debt"),
    ("customer.bank_account.", OTHERS_TELL),
    ("customer_cash_balance_transaction.", "the invoice's own events tell what was paid of it"),
    ("cash_balance.", "the invoice's own events tell what was paid of it"),
    *((f"{what}.", CATALOGUE) for what in ("coupon", "plan", "price", "product", "product_feature", "promotion_code", "sku", "tax_rate")),
    *((f"{what}.", OWN_BOOKS) for what in ("account", "application_fee", "balance", "balance_settings", "capability", "external_account")),
    *((f"{what}.", OWN_BOOKS) for what in ("file", "payout", "person", "recipient", "tax", "topup", "transfer", "reporting", "sigma")),
    *((f"{what}.", OTHER_PRODUCT) for what in ("billing_portal", "climate", "entitlements", "financial_connections", "identity")),
    *((f"{what}.", OTHER_PRODUCT) for what in ("issuing_authorization", "issuing_card", "issuing_cardholder", "issuing_dispute")),
    *((f"{what}.", OTHER_PRODUCT) for what in ("issuing_personalization_design", "issuing_token", "issuing_transaction", "order")),
    *((f"{what}.", OTHER_PRODUCT) for what in ("terminal", "test_helpers", "treasury", "forwarding", "crypto")),
    ("billing.", "usage meters and credits; the invoice's own events tell its amounts"),
    ("radar.early_fraud_warning.", "a warning; the dispute that may follow tells what counts"),
    ("review.", "a review of a payment that has its own events"),
    ("ping", "a test of the connection"),
)


def reason_to_ignore(event_type: str) -> str | None:
    """Why events of this type need nothing; None where the reviewed list does not know it."""
    for listed, reason in IGNORED:
        if event_type == listed or (listed.endswith(".") and event_type.startswith(listed)):
            return reason
    return None
