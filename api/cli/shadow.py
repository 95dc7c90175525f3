"""``recoup shadow``: what Recoup noted down where it may do nothing, beside what the platform did."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from api.cli.output import json_option, print_json
from api.cli.since import Since, instant

if TYPE_CHECKING:
    from api.shadow import Noted, ShadowCase, Total
    from recoup.settings import Settings

CAUTION = (
    "What would have come of the actions that were only noted is unknown: they were not done. Cases that Recoup watched and the platform"
    " settled say what the platform did, and nothing about Recoup."
)


@click.group()
def command() -> None:
    """Shadow mode: everything is decided and written down, and nothing is done."""


@command.command()
@click.option("--since", type=Since(), help="Only decisions made since then: 30d, 12h, 6w, or a day such as 2026-08-01. Default: all.")
@json_option
def report(*, since: timedelta | datetime | None, as_json: bool) -> None:
    """Show what was decided in shadow, case by case, beside what the platform did and what followed.

    Held-out accounts are watched in every mode and are in the report. Which messages a platform sent it does not tell; what would
    have come of Recoup's actions, nobody knows. Money is added up per currency only.
    """
    from api.cli.running import run

    found = run(lambda settings: _print_report(settings, since, as_json=as_json))
    if found == 0 and not as_json:
        click.echo("Nothing has been decided in shadow mode.")


async def _print_report(settings: "Settings", since: timedelta | datetime | None, *, as_json: bool) -> int:
    from api.shadow import Total, plus, shadow_cases
    from graph.bootstrap import make_clock, open_database
    from memory.policies import StoredPolicies

    cases: list[ShadowCase] = []
    totals: dict[tuple[str, bool], Total] = {}
    async with open_database(settings) as db, db.read() as session:
        begins = instant(since, await make_clock(settings, db).now()) if since is not None else None
        async for case in shadow_cases(session, StoredPolicies(db), begins):
            key = case.currency, case.simulated
            totals[key] = plus(totals.get(key, Total(currency=case.currency, simulated=case.simulated)), case)
            if as_json:
                cases.append(case)
            else:
                click.echo("\n".join(lines_of(case)) + "\n")
    in_order = [totals[key] for key in sorted(totals)]
    if as_json:
        print_json({"since": begins, "cases": cases, "totals": in_order, "outcome_of_noted": "unknown"})
    elif in_order:
        click.echo("\n".join(line for total in in_order for line in lines_of_total(total)))
        click.echo(CAUTION)
    return sum(total.cases for total in in_order)


def lines_of(case: "ShadowCase") -> Iterator[str]:
    """One case for people."""
    followed, marks = case.followed, [word for word, holds in (("simulated", case.simulated), ("held out", case.held_out)) if holds]
    yield f"{case.case_id}  {_money(case.owed_minor, case.currency)}  {case.connection}" + (f"  ({', '.join(marks)})" if marks else "")
    yield from (f"  Recoup noted   {_noted(one)}" for one in case.noted)
    yield from (f"  and ruled out  {_noted(one)}" for one in case.denied)
    if not case.noted and not case.denied:
        yield "  Recoup noted   nothing to do yet"
    for attempt in case.platform.attempts:
        amount = f" of {_money(attempt.amount_minor, attempt.currency)}" if attempt.amount_minor is not None and attempt.currency else ""
        told = f" ({attempt.reason})" if attempt.reason else ""
        yield f"  Others did     {attempt.at:%Y-%m-%d %H:%M}  attempt{amount} by the {attempt.by}: {attempt.status}{told}"
    yield f"  Others did     messages: {case.platform.messages}"
    closed = f" on {followed.closed_at:%Y-%m-%d %H:%M}" if followed.closed_at else ""
    by = f" by {followed.attribution}" if followed.attribution else ""
    yield f"  What followed  {followed.status}{closed}{by}; {_money(followed.remaining_minor, case.currency)} remain"
    if case.had_effects:
        yield "  Mind           Recoup acted on this case as well, in another mode"
    yield f"  With Recoup    {case.outcome_of_noted}"


def lines_of_total(total: "Total") -> Iterator[str]:
    """One currency for people."""
    counted = f"{total.cases} case{'s' * (total.cases != 1)}"
    yield f"{total.currency}{' (simulated)' if total.simulated else ''}: {counted}, {_money(total.owed_minor, total.currency)} owed"
    yield f"  collected by others since  {_money(total.collected_minor, total.currency)}"
    yield f"  remains                    {_money(total.remaining_minor, total.currency)}"
    for what, counts in (("stands now", total.by_status), ("noted by Recoup", total.noted), ("attempts of others", total.attempts)):
        yield f"  {what:<25}  " + (", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none")


def _noted(noted: "Noted") -> str:
    amount = f" of {_money(noted.amount_minor, noted.currency)}" if noted.amount_minor is not None and noted.currency else ""
    channel = f" by {noted.channel}" if noted.channel else ""
    rule = f"  [{noted.rule}]" if noted.rule else ""
    return f"{noted.at:%Y-%m-%d %H:%M}  {noted.name}{amount}{channel}: {noted.why}{rule}"


def _money(amount_minor: int, currency: str) -> str:
    from recoup.money import format_money

    return format_money(amount_minor, currency)
