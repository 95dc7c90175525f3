"""How long training on a million charges takes, reading the file included, on two processors."""

import asyncio
import resource
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from pathlib import Path

from evals.backtest.explorer import explored
from evals.bench.figure import Figure, tell
from evals.bench.server import Server
from evals.history import read_history
from evals.history_files import write_history
from evals.history_row import HistoryRow
from evals.training.train import PROCESSES, train
from tools.sandbox.world import home

MOST_SECONDS = 180.0
CHARGES, CASES = 1_000_000, 3000


async def figures(postgres: Server, home: Path) -> AsyncGenerator[Figure]:  # noqa: ARG001 - every benchmark is given a server
    """Seconds as a share of what is allowed, once: it is long, and one machine's noise is small beside it."""
    path = home / "history.csv"
    charges = await asyncio.to_thread(_write, path)
    tell(f"{charges} charges in {path.stat().st_size / 1e6:.0f} MB")
    started = time.monotonic()
    trained = await asyncio.to_thread(lambda: train(read_history(path)))
    seconds = time.monotonic() - started
    tell(f"{seconds:.0f} s")
    measured = {
        "seconds": round(seconds, 1),
        "charges": charges,
        "retries": trained.retries,
        "looked_at": trained.examples,
        "trees": len(trained.model.trees.roots),
        "processes": PROCESSES,
        "megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
    }
    share = seconds / MOST_SECONDS
    yield Figure(name="train", ratio=share, spread=(share, share), ceiling=1.0, extra=measured)


def _write(path: Path) -> int:
    """A world's history over and over, each time of other customers. Without propensities, so that every retry is learned from."""
    rows = list(explored(home(), CASES, 1))
    charges = sum(row.kind == "attempt" for row in rows)
    times = -(-CHARGES // charges)
    write_history(path, _again(rows, times))
    return charges * times


def _again(rows: list[HistoryRow], times: int) -> Iterator[HistoryRow]:
    for number in range(times):
        for row in rows:
            yield replace(row, account_id=f"{number}_{row.account_id}", invoice_id=f"{number}_{row.invoice_id}", propensity=None)
