"""``recoup connections``: which platforms are connected, what can be done there, and whether each connection is set up."""

import asyncio
from typing import Literal

import click

from api.cli.backfill import backfill
from api.cli.drift import drift
from api.cli.listing import ListsByItself
from api.cli.mirror import mirror
from api.cli.output import json_option, print_json, print_rows
from recoup.ports import CheckResult
from recoup.record import Record
from recoup.settings import Connection, Settings

COLUMNS = ("name", "platform", "api_version", "money", "address", "can", "cannot", "problem")
# A check asks a dozen questions; a platform that answers each of them slowly is found out before a person leaves.
PATIENCE_SECONDS = 60.0
# (ok, seen): how it is marked, and what stands before what there is to do.
LEVELS = {
    (True, True): ("ok  ", "green", ""),
    (True, False): ("look", "yellow", "how"),
    (False, True): ("fail", "red", "mend"),
    (False, False): ("fail", "red", "mend"),
}


class ConnectionLine(Record):
    """One connection. ``address`` and ``api_version``: where and how it is spoken to, None where only its events are heard; ``can`` and
    ``cannot``: reading and the actions that need the platform; ``reserved_platform_attempts``: what is kept for its own retries;
    ``problem``: why it cannot be opened."""

    name: str
    platform: str
    money: Literal["live", "simulated"]
    entity: str
    address: str | None = None
    api_version: str | None = None
    reserved_platform_attempts: int = 0
    can: tuple[str, ...] = ()
    cannot: tuple[str, ...] = ()
    problem: str | None = None


@click.group(cls=ListsByItself)
def command() -> None:
    """The connections of recoup.toml. Only their backfill, their drift and their mirror need a database; a check asks it too."""


command.add_command(backfill)
command.add_command(drift)
command.add_command(mirror)


@command.command("list")
@json_option
def list_connections(*, as_json: bool) -> None:
    """List all connections with their API version, and what can and cannot be done through each."""
    from api.cli.running import run

    async def show(settings: Settings) -> None:
        from graph.settings import load_connections

        lines = [await line_of(connection) for connection in load_connections(settings).values()]
        empty = f"There are none; write [connections.NAME] into {settings.config}."
        print_rows(lines, COLUMNS, as_json=as_json, empty=empty)

    run(show)


@command.command()
@click.argument("name")
@click.option("--shadow", is_flag=True, help="Only what watching in shadow mode needs. Nothing is sent that could change anything.")
@json_option
def check(name: str, *, shadow: bool, as_json: bool) -> None:
    """Ask the platform of the connection NAME whether all is set up: credentials, permissions, webhooks, clock, live or test.

    Changes nothing: whether the key may write is asked about objects that are not there. Exit code 1 where there is anything to mend.
    """
    from api.cli.running import run

    async def ask(settings: Settings) -> tuple[CheckResult, ...]:
        from graph.settings import load_connections
        from recoup.errors import NotFound

        connections = load_connections(settings)
        if name not in connections:
            raise NotFound(f"there is no connection {name!r} in {settings.config}; there are: {', '.join(connections) or 'none'}")
        found = await checks_of(connections[name], to_act=not shadow)
        # Who cannot reach the platform has something else to mend first.
        return (*found, *await arrivals_here(settings, connections[name])) if all(one.name != "settings" for one in found) else found

    checks = run(ask)
    is_ready = all(result.ok for result in checks)
    if as_json:
        print_json({"connection": name, "ready": is_ready, "checks": checks})
    else:
        _print(name, checks)
    if not is_ready:
        raise click.exceptions.Exit(1)


async def line_of(connection: Connection) -> ConnectionLine:
    """What can be told of a connection without calling its platform."""
    from graph.bootstrap import open_billing
    from recoup.actions import SPECIFICATION, RiskClass
    from recoup.errors import Misconfigured
    from tools.http_egress import api_base_of

    money = "simulated" if connection.simulated else "live"
    plain = ConnectionLine(
        name=connection.name,
        platform=connection.platform,
        money=money,
        entity=connection.entity,
        reserved_platform_attempts=connection.reserved_platform_attempts,
    )
    needed = [
        "read",
        "note",
        "tag",
        *(str(action) for action, (risk, _) in SPECIFICATION.items() if risk in {RiskClass.CHARGE, RiskClass.ACCOUNT}),
    ]
    try:
        async with open_billing(connection) as billing:
            can = tuple(name for name in needed if name in billing.capabilities)
            address = api_base_of(connection) if can else None
    except Misconfigured as exc:
        return plain.model_copy(update={"problem": str(exc)})
    version = connection.api_version if can else None
    cannot = tuple(name for name in needed if name not in can)
    return plain.model_copy(update={"address": address, "api_version": version, "can": can, "cannot": cannot})


async def checks_of(connection: Connection, *, to_act: bool = True) -> tuple[CheckResult, ...]:
    """Everything that the platform was asked; that it cannot be reached at all is a finding as well."""
    from graph.bootstrap import open_billing
    from recoup.errors import BillingUnavailable, Misconfigured

    try:
        async with asyncio.timeout(PATIENCE_SECONDS), open_billing(connection) as billing:
            return await billing.examine(to_act=to_act)
    except Misconfigured as exc:
        return (CheckResult(name="settings", ok=False, found=str(exc), fix=f"correct connections.{connection.name} in recoup.toml"),)
    except (BillingUnavailable, TimeoutError) as exc:
        found = str(exc) or f"no end after {PATIENCE_SECONDS:.0f} s"
        fix = "see whether this machine may call out, and the vendor's status page; then check again"
        return (CheckResult(name="reachable", ok=False, found=found, fix=fix),)


async def arrivals_here(settings: Settings, connection: Connection) -> tuple[CheckResult, ...]:
    """What our own rows tell of its webhooks; that they cannot be asked is no fault of the connection."""
    from api.arrivals import arrivals_of
    from graph.bootstrap import open_database
    from recoup.errors import DatabaseUnavailable, Misconfigured

    try:
        async with open_database(settings) as db, db.read() as session:
            return await arrivals_of(session, connection)
    except (DatabaseUnavailable, Misconfigured) as exc:
        found, fix = f"not known: {exc}", "mend that, and check again"
        return (CheckResult(name="webhook arrival", ok=True, is_seen=False, found=found, fix=fix),)


def _print(name: str, checks: tuple[CheckResult, ...]) -> None:
    width = max((len(result.name) for result in checks), default=0)
    for result in checks:
        level, colour, prompt = LEVELS[result.ok, result.is_seen]
        click.echo(f"{click.style(level, fg=colour)}  {result.name:<{width}}  {result.found}")
        if result.fix is not None:
            click.echo(f"{'':6}{'':<{width}}  {prompt}: {result.fix}")
    click.echo(_summary(name, checks))


def _summary(name: str, checks: tuple[CheckResult, ...]) -> str:
    faults = [result for result in checks if not result.ok]
    unseen = sum(result.ok and not result.is_seen for result in checks)
    if not faults:
        return "Nothing to mend." + f" Left for a person to look at: {unseen} of {len(checks)}." * (unseen > 0)
    said = f"{len(faults)} of {len(checks)} to mend."
    if all(result.only_to_act for result in faults):
        said += f" Shadow mode needs none of it: recoup connections check {name} --shadow"
    return said
