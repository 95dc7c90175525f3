"""``recoup rules``: whether the rules of retrying are whole and fresh, and which codes none of them knows."""

import click

from api.cli.output import json_option, print_json, print_rows

COLUMNS = ("processor", "code", "network_code", "advice", "attempts", "first_seen", "last_seen")


@click.group()
def command() -> None:
    """The rules of retrying: decline codes, permissions and caps of processors, networks and schemes."""


@command.command()
@click.option("--at", metavar="DAY", help="As if it were this UTC day, such as 2027-05-01. Default: today.")
@json_option
@click.pass_context
def check(ctx: click.Context, *, at: str | None, as_json: bool) -> None:
    """Look for overlaps, gaps and sources past their review.

    Needs no database. Exit code 1 where there is anything to mend.
    """
    from api.explained import day_of
    from recoup.clock import wall_now
    from recoup.errors import Malformed
    from recoup.rule_check import next_review, problems
    from recoup.rule_data import load_rules

    try:
        day = day_of(at) if at is not None else wall_now().date()
    except Malformed as exc:
        raise click.UsageError(str(exc)) from exc
    rules = load_rules()
    found = problems(rules, day)
    count, sources, review = len(rules.entries), len(rules.sources), next_review(rules, day)
    if as_json:
        print_json({"day": day, "rules": count, "sources": sources, "next_review": review, "problems": found})
    elif found:
        for problem in found:
            click.echo(f"{problem.kind}: {problem.detail}")
        click.echo(f"{len(found)} to mend in {count} rules and {sources} sources.", err=True)
    else:
        click.echo(f"{count} rules of {sources} sources: no overlap, no gap, no source past its review. The next review is due {review}.")
    ctx.exit(1 if found else 0)


@command.command()
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many at most.")
@json_option
def unknown(limit: int, *, as_json: bool) -> None:
    """List decline codes that no table had.

    As seen in failed attempts when they were read, the most frequent first.
    """
    from api.cli.session import with_services
    from graph.bootstrap import Services
    from memory import unknown_codes

    async def show_all(services: Services) -> None:
        async with services.db.read() as session:
            rows = await unknown_codes.seen(session, limit)
        print_rows(rows, COLUMNS, as_json=as_json, empty="Every code that was seen is known.")

    with_services(show_all)
