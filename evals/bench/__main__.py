"""``python -m evals.bench``: one JSON line a figure on stdout, progress on stderr."""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial
from pathlib import Path

import click

from evals.bench import appends, backtests, decisions, jobs, memory_use, past, plans, platform_calls, rules, scaling, training, webhooks
from evals.bench.figure import Figure, tell
from evals.bench.server import Server, server

Benchmark = Callable[[Server, Path], AsyncGenerator[Figure]]

BENCHMARKS: Mapping[str, Benchmark] = {
    "rules": rules.figures,
    "plan": plans.figures,
    "webhooks": webhooks.figures,
    "appends": appends.figures,
    "jobs": jobs.figures,
    "decisions": decisions.figures,
    "scaling": scaling.figures,
    "memory": memory_use.figures,
    "platform-calls": platform_calls.figures,
    "train": training.figures,
}
BACKFILL, BACKTEST = "backfill", "backtest"
INVOICES, CASES = 10_000, 10_000


@click.command()
@click.option(
    "--only", multiple=True, type=click.Choice([*BENCHMARKS, BACKTEST, BACKFILL]), help="Measure only this; may be given several times."
)
@click.option("--invoices", default=INVOICES, show_default=True, help="How many a backfill reads. Its memory is promised for 100000.")
@click.option("--cases", default=CASES, show_default=True, help="At how many a backtest's memory is measured. It is promised for 100000.")
def main(only: tuple[str, ...], invoices: int, cases: int) -> None:
    """Measure Recoup beside its yardsticks on a PostgreSQL of its own, or on RECOUP_TEST_DATABASE_URL.

    Only ratios count: absolute figures are this machine's.
    """
    sized = {BACKTEST: partial(backtests.figures, cases=cases), BACKFILL: partial(past.figures, invoices=invoices)}
    asyncio.run(measure({**BENCHMARKS, **sized}, only))


async def measure(benchmarks: Mapping[str, Benchmark], only: tuple[str, ...]) -> None:
    """Measures one after another, all where ``only`` names none, and prints each figure as soon as it is there."""
    with tempfile.TemporaryDirectory(prefix="recoup-bench-") as folder:
        home = Path(folder)
        async with server(home) as postgres:
            for name in only or benchmarks:
                started = time.monotonic()
                tell(f"{name} …")
                async for figure in benchmarks[name](postgres, home):
                    click.echo(json.dumps(figure.line()))
                tell(f"{name} took {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
