"""Subscriptions of the Recurly double: what a merchant can do to them, and what their periods do by themselves."""

from collections.abc import Callable
from datetime import datetime

from tests.vendors.chassis import Clock
from tests.vendors.recurly_records import PERIOD, Invoice, Store, Subscription
from tests.vendors.recurly_refusals import invalid
from tests.vendors.recurly_webhooks import Webhooks

RUNNING = frozenset({"active", "canceled", "paused"})


class Subscriptions:
    """The states of subscriptions. ``bill`` makes the invoice of a new period; it is set by the double."""

    def __init__(self, store: Store, clock: Clock, webhooks: Webhooks) -> None:
        self._store, self._clock, self._webhooks = store, clock, webhooks
        self.bill: Callable[[Subscription], Invoice] | None = None

    def pause(self, subscription: Subscription, cycles: int) -> None:
        """From the next renewal on, for that many of them. It is no pause of dunning: what is owed stays owed."""
        if subscription.state not in {"active", "paused"}:
            raise invalid(f"Unable to pause {subscription.state} subscription")
        if cycles < 0:
            raise invalid("remaining_pause_cycles must not be negative", "remaining_pause_cycles")
        if cycles:
            subscription.remaining_pause_cycles = cycles
            if subscription.state == "active":
                subscription.paused_at = subscription.period_ends_at
                self._changed(subscription, "pause.scheduled")
            else:
                self._changed(subscription, "pause.modified")
        elif subscription.state == "paused":
            self.resume(subscription)
        elif subscription.remaining_pause_cycles is not None:
            subscription.remaining_pause_cycles = subscription.paused_at = None
            self._changed(subscription, "pause.canceled")
        else:
            raise invalid("There is no pause to cancel", "remaining_pause_cycles")

    def resume(self, subscription: Subscription) -> None:
        """Ends a pause at once: a new period begins and is billed."""
        if subscription.state != "paused":
            raise invalid(f"Unable to resume {subscription.state} subscription")
        subscription.state = "active"
        subscription.remaining_pause_cycles = subscription.paused_at = None
        self._changed(subscription, "resumed")
        self._renew(subscription, self._clock.now())

    def cancel(self, subscription: Subscription) -> None:
        """It runs to the end of its period and is not renewed."""
        if subscription.state != "active":
            raise invalid("Only active and future subscriptions can be canceled")
        subscription.state = "canceled"
        subscription.canceled_at, subscription.expires_at = self._clock.now(), subscription.period_ends_at
        self._changed(subscription, "canceled")

    def reactivate(self, subscription: Subscription) -> None:
        """Takes a cancellation back."""
        if subscription.state != "canceled":
            raise invalid("Only canceled subscriptions can be reactivated")
        subscription.state, subscription.canceled_at, subscription.expires_at = "active", None, None
        self._changed(subscription, "reactivated")

    def terminate(self, subscription: Subscription) -> None:
        """Ends it at once."""
        if subscription.state not in RUNNING:
            raise invalid("Cannot expire an inactive subscription")
        self.expire(subscription, "terminated")

    def expire(self, subscription: Subscription, reason: str) -> None:
        """It is over; nothing happens to one that was over before."""
        if subscription.state in RUNNING:
            subscription.state, subscription.expiration_reason = "expired", reason
            subscription.expires_at = self._clock.now()
            self._changed(subscription, "expired")

    def next_due(self) -> datetime | None:
        """When the next period ends."""
        return min((s.period_ends_at for s in self._store.subscriptions.values() if s.state in RUNNING), default=None)

    def run_due(self) -> None:
        """Renews, skips or expires whose period is over."""
        for subscription in list(self._store.subscriptions.values()):
            if subscription.state in RUNNING and subscription.period_ends_at <= self._clock.now():
                self._end_of_period(subscription)

    def _end_of_period(self, subscription: Subscription) -> None:
        if subscription.state == "canceled" or not subscription.auto_renew:
            self.expire(subscription, "canceled" if subscription.state == "canceled" else "non_renewing")
            return
        left = subscription.remaining_pause_cycles
        if left is None:
            self._renew(subscription, subscription.period_ends_at)
        elif left == 0:
            self.resume(subscription)
        else:
            if subscription.state == "active":
                subscription.state = "paused"
                self._changed(subscription, "paused")
            subscription.remaining_pause_cycles = left - 1
            subscription.period_started_at, subscription.period_ends_at = subscription.period_ends_at, subscription.period_ends_at + PERIOD
            self._changed(subscription, "renewal.skipped")

    def _renew(self, subscription: Subscription, start: datetime) -> None:
        subscription.period_started_at, subscription.period_ends_at = start, start + PERIOD
        self._changed(subscription, "renewed")
        assert self.bill is not None
        self.bill(subscription)

    def _changed(self, subscription: Subscription, event: str) -> None:
        self._store.touch(subscription, self._clock.now())
        self._webhooks.tell("subscription", event, subscription, uuid=subscription.uuid)
