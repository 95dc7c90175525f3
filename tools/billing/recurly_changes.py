"""What changed at Recurly since a moment, from its lists: for what webhooks may have lost.

An invoice does not change with everything that concerns it: a customer closes the account or puts in another card, a subscription is
cancelled, a payment is charged back. So five lists are gone through, one after the other, each by the time of the last change.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from pydantic import AwareDatetime, ValidationError

from recoup.errors import Malformed
from recoup.events import ObjectRef
from recoup.ports import FIRST_LOOK_BACK, ChangedPage
from recoup.record import Record
from tools.billing.json_part import Part
from tools.billing.recurly_http import PAGE, RecurlyHttp, next_query
from tools.billing.recurly_snapshots import PURCHASES

# Events of one second come one after the other, and clocks are told in whole seconds: what was read is read again by this much.
OVERLAP = timedelta(minutes=2)

ListName = Literal["accounts", "cards", "subscriptions", "transactions", "invoices"]
Refs = Iterable[ObjectRef]


class Cursor(Record):
    """Where in a round of all lists the next page begins. ``since``: what changed from then on is told; ``began``: the platform's time
    when the round began, None before that; ``page``: Recurly's own cursor in the list."""

    since: AwareDatetime
    began: AwareDatetime | None = None
    at: ListName = "accounts"
    page: str | None = None


class List(NamedTuple):
    """``is_whole``: it is not told when what counts of it changed, so that all of it is read each time."""

    path: str
    refs: Callable[[Part, datetime], Refs]
    query: dict[str, str | int] = {}
    is_whole: bool = False


class RecurlyChanges:
    """Each list is asked for anew from a time on, and within it by Recurly's cursor, oldest change first: what changes while its pages
    are turned moves to the end and is seen there, and what changes in a list that is behind us is seen in the next round."""

    def __init__(self, http: RecurlyHttp) -> None:
        self._http = http

    async def since(self, cursor: str | None) -> ChangedPage:
        """One page. None begins four days ago, by Recurly's clock. Raises Malformed for a cursor of somebody else's, BillingUnavailable."""
        place = await self._beginning() if cursor is None else _read(cursor)
        here = LISTS[place.at]
        query: dict[str, str | int] = {**here.query, "sort": "updated_at", "order": "asc", "limit": PAGE}
        if not here.is_whole:
            query["begin_time"] = _iso(place.since)
        if place.page is not None:
            query["cursor"] = place.page
        page = await self._http.get(here.path, query)
        refs = (ref for one in page.document.parts("data") for ref in here.refs(one, place.since))
        following = next_query(page.document)
        after = _next(place.model_copy(update={"began": place.began or page.at}), following.get("cursor") if following else None)
        return ChangedPage(
            refs=tuple(dict.fromkeys(refs)),
            cursor=after.model_dump_json(),
            has_more=after.began is not None,
            begins=place.since if cursor is None else None,
        )

    async def _beginning(self) -> Cursor:
        latest = await self._http.get("/sites", {"limit": 1})
        return Cursor(since=latest.at - FIRST_LOOK_BACK)


def _next(place: Cursor, page: str | None) -> Cursor:
    """The next page of the list, else the next list, else the next round."""
    if page is not None:
        return place.model_copy(update={"page": page})
    rest = list(LISTS)[list(LISTS).index(place.at) + 1 :]
    if rest:
        return place.model_copy(update={"at": rest[0], "page": None})
    # By the platform's own clock; what it has changed and was only about to list lies within the overlap.
    reached = (place.began or place.since) - OVERLAP
    return Cursor(since=max(place.since, reached))


def _read(cursor: str) -> Cursor:
    try:
        return Cursor.model_validate_json(cursor)
    except ValidationError as exc:
        raise Malformed("this is not a cursor that Recurly's adapter gave") from exc


def _itself(kind: str) -> Callable[[Part, datetime], Refs]:
    return lambda one, _: (ObjectRef(kind=kind, vendor_id=one.need_text("id")),)


def _changed_card(account: Part, since: datetime) -> Refs:
    """The account's billing info, where that is what changed: no list of the site has them, and the account's own time need not tell."""
    info = account.part("billing_info")
    changed_at = info.time("updated_at") if info else None
    if changed_at is not None and changed_at >= since:
        yield ObjectRef(kind="billing_info", vendor_id=f"{account.need_text('id')}/{info.need_text('id')}")


def _paid_invoice(transaction: Part, _: datetime) -> Refs:
    """The invoice stands for the transactions that paid it. A refund stands on an invoice of its own, and names what it gives back."""
    kind, invoice_id = transaction.text("type"), transaction.part("invoice").text("id")
    if kind == "refund":
        yield ObjectRef(kind="payment", vendor_id=transaction.need_text("id"))
    elif kind in PURCHASES and invoice_id is not None:
        yield ObjectRef(kind="invoice", vendor_id=invoice_id)


def _billed_invoice(invoice: Part, _: datetime) -> Refs:
    yield ObjectRef(kind="invoice", vendor_id=invoice.text("previous_invoice_id") or invoice.need_text("id"))


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


# Invoices come last: they are read whole, with whatever was found of their accounts before.
LISTS: dict[ListName, List] = {
    "accounts": List("/accounts", _itself("account")),
    # Whose card was changed matters where something is owed. Of a wallet's other cards the next reading of the invoice tells.
    "cards": List("/accounts", _changed_card, {"past_due": "true"}, is_whole=True),
    "subscriptions": List("/subscriptions", _itself("subscription")),
    "transactions": List("/transactions", _paid_invoice),
    "invoices": List("/invoices", _billed_invoice),
}
