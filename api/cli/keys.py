"""``recoup keys``: who may use the HTTP API, as whom."""

import getpass

import click

from api.cli.listing import ListsByItself
from api.cli.output import json_option, print_json, print_rows
from recoup.settings import Settings

COLUMNS = ("id", "person", "role", "created_at", "created_by", "revoked_at")
ROLES = ("viewer", "approver", "operator", "admin")


@click.group(cls=ListsByItself)
def command() -> None:
    """API keys of named people. A viewer reads, an approver answers approvals, an operator replays, holds and runs reports, an admin
    edits policy, connections, keys and the kill switch."""


@command.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What this person may do.")
@json_option
def create(name: str, role: str, *, as_json: bool) -> None:
    """Make a key for the person NAME and print it. It is shown this once; only its hash is kept."""
    from api.cli.running import run

    async def make(settings: Settings) -> None:
        from graph.bootstrap import make_clock, open_database
        from memory import keys
        from recoup.people import Role

        async with open_database(settings) as db:
            now = await make_clock(settings, db).now()
            async with db.write() as tx:
                key, row = await keys.create(tx, person=name, role=Role(role), by=getpass.getuser(), at=now)
        if as_json:
            print_json({"key": key, "row": row})
        else:
            click.echo(key)

    run(make)


@command.command("list")
@json_option
def list_keys(*, as_json: bool) -> None:
    """List all keys, without the keys themselves."""
    from api.cli.running import run

    async def show(settings: Settings) -> None:
        from graph.bootstrap import open_database
        from memory import keys

        async with open_database(settings) as db, db.read() as session:
            print_rows(await keys.all_keys(session), COLUMNS, as_json=as_json, empty="There are no keys; recoup keys create makes one.")

    run(show)


@command.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """End the key with this id, at once."""
    from api.cli.running import run

    async def end(settings: Settings) -> None:
        from graph.bootstrap import make_clock, open_database
        from memory import keys

        async with open_database(settings) as db:
            now = await make_clock(settings, db).now()
            async with db.write() as tx:
                await keys.revoke(tx, key_id, by=getpass.getuser(), at=now)

    run(end)
    click.echo(f"Revoked {key_id}.")
