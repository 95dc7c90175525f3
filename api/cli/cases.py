"""``recoup cases``: the queue, one case in words, and what a person can do to a case."""

import click

from api.cli.listing import ListsByItself
from api.cli.output import json_option, print_json, print_rows

COLUMNS = ("id", "status", "holds", "connection", "invoice_id", "priority", "opened_at", "attribution")
STATUSES = ("open", "recovered", "recovered_late", "cancelled", "expired", "written_off", "handed_off")


@click.group(cls=ListsByItself)
def command() -> None:
    """Cases: one recovery episode of one invoice each."""


@command.command("list")
@click.option("--status", type=click.Choice(STATUSES), help="Only cases in this state.")
@click.option("--connection", help="Only cases of this connection.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many at most.")
@json_option
def list_cases(*, status: str | None, connection: str | None, limit: int, as_json: bool) -> None:
    """List cases by priority, highest first."""
    from api.cli.session import with_services
    from graph.bootstrap import Services
    from memory import cases
    from recoup.case import CaseStatus

    async def show(services: Services) -> None:
        async with services.db.read() as session:
            rows = await cases.page(session, status=CaseStatus(status) if status else None, connection=connection, limit=limit)
        print_rows(rows, COLUMNS, as_json=as_json, empty="There are no such cases.")

    with_services(show)


@command.command()
@click.argument("case_id")
@json_option
def show(case_id: str, *, as_json: bool) -> None:
    """Show one case: what is known, what was decided and why, what was done, what comes next."""
    from api.case_file import read_case_file
    from api.cli.session import with_services

    case_file = with_services(lambda services: read_case_file(services, case_id))
    if as_json:
        print_json(case_file)
        return
    from api.cli.case_text import case_text

    for line in case_text(case_file):
        click.echo(line)


@command.command()
@click.argument("case_id")
@click.option("--reason", required=True, help="Why; it goes into the audit.")
def hold(case_id: str, reason: str) -> None:
    """Stop all dunning of a case until it is released."""
    from api.cli.session import person_here, with_services
    from api.jobs.absorb import hold_case
    from recoup.case import Hold

    with_services(lambda services: hold_case(services, person_here(), case_id, Hold.PERSON, reason))
    click.echo(f"{case_id} is held.")


@command.command()
@click.argument("case_id")
@click.option("--reason", required=True, help="Why; it goes into the audit.")
def release(case_id: str, reason: str) -> None:
    """Lift every hold of a case; a new decision starts."""
    from api.cli.session import person_here, with_services
    from api.jobs.absorb import release_case

    with_services(lambda services: release_case(services, person_here(), case_id, reason))
    click.echo(f"{case_id} is released.")


@command.command()
@click.argument("case_id")
def decide(case_id: str) -> None:
    """Ask for a new decision now, also where deciding had failed for good."""
    from api.cli.session import person_here, with_services
    from api.jobs.absorb import decide_again

    with_services(lambda services: decide_again(services, person_here(), case_id))
    click.echo(f"A new decision of {case_id} is wanted; a worker makes it.")


@command.command()
@click.argument("case_id")
@click.argument("rule")
@click.option("--reason", required=True, help="Why; it goes into the audit.")
def override(case_id: str, rule: str, reason: str) -> None:
    """Lift the house rule RULE for one case. Absolute rules cannot be lifted by anybody."""
    from api.answers import override_rule
    from api.cli.session import person_here, with_services

    with_services(lambda services: override_rule(services, person_here(), case_id, rule, reason))
    click.echo(f"{rule} no longer binds {case_id}.")
