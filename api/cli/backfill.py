"""``recoup connections backfill``: the past of a platform in our rows, so that shadow mode has a history."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from api.cli.output import json_option, print_json
from api.cli.since import Since, instant

if TYPE_CHECKING:
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
    click.echo(f"{_counted(done.invoices, 'invoice')} issued since {done.since:%Y-%m-%d} {_are(done.invoices)} in the rows.")
    left = f"{_counted(done.left_alone, 'invoice')} {_are(done.left_alone)} owed after a failure and {_were(done.left_alone)} left alone"
    click.echo(f"{_counted(done.opened, 'case')} {_were(done.opened)} opened; {left}.")
    if done.unread:
        named = "is named above" if done.unread == 1 else "are named above"
        click.echo(f"{_counted(done.unread, 'invoice')} could not be read and {named}.", err=True)


async def _run(services: "Services", name: str, since: timedelta | datetime) -> "BackfillRow":
    from contextlib import aclosing

    from api.jobs.backfill import backfill as steps
    from recoup.errors import Defect

    now = await services.clock.now()
    row: BackfillRow | None = None
    try:
        with _progress(now) as show:
            async with aclosing(steps(services, name, instant(since, now))) as told:
                async for step in told:
                    if row is None and step.backfill.invoices and step.backfill.finished_at is None:
                        click.echo(f"Goes on where it stopped: {_counted(step.backfill.invoices, 'invoice')} so far.", err=True)
                    row = step.backfill
                    show(step)
    finally:
        if row is not None and row.finished_at is None:
            kept = f"{_counted(row.invoices, 'invoice')} {_are(row.invoices)} kept"
            click.echo(f"Not finished: {kept}, and the same command goes on from there.", err=True)
    if row is None:
        raise Defect("a backfill told nothing of itself")
    return row


@contextmanager
def _progress(now: datetime) -> "Generator[Callable[[Step], None]]":
    """Shows each step on stderr: a bar on a terminal, else a line where a further hundredth of the way is done.

    Time is what is known of the way: how many invoices there are, no platform tells."""
    if not sys.stderr.isatty():
        yield _Lines(now).show
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reading the past", total=1.0)

        def show(step: "Step") -> None:
            bar.update(task, description=_where(step, now), completed=_share(step, now))
            for line in _unread(step):
                bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

        yield show


class _Lines:
    """Progress for a log: at most a hundred lines, and none for what is read at once."""

    def __init__(self, now: datetime) -> None:
        self._now, self._told = now, 0

    def show(self, step: "Step") -> None:
        """Tells how far it is where that is further by a hundredth, and names what could not be read."""
        percent = int(100 * _share(step, self._now))
        if percent > self._told and step.backfill.finished_at is None:
            self._told = percent
            click.echo(f"{percent:>3} %: {_where(step, self._now)}", err=True)
        for line in _unread(step):
            click.echo(line, err=True)


def _share(step: "Step", now: datetime) -> float:
    """How much of the time asked for has been read, from 0 to 1."""
    row = step.backfill
    whole = (now - row.since).total_seconds()
    return min(1.0, max(0.0, (now - _reached(step, now)).total_seconds() / whole)) if whole > 0 else 1.0


def _reached(step: "Step", now: datetime) -> datetime:
    return step.backfill.since if step.backfill.finished_at else step.backfill.reached or now


def _where(step: "Step", now: datetime) -> str:
    return f"{_counted(step.backfill.invoices, 'invoice')}, back to {_reached(step, now):%Y-%m-%d}"


def _unread(step: "Step") -> list[str]:
    return [f"{lost.invoice_vendor_id}: {lost.why}" for lost in step.unread]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
