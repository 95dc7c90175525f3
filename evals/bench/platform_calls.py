"""What the adapters and their guarded transport add to a call: the same question to the same server, beside a bare client.

In processor time, the answering server's included: it costs both sides the same, and what else the machine does costs neither.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from time import process_time

import httpx

from evals.bench.figure import Figure, compare, take_turns
from evals.bench.server import Server
from evals.bench.unhurried import WITHOUT_LIMITS
from recoup.events import ObjectRef
from recoup.ports import Effect
from recoup.settings import Connection, Platform
from tools.billing.recurly import RecurlyBilling
from tools.billing.sandbox import SandboxBilling
from tools.billing.stripe import StripeBilling
from tools.http import GuardedTransport

CALLS, REPEATS = 300, 7
# 1.3 was found for our own clients, and 2.0 with Stripe's SDK in between, which writes lines for a log that nobody reads and makes
# objects of every answer: where the server is as near and as fast as can be. A real one takes a hundred times longer.
MOST_RATIO, MOST_RATIO_WITH_SDK = 2.0, 3.0
EFFECT = Effect(
    key="act_1", name="retry_payment", invoice_vendor_id="in_1", subscription_vendor_id=None, account_vendor_id="cus_1", args={}
)
CUSTOMER, ACCOUNT = ObjectRef(kind="customer", vendor_id="cus_1"), ObjectRef(kind="account", vendor_id="abc1")
NAMES = {"name": "Alex Example", "email": "alex@customer.example", "address": {"country": "US"}, "metadata": {"plan": "team"}}
DOCUMENTS: dict[str, object] = {
    f"/v1/effects/{EFFECT.key}": {"state": "done", "detail": "succeeded", "vendor_ref": "ch_1"},
    "/v1/customers/cus_1": {"id": "cus_1", "object": "customer", **NAMES},
    "/accounts/abc1": {"id": "abc1", "object": "account", "code": "alex", "state": "active", **NAMES},
}

Call = Callable[[], Awaitable[object]]


async def figures(postgres: Server, home: Path) -> AsyncGenerator[Figure]:  # noqa: ARG001 - every benchmark takes the same
    """Reading one small thing through each adapter, beside a GET and its JSON."""
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(_answering())
        bare = await stack.enter_async_context(httpx.AsyncClient(base_url=address))
        sandbox = await stack.enter_async_context(SandboxBilling(there := _to(Platform.SANDBOX, address), transport=_unhurried(there)))
        stripe = await stack.enter_async_context(StripeBilling(there := _to(Platform.STRIPE, address), transport=_unhurried(there)))
        recurly = await stack.enter_async_context(RecurlyBilling(there := _to(Platform.RECURLY, address), transport=_unhurried(there)))
        calls: tuple[Call, ...] = (lambda: sandbox.find_effect(EFFECT), lambda: stripe.fetch(CUSTOMER), lambda: recurly.fetch(ACCOUNT))
        for platform, path, call in zip((Platform.SANDBOX, Platform.STRIPE, Platform.RECURLY), DOCUMENTS, calls, strict=True):

            async def ask(path: str = path) -> object:
                return (await bare.get(path)).raise_for_status().json()

            most = MOST_RATIO_WITH_SDK if platform is Platform.STRIPE else MOST_RATIO
            ours, theirs = await take_turns(REPEATS, lambda call=call: _microseconds(call), lambda ask=ask: _microseconds(ask))
            yield compare(f"adapter-call-{platform}", ours, theirs, ceiling=most, added_us=round(min(ours) - min(theirs)))


def _to(platform: Platform, address: str) -> Connection:
    return Connection(name="bench", platform=platform, livemode=False, simulated=True, api_key="sk_bench", api_base=address)


def _unhurried(connection: Connection) -> GuardedTransport:
    return GuardedTransport(connection, limits=WITHOUT_LIMITS)


async def _microseconds(call: Call) -> float:
    started = process_time()
    for _ in range(CALLS):
        await call()
    return (process_time() - started) / CALLS * 1e6


@asynccontextmanager
async def _answering() -> AsyncGenerator[str]:
    """An address where every path has its answer, given as fast as can be."""
    bodies = {path.encode(): json.dumps(document).encode() for path, document in DOCUMENTS.items()}
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
    answers = {path: head % (len(body), body) for path, body in bodies.items()}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(answers[request.split(b" ", 2)[1]])
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
