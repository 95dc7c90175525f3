"""``recoup audit``: verify the hash chains, read them, and check the invariants over everything that is stored."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.output import json_option, print_json, print_rows
from recoup.errors import NotFound

if TYPE_CHECKING:
    from evals.invariants import Report

MOST_SHOWN = 20
COLUMNS = ("at", "kind", "state", "subject", "actor", "data")


@click.group()
def command() -> None:
    """The insert-only audit log, and the invariants it proves."""


@command.command()
@json_option
def verify(*, as_json: bool) -> None:
    """Recompute every hash. Exit code 1 where a chain does not hold."""
    from api.cli.session import with_services
    from graph.bootstrap import Services
    from memory import audit_log

    async def walk(services: Services) -> audit_log.Verification:
        async with services.db.read() as session:
            return await audit_log.verify(session)

    result = with_services(walk)
    if as_json:
        print_json(result)
    else:
        click.echo(f"{result.verified} of {result.entries} entries verify.")
        for problem in result.problems:
            click.echo(f"  broken: {problem}")
    sys.exit(1 if result.problems else 0)


@command.command()
@click.argument("case_id")
@click.option("--limit", type=click.IntRange(1, 500), default=200, show_default=True, help="How many at most.")
@json_option
def show(case_id: str, *, limit: int, as_json: bool) -> None:
    """Show the chain of a case (or of policy, keys, switches, accounts, events, tasks), in the order of the commits."""
    from api.cli.session import with_services
    from graph.bootstrap import Services
    from memory import audit_log

    async def read(services: Services) -> list[audit_log.EntryRow]:
        async with services.db.read() as session:
            return await audit_log.page(session, chain=case_id, limit=limit)

    entries = with_services(read)
    if not entries:
        raise NotFound(f"there is no chain {case_id}; name a case, or policy, keys, switches, accounts, events or tasks")
    print_rows(entries, COLUMNS, as_json=as_json, empty="")


@command.command()
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=900.0,
    show_default=True,
    help="Seconds that things may be on their way; 0: all is done.",
)
@click.option(
    "--log",
    "logs",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A log file to search too; repeatable.",
)
@click.option("--only", multiple=True, help="Check only the invariant of this name; repeatable.")
@json_option
def invariants(*, patience: float, logs: tuple[Path, ...], only: tuple[str, ...], as_json: bool) -> None:
    """Check the invariants over the database and the ledgers of the other sides. Exit code 1 where one is violated."""
    from api.cli.session import with_services
    from evals.invariants import INVARIANTS, Report, check
    from evals.sources import read_ledgers
    from graph.bootstrap import Services

    wanted = only or tuple(INVARIANTS)
    unknown = sorted(set(wanted) - INVARIANTS.keys())
    if unknown:
        raise click.BadParameter(f"there is no invariant {unknown[0]}; one of {', '.join(INVARIANTS)}", param_hint="--only")

    async def look(services: Services) -> Report:
        platforms, mail = await read_ledgers(services.settings, services.connections)
        with click.progressbar(length=len(wanted), label="Checking invariants", file=sys.stderr) as bar:
            return await check(
                services.db, platforms, mail, patience_seconds=patience, logs=logs, only=wanted, on_checked=lambda _: bar.update(1)
            )

    report = with_services(look)
    if as_json:
        print_json({"violations": report.violations, "examined": report.examined, "findings": report.findings, "notes": report.notes})
    else:
        _print_report(report)
    sys.exit(0 if report.holds else 1)


def _print_report(report: "Report") -> None:
    for name, result in report.results.items():
        click.echo(f"{'BROKEN' if result.found else 'holds '}  {name}: {result.examined} rows, {result.found} violations")
        for finding in result.findings[:MOST_SHOWN]:
            click.echo(f"          {finding.subject}: {finding.problem}")
        if result.found > MOST_SHOWN:
            click.echo(f"          and {result.found - MOST_SHOWN} more; --json lists the first hundreds")
        for note in result.notes:
            click.echo(f"          note: {note}")
