"""Stripe's charges, payment intents, invoice payments and payment methods, of any API version, as snapshots."""

from datetime import datetime

from recoup.ids import PREFIXES
from recoup.invoice import AttemptSnapshot, AttemptStatus, CredentialSnapshot, DeclineCodes, Initiator, Rail
from recoup.money import checked_currency
from tools.billing.json_part import Part

PROCESSOR = "stripe"
OUR_KEYS = f"{PREFIXES['action']}_"

CHARGE_STATUS = {
    "succeeded": AttemptStatus.SUCCEEDED,
    "paid": AttemptStatus.SUCCEEDED,  # until 2015
    "pending": AttemptStatus.PROCESSING,
    "failed": AttemptStatus.FAILED,
}
INTENT_STATUS = {
    "succeeded": AttemptStatus.SUCCEEDED,
    "processing": AttemptStatus.PROCESSING,
    "requires_action": AttemptStatus.REQUIRES_ACTION,
    "requires_source_action": AttemptStatus.REQUIRES_ACTION,  # until 2019-02-11
    "requires_payment_method": AttemptStatus.FAILED,
    "requires_source": AttemptStatus.FAILED,
    "canceled": AttemptStatus.FAILED,
    "requires_confirmation": AttemptStatus.PENDING,
    "requires_capture": AttemptStatus.PENDING,
}
RAILS = {
    "card": Rail.CARD,
    "card_present": Rail.CARD,
    "us_bank_account": Rail.ACH,
    "ach_debit": Rail.ACH,
    "ach_credit_transfer": Rail.ACH,
    "bank_account": Rail.ACH,
    "sepa_debit": Rail.SEPA,
}
BRANDS = {"american express": "amex", "diners club": "diners"}


def currency_of(part: Part) -> str | None:
    """The ISO 4217 code in upper case; raises Malformed for one that does not exist."""
    code = part.text("currency")
    return checked_currency(code) if code else None


def attempt_of_charge(charge: Part, observed_at: datetime) -> AttemptSnapshot:
    """A charge is exactly one try."""
    charge_id = charge.need_text("id")
    status = _charge_status(charge)
    return AttemptSnapshot(
        vendor_key=charge_id,
        occurred_at=charge.time("created") or observed_at,
        observed_at=observed_at,
        status=status,
        amount_minor=charge.integer("amount"),
        currency=currency_of(charge),
        charge_vendor_id=charge_id,
        intent_vendor_id=charge.ref("payment_intent"),
        credential_vendor_id=_credential_id_of_charge(charge),
        codes=_codes_of_charge(charge) if status is AttemptStatus.FAILED else None,
    )


def attempt_of_intent(intent: Part, observed_at: datetime) -> AttemptSnapshot:
    """The newest try of an intent. A failure names its charge in the error; there is none where nothing reached the network."""
    intent_id = intent.need_text("id")
    error = intent.part("last_payment_error")
    status = INTENT_STATUS.get(intent.text("status") or "", AttemptStatus.UNKNOWN)
    failed = status is AttemptStatus.FAILED
    charge_id = (error.ref("charge") if failed else None) or intent.ref("latest_charge") or _newest_charge(intent)
    if status is AttemptStatus.REQUIRES_ACTION:
        # There will be one when the customer has confirmed; until then it shows that of the try before.
        charge_id = None
    received = intent.integer("amount_received") if status is AttemptStatus.SUCCEEDED else None
    return AttemptSnapshot(
        vendor_key=charge_id or intent_id,
        occurred_at=observed_at,
        observed_at=observed_at,
        status=status,
        amount_minor=received or intent.integer("amount"),
        currency=currency_of(intent),
        charge_vendor_id=charge_id,
        intent_vendor_id=intent_id,
        credential_vendor_id=intent.ref("payment_method") or intent.ref("source") or _method_of_error(error).text("id"),
        codes=_codes_of_error(error) if failed and error else None,
    )


def attempt_of_invoice_payment(payment: Part, observed_at: datetime, *, open_means: AttemptStatus | None) -> AttemptSnapshot | None:
    """What one InvoicePayment says of its try. ``open_means``: what an open one is in the event at hand; None where it says nothing."""
    what = payment.part("payment")
    if what.part("charge"):
        return attempt_of_charge(what.part("charge"), observed_at)
    if what.part("payment_intent").has("status"):
        return attempt_of_intent(what.part("payment_intent"), observed_at)
    status = {"paid": AttemptStatus.SUCCEEDED, "open": open_means}.get(payment.text("status") or "")
    charge_id, intent_id, record_id = what.ref("charge"), what.ref("payment_intent"), what.ref("payment_record")
    key = charge_id or intent_id or record_id
    if status is None or key is None:
        return None
    told: dict[str, object] = {"initiator": Initiator.MERCHANT} if record_id else {}  # recorded by the merchant, paid elsewhere
    paid = status is AttemptStatus.SUCCEEDED
    return AttemptSnapshot.model_validate(
        told
        | {
            "vendor_key": key,
            "occurred_at": payment.part("status_transitions").time("paid_at") or observed_at,
            "observed_at": observed_at,
            "status": status,
            "amount_minor": payment.integer("amount_paid" if paid else "amount_requested"),
            "currency": currency_of(payment),
            "charge_vendor_id": charge_id,
            "intent_vendor_id": intent_id,
            "payment_vendor_id": payment.text("id"),
        }
    )


def made_by(attempt: AttemptSnapshot, key: str | None, request_id: str | None) -> AttemptSnapshot:
    """The attempt with who made it, by the request that caused it and its idempotency key: ours is the id of an action.

    What Stripe does by itself no request causes. Of any other it does not tell whether the customer's page sent it or the merchant's
    people did: it counts as the customer's, since a page is what an invoice is usually paid on, and is not called customer-initiated."""
    if key is None or not key.startswith(OUR_KEYS):
        return attempt if request_id is None else attempt.model_copy(update={"initiator": Initiator.CUSTOMER})
    told = {"action_id": key, "initiator": Initiator.RECOUP, "customer_initiated": False, "cit_confidence": 1.0}
    return attempt.model_copy(update=told)


def credentials_of_payment(payment: Part) -> tuple[CredentialSnapshot, ...]:
    """The method that a charge or an intent used, as far as it is described there."""
    error_method = _method_of_error(payment.part("last_payment_error"))
    details = payment.part("payment_method_details")
    vendor_id = payment.ref("payment_method") or payment.ref("source")
    for method in (payment.part("payment_method"), error_method, payment.part("source")):
        if method.has("id"):
            return (credential_of(method),)
    if vendor_id and details:
        return (_described(vendor_id, details.text("type"), details.part(details.text("type") or "card")),)
    return ()


def credential_of(method: Part, **told: object) -> CredentialSnapshot:
    """A payment method, or an old card or bank account source. ``told`` adds what only the event knows, such as the slot."""
    kind = method.text("type") or method.text("object")
    details = method.part(kind) if kind and method.has(kind) else method
    return _described(method.need_text("id"), kind, details, **told)


def credential_named(vendor_id: str, **told: object) -> CredentialSnapshot:
    """A method of which only the id is told."""
    return CredentialSnapshot.model_validate({"vendor_id": vendor_id} | told)


def _described(vendor_id: str, kind: str | None, details: Part, **told: object) -> CredentialSnapshot:
    year, month = details.integer("exp_year"), details.integer("exp_month")
    brand = (details.text("brand") or "").lower()
    values: dict[str, object] = {
        "vendor_id": vendor_id,
        "rail": RAILS.get(kind or "", Rail.OTHER),
        "fingerprint": details.text("fingerprint"),
        "brand": BRANDS.get(brand, brand) if brand not in {"", "unknown"} else None,
        "funding": details.text("funding"),
        "country": details.text("country"),
        "last4": details.text("last4"),
        "expires": f"{year:04d}-{month:02d}" if year and month else None,
        "mandate_vendor_id": details.ref("mandate"),
    }
    return CredentialSnapshot.model_validate(values | told)


def _charge_status(charge: Part) -> AttemptStatus:
    if charge.flag("captured") is False and charge.text("status") == "succeeded":
        return AttemptStatus.PENDING  # authorised only: no money has moved
    told = charge.text("status")
    if told is None:
        return AttemptStatus.SUCCEEDED if charge.flag("paid") else AttemptStatus.FAILED
    return CHARGE_STATUS.get(told, AttemptStatus.UNKNOWN)


def _credential_id_of_charge(charge: Part) -> str | None:
    return charge.ref("payment_method") or charge.ref("source") or charge.ref("card")


def _codes_of_charge(charge: Part) -> DeclineCodes:
    """``outcome.reason`` is the issuer's decline code; ``failure_code`` is Stripe's own, and all there is for other rails."""
    outcome = charge.part("outcome")
    return DeclineCodes(
        processor=PROCESSOR,
        decline_code=outcome.ref("reason") or charge.text("failure_code"),
        network_decline_code=outcome.text("network_decline_code"),
        advice_code=outcome.text("advice_code"),
        network_advice_code=outcome.text("network_advice_code"),
    )


def _codes_of_error(error: Part) -> DeclineCodes:
    return DeclineCodes(
        processor=PROCESSOR,
        decline_code=error.text("decline_code") or error.text("code"),
        network_decline_code=error.text("network_decline_code"),
        advice_code=error.text("advice_code"),
        network_advice_code=error.text("network_advice_code"),
    )


def _method_of_error(error: Part) -> Part:
    return error.part("payment_method") or error.part("source")


def _newest_charge(intent: Part) -> str | None:
    charges = intent.parts("charges")  # until 2022-11-15; newest first
    return charges[0].text("id") if charges else None
