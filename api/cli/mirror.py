"""``recoup connections mirror``: which cases a platform does not show as they stand, and why; they can be tried again."""

import click

from api.cli.output import json_option, print_rows

COLUMNS = ("case_id", "error")


@click.command()
@click.argument("name")
@click.option("--again", is_flag=True, help="Try to write them once more.")
@json_option
def mirror(name: str, *, again: bool, as_json: bool) -> None:
    """List the notes that the platform of the connection NAME did not take. The next change of a case is tried by itself."""
    from api.cli.session import with_services
    from graph.bootstrap import Services
    from memory import mirror as mirrors
    from memory.mirror import DeadMirror
    from recoup.clock import wall_now
    from recoup.errors import NotFound

    async def show(services: Services) -> list[DeadMirror]:
        if name not in services.connections:
            raise NotFound(f"there is no connection {name!r}; there are: {', '.join(services.connections) or 'none'}")
        async with services.db.write() as tx:
            dead = await mirrors.dead(tx, name)
            if again:
                await mirrors.revive(tx, name, wall_now())
        return dead

    dead = with_services(show)
    if again and not as_json:
        click.echo(f"{len(dead)} are tried again.")
        return
    print_rows(dead, COLUMNS, as_json=as_json, empty=f"The platform of {name} took every note.")
