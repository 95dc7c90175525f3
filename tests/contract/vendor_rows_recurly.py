"""One row for every Recurly payload, written by hand from the payload; see vendor_rows.py."""

from tests.contract.vendor_rows import Row, classic, ignored, thin

SCHEDULED = "only scheduled"
ADDRESS = "changes no debt"
A514 = "a5143c1d3a6f4a8287d0e2cc1d4c0427"
T4997 = "4997ace0f57341adb3e857f9f7d15de8"
SUB1974 = "1974a098jhlkjasdfljkha898326881c"
CARD1 = ("billing-info:1",)
# Of the payments: one account, invoice number 2059, all in test mode. A transaction tells no currency and nothing of its invoice.
PAYMENT = {"number": "2059", "livemode": False, "credentials": CARD1}
DECLINED = {"processor": "recurly", "decline_code": "Declined by the gateway"}
COLLECTED = {
    "invoice": "ffc64d71d4b5404e93f13aac9c63b007",
    "number": "1000",
    "status": "paid",
    "currency": "USD",
    "total": 1100,
    "due": 1100,
    "paid": 1100,
    "remaining": 0,
}
OPEN_1000 = COLLECTED | {"status": "open", "total": 1000, "due": 1000, "paid": 0, "remaining": 1000}
CHARGE_INVOICE = {
    "invoice": "42feb03ce368c0e1ead35d4bfa89b82e",
    "number": "2405",
    "status": "open",
    "currency": "USD",
    "total": 100000,
    "tax": 0,
    "due": 100000,
    "paid": 0,
    "remaining": 100000,
    "collection": "send_invoice",
    "reason": "subscription_cycle",
    "subscription": "40b8f5e99df03b8684b99d4993b6e089",
}
FAILED = PAYMENT | {
    "invoice": "8fjk3sd7j90s0789dsf099798jkliy65",
    "subscription": SUB1974,
    "attempt": (A514, "failed", 1000),
    "codes": DECLINED,
    "charge": A514,
}
VOIDED = PAYMENT | {
    "invoice": "ffc64d71d4b5404e93f13aac9c63b007",
    "subscription": SUB1974,
    "attempt": (T4997, "reversed", 235),
    "charge": T4997,
}
PAID_INVOICE = "1974a09kj90s0789dsf099798326881c"

THIN: tuple[Row, ...] = (
    thin("docs__json_account__new_account.json", "account.created", "account_changed", "account r3oplsj3zo7a"),
    thin("docs__json_account__updated_account.json", "account.updated", "account_changed", "account r3oplsj3zo7a"),
    thin(
        "docs__json_billing_info__updated_billing_information.json",
        "billing_info.updated",
        "method_updated",
        "billing_info code-2cfc561c374@example.com/ra8etjg1z0pr",
    ),
    thin(
        "docs__json_credit_invoice__credit_invoice_schema.json", "credit_invoice.created", "invoice_credited", "credit_invoice ra94dgn9ul70"
    ),
    thin("docs__json_dunning_event__key_details.json", "dunning_event.created", "invoice_changed", "dunning_event radnhqhipxkw"),
    thin("docs__json_invoice__closed_invoice.json", "invoice.closed", "invoice_changed", "invoice radnhqhipxkw"),
    thin("docs__json_invoice__new_invoice.json", "invoice.created", "invoice_changed", "invoice radnhqhipxkw"),
    thin("docs__json_invoice__new_invoice_manual.json", "invoice.created", "invoice_changed", "invoice radnhqhipxkw"),
    thin("docs__json_invoice__past_due_invoice.json", "invoice.past_due", "invoice_changed", "invoice radnhqhipxkw"),
    thin("docs__json_invoice__past_due_invoice_manual.json", "invoice.past_due", "invoice_changed", "invoice radnhqhipxkw"),
    thin(
        "docs__json_invoice__processing_invoice_automatic_ach_paypal_echeck.json",
        "invoice.processing",
        "payment_processing",
        "invoice radnhqhipxkw",
    ),
    thin("docs__json_payment__manual_payment.json", "payment.succeeded", "payment_succeeded", "payment rafhdbbf41mc"),
    thin(
        "docs__json_payment__scheduled_payment_for_asynchronous_payment_methods.json",
        "payment.scheduled",
        "payment_processing",
        "payment rafhdbbf41mc",
    ),
    thin("docs__json_payment__successful_payment.json", "payment.succeeded", "payment_succeeded", "payment rafhdbbf41mc"),
    thin("docs__json_payment__successful_refund.json", "payment.refunded", "payment_refunded", "payment rafhoo0hbzff"),
    thin("docs__json_payment__transaction_status_updated.json", "payment.transaction_status_updated", "other", "payment rafhdbbf41mc"),
    thin("docs__json_payment__void_payment.json", "payment.voided", "payment_reversed", "payment radnhmaoszxc"),
    ignored("docs__json_shipping_address__deleted_shipping_address.json", "shipping_address.deleted", ADDRESS),
    ignored("docs__json_shipping_address__new_shipping_address.json", "shipping_address.created", ADDRESS),
    thin(
        "docs__json_subscription__canceled_subscription.json",
        "subscription.canceled",
        "subscription_cancelled",
        "subscription ra8foq26o2dt",
    ),
    thin(
        "docs__json_subscription__expired_subscription.json", "subscription.expired", "subscription_cancelled", "subscription radnhqhifyql"
    ),
    ignored("docs__json_subscription__new_subscription.json", "subscription.created", "a new subscription"),
    thin("docs__json_subscription__paused_subscription.json", "subscription.paused", "subscription_changed", "subscription radqtk7scy9u"),
    ignored("docs__json_subscription__paused_subscription_renewal.json", "subscription.renewal.skipped", "no invoice was made"),
    thin(
        "docs__json_subscription__reactivated_subscription.json",
        "subscription.reactivated",
        "subscription_changed",
        "subscription radoktyw8ge4",
    ),
    ignored("docs__json_subscription__scheduled_subscription_pause.json", "subscription.pause.scheduled", SCHEDULED),
    ignored("docs__json_subscription__scheduled_subscription_update.json", "subscription.pending_change.scheduled", SCHEDULED),
    ignored("docs__json_subscription__subscription_pause_canceled.json", "subscription.pause.canceled", SCHEDULED),
)

ACCOUNTS: tuple[Row, ...] = (
    classic("billing_info_updated_notification.xml", "billing_info_updated", "method_updated", "1", credentials=CARD1),
    classic("canceled_account_notification.xml", "canceled_account", "account_closed", "1"),
    classic("docs__xml_canceled_account_notification__closed_account.xml", "canceled_account", "account_closed", "1"),
    classic("new_account_notification.xml", "new_account", "account_changed", "1"),
    classic("updated_account_notification.xml", "updated_account", "account_changed", "1"),
    classic("docs__xml_updated_account_notification__updated_account.xml", "updated_account", "account_changed", "1"),
    ignored("docs__xml_new_shipping_address_notification__new_shipping_address.xml", "new_shipping_address_notification", ADDRESS),
    ignored(
        "docs__xml_updated_shipping_address_notification__updated_shipping_address.xml", "updated_shipping_address_notification", ADDRESS
    ),
    ignored("docs__xml_low_balance_gift_card_notification__low_balance_gift_card.xml", "low_balance_gift_card_notification", ADDRESS),
    ignored("unknown_notification.xml", "unknown_notification", "unknown type"),
)

INVOICES: tuple[Row, ...] = (
    classic("charge_invoice_notification.xml", "new_charge_invoice", "invoice_changed", "1234", **CHARGE_INVOICE),
    classic(
        "docs__xml_new_charge_invoice_notification__charge_invoice_schema.xml",
        "new_charge_invoice",
        "invoice_changed",
        "1234",
        **CHARGE_INVOICE,
    ),
    classic(
        # A credit invoice of -48.82: a document of its own, on which nothing is owed.
        "credit_invoice_notification.xml",
        "new_credit_invoice",
        "invoice_credited",
        "1234",
        invoice="42fb74de65e9395eb004614144a7b91f",
        number="2404",
        status="paid",
        currency="USD",
        total=-4882,
        tax=-382,
        due=0,
        remaining=0,
        reason="other",
        subscription="42fb74ba9efe4c6981c2064436a4e9cd",
    ),
    classic("docs__xml_closed_invoice_notification__closed_invoice.xml", "closed_invoice", "payment_succeeded", "1", **COLLECTED),
    classic(
        "docs__xml_closed_invoice_notification__closed_invoice_manual.xml",
        "closed_invoice",
        "payment_succeeded",
        "1",
        **COLLECTED,
        collection="send_invoice",
    ),
    classic(
        "docs__xml_new_invoice_notification__new_invoice_manual.xml",
        "new_invoice",
        "invoice_changed",
        "1",
        **OPEN_1000,
        collection="send_invoice",
    ),
    classic(
        "docs__xml_past_due_invoice_notification__past_due_invoice_manual.xml",
        "past_due_invoice",
        "invoice_changed",
        "1",
        **(COLLECTED | {"status": "open", "paid": 0, "remaining": 1100}),
        collection="send_invoice",
    ),
    classic(
        "docs__xml_pending_invoice_notification__pending_invoice_automatic.xml",
        "pending_invoice",
        "invoice_changed",
        "1",
        **OPEN_1000,
        collection="charge_automatically",
    ),
    classic(
        # The invoice's state is failed, but it is not the last dunning event: still owed. The transaction names another invoice.
        "docs__xml_new_dunning_event_notification__key_details.xml",
        "new_dunning_event",
        "payment_failed",
        "09f299492d21",
        invoice="inv-7wr0r2xuawwCjO",
        number="781002",
        status="open",
        currency="USD",
        total=2499,
        due=2499,
        paid=0,
        remaining=2499,
        collection="charge_automatically",
        subscription="396e4e17640ca516c2f3a84e47ae91dd",
        attempt=("397083a9a871b53a3d5a4c469fa1216a", "failed", 2499),
        codes={"processor": "recurly", "decline_code": "invalid_data", "gateway_code": "00"},
        credentials=("billing-info:09f299492d21",),
        charge="397083a9a871b53a3d5a4c469fa1216a",
        livemode=False,
    ),
    classic(
        # A part was paid: 45.00 in all, 40.00 left.
        "new_dunning_event_notification.xml",
        "new_dunning_event",
        "invoice_changed",
        "1",
        invoice="424a9d4a2174b4f39bc776426aa19c32",
        number="1813",
        status="open",
        currency="USD",
        total=4500,
        tax=0,
        due=4500,
        paid=500,
        remaining=4000,
        collection="send_invoice",
        reason="subscription_cycle",
        subscription="4110792b3b01967d854f674b7282f542",
    ),
)

PAYMENTS: tuple[Row, ...] = (
    classic("failed_payment_notification.xml", "failed_payment", "payment_failed", "1", **FAILED),
    classic("docs__xml_failed_payment_notification__failed_payment.xml", "failed_payment", "payment_failed", "1", **FAILED),
    classic(
        "successful_payment_notification.xml",
        "successful_payment",
        "payment_succeeded",
        "1",
        **PAYMENT,
        invoice=PAID_INVOICE,
        attempt=(A514, "succeeded", 1000),
        charge=A514,
    ),
    classic(
        "docs__xml_successful_payment_notification__manual_payment.xml",
        "successful_payment",
        "payment_succeeded",
        "1",
        **PAYMENT,
        invoice=PAID_INVOICE,
        subscription=SUB1974,
        attempt=(A514, "succeeded", 1000),
        charge=A514,
    ),
    classic(
        "processing_payment_notification.xml",
        "processing_payment",
        "payment_processing",
        "1",
        **PAYMENT,
        invoice=PAID_INVOICE,
        subscription=SUB1974,
        attempt=(A514, "processing", 1000),
        charge=A514,
    ),
    classic(
        "docs__xml_processing_payment_notification__processing_payment_only_for_ach_and_paypal_echeck_payments.xml",
        "processing_payment",
        "payment_processing",
        "1",
        **PAYMENT,
        invoice=PAID_INVOICE,
        subscription=SUB1974,
        attempt=(A514, "processing", 1000),
        charge=A514,
    ),
    classic(
        "docs__xml_scheduled_payment_notification__scheduled_payment_for_asynchronous_payment_methods.xml",
        "scheduled_payment",
        "payment_processing",
        "1",
        **PAYMENT,
        invoice=PAID_INVOICE,
        subscription=SUB1974,
        attempt=(A514, "pending", 1000),
        charge=A514,
    ),
    classic(
        # A refund is no try to collect; it names the invoice.
        "successful_refund_notification.xml",
        "successful_refund",
        "payment_refunded",
        "1",
        number="2059",
        livemode=False,
        invoice="ffc64d71d4b5404e93f13aac9c63b007",
        refunded=1000,
        subscription=SUB1974,
    ),
    classic("docs__xml_void_payment_notification__void_payment.xml", "void_payment", "payment_reversed", "1", **VOIDED),
    classic(
        "docs__xml_transaction_status_updated_notification__transaction_status_updated.xml",
        "transaction_status_updated",
        "payment_reversed",
        "1",
        **VOIDED,
    ),
    ignored(
        "docs__xml_transaction_authorized_notification__transaction_authorized.xml",
        "transaction_authorized_notification",
        "no money has moved",
        livemode=False,
    ),
)

UPDATED, RENEWED, PAUSED = "292332928954ca62fa48048be5ac98ec", "6ab458a887d38070807ebb3bed7ac1e5", "437a818b9dba81065e444448de931842"
CANCELED, EXPIRED = "dccd742f4710e78515714d275839f891", "d1b6d359a01ded71caed78eaa0fedf8e"


def changed(file: str, event_type: str, subscription: str) -> Row:
    """A subscription of account 1 that goes on."""
    return classic(file, event_type, "subscription_changed", "1", subscription=subscription)


def ended(file: str, event_type: str, subscription: str) -> Row:
    """A subscription of account 1 that expires on the day when its period ends."""
    return classic(file, event_type, "subscription_cancelled", "1", subscription=subscription, cancellation="period_end")


SUBSCRIPTIONS: tuple[Row, ...] = (
    ended("canceled_subscription_notification.xml", "canceled_subscription", CANCELED),
    ended("expired_subscription_notification.xml", "expired_subscription", EXPIRED),
    ended("docs__xml_expired_subscription_notification__expired_subscription.xml", "expired_subscription", EXPIRED),
    ignored("new_subscription_notification.xml", "new_subscription_notification", "a new subscription"),
    ignored("docs__xml_new_subscription_notification__new_subscription.xml", "new_subscription_notification", "a new subscription"),
    changed("updated_subscription_notification.xml", "updated_subscription", UPDATED),
    changed("docs__xml_updated_subscription_notification__updated_subscription.xml", "updated_subscription", UPDATED),
    changed("docs__xml_renewed_subscription_notification__renewed_subscription.xml", "renewed_subscription", RENEWED),
    changed("subscription_paused_notification.xml", "subscription_paused", PAUSED),
    changed("docs__xml_subscription_paused_notification__paused_subscription.xml", "subscription_paused", PAUSED),
    changed("subscription_resumed_notification.xml", "subscription_resumed", PAUSED),
    changed("docs__xml_subscription_resumed_notification__resumed_subscription.xml", "subscription_resumed", PAUSED),
    ignored("paused_subscription_renewal_notification.xml", "paused_subscription_renewal_notification", "no invoice was made"),
    ignored("scheduled_subscription_pause_notification.xml", "scheduled_subscription_pause_notification", SCHEDULED),
    ignored("subscription_pause_canceled_notification.xml", "subscription_pause_canceled_notification", SCHEDULED),
    ignored(
        "docs__xml_subscription_pause_canceled_notification__subscription_pause_canceled.xml",
        "subscription_pause_canceled_notification",
        SCHEDULED,
    ),
    ignored(
        "docs__xml_subscription_pause_modified_notification__subscription_paused_modified.xml",
        "subscription_pause_modified_notification",
        SCHEDULED,
    ),
    ignored(
        "docs__xml_scheduled_subscription_update_notification__scheduled_subscription_update.xml",
        "scheduled_subscription_update_notification",
        SCHEDULED,
    ),
)

RECURLY = (*THIN, *ACCOUNTS, *INVOICES, *PAYMENTS, *SUBSCRIPTIONS)
