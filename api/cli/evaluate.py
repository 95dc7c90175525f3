"""``recoup evaluate``: what another policy would have come to, told from logged decisions."""

import json
from pathlib import Path

import click

BAD_ROWS_SHOWN = 20


@click.command()
@click.option("--log", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True, help="Decisions as JSON lines.")
@click.option("--enough", type=click.FloatRange(min=1), default=None, help="Effective accounts under which there is no answer (100).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, the last line of the output.")
def command(*, path: Path, enough: float | None, as_json: bool) -> None:
    """Estimate the net a case of a policy that did not run, from the decisions of the one that did.

    The log says what was chosen among what, how likely, and what it brought (docs/evaluate.md). Without targets of its own in the log, the
    policy that is asked about is the one that always takes the most valuable option: Recoup without its exploration. Where the log
    explored too little to tell, there is no answer, and exit code 3.
    """
    from evals.decision_log import read_log
    from evals.off_policy import ENOUGH, estimate

    log, problems = read_log(path)
    for problem in problems[:BAD_ROWS_SHOWN]:
        click.echo(f"line {problem.line}: {problem.what}", err=True)
    if problems:
        click.echo(f"{len(problems)} of {len(problems) + len(log)} lines are no decisions and were left out.", err=True)
    found = estimate(log, enough=enough or ENOUGH)
    click.echo(f"Effective sample size: {found.effective_accounts:.0f} of {found.accounts} accounts ({found.decisions} decisions).")
    if found.logged_minor is not None:
        click.echo(f"The policy that ran: {found.logged_minor / 100:.2f} a case.")
    if found.value_minor is not None and found.ci_minor is not None:
        low, high = found.ci_minor
        click.echo(f"The policy asked about: {found.value_minor / 100:.2f} a case, 95 % between {low / 100:.2f} and {high / 100:.2f}.")
    if as_json:
        click.echo(json.dumps(found.as_json() | {"bad_lines": len(problems)}))
    if found.why_not:
        raise click.exceptions.Exit(_declined(found.why_not))


def _declined(why: str) -> int:
    click.echo(f"No answer: {why}.", err=True)
    return 3
