"""The double of Recurly's API v2021-02-25: what its specification says, with its own dunning, and a bank that tests script.

A test builds its world with ``account``, ``card``, ``subscription`` and ``invoice``, turns the clock with ``advance``, and counts in
``ledger()`` what was really tried. Card numbers are not accepted, only tokens (``token``). What no operation of the specification
tells, such as where webhooks go, is set on the double directly."""

import base64
from datetime import datetime
from typing import Any

from tests.vendors.chassis import DEFAULT_START, Answer, Request, Site
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.recurly_accounts import AccountCalls
from tests.vendors.recurly_collection import Collection
from tests.vendors.recurly_dunning import Dunning
from tests.vendors.recurly_entrance import KEY_LIFETIME, VERSION, Entrance, RecurlyKeys
from tests.vendors.recurly_invoices import InvoiceCalls
from tests.vendors.recurly_lists import Lists
from tests.vendors.recurly_records import (
    PERIOD,
    Account,
    BillingInfo,
    Campaign,
    Card,
    FieldDefinition,
    Invoice,
    SiteRecord,
    Store,
    Subscription,
    Transaction,
)
from tests.vendors.recurly_refusals import refusal
from tests.vendors.recurly_routes import Calls, Routes
from tests.vendors.recurly_subscription_calls import SubscriptionCalls
from tests.vendors.recurly_subscriptions import Subscriptions
from tests.vendors.recurly_webhooks import Endpoint, Webhooks

API_KEY, READ_ONLY_KEY = "recurly-double-key", "recurly-double-read-only"
TROUBLES = {
    Trouble.RATE_LIMITED: ("rate_limited", "You have made too many API requests"),
    Trouble.REVOKED_KEY: ("invalid_api_key", "There is no such API key, or it was revoked"),
    Trouble.UNAVAILABLE: ("service_not_available", "Recurly is down for maintenance"),
}


class RecurlyDouble(Site):
    """One Recurly site. ``site``: its features, which a test may switch off; ``entrance.keys``: its API keys."""

    def __init__(self, start: datetime = DEFAULT_START, seed: int = 0) -> None:
        super().__init__(KEY_LIFETIME, start, seed)
        self.keys = kept = RecurlyKeys(self.clock, KEY_LIFETIME)
        self.store = store = Store(seed)
        self.site = SiteRecord(id=store.new_id(), created_at=start, updated_at=start)
        store.sites[self.site.id] = self.site
        self.webhooks = Webhooks(store, self.courier, self.clock.now)
        self.collection = Collection(store, self.clock, self.webhooks, self.attempts)
        self.subscriptions = Subscriptions(store, self.clock, self.webhooks)
        self.subscriptions.bill = self._bill
        self.dunning = Dunning(store, self.clock, self.webhooks, self.collection, self.subscriptions)
        self.entrance = Entrance(self.clock, self.site, kept)
        self.entrance.keys = {API_KEY: "full", READ_ONLY_KEY: "read_only"}
        self._accounts = AccountCalls(store, self.clock, self.webhooks, self.dunning, self.site)
        invoices = InvoiceCalls(store, self.clock, self.collection, self.dunning, self.site)
        calls = SubscriptionCalls(store, self.clock, self.webhooks, self.subscriptions)
        self._routes = Routes(Calls(store, Lists(store), self._accounts, invoices, calls))
        self.default_campaign = self.campaign("default", is_default=True)

    def answer(self, request: Request) -> Answer:
        """What Recurly answers."""
        return self.entrance.admit(request, self._routes.answer)

    def trouble_answer(self, trouble: Trouble, request: Request) -> Answer:
        """Recurly's words for what the test ordered."""
        kind, message = TROUBLES.get(trouble, ("internal_server_error", "Something went wrong"))
        return refusal(kind, message).with_headers(Recurly_Version=f"recurly.{VERSION}", X_Request_Id=self.entrance.next_request_id())

    def next_due(self) -> datetime | None:
        """The next settlement, retry, message or end of a period."""
        moments = (self.collection.next_settlement(), self.dunning.next_due(), self.subscriptions.next_due())
        return min((at for at in moments if at), default=None)

    def run_due(self) -> None:
        """All that is due now."""
        for invoice, decline in self.collection.settle_due():
            self.dunning.after_failure(invoice, decline)
        self.dunning.run_due()
        self.subscriptions.run_due()

    def card(self, *answers: str, **told: Any) -> Card:
        """A card with a fingerprint of its own; ``answers`` is its bank's script, whose last answer stays."""
        with self.lock:
            return Card(fingerprint=told.pop("fingerprint", self.store.new_id()), answers=list(answers or ("ok",)), **told)

    def token(self, card: Card) -> str:
        """What Recurly.js gives a merchant's page for a card that a customer typed in there."""
        with self.lock:
            token = f"tok{self.store.new_id()}"
            self._accounts.tokens[token] = card
            return token

    def account(self, *cards: Card, code: str | None = None, **told: Any) -> Account:
        """A customer with these cards; the first is the primary one."""
        with self.lock:
            new = self.store.new_id()
            code = code or f"customer-{new}"
            told = {"email": f"{new}@example.com", "hosted_login_token": self.store.new_uuid(), **self._now(), **told}
            made = Account(id=new, code=code, **told)
            self.store.add_account(made)
            self.webhooks.tell("account", "created", made, account_code=made.code)
            for card in cards:
                self.billing_info(made, card)
            return made

    def billing_info(self, account: Account, card: Card, *, backup: bool = False) -> BillingInfo:
        """Another payment method in a wallet."""
        with self.lock:
            primary = not self.store.wallet(account.id)
            made = BillingInfo(id=self.store.new_id(), account_id=account.id, card=card, primary=primary, backup=backup, **self._now())
            self.store.add_billing_info(made)
            self.webhooks.tell("billing_info", "created", made, account_code=account.code)
            return made

    def subscription(self, account: Account, amount: int = 2_000, currency: str = "USD", plan: str = "pro") -> Subscription:
        """A subscription whose first period is paid; ``amount`` in minor units."""
        with self.lock:
            now = self.clock.now()
            made = Subscription(
                id=self.store.new_id(),
                uuid=self.store.new_uuid(),
                account_id=account.id,
                plan_code=plan,
                currency=currency,
                amount=amount,
                period_started_at=now,
                period_ends_at=now + PERIOD,
                **self._now(),
            )
            self.store.add_subscription(made)
            self.webhooks.tell("subscription", "created", made, uuid=made.uuid)
            return made

    def invoice(
        self, account: Account, amount: int = 2_000, currency: str = "USD", subscription: Subscription | None = None, **told: Any
    ) -> Invoice:
        """An invoice that is due now. Recurly tries to collect it at once, unless ``collection_method="manual"``."""
        with self.lock:
            made = Invoice(
                id=self.store.new_id(),
                uuid=self.store.new_uuid(),
                number=self.store.new_number(),
                account_id=account.id,
                currency=currency,
                total=amount,
                tax=told.pop("tax", 0),
                due_at=self.clock.now(),
                subscription_ids=[subscription.id] if subscription else [],
                billing_info_id=subscription.billing_info_id if subscription else None,
                **self._now(),
                **told,
            )
            self.store.add_invoice(made)
            self.collection.tell_invoice(made, "created")
            if subscription:
                subscription.active_invoice_id = made.id
            if made.collection_method == "automatic":
                self.dunning.first_attempt(made)
            return made

    def campaign(self, code: str, **told: Any) -> Campaign:
        """A dunning campaign of the site."""
        with self.lock:
            made = Campaign(id=self.store.new_id(), code=code, name=told.pop("name", code), **self._now(), **told)
            self.store.campaigns[made.id] = made
            self.store.version += 1
            return made

    def custom_field(self, name: str, related_type: Any = "account") -> FieldDefinition:
        """Defines a custom field; without one, writing it is refused."""
        with self.lock:
            made = FieldDefinition(id=self.store.new_id(), name=name, related_type=related_type, **self._now())
            self.store.definitions[made.id] = made
            self.store.version += 1
            return made

    def customer_pays(self, invoice: Invoice, card: Card | None = None) -> Transaction:
        """The customer pays on Recurly's hosted page. It may race: a page that was open since before takes the money twice."""
        with self.lock:
            wallet = self.store.wallet(invoice.account_id)
            info = next((info for info in wallet if info.card is card), None) if card else self.store.primary(invoice.account_id)
            if info is None:
                info = self.billing_info(self.store.accounts[invoice.account_id], card or self.card())
            return self.collection.charge(invoice, info, origin="hpp", by="customer")[0]

    def customer_disputes(self, transaction: Transaction) -> None:
        """The customer's bank takes a payment back. The transaction tells it; the invoice stays paid."""
        with self.lock:
            transaction.status = "chargeback"
            self.store.touch(transaction, self.clock.now())
            self.webhooks.tell("payment", "transaction_status_updated", transaction, uuid=transaction.uuid)

    def close(self, account: Account) -> None:
        """The merchant closes the account: its subscriptions end with their periods."""
        with self.lock:
            account.closed_at = self.clock.now()
            self.store.touch(account, self.clock.now())
            self.webhooks.tell("account", "closed", account, account_code=account.code)
            for subscription in self.store.subscriptions_of(account.id):
                if subscription.state == "active":
                    self.subscriptions.cancel(subscription)

    def send_webhooks_to(self, url: str, *secrets: str, events: frozenset[str] | None = None) -> Endpoint:
        """Adds an endpoint in the site's settings; with several secrets every delivery is signed with each."""
        with self.lock:
            endpoint = Endpoint(url, list(secrets), events)
            self.webhooks.endpoints.append(endpoint)
            return endpoint

    def _bill(self, subscription: Subscription) -> Invoice:
        account = self.store.accounts[subscription.account_id]
        return self.invoice(
            account, subscription.amount, subscription.currency, subscription, collection_method=subscription.collection_method
        )

    def _now(self) -> dict[str, Any]:
        return {"created_at": self.clock.now(), "updated_at": self.clock.now()}


def headers_for(api_key: str = API_KEY) -> dict[str, str]:
    """The headers of every call: the key as the user of Basic authentication, and the version."""
    encoded = base64.b64encode(f"{api_key}:".encode()).decode()
    return {"authorization": f"Basic {encoded}", "accept": f"application/vnd.recurly.{VERSION}"}
