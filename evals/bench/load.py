"""A load generator as a process of its own: keep-alive connections on bare sockets, each sending its next webhook once the last is
answered. It does as little as it can, since it shares the cores with what it measures."""

import asyncio
import sys
import time
from collections.abc import Sequence
from statistics import quantiles
from typing import cast

import uvloop
from pydantic import TypeAdapter

from evals.bench.payload import filled, stripe_failure
from recoup.record import Record
from tools.billing.signatures import sign_stripe

CONNECTIONS = 16
ACCEPTED = b"202"
PATIENCE_SECONDS = 120.0
HEADER_END = b"\r\n\r\n"


class Order(Record):
    """What to send. ``first`` numbers the first event, ``subjects`` is the number of different invoices.

    It ends after ``seconds``, or after ``requests`` where those are given.
    """

    port: int
    path: str
    secret: str
    first: int
    subjects: int
    seconds: float = 3600.0
    requests: int | None = None


class Load(Record):
    """What came of it, latencies in milliseconds."""

    per_second: float
    p50_ms: float
    p99_ms: float
    refused: int


class Sender(asyncio.Protocol):
    """One connection: sends, waits for the whole answer, notes how long it took, sends the next."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._answer = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, separator, body = self._answer.partition(HEADER_END)
        if not separator or len(body) < _length(head):
            return
        self._run.took.append(time.perf_counter() - self._sent_at)
        self._run.refused += self._answer[9:12] != ACCEPTED
        self._answer = b""
        self._send()

    def _send(self) -> None:
        request = self._run.next_request()
        if request is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.open -= 1
        self._run.broken = self._run.broken or exc
        if self._run.open == 0:
            self._run.over.set()


class Run:
    """All connections together."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._template, _ = stripe_failure()
        self._number = order.first
        self._until = time.perf_counter() + order.seconds
        self.took: list[float] = []
        self.refused = 0
        self.open = CONNECTIONS
        self.broken: Exception | None = None
        self.over = asyncio.Event()

    def next_request(self) -> bytes | None:
        """The next signed webhook; None when it is over."""
        sent, order = self._number - self._order.first, self._order
        if time.perf_counter() >= self._until or (order.requests is not None and sent >= order.requests):
            return None
        body = filled(self._template, self._number, self._number % order.subjects).encode()
        self._number += 1
        head = (
            f"POST {order.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"Stripe-Signature: {sign_stripe(body, order.secret, int(time.time()))}\r\n\r\n"
        )
        return head.encode() + body


async def generate(order: Order) -> Load:
    """Sends until it is over; raises where a connection broke."""
    run, started = Run(order), time.perf_counter()
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(loop.create_connection(lambda: Sender(run), "127.0.0.1", order.port) for _ in range(CONNECTIONS)))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await run.over.wait()
    if run.broken is not None:
        raise run.broken
    return Load(
        per_second=len(run.took) / (time.perf_counter() - started), p50_ms=_ms(run.took, 50), p99_ms=_ms(run.took, 99), refused=run.refused
    )


async def load(order: Order) -> Load:
    """The same in a process of its own; raises where an answer was not 202."""
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "evals.bench.load", order.model_dump_json(), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await program.communicate()
    told = TypeAdapter(Load).validate_json(said)
    if told.refused:
        raise RuntimeError(f"{order.path} refused {told.refused} of the requests")
    return told


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _ms(seconds: Sequence[float], percentile: int) -> float:
    return round(quantiles(seconds, n=100)[percentile - 1] * 1000, 2)


if __name__ == "__main__":
    sys.stdout.write(uvloop.run(generate(Order.model_validate_json(sys.argv[1]))).model_dump_json())
