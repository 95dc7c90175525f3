"""What each list of the Recurly double lists, and by what it can be filtered."""

from collections.abc import Callable, Iterable
from typing import Any

from tests.vendors.recurly_accounts import AccountCalls
from tests.vendors.recurly_lists import BY_TIME, Filters, Listing
from tests.vendors.recurly_records import Account, FieldDefinition, Invoice, Record, Store, Subscription, Transaction
from tests.vendors.recurly_subscription_calls import SubscriptionCalls
from tests.vendors.recurly_views import LIVE_STATES, Views
from tests.vendors.recurly_views_site import campaign as campaign_view
from tests.vendors.recurly_views_site import definition as definition_view
from tests.vendors.recurly_views_site import note as note_view
from tests.vendors.recurly_views_site import site as site_view

INVOICE_STATES = frozenset({"pending", "processing", "past_due", "paid", "failed", "open", "closed", "voided"})
INVOICE_TYPES = frozenset({"charge", "credit", "legacy", "non-legacy"})
TRANSACTION_TYPES = frozenset({"authorization", "capture", "payment", "purchase", "refund", "verify"})
SUBSCRIPTION_STATES = frozenset({"active", "canceled", "expired", "future", "in_trial", "live"})
TRUE, TRUE_OR_FALSE = frozenset({"true"}), frozenset({"true", "false"})
WITHOUT_LIMIT = BY_TIME - {"limit", "order"}

Lister = Callable[..., Listing[Any]]


class Listings:
    """The lists, by their paths."""

    def __init__(self, store: Store, accounts: AccountCalls, subscriptions: SubscriptionCalls) -> None:
        self._store, self._accounts_calls, self._subscription_calls = store, accounts, subscriptions
        self._views = Views(store)

    def all(self) -> list[tuple[str, Lister]]:
        """Every path that lists, with what makes its listing from the path's ids."""
        return [
            ("/accounts", self._accounts),
            ("/accounts/{}/billing_infos", self._billing_infos),
            ("/accounts/{}/invoices", self._invoices_of_account),
            ("/accounts/{}/transactions", self._transactions_of_account),
            ("/accounts/{}/subscriptions", self._subscriptions_of_account),
            ("/accounts/{}/notes", self._notes),
            ("/invoices", self._all_invoices),
            ("/subscriptions", self._all_subscriptions),
            ("/subscriptions/{}/invoices", self._invoices_of_subscription),
            ("/transactions", self._all_transactions),
            ("/dunning_campaigns", self._campaigns),
            ("/custom_field_definitions", self._definitions),
            ("/sites", self._sites),
        ]

    def _account(self, told: str) -> str:
        return self._accounts_calls.find(told).id

    def _campaigns(self) -> Listing[Any]:
        return Listing(None, self._store.campaigns.values, campaign_view, frozenset({"sort"}))

    def _all_invoices(self) -> Listing[Any]:
        return self._invoices("invoices", self._store.invoices.values)

    def _all_subscriptions(self) -> Listing[Any]:
        return self._subscriptions("subscriptions", self._store.subscriptions.values)

    def _all_transactions(self) -> Listing[Any]:
        return self._transactions("transactions", self._store.transactions.values)

    def _invoices_of_account(self, told: str) -> Listing[Any]:
        account = self._account(told)
        return self._invoices(None, lambda: self._store.invoices_of(account))

    def _accounts(self) -> Listing[Any]:
        def has_email(account: Account, told: str) -> bool:
            return account.email == told

        def subscribes(account: Record, told: str) -> bool:
            return any(s.state in LIVE_STATES for s in self._store.subscriptions_of(account.id)) == (told == "true")

        def is_past_due(account: Record, _: str) -> bool:
            return any(i.state == "past_due" for i in self._store.invoices_of(account.id))

        filters: Filters = {
            "email": (frozenset[str](), has_email),
            "subscriber": (TRUE_OR_FALSE, subscribes),
            "past_due": (TRUE, is_past_due),
        }
        return Listing("accounts", self._store.accounts.values, self._views.account, filters=filters)

    def _billing_infos(self, told: str) -> Listing[Any]:
        account = self._account(told)
        return Listing(None, lambda: self._store.wallet(account), self._views.billing_info, WITHOUT_LIMIT)

    def _notes(self, told: str) -> Listing[Any]:
        account = self._account(told)
        notes = [note for note in self._store.notes.values() if note.account_id == account]
        return Listing(None, lambda: notes, note_view, frozenset({"ids"}))

    def _invoices(self, name: str | None, records: Callable[[], Iterable[Invoice]]) -> Listing[Any]:
        def is_in(invoice: Invoice, told: str) -> bool:
            return invoice.state == told

        def is_type(invoice: Invoice, told: str) -> bool:
            return told == "non-legacy" or invoice.type == told

        filters: Filters = {"state": (INVOICE_STATES, is_in), "type": (INVOICE_TYPES, is_type)}
        return Listing(name, records, self._views.invoice, filters=filters)

    def _invoices_of_subscription(self, told: str) -> Listing[Any]:
        subscription = self._subscription_calls.find(told)
        mine = [i for i in self._store.invoices_of(subscription.account_id) if subscription.id in i.subscription_ids]
        return self._invoices(None, lambda: mine)

    def _transactions(self, name: str | None, records: Callable[[], Iterable[Transaction]]) -> Listing[Any]:
        def is_type(transaction: Transaction, told: str) -> bool:
            return transaction.type == ("purchase" if told == "payment" else told)

        def succeeded(transaction: Transaction, _: str) -> bool:
            return transaction.status == "success"

        filters: Filters = {"type": (TRANSACTION_TYPES, is_type), "success": (TRUE, succeeded)}
        return Listing(name, records, self._views.transaction, filters=filters)

    def _transactions_of_account(self, told: str) -> Listing[Any]:
        account = self._account(told)
        mine = [t for invoice in self._store.invoices_of(account) for t in self._store.transactions_of(invoice)]
        return self._transactions(None, lambda: mine)

    def _subscriptions(self, name: str | None, records: Callable[[], Iterable[Subscription]]) -> Listing[Any]:
        def is_in(subscription: Subscription, told: str) -> bool:
            return subscription.state in LIVE_STATES if told == "live" else subscription.state == told

        return Listing(name, records, self._views.subscription, filters={"state": (SUBSCRIPTION_STATES, is_in)})

    def _subscriptions_of_account(self, told: str) -> Listing[Any]:
        account = self._account(told)
        return self._subscriptions(None, lambda: self._store.subscriptions_of(account))

    def _definitions(self) -> Listing[Any]:
        def is_related(definition: FieldDefinition, told: str) -> bool:
            return definition.related_type == told

        related = frozenset({"account", "item", "plan", "subscription", "charge"})
        filters: Filters = {"related_type": (related, is_related)}
        return Listing(None, self._store.definitions.values, definition_view, filters=filters)

    def _sites(self) -> Listing[Any]:
        def is_in(_: Record, told: str) -> bool:
            return told == "active"

        filters: Filters = {"state": (frozenset({"active", "inactive"}), is_in)}
        return Listing(None, self._store.sites.values, site_view, BY_TIME - {"begin_time", "end_time"}, filters)
