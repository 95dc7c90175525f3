"""``recoup events``: what came in and how it ended; dead ones can be replayed."""

import click

from api.cli.output import json_option, print_fields, print_rows

COLUMNS = ("id", "status", "connection", "event_type", "kind", "received_at", "duplicates", "reason")


@click.group(invoke_without_command=True)
@click.option("--dead", is_flag=True, help="Only events that could not be processed.")
@click.option("--status", type=click.Choice(("accepted", "processed", "ignored", "dead")), help="Only events in this state.")
@click.option("--connection", help="Only events of this connection.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many at most.")
@json_option
@click.pass_context
def command(ctx: click.Context, *, dead: bool, status: str | None, connection: str | None, limit: int, as_json: bool) -> None:
    """List events, newest first; or replay one."""
    if ctx.invoked_subcommand:
        return
    if dead and status not in (None, "dead"):
        raise click.UsageError("--dead means --status dead; give one of them")
    from api.cli.session import with_services
    from graph.bootstrap import Services
    from memory import inbox

    async def show_all(services: Services) -> None:
        async with services.db.read() as session:
            rows = await inbox.page(session, status="dead" if dead else status, connection=connection, limit=limit)
        print_rows(rows, COLUMNS, as_json=as_json, empty="There are no such events.")

    with_services(show_all)


@command.command()
@click.argument("event_id")
@json_option
def show(event_id: str, *, as_json: bool) -> None:
    """Show one event, without its payload."""
    from api.cli.session import with_services
    from graph.bootstrap import Services
    from memory import inbox

    async def read(services: Services) -> inbox.EventRow:
        async with services.db.read() as session:
            return await inbox.get(session, event_id)

    print_fields(with_services(read), as_json=as_json)


@command.command()
@click.argument("event_id")
def replay(event_id: str) -> None:
    """Process a dead event once more."""
    from api.cli.session import person_here, with_services
    from graph.bootstrap import Services
    from memory import inbox

    async def again(services: Services) -> None:
        now = await services.clock.now()
        async with services.db.write() as tx:
            await inbox.replay(tx, event_id, actor=person_here().name, at=now)

    with_services(again)
    click.echo(f"{event_id} is accepted again; a worker processes it.")
