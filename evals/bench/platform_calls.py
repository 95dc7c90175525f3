"""What an adapter and its guarded transport add to a call: the same question to the same server, beside a bare client."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

import httpx

from evals.bench.figure import Figure, compare, take_turns
from evals.bench.server import Server
from recoup.ports import Effect
from recoup.settings import Connection, Platform
from tools.billing.sandbox import SandboxBilling

CALLS, REPEATS = 400, 7
# About 1.25 was found where the server is as near and as fast as can be; a real one takes a hundred times longer.
MOST_RATIO = 2.0
EFFECT = Effect(
    key="act_1", name="retry_payment", invoice_vendor_id="in_1", subscription_vendor_id=None, account_vendor_id="cus_1", args={}
)
DOCUMENT = json.dumps({"state": "done", "detail": "succeeded", "vendor_ref": "ch_1"}).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(DOCUMENT), DOCUMENT)


async def figures(postgres: Server, home: Path) -> AsyncGenerator[Figure]:  # noqa: ARG001 - every benchmark takes the same
    """Looking up an effect through the sandbox's adapter, beside a GET and its JSON."""
    async with _answering() as address:
        connection = Connection(
            name="bench", platform=Platform.SANDBOX, livemode=False, simulated=True, api_key="sk_bench", api_base=address
        )
        async with SandboxBilling(connection) as adapter, httpx.AsyncClient(base_url=address) as bare:

            async def through_the_adapter() -> float:
                started = perf_counter()
                for _ in range(CALLS):
                    await adapter.find_effect(EFFECT)
                return (perf_counter() - started) / CALLS * 1e6

            async def by_a_bare_client() -> float:
                started = perf_counter()
                for _ in range(CALLS):
                    (await bare.get(f"/v1/effects/{EFFECT.key}")).raise_for_status().json()
                return (perf_counter() - started) / CALLS * 1e6

            ours, theirs = await take_turns(REPEATS, through_the_adapter, by_a_bare_client)
    yield compare("adapter-call", ours, theirs, ceiling=MOST_RATIO, added_us=round(min(ours) - min(theirs)))


@asynccontextmanager
async def _answering() -> AsyncGenerator[str]:
    """An address where every request gets the same answer, as fast as can be."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
