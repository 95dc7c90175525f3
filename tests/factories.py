"""Builders of the kernel's values with sane defaults; a test names only what it is about.

The default world: Ada owes 49.00 USD on a monthly invoice; the platform's first attempt failed for insufficient funds an hour ago.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from recoup.actions import ActionName, Channel, ChargeArgs, MessageArgs, NoteArgs, make_action
from recoup.case import CaseStatus
from recoup.category import Category
from recoup.events import EventKind, Reading
from recoup.facts import (
    AccountFacts,
    ActionFacts,
    AttemptFacts,
    CaseFacts,
    CaseInfo,
    ConnectionFacts,
    ContactFacts,
    CredentialFacts,
    InvoiceFacts,
    LedgerEntry,
    OpenInvoice,
)
from recoup.ids import new_id
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
from recoup.policy import PlanRules, Policy
from recoup.proposal import Proposed
from recoup.settings import Connection, Platform
from recoup.texts import TextFacts, TextKind

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
FAILED_AT = NOW - timedelta(hours=1)
ALL_CAPABILITIES = ("read", *(str(name) for name in ActionName))


def make_connection(**changes: Any) -> Connection:
    """A sandbox connection with one webhook secret."""
    values: dict[str, Any] = {
        "name": "sandbox",
        "platform": Platform.SANDBOX,
        "livemode": False,
        "simulated": True,
        "webhook_secrets": ("whsec_test",),
        "api_base": "http://127.0.0.1:1",
        "api_key": "sk_test",
    }
    return Connection(**(values | changes))


def make_policy(**changes: Any) -> Policy:
    """The default policy with changes."""
    return Policy(**changes)


def on_ladder(**changes: Any) -> Policy:
    """The same, with cases planned on the days of [steps], so that a test can say what happens when."""
    return Policy(plan=PlanRules(by="ladder"), **changes)


# Snapshots: what a platform says


def invoice_snapshot(**changes: Any) -> InvoiceSnapshot:
    """An open, automatically collected renewal of 49.00 USD."""
    values: dict[str, Any] = {
        "vendor_id": "in_1",
        "observed_at": FAILED_AT,
        "number": "A-0001",
        "account_vendor_id": "cus_1",
        "currency": "USD",
        "status": InvoiceStatus.OPEN,
        "total_minor": 4900,
        "tax_minor": 0,
        "due_minor": 4900,
        "paid_minor": 0,
        "remaining_minor": 4900,
        "credited_minor": 0,
        "refunded_minor": 0,
        "collection_method": CollectionMethod.CHARGE_AUTOMATICALLY,
        "billing_reason": BillingReason.SUBSCRIPTION_CYCLE,
        "subscription_vendor_id": "sub_1",
        "attempt_count": 1,
        "payment_link": "https://pay.example/in_1",
        "issued_at": FAILED_AT - timedelta(hours=1),
    }
    return InvoiceSnapshot(**(values | changes))


def attempt_snapshot(**changes: Any) -> AttemptSnapshot:
    """The platform's first attempt, failed for insufficient funds a day ago, so that nothing has to wait any more."""
    values: dict[str, Any] = {
        "vendor_key": "ch_1",
        "occurred_at": FAILED_AT - timedelta(days=1),
        "observed_at": FAILED_AT,
        "status": AttemptStatus.FAILED,
        "amount_minor": 4900,
        "currency": "USD",
        "charge_vendor_id": "ch_1",
        "credential_vendor_id": "pm_1",
        "initiator": Initiator.PLATFORM,
        "customer_initiated": False,
        "cit_confidence": 0.9,
        "codes": DeclineCodes(processor="stripe", decline_code="insufficient_funds"),
    }
    return AttemptSnapshot(**(values | changes))


def credential_snapshot(**changes: Any) -> CredentialSnapshot:
    """A Visa debit card that is valid for long."""
    values: dict[str, Any] = {
        "vendor_id": "pm_1",
        "fingerprint": "fp_1",
        "brand": "visa",
        "funding": "debit",
        "country": "US",
        "last4": "0341",
        "expires": "2029-12",
    }
    return CredentialSnapshot(**(values | changes))


def account_snapshot(**changes: Any) -> AccountSnapshot:
    """Ada in New York."""
    values: dict[str, Any] = {
        "vendor_id": "cus_1",
        "observed_at": FAILED_AT,
        "first_name": "Ada",
        "full_name": "Ada Example",
        "email": "ada@customer.example",
        "locale": "en",
        "timezone": "America/New_York",
        "timezone_source": "platform",
        "country": "US",
    }
    return AccountSnapshot(**(values | changes))


def make_reading(**changes: Any) -> Reading:
    """The failed payment of the default world, complete."""
    values: dict[str, Any] = {
        "kind": EventKind.PAYMENT_FAILED,
        "event_type": "invoice.payment_failed",
        "occurred_at": FAILED_AT,
        "livemode": False,
        "account": account_snapshot(),
        "invoice": invoice_snapshot(),
        "attempts": (attempt_snapshot(),),
        "credentials": (credential_snapshot(),),
        "subscription_vendor_id": "sub_1",
    }
    return Reading(**(values | changes))


# Facts: what a decision rests on


def connection_facts(**changes: Any) -> ConnectionFacts:
    """A sandbox connection that can do everything."""
    values: dict[str, Any] = {
        "name": "sandbox",
        "platform": "sandbox",
        "livemode": False,
        "simulated": True,
        "capabilities": ALL_CAPABILITIES,
    }
    return ConnectionFacts(**(values | changes))


def account_facts(**changes: Any) -> AccountFacts:
    """Reachable by e-mail, in New York."""
    values: dict[str, Any] = {
        "id": "acc_1",
        "locale": "en",
        "timezone": "America/New_York",
        "timezone_source": "platform",
        "country": "US",
        "segment": None,
        "plan_tier": None,
        "reachable": ("email",),
        "suppressed": (),
        "holdout": False,
    }
    return AccountFacts(**(values | changes))


def case_info(**changes: Any) -> CaseInfo:
    """An open first episode."""
    values: dict[str, Any] = {
        "id": "case_1",
        "status": CaseStatus.OPEN,
        "holds": (),
        "episode": 1,
        "version": 1,
        "opened_at": FAILED_AT,
        "first_failed_at": FAILED_AT,
        "grace_until": None,
        "suspended": False,
        "overpaid_minor": 0,
        "recovered_attempt_id": None,
    }
    return CaseInfo(**(values | changes))


def invoice_facts(**changes: Any) -> InvoiceFacts:
    """49.00 USD open."""
    values: dict[str, Any] = {
        "id": "inv_1",
        "vendor_id": "in_1",
        "status": InvoiceStatus.OPEN,
        "currency": "USD",
        "total_minor": 4900,
        "paid_minor": 0,
        "remaining_minor": 4900,
        "credited_minor": 0,
        "refunded_minor": 0,
        "collection_method": CollectionMethod.CHARGE_AUTOMATICALLY,
        "billing_reason": BillingReason.SUBSCRIPTION_CYCLE,
        "subscription_vendor_id": "sub_1",
        "next_platform_attempt_at": None,
        "payment_link": True,
        "observed_at": FAILED_AT,
        "read_at": NOW,
    }
    return InvoiceFacts(**(values | changes))


def credential_facts(**changes: Any) -> CredentialFacts:
    """The subscription's Visa debit card."""
    values: dict[str, Any] = {
        "id": "crd_1",
        "vendor_id": "pm_1",
        "rail": Rail.CARD,
        "brand": "visa",
        "funding": "debit",
        "country": "US",
        "expires": "2029-12",
        "slot": CredentialSlot.SUBSCRIPTION,
        "is_usable": True,
        "changed_at": FAILED_AT - timedelta(days=200),
    }
    return CredentialFacts(**(values | changes))


CODE_OF = {
    Category.NEVER: "lost_card",
    Category.MANDATE_STOPPED: "revocation_of_authorization",
    Category.NEW_DATA: "expired_card",
    Category.CUSTOMER_ACTION: "authentication_required",
    Category.POLICY: "card_not_supported",
    Category.UNKNOWN_OUTCOME: "lock_timeout",
    Category.GENERIC: "do_not_honor",
    Category.FUNDS: "insufficient_funds",
    Category.TECHNICAL: "processing_error",
}


def attempt_facts(**changes: Any) -> AttemptFacts:
    """The platform's first attempt, failed for insufficient funds; a category alone brings a code of its own."""
    if changes.get("category") is not None:
        code = CODE_OF[changes["category"]]
        changes = {"codes": DeclineCodes(processor="stripe", decline_code=code), "reason": code} | changes
    values: dict[str, Any] = {
        "id": "att_1",
        "credential_id": "crd_1",
        "status": AttemptStatus.FAILED,
        "amount_minor": 4900,
        "currency": "USD",
        "initiator": Initiator.PLATFORM,
        "customer_initiated": False,
        "cit_confidence": 0.9,
        "occurred_at": FAILED_AT,
        "codes": DeclineCodes(processor="stripe", decline_code="insufficient_funds"),
        "reason": "insufficient_funds",
        "category": Category.FUNDS,
        "code_known": True,
    }
    return AttemptFacts(**(values | changes))


def ledger_entry(**changes: Any) -> LedgerEntry:
    """The default attempt as the ledger counts it."""
    values: dict[str, Any] = {
        "id": "att_1",
        "at": FAILED_AT,
        "amount_minor": 4900,
        "currency": "USD",
        "state": "failed",
        "initiator": Initiator.PLATFORM,
        "customer_initiated": False,
        "category": Category.FUNDS,
        "own_case": True,
    }
    return LedgerEntry(**(values | changes))


def contact_facts(**changes: Any) -> ContactFacts:
    """An e-mail sent three days ago."""
    values: dict[str, Any] = {
        "id": "msg_1",
        "at": NOW - timedelta(days=3),
        "channel": "email",
        "case_id": "case_1",
        "step": 1,
        "state": "sent",
    }
    return ContactFacts(**(values | changes))


def text_facts(**changes: Any) -> TextFacts:
    """A ticket of an hour ago that nobody has read."""
    return TextFacts(**({"id": "txt_1", "kind": TextKind.TICKET, "at": FAILED_AT} | changes))


def action_facts(**changes: Any) -> ActionFacts:
    """An e-mail that was sent before."""
    action = changes.get("name", ActionName.SEND_MESSAGE)
    values: dict[str, Any] = {
        "id": "act_1",
        "name": action,
        "risk": make_message().risk,
        "state": "done",
        "step": 1,
        "channel": "email",
        "at": NOW - timedelta(days=3),
    }
    return ActionFacts(**(values | changes))


def make_facts(**changes: Any) -> CaseFacts:
    """All facts of the default world, at 15:00 UTC (late morning in New York)."""
    values: dict[str, Any] = {
        "now": NOW,
        "kill_switch": False,
        "connection": connection_facts(),
        "account": account_facts(),
        "case": case_info(),
        "invoice": invoice_facts(),
        "credential": credential_facts(),
        "backups": (),
        "attempts": (attempt_facts(),),
        "ledger": (ledger_entry(),),
        "contacts": (),
        "other_open_invoices": (),
        "actions": (),
    }
    return CaseFacts(**(values | changes))


def open_invoice(**changes: Any) -> OpenInvoice:
    """Another invoice of the same account, 10.00 USD."""
    values: dict[str, Any] = {"id": "inv_2", "currency": "USD", "remaining_minor": 1000}
    return OpenInvoice(**(values | changes))


# Actions


def make_message(name: ActionName = ActionName.SEND_MESSAGE, **changes: Any):
    """An e-mail of step 1 about the default invoice."""
    values: dict[str, Any] = {"channel": Channel.EMAIL, "template": "payment_failed", "step": 1, "invoice_ids": ("inv_1",)}
    return make_action(name, MessageArgs(**(values | changes)))


def make_retry(name: ActionName = ActionName.RETRY_PAYMENT, **changes: Any):
    """A retry of all that remains on the default card."""
    values: dict[str, Any] = {"credential_id": "crd_1", "amount_minor": 4900, "currency": "USD"}
    return make_action(name, ChargeArgs(**(values | changes)))


def make_note(text: str = "A note."):
    """An internal note."""
    return make_action(ActionName.WRITE_NOTE, NoteArgs(text=text))


def proposed(action: Any = None, **changes: Any) -> Proposed:
    """A proposed action, a retry by default, with a fresh id."""
    values: dict[str, Any] = {
        "id": new_id("action"),
        "action": action or make_retry(),
        "reason": "insufficient funds are often there a day later",
        "evidence": ("att_1",),
        "confidence": 0.8,
    }
    return Proposed(**(values | changes))


def major(amount: str) -> Decimal:
    """A policy amount in major units."""
    return Decimal(amount)
