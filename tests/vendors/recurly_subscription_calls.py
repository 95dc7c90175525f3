"""Calls about subscriptions in the Recurly double."""

from tests.vendors.chassis import Answer, Clock, Request
from tests.vendors.recurly_input import CANCEL, MODELLED_SUBSCRIPTION, PAUSE, SUBSCRIPTION, merge_custom_fields, modelled, read_body
from tests.vendors.recurly_records import Store, Subscription
from tests.vendors.recurly_refusals import invalid, not_found
from tests.vendors.recurly_subscriptions import Subscriptions
from tests.vendors.recurly_views import Views
from tests.vendors.recurly_webhooks import Webhooks


class SubscriptionCalls:
    """What the merchant can do to a subscription."""

    def __init__(self, store: Store, clock: Clock, webhooks: Webhooks, subscriptions: Subscriptions) -> None:
        self._store, self._clock, self._webhooks, self._subscriptions = store, clock, webhooks, subscriptions
        self._views = Views(store)

    def find(self, told: str) -> Subscription:
        """By id, or by UUID with ``uuid-`` before it."""
        if told.startswith("uuid-"):
            found = next((s for s in self._store.subscriptions.values() if s.uuid == told[5:]), None)
        else:
            found = self._store.subscriptions.get(told)
        if found is None:
            raise not_found("Subscription", told)
        return found

    def get(self, _: Request, subscription: str) -> Answer:
        """A subscription."""
        return self._shown(self.find(subscription))

    def update(self, request: Request, subscription: str) -> Answer:
        """Changes what is told, for the periods to come."""
        found = self.find(subscription)
        values = modelled(read_body(request, SUBSCRIPTION), MODELLED_SUBSCRIPTION)
        method, info = values.get("collection_method", "automatic"), values.get("billing_info_id")
        if method not in {"automatic", "manual"}:
            raise invalid("collection_method must be automatic or manual", "collection_method")
        if info is not None and info not in {known.id for known in self._store.wallet(found.account_id)}:
            raise invalid("This account has no such billing info", "billing_info_id")
        if values.get("custom_fields"):
            defined = {d.name for d in self._store.definitions.values() if d.related_type == "subscription"}
            merge_custom_fields(found.custom_fields, values["custom_fields"], frozenset(defined))
        for name in values.keys() - {"custom_fields"}:
            setattr(found, name, values[name])
        self._store.touch(found, self._clock.now())
        self._webhooks.tell("subscription", "updated", found, uuid=found.uuid)
        return self._shown(found)

    def pause(self, request: Request, subscription: str) -> Answer:
        """Pauses from the next renewal on."""
        found = self.find(subscription)
        cycles = read_body(request, PAUSE).get("remaining_pause_cycles")
        if cycles is None:
            raise invalid("remaining_pause_cycles is required", "remaining_pause_cycles")
        self._subscriptions.pause(found, cycles)
        return self._shown(found)

    def resume(self, _: Request, subscription: str) -> Answer:
        """Ends a pause."""
        found = self.find(subscription)
        self._subscriptions.resume(found)
        return self._shown(found)

    def cancel(self, request: Request, subscription: str) -> Answer:
        """Ends it with its period. Periods and terms are the same in this double."""
        found = self.find(subscription)
        if read_body(request, CANCEL).get("timeframe", "term_end") not in {"bill_date", "term_end"}:
            raise invalid("timeframe must be bill_date or term_end", "timeframe")
        self._subscriptions.cancel(found)
        return self._shown(found)

    def reactivate(self, _: Request, subscription: str) -> Answer:
        """Takes a cancellation back."""
        found = self.find(subscription)
        self._subscriptions.reactivate(found)
        return self._shown(found)

    def terminate(self, request: Request, subscription: str) -> Answer:
        """Ends it at once. Refunds are asked for at the invoice, so that only ``refund=none`` is modelled."""
        found = self.find(subscription)
        told = dict(request.pairs)
        if told.keys() - {"refund", "charge"} or told.get("refund", "none") not in {"none", "full", "partial"}:
            raise invalid("Please provide valid values for these parameters: refund, charge", "refund")
        assert told.get("refund", "none") == "none", "the Recurly double does not model refunds with a termination"
        self._subscriptions.terminate(found)
        return self._shown(found)

    def _shown(self, subscription: Subscription) -> Answer:
        return Answer(200, self._views.subscription(subscription))
