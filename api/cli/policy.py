"""``recoup policy``: read the policy, see what another would change, and put it in force."""

import getpass
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from api.cli.output import json_option, print_json
from api.cli.running import run
from recoup.clock import Clock
from recoup.errors import Malformed
from recoup.people import Person, Role
from recoup.policy import Policy, parse_policy
from recoup.policy_changes import AnswerChange, KeyChange, answer_changes, key_changes, unseen_changes
from recoup.settings import Settings

if TYPE_CHECKING:
    from memory.database import Database, Read
    from memory.policies import PolicyRow

File = click.Path(exists=True, dir_okay=False, path_type=Path)


class Trial(NamedTuple):
    """What a candidate would have changed, and what was looked at to tell it."""

    decisions: int
    actions: int
    changes: list[AnswerChange]
    keys: tuple[KeyChange, ...]


class Installation(NamedTuple):
    """The database and the clock: all that changing the policy takes."""

    db: "Database"
    clock: Clock


@click.group()
def command() -> None:
    """The policy: what Recoup may do by itself, when it asks, and our own limits."""


@command.command()
@click.option("--version", "number", type=click.IntRange(min=1), help="An earlier version. Default: the one in force.")
@json_option
def show(number: int | None, *, as_json: bool) -> None:
    """Print the policy as it was written.

    The output is a policy file: `recoup policy show > policy.toml` is the start of an edit.
    """
    row = run(lambda settings: _read(settings, number))
    if as_json:
        print_json(row)
        return
    click.echo(f"# version {row.version}, put in force by {row.created_by} on {row.created_at:%Y-%m-%d %H:%M} UTC: {row.note}", err=True)
    click.echo(row.text, nl=not row.text.endswith("\n"))


@command.command("set")
@click.argument("file", type=File)
@click.option("--note", required=True, help="Why it changes; kept with the version.")
def set_(file: Path, note: str) -> None:
    """Put FILE in force as a new version.

    A key that FILE leaves out has its default. Waiting approvals are judged again under the new policy when they are answered.
    """
    text = file.read_text(encoding="utf-8")
    before, after = run(lambda settings: _set(settings, text, note))
    if before.version == after.version:
        click.echo(f"Version {after.version} is in force already, word for word.")
        return
    click.echo(f"Version {after.version} is in force.")
    _print_keys(key_changes(parse_policy(before.text), parse_policy(after.text)))


@command.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B|FILE")
@json_option
def diff(first: str, second: str, *, as_json: bool) -> None:
    """Show which keys differ between two versions, or a version and a file."""
    before, after = run(lambda settings: _policies(settings, first, second))
    changes = key_changes(before, after)
    if as_json:
        print_json(changes)
    else:
        _print_keys(changes)


@command.command()
@click.argument("file", type=File)
@click.option("--limit", default=1000, show_default=True, type=click.IntRange(min=1), help="How many of the newest decisions.")
@json_option
def test(file: Path, limit: int, *, as_json: bool) -> None:
    """Show what FILE would have changed in the decisions of the past.

    Each stored decision is judged again: the same facts and the same proposals, under the rules and modes of FILE. Changes nothing.
    """
    candidate = parse_policy(file.read_text(encoding="utf-8"))
    trial = run(lambda settings: _test(settings, candidate, limit))
    if as_json:
        unseen = unseen_changes(trial.keys)
        print_json({"decisions": trial.decisions, "actions": trial.actions, "changes": trial.changes, "unseen_keys": unseen})
    else:
        _print_trial(trial)


async def _read(settings: Settings, number: int | None) -> "PolicyRow":
    from graph.bootstrap import open_database
    from memory import policies

    async with open_database(settings) as db, db.read() as session:
        return await (policies.newest(session) if number is None else policies.get(session, number))


async def _set(settings: Settings, text: str, note: str) -> tuple["PolicyRow", "PolicyRow"]:
    from api.policy_change import set_policy
    from graph.bootstrap import make_clock, open_database
    from memory import policies

    # Who may open the database may administer it: the key roles guard the HTTP API.
    person = Person(name=getpass.getuser(), role=Role.ADMIN)
    async with open_database(settings) as db:
        async with db.read() as session:
            before = await policies.newest(session)
        return before, await set_policy(Installation(db, make_clock(settings, db)), person, text, note)


async def _policies(settings: Settings, *names: str) -> list[Policy]:
    from graph.bootstrap import open_database

    async with open_database(settings) as db, db.read() as session:
        return [await _named(session, name) for name in names]


async def _named(session: "Read", name: str) -> Policy:
    """A version by its number, else a file."""
    from memory import policies

    return parse_policy((await policies.get(session, int(name))).text) if name.isdigit() else _from_file(Path(name))


def _from_file(path: Path) -> Policy:
    try:
        return parse_policy(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise Malformed(f"{str(path)!r} is neither a version number nor a file that can be read") from exc


async def _test(settings: Settings, candidate: Policy, limit: int) -> Trial:
    from rich.console import Console
    from rich.progress import Progress

    from api.policy_change import judged_decisions
    from graph.bootstrap import open_database
    from memory import counts, policies

    decisions, actions, changes = 0, 0, list[AnswerChange]()
    async with open_database(settings) as db, db.read() as session:
        keys = key_changes(parse_policy((await policies.newest(session)).text), candidate)
        stored = sum(count.rows for count in await counts.by_state(session) if count.table == "decisions")
        with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
            bar = progress.add_task("Judging again", total=min(limit, stored))
            async for judged in judged_decisions(session, limit):
                changes.extend(answer_changes(judged, candidate))
                decisions, actions = decisions + 1, actions + len(judged.actions)
                progress.advance(bar)
    return Trial(decisions, actions, changes, keys)


def _print_keys(changes: tuple[KeyChange, ...]) -> None:
    if not changes:
        click.echo("No key differs.")
    for change in changes:
        click.echo(f"  {change.key}: {_shown(change.before)} -> {_shown(change.after)}")


def _shown(value: object) -> str:
    return "(not set)" if value is None else json.dumps(value, ensure_ascii=False)


def _print_trial(trial: Trial) -> None:
    from rich.console import Console
    from rich.table import Table

    _print_keys(trial.keys)
    click.echo(f"{len(trial.changes)} of {trial.actions} actions in {trial.decisions} decisions would be answered differently.")
    for (before, after), count in Counter((change.before, change.after) for change in trial.changes).most_common():
        click.echo(f"  {before} -> {after}: {count}")
    if trial.changes:
        table = Table("Case", "Decision", "Action", "Before", "After", "Rule", "Why")
        for change in trial.changes:
            table.add_row(change.case_id, change.decision_id, change.action, change.before, change.after, change.rule or "", change.reason)
        Console().print(table)
    unseen = unseen_changes(trial.keys)
    if unseen:
        click.echo(f"Not seen here, since agents plan by them: {', '.join(unseen)}. They show in new decisions only.")
