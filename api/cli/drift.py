"""``recoup connections drift``: what webhooks had lost and asking the platforms found."""

from typing import TYPE_CHECKING

import click

from api.cli.output import json_option, print_json, print_rows

if TYPE_CHECKING:
    from api.drift import Drift

COLUMNS = ("kind", "found", "told_later", "missed", "unknown", "first_found_at", "last_found_at", "longest_late_seconds")


@click.command()
@click.argument("name", required=False)
@json_option
def drift(name: str | None, *, as_json: bool) -> None:
    """Tell what no webhook had told, of the connection NAME or of all: how much, when it was found and how late.

    Every platform that can be read is asked every 15 minutes what has changed.
    """
    from api.cli.session import with_services
    from api.drift import drift_of
    from graph.bootstrap import Services

    async def report(services: Services) -> "list[Drift]":
        names = [name] if name is not None else list(services.connections)
        return [await drift_of(services.db, services.connections, one) for one in names]

    reports = with_services(report)
    if as_json:
        print_json(reports if name is None else reports[0])
        return
    for one in reports:
        _print(one)


def _print(report: "Drift") -> None:
    looked = f"{report.looked_at:%Y-%m-%d %H:%M} UTC" if report.looked_at else "not yet"
    click.echo(f"{click.style(report.connection, bold=True)}: its platform has told everything up to: {looked}")
    if report.told_from is not None:
        older = f"what is older is filled in by recoup connections backfill {report.connection}"
        click.echo(f"It was asked for what changed since {report.told_from:%Y-%m-%d %H:%M} UTC; {older}.")
    if report.last_error is not None:
        click.echo(f"It cannot be asked: {report.last_error}")
    print_rows(report.kinds, COLUMNS, as_json=False, empty="Nothing was missed.")
