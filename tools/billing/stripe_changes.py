"""What changed at Stripe since a moment, from the list of its events: for what webhooks may have lost."""

import asyncio
from datetime import UTC, datetime, timedelta

from stripe.params import EventListParams

from recoup.errors import Malformed
from recoup.events import ObjectRef
from recoup.ports import FIRST_LOOK_BACK, ChangedPage
from tools.billing.json_part import Part
from tools.billing.stripe_api import PAGE_SIZE, Listing, StripeApi, next_page

EVENTS_KEPT = timedelta(days=30)
# Events may appear a little late in the list: the newest minutes are always read again.
OVERLAP_SECONDS = 600
NARROWEST_SECONDS, FIRST_SECONDS, WIDEST_SECONDS = 60, 3_600, 86_400
MOST_PAGES = 5
# Stripe takes at most twenty types at once: what happens to debts and payments is one list, what happens around them another.
LISTS: tuple[tuple[str, ...], ...] = (
    (
        *("invoice.finalized", "invoice.updated", "invoice.overdue", "invoice.paid", "invoice.overpaid", "invoice.voided"),
        *("invoice.payment_failed", "invoice.payment_action_required", "invoice.marked_uncollectible", "invoice_payment.paid"),
        *("charge.failed", "charge.pending", "charge.succeeded", "charge.updated", "charge.refunded"),
        *("charge.dispute.created", "charge.dispute.closed", "credit_note.created", "credit_note.updated", "credit_note.voided"),
    ),
    (
        *("payment_intent.processing", "payment_intent.requires_action", "payment_intent.payment_failed", "invoice_payment.detached"),
        *("customer.subscription.updated", "customer.subscription.deleted", "customer.subscription.paused"),
        *("customer.subscription.resumed", "customer.updated", "customer.deleted"),
        *("customer.source.created", "customer.source.updated", "customer.source.deleted"),
        *("payment_method.attached", "payment_method.detached", "payment_method.updated", "payment_method.automatically_updated"),
        *("mandate.updated",),
    ),
)
TYPES = tuple(event_type for types in LISTS for event_type in types)
# What stands for an object that is not read by itself.
OWNERS = {
    "invoice_payment": "invoice",
    "credit_note": "invoice",
    **dict.fromkeys(("card", "bank_account", "source"), "customer"),
}


class StripeChanges:
    """Goes through the list window by window, since it can only be read from its newest end.

    A cursor is ``<unix seconds>:<width of the next window>``: windows grow where little happens and shrink where much does.
    """

    def __init__(self, api: StripeApi) -> None:
        self._api = api

    async def since(self, cursor: str | None) -> ChangedPage:
        """The next window. None begins four days ago, and a cursor of longer ago than 30 days there: further back Stripe does not tell.

        Raises Malformed, BillingUnavailable."""
        asked, width = _read(cursor) if cursor else (await self._beginning(), FIRST_SECONDS)
        start = asked
        while True:
            events = await self._events(start, start + width)
            kept_since = _seconds(events.at - EVENTS_KEPT)
            if start == asked < kept_since:
                start = kept_since
                continue
            if events.is_complete or width <= NARROWEST_SECONDS:
                break
            width = max(NARROWEST_SECONDS, width // 4)
        if not events.is_complete:
            # So much in a minute: what one window cannot hold is read to its end all the same.
            events = await self._events(start, start + width, most_pages=MOST_PAGES * 200)
        now, end = _seconds(events.at), start + width
        # Every window moves on, however narrow; only after the last one are the newest minutes given out again.
        reached = end + 1 if end < now else now - OVERLAP_SECONDS
        wider = width if len(events.items) > PAGE_SIZE else min(WIDEST_SECONDS, width * 4)
        return ChangedPage(
            refs=_refs(events.items),
            cursor=f"{reached}:{wider}",
            has_more=end < now,
            begins=datetime.fromtimestamp(start, UTC) if cursor is None or start > asked else None,
        )

    async def _beginning(self) -> int:
        latest = await self._api.ask(self._api.v1.events.list_async({"limit": 1}))
        return _seconds(latest.at - FIRST_LOOK_BACK)

    async def _events(self, first: int, last: int, most_pages: int = MOST_PAGES) -> Listing:
        """Everything that happened from the first second to the last, both told. Raises BillingUnavailable."""
        lists = await asyncio.gather(*(self._list(types, first, last, most_pages) for types in LISTS))
        items = sorted((event for found in lists for event in found.items), key=lambda event: event.integer("created") or 0, reverse=True)
        return Listing(items, min(found.at for found in lists), is_complete=all(found.is_complete for found in lists))

    async def _list(self, types: tuple[str, ...], first: int, last: int, most_pages: int) -> Listing:
        wanted: EventListParams = {"created": {"gte": first, "lte": last}, "types": [*types], "limit": PAGE_SIZE}
        return await self._api.all_of(lambda after: self._api.listing("/v1/events", next_page(wanted, after)), most_pages)


def _read(cursor: str) -> tuple[int, int]:
    start, _, width = cursor.partition(":")
    if not (start.isdecimal() and width.isdecimal()):
        raise Malformed(f"{cursor!r} is no cursor of Stripe's changes")
    return int(start), min(max(int(width), NARROWEST_SECONDS), WIDEST_SECONDS)


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _refs(newest_first: list[Part]) -> tuple[ObjectRef, ...]:
    """The objects that changed, each once, in the order of their last change."""
    refs = (_ref(event) for event in newest_first)
    return tuple(reversed(dict.fromkeys(ref for ref in refs if ref is not None)))


def _ref(event: Part) -> ObjectRef | None:
    changed = event.part("data").part("object")
    kind = changed.text("object") or ""
    if kind == "mandate":
        return ObjectRef(kind="event", vendor_id=event.need_text("id"))
    owner = OWNERS.get(kind, kind)
    vendor_id = changed.text("id") if owner == kind else changed.ref(owner)
    return ObjectRef(kind=owner, vendor_id=vendor_id) if owner and vendor_id else None
