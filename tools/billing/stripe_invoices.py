"""Stripe's invoices of any API version from 2018 to 2026 as snapshots, with the tries and methods that stand in them."""

from datetime import datetime

from recoup.events import EventKind
from recoup.invoice import (
    AccountSnapshot,
    AttemptSnapshot,
    AttemptStatus,
    BillingReason,
    CollectionMethod,
    Collector,
    CredentialSnapshot,
    Initiator,
    InvoiceSnapshot,
    InvoiceStatus,
)
from tools.billing.json_part import Part
from tools.billing.stripe_payments import (
    attempt_of_charge,
    attempt_of_intent,
    attempt_of_invoice_payment,
    credential_of,
    credentials_of_payment,
    currency_of,
)

# What the newest try came to, by what the event says of the invoice.
OUTCOMES = {
    EventKind.PAYMENT_FAILED: AttemptStatus.FAILED,
    EventKind.PAYMENT_ACTION_REQUIRED: AttemptStatus.REQUIRES_ACTION,
    EventKind.PAYMENT_SUCCEEDED: AttemptStatus.SUCCEEDED,
}
BILLING_REASONS = {
    "subscription_create": BillingReason.SUBSCRIPTION_CREATE,
    "subscription_cycle": BillingReason.SUBSCRIPTION_CYCLE,
    "subscription_update": BillingReason.SUBSCRIPTION_UPDATE,
    "manual": BillingReason.MANUAL,
}
OUT_OF_BAND_KEY = "out-of-band"


def invoice_of(invoice: Part, observed_at: datetime) -> InvoiceSnapshot:
    """The invoice as this event shows it; what the version does not have stays untold."""
    reason, method = invoice.text("billing_reason"), invoice.text("collection_method") or invoice.text("billing")
    transitions, tries = invoice.part("status_transitions"), invoice.integer("attempt_count")
    return InvoiceSnapshot(
        vendor_id=invoice.need_text("id"),
        observed_at=observed_at,
        number=invoice.text("number"),
        account_vendor_id=invoice.ref("customer"),
        currency=currency_of(invoice),
        status=_status(invoice),
        total_minor=invoice.integer("total"),
        tax_minor=_tax(invoice),
        due_minor=invoice.integer("amount_due"),
        paid_minor=_received(invoice),
        remaining_minor=_remaining(invoice),
        credited_minor=_sum(invoice.integer("pre_payment_credit_notes_amount"), invoice.integer("post_payment_credit_notes_amount")),
        collection_method=CollectionMethod(method) if method in set(CollectionMethod) else None,
        billing_reason=BILLING_REASONS.get(reason, BillingReason.OTHER) if reason else None,
        subscription_vendor_id=subscription_of(invoice),
        attempt_count=tries,
        # After the first attempt, whoever made it, Stripe counts its own automatic ones alone.
        platform_retries=None if tries is None else max(0, tries - 1),
        next_platform_attempt_at=_next_attempt(invoice),
        collector=_collector(invoice),
        payment_link=invoice.text("hosted_invoice_url"),
        issued_at=transitions.time("finalized_at") or invoice.time("effective_at") or invoice.time("created") or invoice.time("date"),
        due_at=invoice.time("due_date"),
    )


def subscription_of(invoice: Part) -> str | None:
    """The subscription it bills: on the invoice itself, in its ``parent`` (from 2025-03-31), or on its first line that has one."""
    return invoice.ref("subscription") or _of_parent(invoice.part("parent")) or _of_lines(invoice)


def account_of_invoice(invoice: Part, observed_at: datetime) -> AccountSnapshot | None:
    """Whom the invoice is for, with the contact data that stands on it."""
    customer_id = invoice.ref("customer")
    if customer_id is None:
        return None
    if invoice.part("customer"):
        return account_of(invoice.part("customer"), observed_at)
    return AccountSnapshot(
        vendor_id=customer_id,
        observed_at=observed_at,
        full_name=invoice.text("customer_name"),
        email=invoice.text("customer_email"),
        phone=invoice.text("customer_phone"),
        country=invoice.part("customer_address").text("country"),
    )


def account_of(customer: Part, observed_at: datetime) -> AccountSnapshot:
    """A customer. Stripe tells no time zone."""
    locales = customer.values.get("preferred_locales")
    locale: object = locales[0] if isinstance(locales, list) and locales else None  # pyright: ignore[reportUnknownVariableType]
    return AccountSnapshot(
        vendor_id=customer.need_text("id"),
        observed_at=observed_at,
        full_name=customer.text("name"),
        email=customer.text("email"),
        phone=customer.text("phone"),
        locale=locale if isinstance(locale, str) else None,
        country=customer.part("address").text("country"),
    )


def attempts_of_invoice(invoice: Part, kind: EventKind, observed_at: datetime) -> tuple[AttemptSnapshot, ...]:
    """The tries that the invoice shows. An event that says how the newest one ended tells of one even where no id is given."""
    outcome = OUTCOMES.get(kind)
    shown = [attempt_of_invoice_payment(payment, observed_at, open_means=outcome) for payment in invoice.parts("payments")]
    attempts = [attempt for attempt in shown if attempt is not None]
    if invoice.part("charge"):
        attempts.append(attempt_of_charge(invoice.part("charge"), observed_at))
    elif invoice.part("payment_intent"):
        attempts.append(attempt_of_intent(invoice.part("payment_intent"), observed_at))
    if attempts or outcome is None or (outcome is AttemptStatus.SUCCEEDED and not _paid(invoice)):
        return tuple(attempts)
    return (_unshown_attempt(invoice, outcome, observed_at),)


def credentials_of_invoice(invoice: Part) -> tuple[CredentialSnapshot, ...]:
    """The methods that are described in the invoice."""
    methods = [invoice.part("default_payment_method"), invoice.part("default_source")]
    found = [credential_of(method) for method in methods if method.has("id")]
    for payment in (invoice.part("charge"), invoice.part("payment_intent")):
        found += credentials_of_payment(payment)
    return tuple({credential.vendor_id: credential for credential in found}.values())


def _unshown_attempt(invoice: Part, outcome: AttemptStatus, observed_at: datetime) -> AttemptSnapshot:
    charge_id, intent_id = invoice.ref("charge"), invoice.ref("payment_intent")
    paid = outcome is AttemptStatus.SUCCEEDED
    paid_at = invoice.part("status_transitions").time("paid_at") if paid else None
    out_of_band = paid and invoice.flag("paid_out_of_band") is True
    # The platform does not count a customer's own payment, so a success must not fall on the number of the failure before it.
    number = f"attempt-{invoice.integer('attempt_count') or 0}" + ("-paid" if paid else "")
    told: dict[str, object] = {"initiator": Initiator.MERCHANT} if out_of_band else {}
    return AttemptSnapshot.model_validate(
        told
        | {
            "vendor_key": OUT_OF_BAND_KEY if out_of_band else charge_id or intent_id or number,
            "occurred_at": paid_at or observed_at,
            "observed_at": observed_at,
            "status": outcome,
            "amount_minor": _paid(invoice) if paid else invoice.integer("amount_due"),
            "currency": currency_of(invoice),
            "charge_vendor_id": None if out_of_band else charge_id,
            "intent_vendor_id": None if out_of_band else intent_id,
            "credential_vendor_id": None if paid else invoice.ref("default_payment_method") or invoice.ref("default_source"),
        }
    )


def _status(invoice: Part) -> InvoiceStatus | None:
    told = invoice.text("status")
    if told is not None:
        return InvoiceStatus(told) if told in set(InvoiceStatus) else None
    # Until 2018-11-08 there were flags.
    if invoice.flag("paid"):
        return InvoiceStatus.PAID
    if invoice.flag("forgiven"):
        return InvoiceStatus.UNCOLLECTIBLE
    if invoice.flag("closed"):
        return InvoiceStatus.VOID
    return InvoiceStatus.OPEN if invoice.has("paid") else None


def _next_attempt(invoice: Part) -> datetime | None:
    """When Stripe tries next by itself. It keeps to no plan of an invoice that was taken out of its collection."""
    return None if invoice.flag("auto_advance") is False else invoice.time("next_payment_attempt")


def _collector(invoice: Part) -> Collector | None:
    """Stripe collects what it advances by itself and has planned an attempt of; after its last one there is none. Events of before
    2018-11-08 do not tell."""
    if not invoice.has("auto_advance"):
        return None
    return Collector.PLATFORM if _next_attempt(invoice) else Collector.RECOUP


def _paid(invoice: Part) -> int | None:
    told = invoice.integer("amount_paid")
    if told is None and invoice.has("paid"):
        return invoice.integer("amount_due") if invoice.flag("paid") else 0
    return told


def _received(invoice: Part) -> int | None:
    """What was paid, with what came beyond the amount due: from 2025 on Stripe counts that apart."""
    return _sum(_paid(invoice), invoice.integer("amount_overpaid")) if invoice.text("status") == "paid" else _paid(invoice)


def _remaining(invoice: Part) -> int | None:
    told, due, paid = invoice.integer("amount_remaining"), invoice.integer("amount_due"), _paid(invoice)
    if told is None and due is not None and paid is not None:
        return max(due - paid, 0)
    return told


def _tax(invoice: Part) -> int | None:
    if invoice.has("tax"):
        return invoice.integer("tax")
    for key in ("total_taxes", "total_tax_amounts"):
        if invoice.has(key):
            return sum(tax.integer("amount") or 0 for tax in invoice.parts(key))
    return None


def _of_parent(parent: Part) -> str | None:
    # ``type`` says which of its details is meant; the others are null, or left over.
    if parent.text("type") == "subscription_details":
        return parent.part("subscription_details").ref("subscription")
    return None


def _of_lines(invoice: Part) -> str | None:
    for line in invoice.parts("lines"):
        parent = line.part("parent")
        details = parent.part(parent.text("type") or "")
        found = line.ref("subscription") or details.ref("subscription")
        if found is None and line.text("type") == "subscription" and (line.text("id") or "").startswith("sub_"):
            found = line.text("id")  # until 2019 a subscription's line had its id
        if found is not None:
            return found
    return None


def _sum(*amounts: int | None) -> int | None:
    told = [amount for amount in amounts if amount is not None]
    return sum(told) if told else None
