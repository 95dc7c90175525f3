"""Four workers beside one while the vendor takes its time: workers that do one thing at a time, against ``recoup sandbox``."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from evals.bench.backlog import take_in, until_quiet, until_registered
from evals.bench.figure import Figure, compare, take_turns
from evals.bench.processes import accepts, environment, free_port, recoup
from evals.bench.server import Server, opened
from memory.switches import StoredClock

FLOOR = 2.5
WORKERS, EVENTS, LATENCY_MS, REPEATS = 4, 100, 50, 3
API_KEY = "sk_bench"


async def figures(postgres: Server, home: Path) -> AsyncGenerator[Figure]:
    """Events a second until all are terminal and every case is decided. Each event is a notice whose invoice is read from the vendor."""
    port = free_port()
    sandbox = f"sandbox --port {port} --home {home / 'sandbox'} --cases {EVENTS} --days 1 --latency-ms {LATENCY_MS}"
    async with postgres.fresh() as urls, recoup(sandbox, environment(urls, home, sandbox_api_key=API_KEY)):
        await accepts(port)
        at, bodies = await _failures(f"http://127.0.0.1:{port}")

        async def rate(workers: int) -> float:
            return await _rate(postgres, home, workers, port, at, bodies)

        four, one = await take_turns(REPEATS, lambda: rate(WORKERS), lambda: rate(1))
    measured = {"workers": WORKERS, "events": len(bodies), "vendor_ms": LATENCY_MS, "per_second": round(max(four), 1)}
    yield compare("workers-4-to-1", four, one, floor=FLOOR, **measured)


async def _rate(postgres: Server, home: Path, workers: int, port: int, at: datetime, bodies: Sequence[str]) -> float:
    async with postgres.fresh() as urls, opened(urls.app) as db, AsyncExitStack() as running:
        await StoredClock(db).set(at)
        told = environment(urls, home, sandbox="1", sandbox_url=f"http://127.0.0.1:{port}", sandbox_api_key=API_KEY)
        for _ in range(workers):
            await running.enter_async_context(recoup("worker --concurrency 1", told))
        await until_registered(db, workers)
        started = time.monotonic()
        await take_in(db, "sandbox", bodies)
        await until_quiet(db)
        return len(bodies) / (time.monotonic() - started)


async def _failures(url: str) -> tuple[datetime, list[str]]:
    """The sandbox's time after its first day, and a notice for each invoice that it could not collect."""
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {API_KEY}"}, timeout=60.0) as client:
        start = datetime.fromisoformat((await client.get("/control/next")).json()["now"])
        at = start + timedelta(days=1)
        (await client.post("/control/advance", json={"to": at.isoformat()})).raise_for_status()
        ledger: dict[str, Any] = (await client.get("/control/ledger")).json()
        owed = [row["vendor_id"] for row in ledger["invoices"] if row["remaining_minor"]]
        answers = await asyncio.gather(*(client.get(f"/v1/invoices/{invoice}") for invoice in owed))
    customers = [answer.raise_for_status().json()["invoice"]["customer"] for answer in answers]
    return at, [_notice(invoice, customer, at) for invoice, customer in zip(owed, customers, strict=True)]


def _notice(invoice: str, customer: str, at: datetime) -> str:
    data = {"invoice": invoice, "customer": customer}
    event = {"id": f"evt_{invoice}", "type": "invoice.payment_failed", "livemode": False, "created": at.isoformat(), "data": data}
    return json.dumps(event)
