"""What every operation of the double gets and gives: one call, and pages of objects."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.vendors.stripe_errors import missing
from tests.vendors.stripe_state import Thing, Version
from tests.vendors.stripe_world import KINDS, Kept, World

DEFAULT_LIMIT = 10


@dataclass(frozen=True)
class Call:
    """One request, authorised and read. ``ids``: what stands in its path; ``values``: its parameters."""

    world: World
    ids: dict[str, str]
    values: dict[str, Any]
    version: Version
    path: str
    key: str | None

    def about(self, kind: type[Kept]) -> Kept:
        """The object that the path names."""
        return self.world.get(kind, next(iter(self.ids.values())))


@dataclass(frozen=True)
class Page:
    """A part of a list, newest first."""

    things: list[Thing]
    has_more: bool
    url: str


def page(call: Call, kind: type[Kept], wanted: Callable[[Kept], bool]) -> Page:
    """The page that ``limit``, ``starting_after`` and ``ending_before`` ask for, of the objects that are wanted."""
    limit = call.values.get("limit", DEFAULT_LIMIT)
    after, before = call.values.get("starting_after"), call.values.get("ending_before")
    for name, cursor in (("starting_after", after), ("ending_before", before)):
        if cursor and not isinstance(call.world.find(cursor), kind):
            raise missing(KINDS[kind][0], cursor, name, 400)
    found: list[Thing] = []
    things = call.world.oldest_first(kind, before) if before else call.world.newest_first(kind, after)
    for thing in things:
        if wanted(thing) and _within(thing, call.values.get("created")):
            found.append(thing)
            if len(found) > limit:
                break
    kept = found[:limit]
    return Page(kept[::-1] if before else kept, len(found) > limit, call.path)


def _within(thing: Thing, span: dict[str, int] | None) -> bool:
    if span is None:
        return True
    at = int(thing.created.timestamp())
    return at > span.get("gt", -1) and at >= span.get("gte", 0) and at <= span.get("lte", at) and at < span.get("lt", at + 1)


def merge_metadata(old: dict[str, str], given: dict[str, str] | None) -> dict[str, str]:
    """Metadata after an update: None unsets all, an empty value unsets its key."""
    if given is None:
        return {}
    return {key: value for key, value in (old | given).items() if value}
