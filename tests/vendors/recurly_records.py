"""What the Recurly double keeps: plain records, in minor units, and the store that gives them their ids."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

PERIOD = timedelta(days=30)
BASE36 = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass
class Card:
    """A way to pay, as its bank sees it; ``fingerprint`` is the same for every copy.

    ``answers`` is the bank's script: used one by one, and the last one stays. Each is "ok", "processing" or a code of ``recurly_bank``."""

    fingerprint: str
    answers: list[str] = field(default_factory=lambda: ["ok"])
    kind: str = "credit_card"
    brand: str | None = "Visa"
    first_six: str | None = "411111"
    last_four: str = "1111"
    exp_month: int | None = 12
    exp_year: int | None = 2029
    funding: str | None = "credit"
    country: str | None = "US"


@dataclass(kw_only=True)
class Record:
    """What every record has."""

    id: str
    created_at: datetime
    updated_at: datetime


@dataclass(kw_only=True)
class Account(Record):
    """A customer. ``code`` is the merchant's own name for it; whoever has ``hosted_login_token`` may change its payment methods."""

    code: str
    email: str
    hosted_login_token: str
    first_name: str = "Ada"
    last_name: str = "Example"
    company: str | None = None
    preferred_locale: str | None = None
    preferred_time_zone: str | None = None
    country: str = "US"
    dunning_campaign_id: str | None = None
    parent_account_id: str | None = None
    closed_at: datetime | None = None
    custom_fields: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(kw_only=True)
class BillingInfo(Record):
    """A payment method in an account's wallet."""

    account_id: str
    card: Card
    primary: bool
    backup: bool = False
    valid: bool = True


@dataclass(kw_only=True)
class Subscription(Record):
    """A subscription of 30-day periods, paid in advance."""

    uuid: str
    account_id: str
    plan_code: str
    currency: str
    amount: int
    period_started_at: datetime
    period_ends_at: datetime
    state: str = "active"
    collection_method: str = "automatic"
    auto_renew: bool = True
    paused_at: datetime | None = None
    remaining_pause_cycles: int | None = None
    canceled_at: datetime | None = None
    expires_at: datetime | None = None
    expiration_reason: str | None = None
    billing_info_id: str | None = None
    active_invoice_id: str | None = None
    customer_notes: str | None = None
    custom_fields: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(kw_only=True)
class Invoice(Record):
    """A charge or credit invoice. A credit invoice has negative amounts.

    ``dunned_since``: the first failure; ``next_retry_at``: when Recurly will itself try again; ``retry_count``: how often it has."""

    uuid: str
    number: str
    account_id: str
    currency: str
    total: int
    tax: int
    due_at: datetime
    type: Literal["charge", "credit"] = "charge"
    origin: str = "renewal"
    state: str = "pending"
    collection_method: str = "automatic"
    paid: int = 0
    refunded: int = 0
    subscription_ids: list[str] = field(default_factory=list[str])
    billing_info_id: str | None = None
    previous_invoice_id: str | None = None
    closed_at: datetime | None = None
    dunning_campaign_id: str | None = None
    dunned_since: datetime | None = None
    dunning_events_sent: int = 0
    final_dunning_event: bool = False
    next_retry_at: datetime | None = None
    retry_count: int = 0
    po_number: str | None = None
    customer_notes: str | None = None
    terms_and_conditions: str | None = None

    @property
    def balance(self) -> int:
        """What is still owed; nothing on credit invoices and on those that were given up for good."""
        return 0 if self.type == "credit" or self.state == "voided" else max(self.total - self.paid, 0)


@dataclass(kw_only=True)
class Transaction(Record):
    """One attempt to move money, with the payment method as it was then. ``code`` is Recurly's own word for a decline."""

    uuid: str
    account_id: str
    invoice_id: str
    type: Literal["purchase", "refund"]
    origin: str
    initiator: Literal["merchant", "customer"]
    currency: str
    amount: int
    status: str
    card: Card
    code: str | None = None
    is_resubmission: bool = False
    backup_used: bool = False
    refunded: int = 0
    original_id: str | None = None
    subscription_ids: list[str] = field(default_factory=list[str])
    collected_at: datetime | None = None
    voided_at: datetime | None = None
    settles_at: datetime | None = None


@dataclass(kw_only=True)
class Note(Record):
    """A note on an account, which the merchant's people see."""

    account_id: str
    message: str


@dataclass(kw_only=True)
class Campaign(Record):
    """A dunning campaign: days after the first failure on which it writes and tries, and what it does in the end."""

    code: str
    name: str
    message_days: tuple[int, ...] = (0, 3, 7, 14)
    retry_days: tuple[int, ...] = (2, 4, 7, 10, 14, 21)
    total_days: int = 28
    is_default: bool = False
    fail_invoice: bool = True
    expire_subscription: bool = True


@dataclass(kw_only=True)
class FieldDefinition(Record):
    """A custom field that the site allows on its accounts or subscriptions."""

    name: str
    related_type: Literal["account", "subscription"]


@dataclass(kw_only=True)
class SiteRecord(Record):
    """The site that the API key belongs to."""

    subdomain: str = "sample"
    mode: Literal["development", "sandbox", "production"] = "sandbox"
    has_wallet: bool = True
    has_campaigns: bool = True


class Store:
    """Every record by kind and id. ``version`` changes with every change, so that sorted lists can be kept."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._next_number = 1000
        self._used: set[str] = set()
        self.version = 0
        self.accounts: dict[str, Account] = {}
        self.billing_infos: dict[str, BillingInfo] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.invoices: dict[str, Invoice] = {}
        self.transactions: dict[str, Transaction] = {}
        self.notes: dict[str, Note] = {}
        self.campaigns: dict[str, Campaign] = {}
        self.definitions: dict[str, FieldDefinition] = {}
        self.sites: dict[str, SiteRecord] = {}
        self.numbers: dict[str, Invoice] = {}
        self.codes: dict[str, Account] = {}
        self._by_invoice: dict[str, list[Transaction]] = {}
        self._wallets: dict[str, list[BillingInfo]] = {}
        self._invoices_of: dict[str, list[Invoice]] = {}
        self._subscriptions_of: dict[str, list[Subscription]] = {}

    def new_id(self) -> str:
        """Twelve characters, as Recurly's ids are."""
        while (made := "".join(self._random.choices(BASE36, k=12))) in self._used:
            pass
        self._used.add(made)
        return made

    def new_uuid(self) -> str:
        """32 hexadecimal digits."""
        return f"{self._random.getrandbits(128):032x}"

    def new_number(self) -> str:
        """The next invoice number."""
        self._next_number += 1
        return str(self._next_number - 1)

    def touch(self, record: Record, now: datetime) -> None:
        """Marks a record as changed now."""
        record.updated_at = now
        self.version += 1

    def add_invoice(self, invoice: Invoice) -> None:
        """Keeps an invoice with its account."""
        self.invoices[invoice.id] = self.numbers[invoice.number] = invoice
        self._invoices_of.setdefault(invoice.account_id, []).append(invoice)
        self.version += 1

    def invoices_of(self, account_id: str) -> list[Invoice]:
        """An account's invoices, oldest first."""
        return list(self._invoices_of.get(account_id, []))

    def add_subscription(self, subscription: Subscription) -> None:
        """Keeps a subscription with its account."""
        self.subscriptions[subscription.id] = subscription
        self._subscriptions_of.setdefault(subscription.account_id, []).append(subscription)
        self.version += 1

    def subscriptions_of(self, account_id: str) -> list[Subscription]:
        """An account's subscriptions, oldest first."""
        return list(self._subscriptions_of.get(account_id, []))

    def add_account(self, account: Account) -> None:
        """Keeps an account."""
        self.accounts[account.id] = self.codes[account.code] = account
        self.version += 1

    def add_transaction(self, transaction: Transaction) -> None:
        """Keeps a transaction with its invoice."""
        self.transactions[transaction.id] = transaction
        self._by_invoice.setdefault(transaction.invoice_id, []).append(transaction)
        self.version += 1

    def transactions_of(self, invoice: Invoice) -> list[Transaction]:
        """An invoice's transactions, oldest first."""
        return list(self._by_invoice.get(invoice.id, []))

    def add_billing_info(self, info: BillingInfo) -> None:
        """Puts a payment method into its account's wallet."""
        self.billing_infos[info.id] = info
        self._wallets.setdefault(info.account_id, []).append(info)
        self.version += 1

    def wallet(self, account_id: str) -> list[BillingInfo]:
        """An account's payment methods, oldest first."""
        return list(self._wallets.get(account_id, []))

    def primary(self, account_id: str) -> BillingInfo | None:
        """The payment method that is charged unless something else is said."""
        return next((info for info in self.wallet(account_id) if info.primary), None)
