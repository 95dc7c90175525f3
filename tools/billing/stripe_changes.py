"""What changed at Stripe since a moment, from the list of its events: for what webhooks may have lost."""

from datetime import timedelta

from stripe.params import EventListParams

from recoup.errors import Malformed
from recoup.events import ObjectRef
from recoup.ports import ChangedPage
from tools.billing.json_part import Part
from tools.billing.stripe_api import PAGE_SIZE, Listing, StripeApi, next_page

EVENTS_KEPT = timedelta(days=30)
# Events may appear a little late in the list: the newest minutes are always read again.
OVERLAP_SECONDS = 600
NARROWEST_SECONDS, FIRST_SECONDS, WIDEST_SECONDS = 60, 3_600, 86_400
MOST_PAGES = 5
# Stripe takes at most twenty types. Whatever else happens to a payment comes with one of these.
TYPES = (
    *("invoice.paid", "invoice.payment_failed", "invoice.payment_action_required", "invoice.updated"),
    *("invoice.voided", "invoice.marked_uncollectible"),
    *("charge.failed", "charge.succeeded", "charge.pending", "charge.refunded", "charge.dispute.created", "charge.dispute.closed"),
    *("customer.subscription.updated", "customer.subscription.deleted", "customer.updated", "customer.deleted"),
    *("payment_method.attached", "payment_method.detached", "payment_method.updated", "payment_method.automatically_updated"),
)


class StripeChanges:
    """Goes through the list window by window, since it can only be read from its newest end.

    A cursor is ``<unix seconds>:<width of the next window>``: windows grow where little happens and shrink where much does.
    """

    def __init__(self, api: StripeApi) -> None:
        self._api = api

    async def since(self, cursor: str | None) -> ChangedPage:
        """The next window. None begins 30 days ago, further back Stripe does not tell. Raises Malformed, BillingUnavailable."""
        start, width = _read(cursor) if cursor else (None, FIRST_SECONDS)
        if start is None:
            latest = await self._api.ask(self._api.v1.events.list_async({"limit": 1}))
            start = int((latest.at - EVENTS_KEPT).timestamp())
        while True:
            events = await self._events(start, start + width)
            if events.is_complete or width <= NARROWEST_SECONDS:
                break
            width = max(NARROWEST_SECONDS, width // 4)
        if not events.is_complete:
            # So much in a minute: what one window cannot hold is read to its end all the same.
            events = await self._events(start, start + width, most_pages=MOST_PAGES * 200)
        now, end = int(events.at.timestamp()), start + width
        # Every window moves on, however narrow; only after the last one are the newest minutes given out again.
        reached = end + 1 if end < now else now - OVERLAP_SECONDS
        wider = width if len(events.items) > PAGE_SIZE else min(WIDEST_SECONDS, width * 4)
        return ChangedPage(refs=_refs(events.items), cursor=f"{reached}:{wider}", has_more=end < now)

    async def _events(self, first: int, last: int, most_pages: int = MOST_PAGES) -> Listing:
        wanted: EventListParams = {"created": {"gte": first, "lte": last}, "types": [*TYPES], "limit": PAGE_SIZE}
        return await self._api.all_of(lambda after: self._api.v1.events.list_async(next_page(wanted, after)), most_pages)


def _read(cursor: str) -> tuple[int, int]:
    start, _, width = cursor.partition(":")
    if not (start.isdecimal() and width.isdecimal()):
        raise Malformed(f"{cursor!r} is no cursor of Stripe's changes")
    return int(start), min(max(int(width), NARROWEST_SECONDS), WIDEST_SECONDS)


def _refs(newest_first: list[Part]) -> tuple[ObjectRef, ...]:
    """The objects that changed, each once, in the order of their last change."""
    refs = (_ref(event.part("data").part("object")) for event in newest_first)
    return tuple(reversed(dict.fromkeys(ref for ref in refs if ref is not None)))


def _ref(changed: Part) -> ObjectRef | None:
    kind, vendor_id = changed.text("object"), changed.text("id")
    return ObjectRef(kind=kind, vendor_id=vendor_id) if kind and vendor_id else None
