"""How the Recurly double's records look on the wire. Absent values are sent as null, as Recurly does, and amounts in major units."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tests.vendors.recurly_bank import DECLINES
from tests.vendors.recurly_records import (
    PERIOD,
    Account,
    BillingInfo,
    Card,
    Invoice,
    Record,
    Store,
    Subscription,
    Transaction,
)

EXPONENTS = {"JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "ISK": 0, "KWD": 3, "BHD": 3}
LIVE_STATES = frozenset({"active", "canceled", "future", "paused"})
OPEN_STATES = frozenset({"pending", "processing", "past_due"})


def exponent(currency: str) -> int:
    """How many decimals a currency has."""
    return EXPONENTS.get(currency, 2)


def major(minor: int, currency: str) -> float:
    """An amount as Recurly tells it."""
    return round(minor / 10 ** exponent(currency), exponent(currency))


def instant(at: datetime | None) -> str | None:
    """A time as Recurly tells it: UTC, whole seconds."""
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")


def listed(data: list[dict[str, Any]], following: str | None = None) -> dict[str, Any]:
    """A page; ``following`` is the path of the next one."""
    return {"object": "list", "has_more": following is not None, "next": following, "data": data}


def told(record: Record, kind: str) -> dict[str, Any]:
    """What every record tells of itself."""
    return {"id": record.id, "object": kind, "created_at": instant(record.created_at), "updated_at": instant(record.updated_at)}


def _custom_fields(values: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in values.items()]


class Views:
    """The views, which follow references through the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def account(self, account: Account) -> dict[str, Any]:
        """An account in full, its primary billing info included."""
        states = {s.state for s in self._store.subscriptions_of(account.id)}
        primary = self._store.primary(account.id)
        return {
            **told(account, "account"),
            "deleted_at": instant(account.closed_at) if account.closed_at else None,
            "code": account.code,
            "hosted_login_token": account.hosted_login_token,
            "state": "inactive" if account.closed_at else "active",
            "email": account.email,
            "username": None,
            "first_name": account.first_name,
            "last_name": account.last_name,
            "company": account.company,
            "preferred_locale": account.preferred_locale,
            "preferred_time_zone": account.preferred_time_zone,
            "cc_emails": None,
            "vat_number": None,
            "tax_exempt": False,
            "bill_to": "parent" if account.parent_account_id else "self",
            "parent_account_id": account.parent_account_id,
            "dunning_campaign_id": account.dunning_campaign_id,
            "address": _address(account),
            "billing_info": self.billing_info(primary) if primary else None,
            "shipping_addresses": [],
            "custom_fields": _custom_fields(account.custom_fields),
            "has_live_subscription": bool(states & LIVE_STATES),
            "has_active_subscription": "active" in states,
            "has_future_subscription": "future" in states,
            "has_canceled_subscription": "canceled" in states,
            "has_paused_subscription": "paused" in states,
            "has_past_due_invoice": any(i.state == "past_due" for i in self._store.invoices_of(account.id)),
        }

    def account_mini(self, account_id: str) -> dict[str, Any]:
        """An account as other records mention it."""
        account = self._store.accounts[account_id]
        names = ("id", "code", "email", "first_name", "last_name", "company", "parent_account_id", "dunning_campaign_id")
        mini = {name: getattr(account, name) for name in names}
        return {"object": "account", "bill_to": "parent" if account.parent_account_id else "self", **mini}

    def balance(self, account: Account) -> dict[str, Any]:
        """What an account owes, by currency."""
        owed: dict[str, int] = {}
        past_due = False
        for invoice in self._store.invoices_of(account.id):
            if invoice.state in OPEN_STATES:
                owed[invoice.currency] = owed.get(invoice.currency, 0) + invoice.balance
                past_due = past_due or invoice.state == "past_due"
        balances = [{"currency": currency, "amount": major(amount, currency)} for currency, amount in owed.items()]
        return {"object": "account_balance", "account": self.account_mini(account.id), "past_due": past_due, "balances": balances}

    def billing_info(self, info: BillingInfo) -> dict[str, Any]:
        """A payment method of an account."""
        account = self._store.accounts[info.account_id]
        return {
            **told(info, "billing_info"),
            "account_id": info.account_id,
            "first_name": account.first_name,
            "last_name": account.last_name,
            "company": account.company,
            "address": _address(account),
            "vat_number": None,
            "valid": info.valid,
            "payment_method": payment_method(info.card),
            "fraud": None,
            "primary_payment_method": info.primary,
            "backup_payment_method": info.backup,
            "payment_gateway_references": [],
            "updated_by": {"ip": None, "country": account.country},
        }

    def invoice(self, invoice: Invoice) -> dict[str, Any]:
        """An invoice with its transactions."""
        currency = invoice.currency
        amounts = {
            "discount": 0,
            "subtotal": invoice.total - invoice.tax,
            "subtotal_after_discount": invoice.total - invoice.tax,
            "tax": invoice.tax,
            "total": invoice.total,
            "paid": invoice.paid,
            "balance": invoice.balance,
        }
        refundable = major(invoice.paid - invoice.refunded, currency) if invoice.type == "charge" else None
        return {
            **told(invoice, "invoice"),
            **{name: major(amount, currency) for name, amount in amounts.items()},
            "uuid": invoice.uuid,
            "number": invoice.number,
            "type": invoice.type,
            "origin": invoice.origin,
            "state": invoice.state,
            "account": self.account_mini(invoice.account_id),
            "billing_info_id": invoice.billing_info_id,
            "subscription_ids": invoice.subscription_ids,
            "previous_invoice_id": invoice.previous_invoice_id,
            "collection_method": invoice.collection_method,
            "po_number": invoice.po_number,
            "net_terms": 0,
            "net_terms_type": "net",
            "currency": currency,
            "refundable_amount": refundable,
            "terms_and_conditions": invoice.terms_and_conditions,
            "customer_notes": invoice.customer_notes,
            "line_items": [],
            "has_more_line_items": False,
            "transactions": [self.transaction(t) for t in self._store.transactions_of(invoice)],
            "credit_payments": [],
            "due_at": instant(invoice.due_at),
            "closed_at": instant(invoice.closed_at),
            "dunning_campaign_id": invoice.dunning_campaign_id,
            "dunning_events_sent": invoice.dunning_events_sent,
            "final_dunning_event": invoice.final_dunning_event,
        }

    def invoice_mini(self, invoice_id: str) -> dict[str, Any]:
        """An invoice as its transactions mention it."""
        invoice = self._store.invoices[invoice_id]
        return {"id": invoice.id, "object": "invoice", "number": invoice.number, "type": invoice.type, "state": invoice.state}

    def transaction(self, transaction: Transaction) -> dict[str, Any]:
        """A transaction; what a decline says stands in five places of it."""
        decline = DECLINES.get(transaction.code or "")
        return {
            **told(transaction, "transaction"),
            "uuid": transaction.uuid,
            "original_transaction_id": transaction.original_id,
            "account": self.account_mini(transaction.account_id),
            "invoice": self.invoice_mini(transaction.invoice_id),
            "voided_by_invoice": None,
            "initiator": transaction.initiator,
            "merchant_reason_code": "resubmission" if transaction.is_resubmission else None,
            "subscription_ids": transaction.subscription_ids,
            "type": transaction.type,
            "origin": transaction.origin,
            "currency": transaction.currency,
            "amount": major(transaction.amount, transaction.currency),
            "status": transaction.status,
            "success": transaction.status == "success",
            "backup_payment_method_used": transaction.backup_used,
            "refunded": transaction.refunded > 0,
            "collection_method": "automatic",
            "payment_method": payment_method(transaction.card),
            "payment_gateway_references": [],
            "status_code": transaction.code,
            "status_message": decline.merchant_advice if decline else None,
            "customer_message": decline.customer_message if decline else None,
            "customer_message_locale": "en-US" if decline else None,
            "payment_gateway": {"id": "gatewaytest1", "object": "payment_gateway", "type": "test", "name": "Test gateway"},
            "gateway_message": (decline.decline_code or decline.code) if decline else "Approved",
            "gateway_reference": f"ref-{transaction.id}" if decline is None or decline.reached_the_bank else None,
            "gateway_approval_code": None if decline else "A0001",
            "gateway_response_code": decline.gateway_code if decline else "00",
            "gateway_response_time": 0.4,
            "gateway_response_values": {},
            "cvv_check": None,
            "avs_check": None,
            "voided_at": instant(transaction.voided_at),
            "collected_at": instant(transaction.collected_at),
            "fraud_info": None,
        }

    def subscription(self, subscription: Subscription) -> dict[str, Any]:
        """A subscription."""
        left = subscription.remaining_pause_cycles
        resumes = None if left is None else subscription.period_ends_at + left * PERIOD
        price = major(subscription.amount, subscription.currency)
        return {
            **told(subscription, "subscription"),
            "uuid": subscription.uuid,
            "account": self.account_mini(subscription.account_id),
            "plan": {"id": f"plan{subscription.plan_code}"[:13], "object": "plan", "code": subscription.plan_code, "name": "A plan"},
            "state": subscription.state,
            "currency": subscription.currency,
            "unit_amount": price,
            "quantity": 1,
            "add_ons": [],
            "add_ons_total": 0.0,
            "subtotal": price,
            "tax": 0.0,
            "total": price,
            "coupon_redemptions": [],
            "pending_change": None,
            "current_period_started_at": instant(subscription.period_started_at),
            "current_period_ends_at": instant(subscription.period_ends_at),
            "current_term_started_at": instant(subscription.period_started_at),
            "current_term_ends_at": instant(subscription.period_ends_at),
            "total_billing_cycles": 1,
            "remaining_billing_cycles": 0,
            "auto_renew": subscription.auto_renew,
            "paused_at": instant(subscription.paused_at),
            "remaining_pause_cycles": subscription.remaining_pause_cycles,
            "resume_at": instant(resumes),
            "collection_method": subscription.collection_method,
            "net_terms": 0,
            "net_terms_type": "net",
            "customer_notes": subscription.customer_notes,
            "expiration_reason": subscription.expiration_reason,
            "custom_fields": _custom_fields(subscription.custom_fields),
            "activated_at": instant(subscription.created_at),
            "canceled_at": instant(subscription.canceled_at),
            "expires_at": instant(subscription.expires_at),
            "billing_info_id": subscription.billing_info_id,
            "active_invoice_id": subscription.active_invoice_id,
        }


def payment_method(card: Card) -> dict[str, Any]:
    """What is told of a payment method: never its number and, unlike at Stripe, no fingerprint."""
    if card.kind != "credit_card":
        return {"object": card.kind, "last_four": card.last_four, "account_type": "checking", "routing_number_bank": "A bank"}
    return {
        "object": card.kind,
        "card_type": card.brand,
        "first_six": card.first_six,
        "last_four": card.last_four,
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
        "cc_bin_country": card.country,
        "funding_source": card.funding,
    }


def _address(account: Account) -> dict[str, Any]:
    empty = dict.fromkeys(("phone", "street1", "street2", "city", "region", "postal_code", "geo_code"))
    return {**empty, "country": account.country}
