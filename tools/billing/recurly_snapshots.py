"""What Recurly's API tells of accounts, invoices, transactions and billing infos, as snapshots.

Its ids are used throughout, and not the codes and UUIDs of the classic notifications: an account's code is often an e-mail address, and
the API finds no invoice by its UUID."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from recoup.events import CancellationKind
from recoup.invoice import (
    AccountSnapshot,
    AttemptSnapshot,
    AttemptStatus,
    BillingReason,
    CollectionMethod,
    CredentialSlot,
    CredentialSnapshot,
    DeclineCodes,
    Initiator,
    InvoiceSnapshot,
    InvoiceStatus,
    Rail,
)
from recoup.money import checked_currency, to_minor
from tools.billing.json_part import Part
from tools.billing.recurly_objects import BILLING_REASONS, INVOICE_STATUS, PROCESSOR, TRANSACTION_STATUS

PURCHASES = frozenset({"purchase", "capture"})
COLLECTED_BY_API = "api_force_collect"
# Who asked for a transaction, by its origin; of an origin that is not listed nobody is told.
ORIGINS: dict[str, Initiator] = {
    "recurring": Initiator.PLATFORM,
    **dict.fromkeys(("hpp", "recurlyjs", "transparent", "token_api"), Initiator.CUSTOMER),
    **dict.fromkeys((COLLECTED_BY_API, "force_collect", "api", "merchant", "recurly_admin", "external_recovery"), Initiator.MERCHANT),
}
COLLECTION_METHODS = {"automatic": CollectionMethod.CHARGE_AUTOMATICALLY, "manual": CollectionMethod.SEND_INVOICE}
CARDS = frozenset({"credit_card", "apple_pay", "apple_pay_merchant_token", "google_pay", "google_pay_device_pan"})
RAILS: dict[str, Rail] = {
    **dict.fromkeys((*CARDS, "braintree_apple_pay", "braintree_google_pay"), Rail.CARD),
    **dict.fromkeys(("bank_account_info",), Rail.ACH),
    **dict.fromkeys(("sepadirectdebit", "iban_bank_account"), Rail.SEPA),
}
PAST_CARD = "past-card:"


@dataclass(frozen=True)
class Wallet:
    """The billing infos that may be charged for an invoice: its own, the primary one and the backup. Others that lie there were not
    given for that, and are left alone."""

    account_id: str
    chosen_id: str | None
    billing_infos: Sequence[Part]

    @property
    def charged(self) -> list[Part]:
        """In the order in which Recurly takes them."""
        ranked = [(slot, info) for info in self.billing_infos if (slot := slot_of(info, self.chosen_id)) is not None]
        return [info for slot in CredentialSlot for found, info in ranked if found is slot]

    def of(self, transaction: Part) -> Part | None:
        """The billing info that holds what the transaction was made on. A transaction tells no id of it."""
        method = transaction.part("payment_method")
        mark = fingerprint(self.account_id, method)
        same = [info for info in self.charged if _is_same(self.account_id, info.part("payment_method"), mark, method)]
        if mark is None and len(same) > 1:
            return None
        used_backup = transaction.flag("backup_payment_method_used") is True
        return next((info for info in same if (info.flag("backup_payment_method") is True) == used_backup), same[0] if same else None)


def account_of(account: Part, at: datetime) -> AccountSnapshot:
    """The account, in full or as other objects mention it; names, e-mail and phone are personal."""
    first, last, timezone = account.text("first_name"), account.text("last_name"), account.text("preferred_time_zone")
    address = account.part("address")
    return AccountSnapshot(
        vendor_id=account.need_text("id"),
        observed_at=at,
        first_name=first,
        full_name=" ".join(name for name in (first, last) if name) or account.text("company"),
        email=account.text("email"),
        phone=address.text("phone"),
        locale=account.text("preferred_locale"),
        timezone=timezone,
        timezone_source="platform" if timezone else None,
        country=address.text("country"),
        parent_vendor_id=account.text("parent_account_id"),
    )


def invoice_of(invoice: Part, at: datetime, payment_link: str | None) -> InvoiceSnapshot:
    """A charge invoice. Recurly does not tell when it will itself try next, so that no next attempt is told here."""
    currency = checked_currency(invoice.need_text("currency"))
    total, tax, paid, balance = (minor_of(invoice, name, currency) for name in ("total", "tax", "paid", "balance"))
    refundable = minor_of(invoice, "refundable_amount", currency)
    status, reason = INVOICE_STATUS.get(invoice.text("state") or ""), invoice.text("origin")
    credited = None if total is None or paid is None or balance is None else max(0, total - paid - balance)
    subscriptions = texts(invoice, "subscription_ids")
    return InvoiceSnapshot(
        vendor_id=invoice.need_text("id"),
        observed_at=at,
        number=invoice.text("number"),
        account_vendor_id=invoice.part("account").text("id"),
        currency=currency,
        status=status,
        total_minor=total,
        tax_minor=tax,
        due_minor=total,
        paid_minor=paid,
        remaining_minor=balance,
        credited_minor=credited,
        refunded_minor=None if refundable is None or paid is None else max(0, paid - refundable),
        collection_method=COLLECTION_METHODS.get(invoice.text("collection_method") or ""),
        billing_reason=BILLING_REASONS.get(reason, BillingReason.OTHER) if reason else None,
        subscription_vendor_id=subscriptions[0] if subscriptions else None,
        attempt_count=len(purchases(invoice)),
        payment_link=payment_link if status is InvoiceStatus.OPEN else None,
        issued_at=invoice.time("created_at"),
        due_at=invoice.time("due_at"),
    )


def purchases(invoice: Part) -> list[Part]:
    """The transactions that tried to collect the invoice, oldest first: no refunds, verifications and authorisations."""
    found = [one for one in invoice.parts("transactions") if one.text("type") in PURCHASES]
    return sorted(found, key=lambda one: (one.need_time("created_at"), one.need_text("id")))


def attempt_of(transaction: Part, wallet: Wallet, at: datetime) -> AttemptSnapshot:
    """One transaction is one try."""
    transaction_id, info = transaction.need_text("id"), wallet.of(transaction)
    status = status_of(transaction)
    currency = checked_currency(transaction.need_text("currency"))
    told: dict[str, object] = {}
    if (by := ORIGINS.get(transaction.text("origin") or "")) is not None:
        told["initiator"] = by
    if (said := transaction.text("initiator")) in {"customer", "merchant"}:
        told |= {"customer_initiated": said == "customer", "cit_confidence": 0.9}
    return AttemptSnapshot.model_validate(
        told
        | {
            "vendor_key": transaction_id,
            "charge_vendor_id": transaction_id,
            "occurred_at": transaction.need_time("created_at"),
            "observed_at": at,
            "status": status,
            "amount_minor": minor_of(transaction, "amount", currency),
            "currency": currency,
            "credential_vendor_id": info.need_text("id") if info else past_card_id(wallet.account_id, transaction),
            "codes": codes_of(transaction) if status is AttemptStatus.FAILED else None,
        }
    )


def status_of(transaction: Part) -> AttemptStatus:
    """Where the transaction stands."""
    return TRANSACTION_STATUS.get(transaction.text("status") or "", AttemptStatus.UNKNOWN)


def codes_of(transaction: Part) -> DeclineCodes:
    """``status_code`` is Recurly's own word. The gateway's means nothing without its gateway, and the network's is not told."""
    return DeclineCodes(
        processor=PROCESSOR, decline_code=transaction.text("status_code"), gateway_code=transaction.text("gateway_response_code")
    )


def credentials_of(wallet: Wallet, transactions: Iterable[Part]) -> tuple[CredentialSnapshot, ...]:
    """What may be charged, and the cards that earlier transactions were made on and that are no longer there: caps count on them."""
    here = [credential_of(info, wallet.account_id, slot_of(info, wallet.chosen_id)) for info in wallet.charged]
    past: dict[str, CredentialSnapshot] = {}
    for transaction in transactions:
        vendor_id = past_card_id(wallet.account_id, transaction)
        if vendor_id is not None and wallet.of(transaction) is None:
            described = _described(wallet.account_id, transaction.part("payment_method"))
            past[vendor_id] = CredentialSnapshot.model_validate(
                described | {"vendor_id": vendor_id, "slot": CredentialSlot.BACKUP, "is_usable": False}
            )
    return (*here, *past.values())


def credential_of(info: Part, account_id: str, slot: CredentialSlot | None) -> CredentialSnapshot:
    """A billing info. One that has no ``slot`` lies in the wallet and was not given to be charged for this."""
    usable = slot is not None and info.flag("valid") is not False
    described = _described(account_id, info.part("payment_method"))
    return CredentialSnapshot.model_validate(
        described | {"vendor_id": info.need_text("id"), "slot": slot or CredentialSlot.BACKUP, "is_usable": usable}
    )


def slot_of(info: Part, chosen_id: str | None) -> CredentialSlot | None:
    """Where it stands: chosen for the subscription, the account's primary one, its backup, or nothing of these."""
    if chosen_id is not None and info.text("id") == chosen_id:
        return CredentialSlot.SUBSCRIPTION
    if info.flag("primary_payment_method"):
        return CredentialSlot.CUSTOMER
    return CredentialSlot.BACKUP if info.flag("backup_payment_method") else None


def fingerprint(account_id: str, method: Part) -> str | None:
    """What stands for the number itself, which Recurly does not tell: first six and last four digits within the account. A new expiry
    date is still the same number."""
    digits = [method.text(name) for name in ("first_six", "last_four", "last_two", "routing_number")]
    if not any(digits[1:3]):
        return None
    told = "\n".join([account_id, method.text("object") or "", *(part or "" for part in digits)])
    return f"recurly:{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def past_card_id(account_id: str, transaction: Part) -> str | None:
    """A name for a card that is in no billing info any more; None where it is not described."""
    mark = fingerprint(account_id, transaction.part("payment_method"))
    return f"{PAST_CARD}{mark}" if mark else None


def cancellation_of(subscription: Part) -> CancellationKind:
    """How it ends: for non-payment, at once, or at the end of what was paid for."""
    reason = (subscription.text("expiration_reason") or "").lower().replace("_", "")
    if reason in {"nonpayment", "dunning"}:
        return CancellationKind.NON_PAYMENT
    expires, period_ends = subscription.time("expires_at"), subscription.time("current_period_ends_at")
    is_early = expires is not None and period_ends is not None and expires < period_ends
    return CancellationKind.IMMEDIATE if is_early else CancellationKind.PERIOD_END


def minor_of(part: Part, name: str, currency: str) -> int | None:
    """An amount that is told in major units; None where it is not told."""
    major = part.decimal(name)
    return None if major is None else to_minor(major, currency)


def texts(part: Part, name: str) -> list[str]:
    """The strings of a list."""
    value = part.values.get(name)
    return [entry for entry in cast("list[object]", value) if isinstance(entry, str)] if isinstance(value, list) else []


def _is_same(account_id: str, held: Part, mark: str | None, used: Part) -> bool:
    if mark is not None:
        return fingerprint(account_id, held) == mark
    return bool(used) and held.text("object") == used.text("object") and fingerprint(account_id, held) is None


def _described(account_id: str, method: Part) -> dict[str, object]:
    year, month = method.integer("exp_year"), method.integer("exp_month")
    brand, country = method.text("card_type"), method.text("cc_bin_country")
    return {
        "fingerprint": fingerprint(account_id, method),
        "rail": RAILS.get(method.text("object") or "", Rail.OTHER),
        "brand": brand.lower().replace(" ", "_") if brand else None,
        "funding": method.text("funding_source"),
        "country": country.upper() if country else None,
        "last4": method.text("last_four"),
        "expires": f"{year:04d}-{month:02d}" if year and month else None,
    }
