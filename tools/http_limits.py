"""How often a platform may be called: what its vendor publishes, our share of that, and the account of what was started."""

import re
import tomllib
from collections import deque
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from enum import IntEnum
from functools import lru_cache
from importlib.resources import files
from typing import Annotated

from pydantic import Field

from recoup.errors import Misconfigured
from recoup.record import Record
from recoup.settings import DEFAULT_LIMIT_SHARE, Platform

# Where a vendor publishes nothing about calls at the same time, this many are our own choice.
IN_FLIGHT_WHERE_UNPUBLISHED = 8
VERSION = re.compile(r"v\d+")
Positive = Annotated[int, Field(gt=0)]


class Lane(IntEnum):
    """Who goes first: what a person or a webhook waits for, then the filling in of history."""

    PROMPT = 0
    BACKFILL = 1


_lane: ContextVar[Lane] = ContextVar("lane", default=Lane.PROMPT)


def current_lane() -> Lane:
    """The lane of the requests that this task makes."""
    return _lane.get()


@contextmanager
def in_backfill() -> Generator[None]:
    """Requests made in the block, and in tasks started in it, wait behind all others and leave them half of the room."""
    token = _lane.set(Lane.BACKFILL)
    try:
        yield
    finally:
        _lane.reset(token)


class Published(Record):
    """What a vendor says, and where. ``requests`` in any ``window_seconds``; ``endpoint_requests`` the same for one endpoint."""

    platform: Platform
    livemode: bool
    requests: Positive
    window_seconds: Annotated[float, Field(gt=0)]
    endpoint_requests: Positive | None = None
    in_flight: Positive | None = None
    source: str
    reviewed: date


class Limits(Record):
    """What one process allows itself on one connection."""

    requests: Positive
    window_seconds: Annotated[float, Field(gt=0)]
    endpoint_requests: Positive | None
    in_flight: Positive


@lru_cache(maxsize=1)
def published_limits() -> tuple[Published, ...]:
    """Everything in published_limits.toml."""
    text = (files("tools") / "published_limits.toml").read_text(encoding="utf-8")
    return tuple(Published.model_validate(entry) for entry in tomllib.loads(text)["limit"])


def limits_for(platform: Platform, *, livemode: bool, share: float = DEFAULT_LIMIT_SHARE) -> Limits:
    """Our share of what the platform's vendor publishes, rounded down, at least one. Raises Misconfigured where nothing is known."""
    modes = [limit for limit in published_limits() if limit.platform is platform]
    if not modes:
        raise Misconfigured(f"nothing is known about how often {platform} may be called")
    told = next((limit for limit in modes if limit.livemode is livemode), modes[0])

    def ours(number: int) -> int:
        return max(1, int(number * share))

    return Limits(
        requests=ours(told.requests),
        window_seconds=told.window_seconds,
        endpoint_requests=ours(told.endpoint_requests) if told.endpoint_requests else None,
        in_flight=ours(told.in_flight) if told.in_flight else IN_FLIGHT_WHERE_UNPUBLISHED,
    )


def endpoint_of(method: str, path: str) -> str:
    """A name that requests to one endpoint share. Some endpoints are thrown together, which only makes us slower."""
    parts = [part for part in path.split("/") if part]
    resource = next((part for part in parts if not VERSION.fullmatch(part)), "")
    return f"{method} {resource} {len(parts)}"


class Window:
    """When the last requests started; at most ``limit`` of them in any ``seconds``."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._seconds = seconds
        self._starts: deque[float] = deque(maxlen=limit)

    def free_at(self, now: float) -> float:
        """The earliest instant, not before ``now``, at which one more may start."""
        return now if len(self._starts) < (self._starts.maxlen or 1) else max(now, self._starts[0] + self._seconds)

    def add(self, now: float) -> None:
        """One has started."""
        self._starts.append(now)


class Rates:
    """The account of one connection: what started when and what is under way. Backfill may use half of everything."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._general = self._windows(limits.requests)
        self._endpoints: dict[str, dict[Lane, Window]] = {}
        self._in_flight = dict.fromkeys(Lane, 0)
        self._paused_until = 0.0

    def free_at(self, lane: Lane, endpoint: str | None, now: float) -> float | None:
        """When a request may start, as far as the clock decides; None while others must end first. Without endpoint: any request."""
        if sum(self._in_flight.values()) >= self._limits.in_flight:
            return None
        if lane is Lane.BACKFILL and self._in_flight[lane] >= half(self._limits.in_flight):
            return None
        return max((self._paused_until, *(window.free_at(now) for window in self._concerned(lane, endpoint))), default=now)

    def start(self, lane: Lane, endpoint: str, now: float) -> None:
        """A request goes out."""
        self._in_flight[lane] += 1
        for window in self._concerned(lane, endpoint):
            window.add(now)

    def finish(self, lane: Lane) -> None:
        """A request has ended, whatever its end."""
        self._in_flight[lane] -= 1

    def pause(self, until: float) -> None:
        """The platform asked for silence until then; a shorter pause does not end a longer one."""
        self._paused_until = max(self._paused_until, until)

    def _concerned(self, lane: Lane, endpoint: str | None) -> Iterable[Window]:
        tables = [self._general]
        if endpoint is not None and self._limits.endpoint_requests is not None:
            tables.append(self._endpoints.setdefault(endpoint, self._windows(self._limits.endpoint_requests)))
        for table in tables:
            yield table[Lane.PROMPT]
            if lane is Lane.BACKFILL:
                yield table[Lane.BACKFILL]

    def _windows(self, limit: int) -> dict[Lane, Window]:
        """PROMPT counts all requests, BACKFILL its own ones once more."""
        seconds = self._limits.window_seconds
        return {Lane.PROMPT: Window(limit, seconds), Lane.BACKFILL: Window(half(limit), seconds)}


def half(number: int) -> int:
    """What backfill may use of a number; at least one, or it would never end."""
    return max(1, number // 2)
