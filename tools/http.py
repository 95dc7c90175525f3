"""The one way out to billing platforms: within limits, to the right address, no further than it leads, and never twice by itself
where it might matter."""

import asyncio
import random
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import httpx

from recoup.monotonic import MachineTime, MonotonicTime
from recoup.record import Record
from recoup.settings import Connection
from tools.http_admission import Admission
from tools.http_breaker import Breaker
from tools.http_egress import Egress, Resolver, system_resolver
from tools.http_errors import CircuitOpen, NotSent, Redirected, TooLate, TooLong, silence_seconds
from tools.http_limits import Lane, Limits, current_lane, endpoint_of, limits_for
from tools.starting import may_start

TIMEOUT = httpx.Timeout(connect=2.0, write=5.0, read=30.0, pool=2.0)
MOST_ADDRESSES = 3

READS = frozenset({"GET", "HEAD"})
TRIES_OF_READS = 3
RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
FIRST_BACKOFF_SECONDS = 0.2
LONGEST_WAIT_BETWEEN_TRIES_SECONDS = 5.0
SILENCE_WHERE_NONE_IS_TOLD_SECONDS = 1.0

READ_PATIENCE_SECONDS = 20.0
# While an effect only queues it is surely not sent, and better given back than kept from others.
EFFECT_PATIENCE_SECONDS = 2.0
BACKFILL_PATIENCE_SECONDS = 600.0
# A caller who lost patience after this long tells of a platform that hangs.
HANGING_SECONDS = 2.0


class Bounds(Record):
    """How much of one exchange is put up with. A body that comes a byte a second never lets a read time out: hence the whole, which
    ends before the job that waits for it does (recoup.ports.LONGEST_EFFECT_SECONDS), so that it is known what was waited for."""

    exchange_seconds: float = 36.0
    answer_bytes: int = 16_000_000


class GuardedTransport(httpx.AsyncBaseTransport):
    """Give it to an adapter's client as its transport; one for a connection, closed with the client.

    Answers come back whole. Raises httpx.TransportError; those that are NotSent say that nothing was sent: see http_errors.failure.
    ``inner`` (sends the request), ``resolver``, ``time``, ``limits``, ``bounds``, ``breaker`` and ``jitter`` (0 to 1) are for tests.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        inner: httpx.AsyncBaseTransport | None = None,
        resolver: Resolver = system_resolver,
        time: MonotonicTime | None = None,
        limits: Limits | None = None,
        bounds: Bounds | None = None,
        breaker: Breaker | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._time, self._bounds = time or MachineTime(), bounds or Bounds()
        limits = limits or limits_for(connection.platform, livemode=connection.livemode, share=connection.limit_share)
        self._egress = Egress(connection, resolver, self._time)
        self._admission = Admission(limits, self._time)
        self._breaker = breaker or Breaker()
        self._jitter = jitter
        pool = httpx.Limits(max_connections=limits.in_flight, max_keepalive_connections=limits.in_flight)
        # Proxies of the environment would resolve the name themselves, and see where we go.
        self._inner = inner or httpx.AsyncHTTPTransport(limits=pool, trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, whatever its status but a redirect. Only reads are tried again."""
        tries = TRIES_OF_READS if request.method in READS else 1
        for number in range(1, tries):
            wait = FIRST_BACKOFF_SECONDS * 2 ** (number - 1) * (0.5 + self._jitter() / 2)
            try:
                response = await self._once(request)
            except (NotSent, Redirected, TooLong):
                raise
            except httpx.TransportError:
                await self._pause(wait)
                continue
            if response.status_code not in RETRIED_STATUSES:
                return response
            told = silence_seconds(response.headers)
            if told is not None and told > LONGEST_WAIT_BETWEEN_TRIES_SECONDS:
                return response
            await self._pause(max(wait, told or 0.0))
        return await self._once(request)

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._inner.aclose()

    async def _pause(self, seconds: float) -> None:
        await self._time.wait(asyncio.Event(), seconds)

    async def _once(self, request: httpx.Request) -> httpx.Response:
        if self._breaker.refuses(self._time.now()):
            raise CircuitOpen("the platform has not been answering")
        async with self._admission.room(current_lane(), endpoint_of(request.method, request.url.path), _patience(request.method)):
            started_at = self._time.now()
            if not self._breaker.enter(started_at):
                raise CircuitOpen("the platform has not been answering")
            try:
                response = await self._exchange(request)
            except httpx.TransportError as exc:
                self._judge(is_well=None if isinstance(exc, NotSent | Redirected | TooLong) else False)
                raise
            except BaseException:
                self._judge(is_well=None if self._time.now() - started_at < HANGING_SECONDS else False)
                raise
            limited = response.status_code == HTTPStatus.TOO_MANY_REQUESTS
            self._judge(is_well=None if limited else response.status_code < 500)
            if limited or response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
                self._keep_silence(response, limited=limited)
            return response

    def _judge(self, *, is_well: bool | None) -> None:
        """Tells the breaker; None: nothing was learnt about the platform."""
        if is_well is None:
            self._breaker.left()
        elif is_well:
            self._breaker.succeeded()
        else:
            self._breaker.failed(self._time.now())

    def _keep_silence(self, response: httpx.Response, *, limited: bool) -> None:
        told = silence_seconds(response.headers)
        if told is None and limited:
            told = SILENCE_WHERE_NONE_IS_TOLD_SECONDS
        if told:
            self._admission.pause(told)

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        """One request, to the first address that takes a connection."""
        try:
            async with asyncio.timeout(self._bounds.exchange_seconds):
                addresses = (await self._egress.addresses(request.url))[:MOST_ADDRESSES]
                for address in addresses[:-1]:
                    try:
                        return await self._send(pinned(request, address))
                    except (httpx.ConnectError, httpx.ConnectTimeout):
                        continue
                try:
                    return await self._send(pinned(request, addresses[-1]))
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    self._egress.forget()
                    raise
        except TimeoutError as exc:
            raise httpx.ReadTimeout("the whole exchange took too long") from exc

    async def _send(self, request: httpx.Request) -> httpx.Response:
        if request.method not in READS:
            request.extensions["trace"] = _may_still_be_sent
        response = await self._inner.handle_async_request(request)
        try:
            if response.has_redirect_location:
                raise Redirected(f"answered {response.status_code}")
            body = await _whole_body(response, self._bounds.answer_bytes)
        finally:
            await response.aclose()
        kept = {name: value for name, value in response.extensions.items() if name in {"http_version", "reason_phrase"}}
        return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(body), extensions=kept)


def pinned(request: httpx.Request, address: str) -> httpx.Request:
    """The same request, to be sent to that address; the name stays in the Host header and in what the certificate must be for."""
    extensions = {**request.extensions, "timeout": TIMEOUT.as_dict(), "sni_hostname": request.url.host}
    url = request.url.copy_with(host=address)
    return httpx.Request(request.method, url, headers=request.headers, stream=request.stream, extensions=extensions)


async def _whole_body(response: httpx.Response, most_bytes: int) -> bytes:
    if isinstance(response.stream, httpx.ByteStream):
        return b"".join(response.stream)
    parts, length = list[bytes](), 0
    async for part in response.aiter_raw():
        length += len(part)
        if length > most_bytes:
            raise TooLong(f"more than {most_bytes} bytes")
        parts.append(part)
    return b"".join(parts)


async def _may_still_be_sent(event: str, _: Mapping[str, Any]) -> None:
    """Called by the connection as it goes on. Once it stands, nothing is left to wait for, and not a byte has left."""
    if event.endswith("send_request_headers.started") and not may_start():
        raise TooLate("the time in which it may be sent is over")


def _patience(method: str) -> float:
    if current_lane() is Lane.BACKFILL:
        return BACKFILL_PATIENCE_SECONDS
    return READ_PATIENCE_SECONDS if method in READS else EFFECT_PATIENCE_SECONDS
