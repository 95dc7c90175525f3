"""Whose request made a charge: Stripe writes the idempotency key of its cause into the events of a charge, and nowhere else."""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from stripe.params import EventListParams

from tools.billing.json_part import Part
from tools.billing.stripe_api import PAGE_SIZE, StripeApi, next_page

EVENTS_KEPT = timedelta(days=30)
TYPES = ["charge.failed", "charge.pending", "charge.succeeded"]
# A charge's first event comes with it, or when its network has answered. The list cannot be asked for one charge.
WITHIN_SECONDS = ((0, 5), (6, 90))
MOST_PAGES = 10
MOST_KEPT = 20_000
# Many charges are looked for together as long as not too much else happened between them.
FEWEST_AT_ONCE, MOST_PAGES_AT_ONCE = 3, 5


class Origin(NamedTuple):
    """What the events tell of a charge's cause. ``key`` is None where nobody sent one, as when the platform tries by itself."""

    key: str | None
    request_id: str | None


class Origins:
    """Remembers what it found: the cause of a charge never changes."""

    def __init__(self, api: StripeApi) -> None:
        self._api = api
        self._known: OrderedDict[str, Origin] = OrderedDict()

    async def of(self, charge: Part, now: datetime) -> Origin | None:
        """Who caused the charge; None where no event tells, or none any more. ``now`` is Stripe's time."""
        charge_id, made_at = charge.need_text("id"), charge.need_time("created")
        known = self._known.get(charge_id)
        if known is None and now - made_at < EVENTS_KEPT:
            known = await self._look_for(charge_id, int(made_at.timestamp()))
            if known is not None:
                self._remember(charge_id, known)
        return known

    async def learn(self, charges: Sequence[Part], now: datetime) -> None:
        """Finds the causes of many charges of one time at once; of those that it does not find ``of`` asks one by one."""
        recent = {charge.need_text("id"): int(charge.need_time("created").timestamp()) for charge in charges}
        recent = {name: at for name, at in recent.items() if name not in self._known and now.timestamp() - at < EVENTS_KEPT.total_seconds()}
        if len(recent) < FEWEST_AT_ONCE:
            return
        within = WITHIN_SECONDS[-1][1]
        wanted: EventListParams = {"types": TYPES, "created": {"gte": min(recent.values()), "lte": max(recent.values()) + within}}
        wanted["limit"] = PAGE_SIZE
        events = await self._api.all_of(lambda after: self._api.listing("/v1/events", next_page(wanted, after)), MOST_PAGES_AT_ONCE)
        for event in reversed(events.items):
            name, at = event.part("data").part("object").text("id") or "", event.integer("created") or 0
            if name in recent and name not in self._known and at <= recent[name] + within:
                self._remember(name, _origin(event))

    async def _look_for(self, charge_id: str, made_at: int) -> Origin | None:
        for first, last in WITHIN_SECONDS:
            wanted: EventListParams = {"types": TYPES, "created": {"gte": made_at + first, "lte": made_at + last}, "limit": PAGE_SIZE}
            events = await self._api.all_of(
                lambda after, wanted=wanted: self._api.v1.events.list_async(next_page(wanted, after)), MOST_PAGES
            )
            # The first event of a charge names the request that made it; those that follow, whatever changed it.
            for event in reversed(events.items):
                if event.part("data").part("object").text("id") == charge_id:
                    return _origin(event)
        return None

    def _remember(self, charge_id: str, origin: Origin) -> None:
        self._known[charge_id] = origin
        if len(self._known) > MOST_KEPT:
            self._known.popitem(last=False)


def _origin(event: Part) -> Origin:
    cause = event.part("request")
    return Origin(cause.text("idempotency_key"), cause.text("id"))
