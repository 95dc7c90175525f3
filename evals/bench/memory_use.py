"""What ``recoup serve`` takes of the machine's memory once it has taken in and decided on 500 webhooks."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from evals.bench.backlog import until_quiet
from evals.bench.figure import Figure, tell
from evals.bench.load import Order, load
from evals.bench.processes import environment, listening
from evals.bench.server import Server, opened
from evals.bench.webhooks import SECRET, write_config

MOST_MEGABYTES = 250.0
WEBHOOKS, SUBJECTS = 500, 250
SAMPLES, PAUSE_SECONDS = 5, 0.5


async def figures(postgres: Server, home: Path) -> AsyncGenerator[Figure]:
    """PSS of the API with its worker, PostgreSQL not counted, as a share of what is allowed."""
    async with postgres.fresh() as urls, opened(urls.app) as db:
        told = environment(urls, home, config=str(write_config(home)), bench_secret=SECRET)
        async with listening(["-m", "api.cli", "serve", "--port", "0"], told) as (process, port):
            order = Order(port=port, path="/webhooks/bench", secret=SECRET, first=1, subjects=SUBJECTS, requests=WEBHOOKS)
            await load(order)
            await until_quiet(db)
            seen: list[float] = []
            for _ in range(SAMPLES):
                seen.append(process.megabytes("Pss"))
                await asyncio.sleep(PAUSE_SECONDS)
            rss = process.megabytes("Rss")
    tell(f"{max(seen):.0f} MB")
    shares = [one / MOST_MEGABYTES for one in seen]
    yield Figure(
        name="memory",
        ratio=max(shares),
        spread=(min(shares), max(shares)),
        ceiling=1.0,
        extra={"pss_megabytes": round(max(seen), 1), "rss_megabytes": round(rss, 1), "webhooks": WEBHOOKS},
    )
