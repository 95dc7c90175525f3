"""``recoup connections backfill``: the past of a platform in our rows, so that shadow mode has a history."""

import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from api.cli.output import json_option, print_json
from api.cli.since import Since, instant

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from api.jobs.backfill import Step
    from graph.bootstrap import Services
    from memory.backfills import BackfillRow


@click.command()
@click.argument("name")
@click.option("--since", type=Since(), default="90d", show_default=True, help="How far back: 90d, 12h, 6w, or a day such as 2026-08-01.")
@json_option
def backfill(name: str, *, since: timedelta | datetime, as_json: bool) -> None:
    """Read the past of the connection NAME: invoices with their attempts, payment methods and accounts, newest first.

    It waits behind webhooks and people, and changes nothing at the platform. Interrupted, the same command goes on where it stopped;
    repeated, it ends the same.

    History does not write to people. An invoice that is still owed gets a case only if it first failed within the days that a case
    lasts (steps.last_day of the policy) and every mode of the policy is shadow or approve. All others are left alone until the
    platform tells of them again.
    """
    from api.cli.session import with_services

    done = with_services(lambda services: _run(services, name, since))
    if as_json:
        print_json(done)
        return
    click.echo(f"{done.invoices} invoices issued since {done.since:%Y-%m-%d} are in the rows.")
    click.echo(f"{done.opened} cases were opened; {done.left_alone} invoices are owed after a failure and were left alone.")
    if done.unread:
        click.echo(f"{done.unread} invoices could not be read; they are named above.", err=True)


async def _run(services: "Services", name: str, since: timedelta | datetime) -> "BackfillRow":
    from contextlib import aclosing

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from api.jobs.backfill import backfill as steps
    from recoup.errors import Defect

    now = await services.clock.now()
    row: BackfillRow | None = None
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    console = Console(stderr=True)
    try:
        with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
            bar = progress.add_task("Reading the past", total=None)
            async with aclosing(steps(services, name, instant(since, now))) as told:
                async for step in told:
                    row = step.backfill
                    _show(progress, bar, step, now)
    finally:
        if row is not None and row.finished_at is None:
            click.echo(f"Not finished: {row.invoices} invoices are kept, and the same command goes on from there.", err=True)
    if row is None:
        raise Defect("a backfill told nothing of itself")
    return row


def _show(progress: "Progress", bar: "TaskID", step: "Step", now: datetime) -> None:
    """Time is what is known of the way: how many invoices there are, no platform tells."""
    row = step.backfill
    reached = row.since if row.finished_at else row.reached or now
    where = f"{row.invoices} invoices, back to {reached:%Y-%m-%d}"
    progress.update(bar, description=where, total=(now - row.since).total_seconds(), completed=(now - reached).total_seconds())
    for lost in step.unread:
        progress.console.print(f"{lost.invoice_vendor_id}: {lost.why}", markup=False, highlight=False, soft_wrap=True)
