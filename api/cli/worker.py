"""``recoup worker``: the work without the HTTP API."""

import asyncio

import click

from recoup.settings import Settings


@click.command()
@click.option("--concurrency", type=click.IntRange(1, 100), default=8, show_default=True, help="How many jobs it does at once.")
def command(concurrency: int) -> None:
    """Run a worker until SIGTERM or Ctrl-C. All workers of one database share its work."""
    from api.cli.running import run_until_stopped

    async def work(settings: Settings, stop: asyncio.Event) -> None:
        from api.worker import run_worker
        from graph.bootstrap import open_services

        async with open_services(settings) as services:
            await run_worker(services, stop, concurrency)

    run_until_stopped(work)
