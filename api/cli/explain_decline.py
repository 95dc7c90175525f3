"""``recoup explain-decline``: what a decline code means, whether it may be tried again, and who says so. Needs no database."""

import click

from api.cli.output import json_option, print_json
from recoup.errors import Malformed


@click.command()
@click.argument("processor")
@click.argument("code")
@click.option("--network", help="The card's network, such as visa.")
@click.option("--network-code", help="The network's own response code, such as 51.")
@click.option("--advice", multiple=True, help="The network's or processor's advice code, such as 25. May be given several times.")
@click.option("--country", help="Where the card was issued: two letters of ISO 3166, such as IN.")
@click.option("--at", metavar="DAY", help="By the rules of this UTC day, such as 2026-11-20. Default: today.")
@json_option
def command(
    processor: str,
    code: str,
    *,
    network: str | None,
    network_code: str | None,
    advice: tuple[str, ...],
    country: str | None,
    at: str | None,
    as_json: bool,
) -> None:
    """Explain CODE as PROCESSOR gives it: its meaning, what is allowed and when, what the customer may be told, each rule with its source.

    PROCESSOR is stripe, recurly, braintree, chargebee, zuora, iso8583, ach or sepa. A code that nobody knows is explained as such.
    """
    from api.cli.decline_text import decline_text
    from api.explained import ExplainedDecline, question
    from recoup.decline import treat

    try:
        asked = question(processor, code, network=network, network_code=network_code, advice=advice, country=country, at=at)
    except Malformed as exc:
        raise click.UsageError(str(exc)) from exc
    treatment = treat(asked.decline, asked.at)
    if as_json:
        print_json(ExplainedDecline.of(treatment))
        return
    for line in decline_text(asked, treatment):
        click.echo(line)
