"""``recoup worker``: the work without the HTTP API."""

import asyncio

import click

from recoup.settings import Settings


@click.command()
def command() -> None:
    """Run a worker until SIGTERM or Ctrl-C. All workers of one database share its work."""
    from api.cli.running import run_until_stopped

    run_until_stopped(work)


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Opens everything and works until ``stop``."""
    from api.worker import run_worker
    from graph.bootstrap import open_services

    async with open_services(settings) as services:
        await run_worker(services, stop)
