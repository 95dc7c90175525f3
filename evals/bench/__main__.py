"""``python -m evals.bench``: one JSON line a figure on stdout, progress on stderr."""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path

import click

from evals.bench import appends, decisions, jobs, memory_use, platform_calls, rules, scaling, webhooks
from evals.bench.figure import Figure, tell
from evals.bench.server import Server, server

Benchmark = Callable[[Server, Path], AsyncGenerator[Figure]]

BENCHMARKS: Mapping[str, Benchmark] = {
    "rules": rules.figures,
    "webhooks": webhooks.figures,
    "appends": appends.figures,
    "jobs": jobs.figures,
    "decisions": decisions.figures,
    "scaling": scaling.figures,
    "memory": memory_use.figures,
    "platform-calls": platform_calls.figures,
}


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(BENCHMARKS)), help="Measure only this; may be given several times.")
def main(only: tuple[str, ...]) -> None:
    """Measure Recoup beside its yardsticks on a PostgreSQL of its own, or on RECOUP_TEST_DATABASE_URL.

    Only ratios count: absolute figures are this machine's.
    """
    asyncio.run(measure(only or tuple(BENCHMARKS)))


async def measure(names: tuple[str, ...]) -> None:
    """Measures one after another and prints each figure as soon as it is there."""
    with tempfile.TemporaryDirectory(prefix="recoup-bench-") as folder:
        home = Path(folder)
        async with server(home) as postgres:
            for name in names:
                started = time.monotonic()
                tell(f"{name} …")
                async for figure in BENCHMARKS[name](postgres, home):
                    click.echo(json.dumps(figure.line()))
                tell(f"{name} took {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
