"""What stands in Recurly's classic notifications, as snapshots: accounts, invoices of both generations, transactions, billing infos."""

from datetime import datetime

from recoup.errors import Malformed
from recoup.events import CancellationKind
from recoup.invoice import (
    AccountSnapshot,
    AttemptSnapshot,
    AttemptStatus,
    BillingReason,
    CollectionMethod,
    CredentialSnapshot,
    DeclineCodes,
    Initiator,
    InvoiceSnapshot,
    InvoiceStatus,
    Rail,
)
from recoup.money import checked_currency
from tools.billing.xml_part import XmlPart

PROCESSOR = "recurly"

INVOICE_STATUS = {
    "open": InvoiceStatus.OPEN,
    "pending": InvoiceStatus.OPEN,
    "scheduled": InvoiceStatus.OPEN,
    "processing": InvoiceStatus.OPEN,
    "past_due": InvoiceStatus.OPEN,
    "reopened": InvoiceStatus.OPEN,
    "paid": InvoiceStatus.PAID,
    "collected": InvoiceStatus.PAID,  # invoices of before 2018
    "closed": InvoiceStatus.PAID,
    "failed": InvoiceStatus.UNCOLLECTIBLE,
    "voided": InvoiceStatus.VOID,
}
TRANSACTION_STATUS = {
    "success": AttemptStatus.SUCCEEDED,
    "declined": AttemptStatus.FAILED,
    "error": AttemptStatus.FAILED,
    "processing": AttemptStatus.PROCESSING,
    "pending": AttemptStatus.PENDING,
    "scheduled": AttemptStatus.PENDING,
    "void": AttemptStatus.REVERSED,
    "chargeback": AttemptStatus.REVERSED,
}
BILLING_REASONS = {
    "renewal": BillingReason.SUBSCRIPTION_CYCLE,
    "purchase": BillingReason.SUBSCRIPTION_CREATE,
    "immediate_change": BillingReason.SUBSCRIPTION_UPDATE,
}
RAILS = {
    "credit_card": Rail.CARD,
    "bank_account_info": Rail.ACH,
    "ach": Rail.ACH,
    "sepadirectdebit": Rail.SEPA,
    "sepa": Rail.SEPA,
}
# A transaction's ``source`` and ``origin`` tell who asked for it.
BY_CUSTOMER = frozenset({"hpp", "recurlyjs", "hosted", "transparent"})
BY_MERCHANT = frozenset({"recurly_admin", "force_collect", "manual"})


def account_of(account: XmlPart, observed_at: datetime) -> AccountSnapshot:
    """The account; names, e-mail and phone are personal."""
    first, last = account.text("first_name"), account.text("last_name")
    return AccountSnapshot(
        vendor_id=account.need_text("account_code"),
        observed_at=observed_at,
        first_name=first,
        full_name=" ".join(name for name in (first, last) if name) or account.text("company_name"),
        email=account.text("email"),
        phone=account.text("phone"),
        parent_vendor_id=account.text("parent_account_code"),
    )


def invoice_of(invoice: XmlPart, observed_at: datetime, account_id: str | None, *, is_still_dunned: bool) -> InvoiceSnapshot:
    """An invoice. Those of before 2018 have neither balance nor tax: what remains of them follows from their state.

    ``is_still_dunned``: a dunning event that is not the last. Such an invoice is owed, even where its last try made its state ``failed``.
    """
    told = invoice.text("state")
    status = InvoiceStatus.OPEN if is_still_dunned else INVOICE_STATUS.get(told or "")
    total, balance = invoice.integer("total_in_cents"), invoice.integer("balance_in_cents")
    if balance is None and total is not None and status is not None:
        balance = 0 if status is InvoiceStatus.PAID else total
    is_charge = (total or 0) >= 0
    method = invoice.text("collection_method")
    reason = invoice.text("origin")
    return InvoiceSnapshot(
        vendor_id=invoice.need_text("uuid"),
        observed_at=observed_at,
        number=_number(invoice),
        account_vendor_id=account_id,
        currency=currency_of(invoice),
        status=status,
        total_minor=total,
        tax_minor=invoice.integer("tax_in_cents"),
        due_minor=total if is_charge else 0,
        paid_minor=total - balance if total is not None and balance is not None and is_charge else None,
        remaining_minor=balance if is_charge else 0,
        collection_method=_collection_method(method),
        billing_reason=BILLING_REASONS.get(reason, BillingReason.OTHER) if reason else None,
        subscription_vendor_id=subscription_of(invoice),
        issued_at=invoice.first_time(("created_at", "date")),
        due_at=invoice.first_time(("due_on", "due_at")),
    )


def invoice_of_transaction(transaction: XmlPart, observed_at: datetime, account_id: str | None) -> InvoiceSnapshot | None:
    """What a payment tells of its invoice: which it is, and no amount of it."""
    invoice_id = transaction.text("invoice_id")
    if invoice_id is None:
        return None
    return InvoiceSnapshot(
        vendor_id=invoice_id,
        observed_at=observed_at,
        number=_number(transaction),
        account_vendor_id=account_id,
        currency=currency_of(transaction),
        subscription_vendor_id=transaction.text("subscription_id"),
    )


def attempt_of(transaction: XmlPart, observed_at: datetime, account_id: str | None, status: AttemptStatus | None = None) -> AttemptSnapshot:
    """A transaction is exactly one try. ``status``: where the notification says it better than the transaction in it."""
    transaction_id = transaction.need_text("id")
    found = status or transaction_status(transaction)
    told: dict[str, object] = {}
    origin = (transaction.first_text(("origin", "source")) or "").lower()
    if origin in BY_CUSTOMER:
        told = {"initiator": Initiator.CUSTOMER, "customer_initiated": True, "cit_confidence": 0.8}
    elif origin in BY_MERCHANT or transaction.flag("manually_entered"):
        told = {"initiator": Initiator.MERCHANT}
    return AttemptSnapshot.model_validate(
        told
        | {
            "vendor_key": transaction_id,
            "occurred_at": transaction.time("date") or observed_at,
            "observed_at": observed_at,
            "status": found,
            "amount_minor": transaction.integer("amount_in_cents"),
            "currency": currency_of(transaction),
            "charge_vendor_id": transaction_id,
            "credential_vendor_id": billing_info_id(account_id) if account_id else None,
            "codes": codes_of(transaction) if found is AttemptStatus.FAILED else None,
        }
    )


def transaction_status(transaction: XmlPart) -> AttemptStatus:
    """Where the transaction stands; Recurly spells it in both cases."""
    return TRANSACTION_STATUS.get((transaction.text("status") or "").lower(), AttemptStatus.UNKNOWN)


def codes_of(transaction: XmlPart) -> DeclineCodes:
    """``error_code`` is Recurly's own word, ``failure_type`` a rougher one. The gateway's code means nothing without its gateway."""
    return DeclineCodes(
        processor=PROCESSOR,
        decline_code=transaction.first_text(("error_code", "decline_code", "failure_type")),
        gateway_code=transaction.first_text(("gateway_error_codes", "gateway_error_code")),
        advice_code=transaction.text("merchant_advice_code"),
    )


def billing_info_id(account_id: str) -> str:
    """The classic notifications give a billing info no id, and an account has one: so all tries of an account count on one credential."""
    return f"billing-info:{account_id}"


def credential_of(billing_info: XmlPart, account_id: str, **told: object) -> CredentialSnapshot:
    """The account's billing info, as far as it is described. ``told`` adds what only the notification knows."""
    year, month = billing_info.integer("year"), billing_info.integer("month")
    brand, kind = billing_info.text("card_type"), billing_info.text("payment_method")
    values: dict[str, object] = {
        "vendor_id": billing_info_id(account_id),
        "brand": brand.lower().replace(" ", "_") if brand else None,
        "last4": billing_info.text("last_four"),
        "expires": f"{year:04d}-{month:02d}" if year and month else None,
    }
    rail: dict[str, object] = {"rail": RAILS.get(kind, Rail.OTHER)} if kind else {}
    return CredentialSnapshot.model_validate(values | rail | told)


def subscription_of(invoice: XmlPart) -> str | None:
    """The subscription it bills: one, or the first of several."""
    return invoice.text("subscription_id") or invoice.part("subscription_ids").text("subscription_id")


def cancellation_of(subscription: XmlPart) -> CancellationKind:
    """How it ends: at the end of the period that was paid for, or before."""
    if (subscription.text("expiration_reason") or "").lower().replace("_", "") in {"nonpayment", "dunning"}:
        return CancellationKind.NON_PAYMENT
    expires, period_ends = subscription.time("expires_at"), subscription.time("current_period_ends_at")
    is_early = expires is not None and period_ends is not None and expires < period_ends
    return CancellationKind.IMMEDIATE if is_early else CancellationKind.PERIOD_END


def currency_of(part: XmlPart) -> str | None:
    """The ISO 4217 code; None in transactions, which are in their invoice's currency."""
    code = part.text("currency")
    return checked_currency(code) if code else None


def _number(part: XmlPart) -> str | None:
    number = part.text("invoice_number")
    return f"{part.text('invoice_number_prefix') or ''}{number}" if number else None


def _collection_method(told: str | None) -> CollectionMethod | None:
    methods = {"automatic": CollectionMethod.CHARGE_AUTOMATICALLY, "manual": CollectionMethod.SEND_INVOICE}
    if told is not None and told not in methods:
        raise Malformed(f"collection_method {told!r} is not one of {', '.join(methods)}")
    return methods.get(told or "")
