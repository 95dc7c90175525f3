"""What the doubles of all vendors share: a clock of their own, idempotency keys, misbehaviour on command, a log and a ledger.

A double is a ``Site``: it says how it answers a request, and the chassis does the rest. State is guarded by ``lock``, because the
site answers in the thread of its server while the test turns its clock; ``changed`` tells of requests that begin and end."""

import hashlib
import json
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal
from urllib.parse import parse_qsl

from tests.vendors.chassis_courier import Courier
from tests.vendors.chassis_trouble import KEPT_ERRORS, NOT_PROCESSED, Misbehaviour, Misbehaviours, Trouble

DEFAULT_START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


class Clock:
    """The double's own time, in UTC; it moves only when a test moves it, and never backwards."""

    def __init__(self, start: datetime = DEFAULT_START) -> None:
        self._now = start

    def now(self) -> datetime:
        """The instant that the double takes for the present."""
        return self._now

    def timestamp(self) -> int:
        """The present in Unix seconds."""
        return int(self._now.timestamp())

    def move_to(self, instant: datetime) -> None:
        """Jumps to a later instant."""
        assert instant >= self._now, f"the clock of a double does not go back from {self._now} to {instant}"
        self._now = instant


@dataclass(frozen=True)
class Request:
    """One request as it came. Header names are in lower case; ``key_in_use``: another request with the same key is being answered."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    key_in_use: bool = False

    @property
    def idempotency_key(self) -> str | None:
        """The ``Idempotency-Key`` header."""
        return self.headers.get("idempotency-key")

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The query's pairs, decoded."""
        return parse_qsl(self.query, keep_blank_values=True)

    @property
    def digest(self) -> str:
        """What must be equal for two requests under one key to count as the same request."""
        return hashlib.sha256(b"\n".join((self.method.encode(), self.path.encode(), self.query.encode(), self.body))).hexdigest()


@dataclass(frozen=True)
class Answer:
    """What goes back. ``body`` is sent as JSON; None sends no body."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def with_headers(self, **headers: str) -> "Answer":
        """The same answer with more headers; underscores in names stand for hyphens."""
        return replace(self, headers={**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}})

    def encoded(self) -> bytes:
        """The body's bytes."""
        return b"" if self.body is None else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Exchange:
    """One line of the request log. ``answer``: what the site decided, None if it was not asked; ``delivered``: the caller got an answer."""

    at: datetime
    request: Request
    answer: Answer | None
    misbehaved: Trouble | None
    delivered: bool

    @property
    def status(self) -> int | None:
        """The status that the caller saw; None if the connection broke."""
        return self.answer.status if self.answer and self.delivered else None


@dataclass(frozen=True)
class Kept:
    """What was answered under a key."""

    digest: str
    answer: Answer
    kept_at: datetime


class KeyStore:
    """Idempotency keys and their answers, forgotten after ``lifetime``."""

    def __init__(self, clock: Clock, lifetime: timedelta) -> None:
        self._clock, self.lifetime = clock, lifetime
        self._kept: dict[str, Kept] = {}

    def recall(self, key: str) -> Kept | None:
        """What was answered under this key, unless it has expired."""
        kept = self._kept.get(key)
        return kept if kept and self._clock.now() - kept.kept_at < self.lifetime else None

    def keep(self, key: str, request: Request, answer: Answer) -> None:
        """The answer of a first request under a key; a later one does not replace it while it lives."""
        if self.recall(key) is None:
            self._kept[key] = Kept(request.digest, answer, self._clock.now())

    def replace(self, key: str, request: Request, answer: Answer) -> None:
        """Puts an answer where another one may have been kept."""
        self._kept[key] = Kept(request.digest, answer, self._clock.now())


@dataclass(frozen=True)
class Attempt:
    """One attempt to move money, as the platform knows it. ``fingerprint`` identifies the card across copies of it."""

    id: str
    invoice: str | None
    fingerprint: str | None
    amount: int
    currency: str
    at: datetime
    initiator: Literal["merchant", "platform", "customer"]
    idempotency_key: str | None
    outcome: Literal["succeeded", "failed", "pending", "requires_action"]
    codes: Mapping[str, str] = field(default_factory=dict[str, str])


class Site(ABC):
    """A double. It implements ``answer``, ``trouble_answer`` and ``run_due``, and appends to ``attempts``."""

    def __init__(self, key_lifetime: timedelta, start: datetime = DEFAULT_START, seed: int = 0) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.clock = Clock(start)
        self.keys = KeyStore(self.clock, key_lifetime)
        self.misbehaviours = Misbehaviours()
        self.courier = Courier(self.clock.now, seed)
        self.log: list[Exchange] = []
        self.attempts: list[Attempt] = []
        self.defects: list[Exception] = []
        self.date_skew = timedelta()
        self._keys_in_flight: Counter[str] = Counter()
        self._interludes: list[tuple[str, str, Callable[[], object]]] = []

    @abstractmethod
    def answer(self, request: Request) -> Answer:
        """Processes a request, idempotency keys (``self.keys``, ``request.key_in_use``) included. Called with the lock held."""

    @abstractmethod
    def trouble_answer(self, trouble: Trouble, request: Request) -> Answer:
        """The vendor's own words for 429, 500, 401 and 503; Retry-After is added by the chassis."""

    @abstractmethod
    def next_due(self) -> datetime | None:
        """When the platform will next do something by itself, if ever."""

    @abstractmethod
    def run_due(self) -> None:
        """Does everything that is due at ``clock.now()``; afterwards ``next_due`` is later."""

    def advance(self, by: timedelta) -> None:
        """Turns the clock on; what falls due on the way happens at its own instant."""
        with self.lock:
            end = self.clock.now() + by
            while (due := self.next_due()) is not None and due <= end:
                self.clock.move_to(max(due, self.clock.now()))
                self.run_due()
            self.clock.move_to(end)

    def ledger(self) -> list[Attempt]:
        """Every attempt ever made: the truth in which a test counts double charges."""
        with self.lock:
            return list(self.attempts)

    def exchanges(self, method: str = "", path_prefix: str = "/") -> list[Exchange]:
        """The request log, or the part of it that a test is about."""
        with self.lock:
            return [e for e in self.log if method in {"", e.request.method} and e.request.path.startswith(path_prefix)]

    @contextmanager
    def in_flight(self, request: Request) -> Generator[Request]:
        """Marks the request's key as in use while the block lasts; the request given knows whether it was before."""
        key = request.idempotency_key
        if key is None:
            yield request
            return
        with self.lock:
            request = replace(request, key_in_use=self._keys_in_flight[key] > 0)
            self._keys_in_flight[key] += 1
            self.changed.notify_all()
        try:
            yield request
        finally:
            with self.lock:
                self._keys_in_flight[key] -= 1

    def is_in_flight(self, key: str) -> bool:
        """Whether a request with that key is being answered; wait for it on ``changed``."""
        return self._keys_in_flight[key] > 0

    def handle(self, request: Request, order: Misbehaviour | None) -> Answer:
        """The answer to a request under a misbehaviour; breaking connections and waiting is left to the wire."""
        trouble = order.trouble if order else None
        with self.lock:
            self._play_interlude(request)
            answer = None if trouble in NOT_PROCESSED else self.answer(request)
            if trouble is not None and order is not None and (answer is None or trouble in KEPT_ERRORS):
                answer = self.trouble_answer(trouble, request)
                if order.seconds and trouble in {Trouble.RATE_LIMITED, Trouble.UNAVAILABLE}:
                    answer = answer.with_headers(Retry_After=str(int(order.seconds)))
                if trouble in KEPT_ERRORS and request.idempotency_key:
                    self.keys.replace(request.idempotency_key, request, answer)
            assert answer is not None
            return answer.with_headers(Date=format_datetime(self.clock.now() + self.date_skew, usegmt=True))

    def before_next(self, method: str, path_prefix: str, act: Callable[[], object]) -> None:
        """Lets something happen after the next such request was sent and before it is processed: the narrowest race there is."""
        with self.lock:
            self._interludes.append((method, path_prefix, act))

    def _play_interlude(self, request: Request) -> None:
        for interlude in self._interludes:
            method, prefix, act = interlude
            if method == request.method and request.path.startswith(prefix):
                self._interludes.remove(interlude)
                act()
                return

    def record(self, request: Request, answer: Answer | None, order: Misbehaviour | None, *, delivered: bool) -> None:
        """Writes the log; what identifies the caller is masked."""
        headers = {name: "***" if name in SECRET_HEADERS else value for name, value in request.headers.items()}
        with self.lock:
            line = Exchange(self.clock.now(), replace(request, headers=headers), answer, order.trouble if order else None, delivered)
            self.log.append(line)
            self.changed.notify_all()

    @contextmanager
    def serve(self) -> Generator[str]:
        """Answers on a free loopback port while the block lasts, in a thread of its own, and gives the base URL.

        Raises what went wrong in the double itself, which its callers only see as broken connections."""
        from tests.vendors.chassis_wire import serving

        try:
            with serving(self) as base_url:
                yield base_url
        finally:
            if self.defects:
                raise ExceptionGroup("the double itself is broken", self.defects)
