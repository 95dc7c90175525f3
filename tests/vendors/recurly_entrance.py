"""What every call to the Recurly double passes first: the API key, the version, the rate limit and the idempotency key."""

import base64
import binascii
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Literal

from tests.vendors.chassis import Answer, Clock, KeyStore, Request
from tests.vendors.recurly_records import SiteRecord
from tests.vendors.recurly_refusals import Refusal, refusal

VERSION = "v2021-02-25"
ACCEPTED = frozenset({f"application/vnd.recurly.{VERSION}", f"application/vnd.recurly.{VERSION}+json"})
KEY_LIFETIME = timedelta(hours=1)
KEY_CHARACTERS = 255
WINDOW = timedelta(minutes=5)
WINDOW_MINUTES = 5
PER_MINUTE = {"production": 1_000, "development": 400, "sandbox": 400}
READING = frozenset({"GET", "HEAD"})
NOT_KEPT = frozenset({401, 403, 406, 409, 429})

Permission = Literal["full", "read_only"]


class RecurlyKeys(KeyStore):
    """Recurly takes two requests for the same one if key, method, path and API key are equal; the body does not count."""

    def recall_for(self, request: Request) -> Answer | None:
        """The answer kept for this request."""
        kept = self.recall(_scope(request))
        return kept.answer if kept else None

    def keep(self, key: str, request: Request, answer: Answer) -> None:
        super().keep(_scope(request), request, answer)

    def replace(self, key: str, request: Request, answer: Answer) -> None:
        super().replace(_scope(request), request, answer)


class Entrance:
    """``keys`` are the API keys that the site has given out; taking one out revokes it. ``closed``: below that path no key may do anything.
    ``per_minute`` overrides the limit of the mode."""

    def __init__(self, clock: Clock, site: SiteRecord, kept: RecurlyKeys) -> None:
        self._clock, self._site, self._kept = clock, site, kept
        self._calls: deque[datetime] = deque()
        self.keys: dict[str, Permission] = {}
        self._request_number = 0
        self.per_minute: int | None = None
        self.closed: str | None = None

    def admit(self, request: Request, process: Callable[[Request], Answer]) -> Answer:
        """The answer with the headers that all answers have."""
        answer = self._counted(request, process)
        left = max(self._limit() - len(self._calls), 0)
        reset = (self._calls[0] if self._calls else self._clock.now()) + WINDOW
        return answer.with_headers(
            X_Request_Id=self.next_request_id(),
            Recurly_Version=f"recurly.{VERSION}",
            Date=format_datetime(self._clock.now(), usegmt=True),
            X_RateLimit_Limit=str(self._limit()),
            X_RateLimit_Remaining=str(left),
            X_RateLimit_Reset=str(int(reset.timestamp())),
        )

    def next_request_id(self) -> str:
        """What identifies a call to Recurly's support."""
        self._request_number += 1
        return f"recurly-request-{self._request_number}"

    def _limit(self) -> int:
        """Calls in a window of five minutes, which slides."""
        return (self.per_minute or PER_MINUTE[self._site.mode]) * WINDOW_MINUTES

    def _counted(self, request: Request, process: Callable[[Request], Answer]) -> Answer:
        try:
            self._authenticate(request)
            self._count(request)
            return self._once(request, process)
        except Refusal as refused:
            return refused.answer()

    def _count(self, request: Request) -> None:
        now = self._clock.now()
        while self._calls and self._calls[0] <= now - WINDOW:
            self._calls.popleft()
        # In production only reading is limited.
        if self._site.mode != "production" or request.method in READING:
            if len(self._calls) >= self._limit():
                raise Refusal("rate_limited", "You have made too many API requests")
            self._calls.append(now)

    def _authenticate(self, request: Request) -> None:
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        try:
            key = base64.b64decode(encoded, validate=True).decode().partition(":")[0] if scheme.lower() == "basic" else ""
        except (binascii.Error, UnicodeDecodeError):
            key = ""
        if not key:
            raise Refusal("unauthorized", "An API key is needed")
        if key not in self.keys:
            raise Refusal("invalid_api_key", "There is no such API key, or it was revoked")
        if self.keys[key] == "read_only" and request.method not in READING:
            raise Refusal("invalid_permissions", "This API key may only read")
        if self.closed is not None and request.path.startswith(self.closed):
            raise Refusal("invalid_permissions", "This API key may not do that")
        if request.headers.get("accept", "").partition(";")[0].strip() not in ACCEPTED:
            raise Refusal("invalid_api_version", f"The Accept header names no API version. Try one of: {', '.join(sorted(ACCEPTED))}")

    def _once(self, request: Request, process: Callable[[Request], Answer]) -> Answer:
        key = request.idempotency_key
        if key is None or request.method in READING:
            return _processed(request, process)
        if len(key) > KEY_CHARACTERS:
            raise Refusal("bad_request", f"Idempotency-Key has more than {KEY_CHARACTERS} characters", ["Idempotency-Key"])
        prior = self._kept.recall_for(request)
        if prior:
            return prior.with_headers(Idempotency_Prior="true")
        if request.key_in_use:
            busy = refusal("simultaneous_request", "A request with this Idempotency-Key is still under way")
            return Answer(409, busy.body).with_headers(Recurly_Should_Retry="true", Retry_After="1")
        answer = _processed(request, process)
        if answer.status not in NOT_KEPT:
            self._kept.keep(key, request, answer)
        return answer


def _processed(request: Request, process: Callable[[Request], Answer]) -> Answer:
    """Refusals are answers too, and kept under the key as such."""
    try:
        return process(request)
    except Refusal as refused:
        return refused.answer()


def _scope(request: Request) -> str:
    return "\n".join((request.idempotency_key or "", request.method, request.path, request.headers.get("authorization", "")))
