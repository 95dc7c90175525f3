"""``recoup models``: which language models are asked, how they are, and what they have cost."""

from typing import TYPE_CHECKING

import click

from api.cli.output import json_option, print_json, print_rows

if TYPE_CHECKING:
    from api.model_overview import ModelOverview


@click.command()
@click.option("--days", type=click.IntRange(1, 100), default=7, show_default=True, help="How far back spend and failures are told.")
@json_option
def command(days: int, *, as_json: bool) -> None:
    """Show the language models: which agent asks which, whether they answer, today's budgets, and what was spent."""
    from api.cli.session import with_services
    from api.model_overview import overview

    found = with_services(lambda services: overview(services, days))
    if as_json:
        print_json(found)
    else:
        _print(found, days)


def _print(found: "ModelOverview", days: int) -> None:
    if found.models:
        click.echo(f"Asked at {found.base_url or 'the address of OpenAI'}; prices in US dollars for a million tokens in / out.")
        print_rows(found.models, ("model", "asked_by", "breaker", "in_flight", "price"), as_json=False, empty="")
    else:
        click.echo("Rules decide alone: RECOUP_MODEL names no model.")
    click.echo("\nUsed or reserved today, UTC, of what the policy allows:")
    print_rows(found.today, ("scope", "calls", "tokens", "usd"), as_json=False, empty="Nothing.")
    click.echo(f"\nSpent in {days} days:")
    print_rows([line.model_dump() | {"usd": line.usd} for line in found.spent], SPENT_COLUMNS, as_json=False, empty="Nothing.")
    click.echo("\nWhy calls brought nothing:")
    print_rows(found.failures, ("model", "failure", "calls"), as_json=False, empty="None failed.")


SPENT_COLUMNS = ("day", "agent", "model", "calls", "failed", "tokens", "usd")
