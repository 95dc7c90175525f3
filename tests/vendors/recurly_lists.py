"""Recurly's lists: sorted by a time, filtered, and turned by a cursor that stands on the last record given."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from tests.vendors.recurly_records import Record, Store
from tests.vendors.recurly_refusals import Refusal, unpermitted
from tests.vendors.recurly_views import listed

R = TypeVar("R", bound=Record)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BY_TIME = frozenset({"ids", "limit", "order", "sort", "begin_time", "end_time"})
DEFAULT_LIMIT, MAX_LIMIT = 20, 200

Query = Mapping[str, str]
Filters = Mapping[str, tuple[frozenset[str], Callable[[Any, str], bool]]]


def _no_filters() -> Filters:
    return {}


@dataclass(frozen=True)
class Listing(Generic[R]):
    """What one operation lists. ``filters``: the further parameters, each with the values it may have (empty: any) and what it keeps.

    ``known``: which of the common parameters it knows. ``name``: a list of the whole site is put in order once, until something changes."""

    name: str | None
    records: Callable[[], Iterable[R]]
    view: Callable[[R], dict[str, Any]]
    known: frozenset[str] = BY_TIME
    filters: Filters = field(default_factory=_no_filters)


Place = tuple[datetime, str]


class Lists:
    """Gives pages and counts."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sorted: dict[tuple[str, str], tuple[int, list[Place], list[Any]]] = {}

    def count(self, listing: Listing[R], query: Query) -> int:
        """How many records the query means; answers HEAD."""
        _check(listing, query)
        return sum(1 for record in listing.records() if _kept(listing, query, record))

    def page(self, listing: Listing[R], path: str, query: Query) -> dict[str, Any]:
        """One page, with the path of the next."""
        _check(listing, query)
        if "ids" in query:
            wanted = frozenset(query["ids"].split(","))
            return listed([listing.view(record) for record in listing.records() if record.id in wanted])
        limit = int(query.get("limit", DEFAULT_LIMIT))
        sort = query.get("sort", "created_at")
        found: list[R] = []
        for record in self._after(listing, sort, query):
            if _kept(listing, query, record):
                found.append(record)
                if len(found) > limit:
                    break
        data = [listing.view(record) for record in found[:limit]]
        if len(found) <= limit:
            return listed(data)
        last = found[limit - 1]
        turned = dict(query) | {"cursor": _cursor(_place(last, sort))}
        return listed(data, f"{path}?{urlencode(turned)}")

    def _after(self, listing: Listing[R], sort: str, query: Query) -> Iterable[R]:
        """The records behind the cursor, in order. One that was changed since has moved, as at Recurly: in descending order it is lost."""
        places, records = self._in_order(listing, sort)
        is_ascending = query.get("order", "desc") == "asc"
        cursor = query.get("cursor")
        if cursor is None:
            numbers = range(len(records)) if is_ascending else range(len(records) - 1, -1, -1)
        elif is_ascending:
            numbers = range(bisect_right(places, _parsed(cursor)), len(records))
        else:
            numbers = range(bisect_left(places, _parsed(cursor)) - 1, -1, -1)
        return (records[number] for number in numbers)

    def _in_order(self, listing: Listing[R], sort: str) -> tuple[list[Place], list[R]]:
        kept = self._sorted.get((listing.name, sort)) if listing.name else None
        if kept and kept[0] == self._store.version:
            return kept[1], kept[2]
        records = sorted(listing.records(), key=lambda record: _place(record, sort))
        places = [_place(record, sort) for record in records]
        if listing.name:
            self._sorted[listing.name, sort] = self._store.version, places, records
        return places, records


def _check(listing: Listing[R], query: Query) -> None:
    strange = query.keys() - listing.known - listing.filters.keys() - {"cursor"}
    if strange:
        raise unpermitted(strange)
    if "ids" in query and len(query) > 1:
        raise Refusal("bad_request", "ids cannot be used with other parameters", ["ids"])
    limit = query.get("limit", str(DEFAULT_LIMIT))
    if not limit.isdecimal() or not 1 <= int(limit) <= MAX_LIMIT:
        raise Refusal("bad_request", f"limit must be between 1 and {MAX_LIMIT}", ["limit"])
    closed = {"sort": {"created_at", "updated_at"}, "order": {"asc", "desc"}} | {n: values for n, (values, _) in listing.filters.items()}
    for name, values in closed.items():
        if name in query and values and query[name] not in values:
            raise Refusal("bad_request", f"{name} must be one of {', '.join(sorted(values))}", [name])
    for name in ("begin_time", "end_time"):
        if name in query:
            _time(name, query[name])


def _kept(listing: Listing[R], query: Query, record: R) -> bool:
    at = _place(record, query.get("sort", "created_at"))[0]
    if "begin_time" in query and at < _time("begin_time", query["begin_time"]):
        return False
    if "end_time" in query and at > _time("end_time", query["end_time"]):
        return False
    return all(keeps(record, query[name]) for name, (_, keeps) in listing.filters.items() if name in query)


def _place(record: Record, sort: str) -> Place:
    # Whole seconds, because that is all a caller is told: what it has seen and what it asks for must agree.
    at = record.updated_at if sort == "updated_at" else record.created_at
    return at.replace(microsecond=0), record.id


def _cursor(place: Place) -> str:
    return f"{place[1]}:{int(place[0].timestamp())}"


def _parsed(cursor: str) -> Place:
    record_id, _, seconds = cursor.partition(":")
    if not seconds.isdecimal():
        raise Refusal("bad_request", "cursor is invalid", ["cursor"])
    return EPOCH + timedelta(seconds=int(seconds)), record_id


def _time(name: str, told: str) -> datetime:
    try:
        at = datetime.fromisoformat(told)
    except ValueError as exc:
        raise Refusal("bad_request", f"{name} is not an ISO 8601 time", [name]) from exc
    return at if at.tzinfo else at.replace(tzinfo=UTC)
