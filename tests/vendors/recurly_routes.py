"""Which call of the Recurly double answers which path."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote

from tests.vendors.chassis import Answer, Request
from tests.vendors.recurly_accounts import AccountCalls
from tests.vendors.recurly_invoices import InvoiceCalls
from tests.vendors.recurly_listings import Listings
from tests.vendors.recurly_lists import Listing, Lists
from tests.vendors.recurly_records import Record, Store
from tests.vendors.recurly_refusals import Refusal, not_found, unpermitted
from tests.vendors.recurly_subscription_calls import SubscriptionCalls
from tests.vendors.recurly_views import Views
from tests.vendors.recurly_views_site import campaign as campaign_view
from tests.vendors.recurly_views_site import definition as definition_view
from tests.vendors.recurly_views_site import site as site_view

R = TypeVar("R", bound=Record)
Handler = Callable[..., Answer]


@dataclass(frozen=True)
class Calls:
    """Who answers."""

    store: Store
    lists: Lists
    accounts: AccountCalls
    invoices: InvoiceCalls
    subscriptions: SubscriptionCalls


class Routes:
    """The paths. Those of lists also answer HEAD, with a count."""

    def __init__(self, calls: Calls) -> None:
        self._calls, self._store, self._views = calls, calls.store, Views(calls.store)
        self._handlers = [(method, _pattern(path), handler) for method, path, handler in self._plain()]
        self._listers = [(_pattern(path), lister) for path, lister in Listings(calls.store, calls.accounts, calls.subscriptions).all()]

    def answer(self, request: Request) -> Answer:
        """What the path's call answers; raises Refusal, 404 for a path that is nobody's."""
        for pattern, lister in self._listers:
            match = pattern.fullmatch(request.path)
            if match and request.method in {"GET", "HEAD"}:
                return self._listed(request, lister(*map(unquote, match.groups())))
        for method, pattern, handler in self._handlers:
            match = pattern.fullmatch(request.path)
            if match and method == request.method:
                if request.query and method != "DELETE":
                    raise unpermitted(name for name, _ in request.pairs)
                return handler(request, *map(unquote, match.groups()))
        raise Refusal("not_found", "There is nothing at this path")

    def _listed(self, request: Request, listing: Listing[Any]) -> Answer:
        query = dict(request.pairs)
        if request.method == "HEAD":
            return Answer(200).with_headers(Recurly_Total_Records=str(self._calls.lists.count(listing, query)))
        return Answer(200, self._calls.lists.page(listing, request.path, query))

    def _plain(self) -> list[tuple[str, str, Handler]]:
        accounts, invoices, subscriptions = self._calls.accounts, self._calls.invoices, self._calls.subscriptions
        return [
            ("GET", "/accounts/{}", accounts.get),
            ("PUT", "/accounts/{}", accounts.update),
            ("GET", "/accounts/{}/balance", accounts.balance),
            ("GET", "/accounts/{}/billing_info", accounts.primary),
            ("PUT", "/accounts/{}/billing_info", accounts.update_primary),
            ("POST", "/accounts/{}/billing_infos", accounts.add_billing_info),
            ("GET", "/accounts/{}/billing_infos/{}", accounts.billing_info),
            ("PUT", "/accounts/{}/billing_infos/{}", accounts.update_billing_info),
            ("POST", "/accounts/{}/notes", accounts.add_note),
            ("GET", "/accounts/{}/notes/{}", accounts.note),
            ("DELETE", "/accounts/{}/notes/{}", accounts.delete_note),
            ("GET", "/invoices/{}", invoices.get),
            ("PUT", "/invoices/{}", invoices.update),
            ("PUT", "/invoices/{}/collect", invoices.collect),
            ("PUT", "/invoices/{}/mark_failed", invoices.mark_failed),
            ("PUT", "/invoices/{}/mark_successful", invoices.mark_successful),
            ("PUT", "/invoices/{}/reopen", invoices.reopen),
            ("POST", "/invoices/{}/refund", invoices.refund),
            ("GET", "/subscriptions/{}", subscriptions.get),
            ("PUT", "/subscriptions/{}", subscriptions.update),
            ("DELETE", "/subscriptions/{}", subscriptions.terminate),
            ("PUT", "/subscriptions/{}/pause", subscriptions.pause),
            ("PUT", "/subscriptions/{}/resume", subscriptions.resume),
            ("PUT", "/subscriptions/{}/cancel", subscriptions.cancel),
            ("PUT", "/subscriptions/{}/reactivate", subscriptions.reactivate),
            ("GET", "/transactions/{}", self._transaction),
            ("GET", "/dunning_campaigns/{}", self._campaign),
            ("GET", "/custom_field_definitions/{}", self._definition),
            ("GET", "/sites/{}", self._site),
        ]

    def _transaction(self, _: Request, told: str) -> Answer:
        if told.startswith("uuid-"):
            told = next((t.id for t in self._store.transactions.values() if t.uuid == told[5:]), told)
        return _one(self._store.transactions, told, "Transaction", self._views.transaction)

    def _campaign(self, _: Request, told: str) -> Answer:
        return _one(self._store.campaigns, told, "DunningCampaign", campaign_view)

    def _definition(self, _: Request, told: str) -> Answer:
        return _one(self._store.definitions, told, "CustomFieldDefinition", definition_view)

    def _site(self, _: Request, told: str) -> Answer:
        if told.startswith("subdomain-"):
            told = next((s.id for s in self._store.sites.values() if s.subdomain == told[10:]), told)
        return _one(self._store.sites, told, "Site", site_view)


def _one(records: dict[str, R], told: str, kind: str, view: Callable[[R], dict[str, Any]]) -> Answer:
    if told not in records:
        raise not_found(kind, told)
    return Answer(200, view(records[told]))


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(path.replace("{}", "([^/]+)"))
