"""An audited append beside a plain insert: 16 writers at once, over a thousand chains."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

from evals.bench.figure import Figure, compare, take_turns
from evals.bench.server import Server, connected, opened
from memory import audit
from memory.database import Database, Write
from recoup.clock import wall_now
from recoup.ids import new_id

FLOOR = 0.4
WRITERS, CHAINS, SECONDS, REPEATS = 16, 1000, 2.0, 7

Step = Callable[[Write, str], Awaitable[object]]


async def figures(postgres: Server, home: Path) -> AsyncGenerator[Figure]:  # noqa: ARG001 - all benchmarks share one signature
    """Appends a second, of both kinds through ``Database.write``, each a transaction of its own."""
    async with postgres.fresh() as urls:
        with connected(urls.owner) as owner:
            owner.execute("CREATE TABLE bench_plain (id text PRIMARY KEY, chain text NOT NULL, body text NOT NULL, at timestamptz)")
            owner.execute("GRANT INSERT ON bench_plain TO PUBLIC")
        async with opened(urls.app, max_size=WRITERS) as db:
            audited, plain = await take_turns(REPEATS, lambda: rate(db, append), lambda: rate(db, insert))
    yield compare("audited-append", audited, plain, floor=FLOOR, writers=WRITERS, chains=CHAINS, per_second=round(max(audited)))


async def rate(db: Database, step: Step) -> float:
    """Transactions a second."""
    started = time.monotonic()
    counts = await asyncio.gather(*(_write(db, step, number, started + SECONDS) for number in range(WRITERS)))
    return sum(counts) / (time.monotonic() - started)


async def _write(db: Database, step: Step, writer: int, until: float) -> int:
    chosen, count = random.Random(writer), 0
    while time.monotonic() < until:
        async with db.write() as tx:
            await step(tx, f"case_bench{chosen.randrange(CHAINS):04}")
        count += 1
    return count


async def append(tx: Write, chain: str) -> None:
    """What every change of a row's state does."""
    await audit.append(
        tx,
        chain=chain,
        subject=new_id("timer"),
        kind="timer",
        state="pending",
        actor="worker",
        at=wall_now(),
        data={"timer": "decide", "reason": "nothing else would wake the case"},
    )


async def insert(tx: Write, chain: str) -> None:
    """One row of the same size, and nothing else."""
    await tx.run(
        "INSERT INTO bench_plain (id, chain, body, at) VALUES (%s, %s, %s, %s)",
        (new_id("timer"), chain, '{"timer": "decide", "reason": "nothing else would wake the case"}', wall_now()),
    )
