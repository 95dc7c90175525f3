"""``recoup approvals``: what waits for a person, exactly as it is bound to its digest, and the answer."""

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.listing import ListsByItself
from api.cli.output import json_option, print_json, print_rows

if TYPE_CHECKING:
    from memory.approvals import ApprovalRow

COLUMNS = ("id", "status", "case_id", "created_at", "expires_at", "decided_by")


@click.group(cls=ListsByItself)
def command() -> None:
    """Approvals: a person's answer to what one decision proposes."""


@command.command("list")
@click.option("--status", type=click.Choice(("pending", "decided", "void", "expired")), help="Only approvals in this state.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many at most.")
@json_option
def list_approvals(*, status: str | None, limit: int, as_json: bool) -> None:
    """List approvals, newest first."""
    from api.cli.session import with_services
    from graph.bootstrap import Services
    from memory import approvals

    async def show_all(services: Services) -> None:
        async with services.db.read() as session:
            rows = await approvals.page(session, status=status, limit=limit)
        print_rows(rows, COLUMNS, as_json=as_json, empty="Nothing waits for a person.")

    with_services(show_all)


@command.command()
@click.argument("approval_id")
@json_option
def show(approval_id: str, *, as_json: bool) -> None:
    """Show what is asked, and why."""
    row = _get(approval_id)
    if as_json:
        print_json(row)
        return
    click.echo(f"Approval {row.id} of case {row.case_id}: {row.status}, expires {row.expires_at:%Y-%m-%d %H:%M} UTC")
    for number, asked in enumerate(row.request.action_requests, start=1):
        click.echo(f"\n{number}. {asked.name} {json.dumps(asked.args, ensure_ascii=False)}")
        click.echo(textwrap.indent(asked.description, "   "))
    click.echo(f"\nrecoup approvals approve {row.id}    or    reject {row.id} --message WHY    or    answer {row.id} FILE")


@command.command()
@click.argument("approval_id")
@click.option("--note", default="", help="A note for the audit.")
def approve(approval_id: str, note: str) -> None:
    """Approve every action of the approval, as shown."""
    _answer(approval_id, lambda count: [{"type": "approve"}] * count, note)


@command.command()
@click.argument("approval_id")
@click.option("--message", required=True, help="Why; the case's history shows it.")
@click.option("--note", default="", help="A note for the audit.")
def reject(approval_id: str, message: str, note: str) -> None:
    """Reject every action of the approval."""
    _answer(approval_id, lambda count: [{"type": "reject", "message": message}] * count, note)


@command.command()
@click.argument("approval_id")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--note", default="", help="A note for the audit.")
def answer(approval_id: str, file: Path, note: str) -> None:
    """Answer action by action: FILE is a JSON list as the HTTP API takes it in "decisions"."""
    try:
        decisions = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise click.BadParameter(f"{file} is not JSON: {exc}") from exc
    _answer(approval_id, lambda _: decisions, note)


def _get(approval_id: str) -> "ApprovalRow":
    from api.cli.session import with_services
    from graph.bootstrap import Services
    from memory import approvals

    async def read(services: Services) -> "ApprovalRow":
        async with services.db.read() as session:
            return await approvals.get(session, approval_id)

    return with_services(read)


def _answer(approval_id: str, decisions_for: Callable[[int], object], note: str) -> None:
    from pydantic import ValidationError

    from api.answers import ApprovalAnswer, answer_approval
    from api.cli.session import person_here, with_services
    from graph.bootstrap import Services
    from memory import approvals

    async def send(services: Services) -> None:
        async with services.db.read() as session:
            row = await approvals.get(session, approval_id)
        try:
            given = ApprovalAnswer.model_validate({"digest": row.digest, "decisions": decisions_for(len(row.action_ids)), "note": note})
        except ValidationError as exc:
            raise click.BadParameter(f"the answer is not valid: {exc.error_count()} problems, first: {exc.errors()[0]['msg']}") from exc
        await answer_approval(services, person_here(), approval_id, given.digest, given.decisions, given.note)

    with_services(send)
    click.echo(f"{approval_id} is answered; a worker carries it out.")
