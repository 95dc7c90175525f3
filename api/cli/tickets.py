"""``recoup tickets``: what customers wrote before, put in from a file, searched, forgotten."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from api.cli.output import json_option, print_fields, print_json, print_rows

if TYPE_CHECKING:
    from api.cli.ticket_desk import TicketDesk
    from recoup.settings import Settings

OWN_COLUMNS = ("id", "ticket_id", "opened_at", "topic", "resolution", "score")
SIMILAR_COLUMNS = ("id", "opened", "language", "topic", "resolution", "category", "score")
SHOWN_CHARS = 200
ResultT = TypeVar("ResultT")


@click.group()
@click.option("--api", envvar="RECOUP_API_URL", help="Go through the service at this address, as is needed while it runs.")
@click.option("--api-key", envvar="RECOUP_API_KEY", hidden=True, help="Better in RECOUP_API_KEY, where no list of processes shows it.")
def command(**_: str | None) -> None:
    """The memory of tickets. While recoup serve has its folder open, other processes are refused: name the service with --api."""


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--connection", help="Of rows that name none.")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), help="Default: by the file's name, else jsonl.")
@json_option
def import_file(file: Path, connection: str | None, form: str | None, *, as_json: bool) -> None:
    """Put in the tickets of FILE, JSONL or CSV. Exit code 1 where a row was refused; each is named with its line.

    Columns: connection, account, id, opened_at, text; and if known subject, locale, topic, resolution, category, known (names and addresses
    to be masked). The same file again changes nothing.
    """

    async def put(desk: "TicketDesk") -> None:
        from api.ticket_import import import_tickets
        from memory.ticket_files import FileTickets

        report = await import_tickets(FileTickets(file, connection, form), desk.put, _progress)
        if as_json:
            print_json(report)
        else:
            for row in report.refused:
                click.echo(f"line {row.line}: {row.why}", err=True)
            click.echo(f"{report.written} written, {report.unchanged} unchanged, {len(report.refused)} refused.")
        if report.refused:
            raise click.exceptions.Exit(1)

    _at_desk(put)


@command.command()
@click.argument("query")
@click.option("--connection", required=True, help="The account's connection.")
@click.option("--account", required=True, help="The platform's id of the account.")
@click.option("--similar", is_flag=True, help="Cases of others instead, without a word of them.")
@click.option("--limit", type=click.IntRange(1, 20), default=5, show_default=True)
@json_option
def search(query: str, connection: str, account: str, *, similar: bool, limit: int, as_json: bool) -> None:
    """Find tickets of an account, or cases of others like them, by meaning and by exact codes and ids."""

    async def find(desk: "TicketDesk") -> None:
        from recoup.tickets import AccountRef

        owner = AccountRef(connection=connection, account=account)
        if similar:
            print_rows(await desk.similar(owner, query, limit), SIMILAR_COLUMNS, as_json=as_json, empty="Nothing similar is known.")
            return
        found = await desk.own(owner, query, limit)
        print_rows(found, OWN_COLUMNS, as_json=as_json, empty="This account has no tickets.")
        for ticket in () if as_json else found:
            click.echo(f"\n{ticket.id}\n{ticket.excerpt[:SHOWN_CHARS]}")

    _at_desk(find)


@command.command()
@click.option("--connection", required=True, help="The connection that the account or the ticket belongs to.")
@click.option("--account", help="Forget everything of this account, the platform's id.")
@click.option("--ticket", help="Forget this ticket, the ticket system's id.")
@json_option
def delete(connection: str, account: str | None, ticket: str | None, *, as_json: bool) -> None:
    """Forget the tickets of an account, or one ticket."""
    if (account is None) == (ticket is None):
        raise click.UsageError("give either --account or --ticket")

    async def forget(desk: "TicketDesk") -> None:
        from recoup.tickets import AccountRef

        if ticket is not None:
            deleted = await desk.delete_ticket(connection, ticket)
        else:
            deleted = await desk.delete_account(AccountRef(connection=connection, account=account or ""))
        if as_json:
            print_json({"tickets": deleted})
        else:
            click.echo(f"{deleted} ticket{'s' * (deleted != 1)} forgotten.")

    _at_desk(forget)


@command.command()
@json_option
def reindex(*, as_json: bool) -> None:
    """Embed all tickets anew, as is needed after RECOUP_EMBEDDING_MODEL was changed. Imports are refused meanwhile."""

    async def move(desk: "TicketDesk") -> None:
        print_fields(await desk.reindex(), as_json=as_json)

    _at_desk(move)


@command.command()
@json_option
def status(*, as_json: bool) -> None:
    """Say how much there is, and which model it is indexed with."""

    async def tell(desk: "TicketDesk") -> None:
        print_fields(await desk.status(), as_json=as_json)

    _at_desk(tell)


@command.command()
@json_option
def quality(*, as_json: bool) -> None:
    """Measure how well tickets are found: recall@5 and MRR on a labelled set, hybrid beside keywords and meaning alone."""
    import asyncio

    from evals.tickets import measured, table
    from graph.settings import load_settings

    report = asyncio.run(measured(load_settings().embedding_model))
    if as_json:
        print_json(report)
    else:
        click.echo(table(report))


def _at_desk(use: "Callable[[TicketDesk], Awaitable[ResultT]]") -> ResultT:
    from api.cli.running import run
    from api.cli.ticket_desk import open_desk

    context = click.get_current_context().parent
    options = context.params if context else {}

    async def opened(settings: "Settings") -> ResultT:
        async with open_desk(settings, options.get("api"), options.get("api_key")) as desk:
            return await use(desk)

    return run(opened)


def _progress(done: int) -> None:
    click.echo(f"{done} done", err=True)
