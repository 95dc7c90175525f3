"""Recurly's own dunning by the double's clock: it tries, writes and gives up, whatever anybody else does to the invoice meanwhile."""

from datetime import datetime, timedelta

from tests.vendors.chassis import Clock
from tests.vendors.recurly_bank import DECLINES, Decline
from tests.vendors.recurly_collection import Collection
from tests.vendors.recurly_records import BillingInfo, Campaign, Invoice, Store
from tests.vendors.recurly_subscriptions import Subscriptions
from tests.vendors.recurly_webhooks import Webhooks

# Recurly stops an invoice's retries at whichever comes first; a forced collection counts, as any transaction of the invoice does.
MOST_DECLINES, MOST_TRANSACTIONS = 7, 20
HOURS_AFTER_COMMUNICATION_ERROR = 4
SOON = timedelta(minutes=1)


class Dunning:
    """The invoices that Recurly pursues."""

    def __init__(self, store: Store, clock: Clock, webhooks: Webhooks, collection: Collection, subscriptions: Subscriptions) -> None:
        self._store, self._clock, self._webhooks = store, clock, webhooks
        self._collection, self._subscriptions = collection, subscriptions
        self._pursued: dict[str, Invoice] = {}

    def first_attempt(self, invoice: Invoice) -> None:
        """What Recurly does by itself when an invoice that it collects automatically is due."""
        self._try(invoice)

    def after_failure(self, invoice: Invoice, decline: Decline) -> None:
        """Plans the next retry. Every failed attempt comes here, the merchant's too; only what is still planned is left alone."""
        now = self._clock.now()
        if invoice.collection_method != "automatic" or invoice.state != "past_due":
            return
        if invoice.dunned_since is None:
            invoice.dunned_since = now
            invoice.dunning_campaign_id = self._campaign_for(invoice).id
            self._pursued[invoice.id] = invoice
            self._write(invoice, is_final=False)
        if not decline.is_retried or self._has_tried_enough(invoice):
            invoice.next_retry_at = None
        elif invoice.next_retry_at is None or invoice.next_retry_at <= now:
            invoice.next_retry_at = self._next_retry(invoice, decline)

    def card_changed(self, account_id: str) -> None:
        """New billing information makes Recurly try its past due invoices once, almost at once."""
        for invoice in self._pursued.values():
            if invoice.account_id == account_id and invoice.state == "past_due":
                invoice.next_retry_at = self._clock.now() + SOON

    def release(self, invoice: Invoice) -> None:
        """Leaves an invoice alone from now on, even if it is opened again."""
        self._pursued.pop(invoice.id, None)

    def next_due(self) -> datetime | None:
        """When something of this is due next."""
        self._pursued = {invoice.id: invoice for invoice in self._pursued.values() if invoice.state in {"past_due", "processing"}}
        moments = [at for invoice in self._pursued.values() if invoice.state == "past_due" for at in self._moments(invoice)]
        return min(moments, default=None)

    def run_due(self) -> None:
        """Retries, messages and ends that are due now."""
        now = self._clock.now()
        for invoice in list(self._pursued.values()):
            if invoice.state == "past_due" and invoice.next_retry_at and invoice.next_retry_at <= now:
                invoice.next_retry_at = None
                if not self._has_tried_enough(invoice):
                    invoice.retry_count += 1
                    self._try(invoice)
            if invoice.state == "past_due" and (message := self._next_message(invoice)) and message <= now:
                self._write(invoice, is_final=False)
            if invoice.state == "past_due" and self._end(invoice) <= now:
                self._finish(invoice)

    def _try(self, invoice: Invoice) -> None:
        """The usual payment method, and then the backup, at once."""
        usual = self._usual(invoice)
        tried = [usual] if usual else []
        tried += [info for info in self._store.wallet(invoice.account_id) if info.backup and info is not usual]
        decline: Decline | None = DECLINES["no_billing_information"]
        for info in tried:
            _, decline = self._collection.charge(invoice, info, origin="recurring", by="platform", backup=info is not usual)
            if decline is None:
                return
        if not tried:
            invoice.state = "past_due"
            self._collection.tell_invoice(invoice, "past_due")
        self.after_failure(invoice, decline or DECLINES["declined"])

    def _usual(self, invoice: Invoice) -> BillingInfo | None:
        chosen = self._store.billing_infos.get(invoice.billing_info_id or "")
        return chosen or self._store.primary(invoice.account_id)

    def _finish(self, invoice: Invoice) -> None:
        campaign = self._store.campaigns[invoice.dunning_campaign_id or ""]
        self._write(invoice, is_final=True)
        if campaign.fail_invoice:
            self._collection.give_up(invoice)
        else:
            invoice.next_retry_at = None
        if campaign.expire_subscription:
            for subscription_id in invoice.subscription_ids:
                self._subscriptions.expire(self._store.subscriptions[subscription_id], "nonpayment")
        del self._pursued[invoice.id]

    def _write(self, invoice: Invoice, *, is_final: bool) -> None:
        invoice.dunning_events_sent += 1
        invoice.final_dunning_event = is_final
        self._store.touch(invoice, self._clock.now())
        self._webhooks.tell("dunning_event", "created", invoice, invoice_number=int(invoice.number))

    def _moments(self, invoice: Invoice) -> list[datetime]:
        return [at for at in (self._next_message(invoice), self._end(invoice), invoice.next_retry_at) if at]

    def _next_message(self, invoice: Invoice) -> datetime | None:
        """When the campaign writes next; the last message goes out with the end."""
        days = self._store.campaigns[invoice.dunning_campaign_id or ""].message_days
        sent = invoice.dunning_events_sent
        return _since(invoice) + timedelta(days=days[sent]) if sent < len(days) else None

    def _end(self, invoice: Invoice) -> datetime:
        return _since(invoice) + timedelta(days=self._store.campaigns[invoice.dunning_campaign_id or ""].total_days)

    def _next_retry(self, invoice: Invoice, decline: Decline) -> datetime | None:
        now = self._clock.now()
        if decline.category == "communication" and invoice.retry_count < 2:
            return now + timedelta(hours=HOURS_AFTER_COMMUNICATION_ERROR)
        days = self._store.campaigns[invoice.dunning_campaign_id or ""].retry_days
        return next((at for day in days if (at := _since(invoice) + timedelta(days=day)) > now), None)

    def _has_tried_enough(self, invoice: Invoice) -> bool:
        made = [t for t in self._store.transactions_of(invoice) if t.type == "purchase"]
        return len(made) >= MOST_TRANSACTIONS or sum(t.status == "declined" for t in made) >= MOST_DECLINES

    def _campaign_for(self, invoice: Invoice) -> Campaign:
        """The account's campaign as it is when dunning begins; a later change of the account is for its next invoices."""
        chosen = self._store.campaigns.get(self._store.accounts[invoice.account_id].dunning_campaign_id or "")
        return chosen or next(campaign for campaign in self._store.campaigns.values() if campaign.is_default)


def _since(invoice: Invoice) -> datetime:
    assert invoice.dunned_since is not None
    return invoice.dunned_since
