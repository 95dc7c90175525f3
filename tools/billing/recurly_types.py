"""Every Recurly notification type: what it is about, or why it is ignored. A type in neither list is unknown, kept and reported."""

from recoup.events import EventKind
from recoup.invoice import AttemptStatus

# Classic notifications (the root element without ``_notification``) of a transaction: kind, and the status where the name says it.
PAYMENTS: dict[str, tuple[EventKind, AttemptStatus | None]] = {
    "failed_payment": (EventKind.PAYMENT_FAILED, AttemptStatus.FAILED),
    "successful_payment": (EventKind.PAYMENT_SUCCEEDED, AttemptStatus.SUCCEEDED),
    "processing_payment": (EventKind.PAYMENT_PROCESSING, AttemptStatus.PROCESSING),
    "scheduled_payment": (EventKind.PAYMENT_PROCESSING, AttemptStatus.PENDING),
    "void_payment": (EventKind.PAYMENT_REVERSED, AttemptStatus.REVERSED),
    "transaction_status_updated": (EventKind.OTHER, None),  # the transaction's own status says what happened
}
INVOICES: dict[str, EventKind] = {
    "new_invoice": EventKind.INVOICE_CHANGED,
    "pending_invoice": EventKind.INVOICE_CHANGED,
    "updated_invoice": EventKind.INVOICE_CHANGED,
    "reopened_invoice": EventKind.INVOICE_CHANGED,
    "processing_invoice": EventKind.PAYMENT_PROCESSING,
    "past_due_invoice": EventKind.INVOICE_CHANGED,
    "closed_invoice": EventKind.PAYMENT_SUCCEEDED,  # or given up: the state says which
    "new_charge_invoice": EventKind.INVOICE_CHANGED,
    "updated_charge_invoice": EventKind.INVOICE_CHANGED,
    "reopened_charge_invoice": EventKind.INVOICE_CHANGED,
    "processing_charge_invoice": EventKind.PAYMENT_PROCESSING,
    "past_due_charge_invoice": EventKind.INVOICE_CHANGED,
    "paid_charge_invoice": EventKind.PAYMENT_SUCCEEDED,
    "failed_charge_invoice": EventKind.INVOICE_UNCOLLECTIBLE,
    "new_credit_invoice": EventKind.INVOICE_CREDITED,
    "open_credit_invoice": EventKind.INVOICE_CREDITED,
    "processing_credit_invoice": EventKind.INVOICE_CREDITED,
    "updated_credit_invoice": EventKind.INVOICE_CREDITED,
    "closed_credit_invoice": EventKind.INVOICE_CREDITED,
    "reopened_credit_invoice": EventKind.INVOICE_CREDITED,
    "voided_credit_invoice": EventKind.INVOICE_VOIDED,
}
SUBSCRIPTIONS: dict[str, EventKind] = {
    "updated_subscription": EventKind.SUBSCRIPTION_CHANGED,
    "reactivated_account": EventKind.SUBSCRIPTION_CHANGED,  # its old name
    "reactivated_subscription": EventKind.SUBSCRIPTION_CHANGED,
    "renewed_subscription": EventKind.SUBSCRIPTION_CHANGED,
    "subscription_paused": EventKind.SUBSCRIPTION_CHANGED,
    "subscription_resumed": EventKind.SUBSCRIPTION_CHANGED,
    "canceled_subscription": EventKind.SUBSCRIPTION_CANCELLED,
    "expired_subscription": EventKind.SUBSCRIPTION_CANCELLED,
}
ACCOUNTS: dict[str, EventKind] = {
    "new_account": EventKind.ACCOUNT_CHANGED,
    "updated_account": EventKind.ACCOUNT_CHANGED,
    "reopened_account": EventKind.ACCOUNT_CHANGED,
    "canceled_account": EventKind.ACCOUNT_CLOSED,
    "billing_info_updated": EventKind.METHOD_UPDATED,
    "new_billing_info": EventKind.METHOD_UPDATED,
    "billing_info_update_failed": EventKind.ACCOUNT_CHANGED,
    "deleted_billing_info": EventKind.METHOD_REMOVED,
}

NOT_YET = "only scheduled: nothing changes before it happens"
NO_DEBT = "changes no debt and no way to pay it"

# Reviewed one by one (2026-11).
IGNORED_XML: dict[str, str] = {
    "new_subscription": "a new subscription owes nothing but its first invoice",
    "scheduled_subscription_update": NOT_YET,
    "scheduled_subscription_pause": NOT_YET,
    "subscription_pause_modified": NOT_YET,
    "subscription_pause_canceled": NOT_YET,
    "paused_subscription_renewal": "a renewal that was skipped while paused: no invoice was made",
    "low_balance_gift_card": NO_DEBT,
    "new_shipping_address": NO_DEBT,
    "updated_shipping_address": NO_DEBT,
    "deleted_shipping_address": NO_DEBT,
    "transaction_authorized": "an authorisation: no money has moved",
    "fraud_info_updated": "a score; the payment's own notification tells what came of it",
    "new_credit_payment": "the charge invoice's own notification tells what remains of it",
    "voided_credit_payment": "the charge invoice's own notification tells what remains of it",
    "new_usage": NO_DEBT,
    "prerenewal": NOT_YET,
    "purchased_gift_card": NO_DEBT,
    "canceled_gift_card": NO_DEBT,
    "updated_gift_card": NO_DEBT,
    "regenerated_gift_card": NO_DEBT,
    "redeemed_gift_card": NO_DEBT,
    "updated_balance_gift_card": NO_DEBT,
    "new_item": NO_DEBT,
    "updated_item": NO_DEBT,
    "deactivated_item": NO_DEBT,
    "reactivated_item": NO_DEBT,
    "deleted_item": NO_DEBT,
}

# Thin JSON: kind of the event by (object type, event type). What is not listed of a fetched type is OTHER: the object says the rest.
THIN: dict[tuple[str, str], EventKind] = {
    ("account", "closed"): EventKind.ACCOUNT_CLOSED,
    ("account", "canceled"): EventKind.ACCOUNT_CLOSED,
    ("billing_info", "created"): EventKind.METHOD_UPDATED,
    ("billing_info", "updated"): EventKind.METHOD_UPDATED,
    ("billing_info", "deleted"): EventKind.METHOD_REMOVED,
    ("payment", "succeeded"): EventKind.PAYMENT_SUCCEEDED,
    ("payment", "failed"): EventKind.PAYMENT_FAILED,
    ("payment", "processing"): EventKind.PAYMENT_PROCESSING,
    ("payment", "scheduled"): EventKind.PAYMENT_PROCESSING,
    ("payment", "refunded"): EventKind.PAYMENT_REFUNDED,
    ("payment", "voided"): EventKind.PAYMENT_REVERSED,
    ("invoice", "processing"): EventKind.PAYMENT_PROCESSING,
    ("invoice", "paid"): EventKind.PAYMENT_SUCCEEDED,
    ("invoice", "failed"): EventKind.INVOICE_UNCOLLECTIBLE,
    ("charge_invoice", "processing"): EventKind.PAYMENT_PROCESSING,
    ("charge_invoice", "paid"): EventKind.PAYMENT_SUCCEEDED,
    ("charge_invoice", "failed"): EventKind.INVOICE_UNCOLLECTIBLE,
    ("credit_invoice", "voided"): EventKind.INVOICE_VOIDED,
    ("subscription", "canceled"): EventKind.SUBSCRIPTION_CANCELLED,
    ("subscription", "expired"): EventKind.SUBSCRIPTION_CANCELLED,
}
# What a site of today tells an endpoint that it should be told of: the others above are older names for the same.
NEEDED_WEBHOOKS = tuple(f"{kind}.{what}" for kind, what in THIN if kind != "invoice" and (kind, what) != ("account", "canceled"))
# Object types that are fetched, with the kind of what is not listed above.
FETCHED: dict[str, EventKind] = {
    "account": EventKind.ACCOUNT_CHANGED,
    "billing_info": EventKind.METHOD_UPDATED,
    "payment": EventKind.OTHER,
    "invoice": EventKind.INVOICE_CHANGED,
    "charge_invoice": EventKind.INVOICE_CHANGED,
    "credit_invoice": EventKind.INVOICE_CREDITED,
    "dunning_event": EventKind.INVOICE_CHANGED,
    "subscription": EventKind.SUBSCRIPTION_CHANGED,
}
IGNORED_THIN: dict[tuple[str, str], str] = {
    ("subscription", "created"): "a new subscription owes nothing but its first invoice",
    ("subscription", "pause.scheduled"): NOT_YET,
    ("subscription", "pause.modified"): NOT_YET,
    ("subscription", "pause.canceled"): NOT_YET,
    ("subscription", "pending_change.scheduled"): NOT_YET,
    ("subscription", "renewal.skipped"): "a renewal that was skipped while paused: no invoice was made",
    ("subscription", "prerenewal"): NOT_YET,
    ("payment", "authorized"): "an authorisation: no money has moved",
}
IGNORED_OBJECTS: dict[str, str] = {
    "shipping_address": NO_DEBT,
    "item": NO_DEBT,
    "gift_card": NO_DEBT,
    "usage": NO_DEBT,
    "credit_payment": "the charge invoice's own notification tells what remains of it",
    "fraud_info": "a score; the payment's own notification tells what came of it",
}
