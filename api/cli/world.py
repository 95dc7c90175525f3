"""``recoup world``: whether a simulated world behaves as real failures do, and the history that a merchant of it would have."""

from pathlib import Path

import click

from api.cli.backtest import DEFAULT_WORLD, Seeds
from api.cli.output import json_option, print_json

world_option = click.option("--world", default=DEFAULT_WORLD, show_default=True, help="A factory of a world, as package.module:name.")
MARKS = {True: "ok  ", False: "off "}


@click.group()
def command() -> None:
    """Simulated worlds of failed payments."""


@command.command()
@world_option
@click.option("--cases", type=click.IntRange(min=1), default=2000, show_default=True, help="Failed invoices.")
@click.option("--seed", type=int, default=1, show_default=True, help="Which world of its kind.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A file ending in .csv, .jsonl or .parquet.")
@json_option
def history(*, world: str, cases: int, seed: int, out: Path, as_json: bool) -> None:
    """Write the history that a merchant would have who tried times and messages at random (docs/history.md).

    The world is only asked through its protocol; recoup train learns from the file.
    """
    from evals.backtest.explorer import explored
    from evals.backtest.run import factory_of
    from evals.history_files import write_history

    rows = write_history(out, explored(factory_of(world)(), cases, seed))
    if as_json:
        print_json({"world": world, "seed": seed, "cases": cases, "rows": rows, "out": str(out)})
    else:
        click.echo(f"{rows:,} rows of {cases:,} failed invoices are in {out}.")


@command.command()
@world_option
@click.option("--cases", type=click.IntRange(min=1), default=2000, show_default=True, help="Failed invoices of each seed.")
@click.option("--seeds", type=Seeds(), default="1,2,3", show_default=True, help="Seeds with commas between them.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=None, help="A folder for the report with its pictures.")
@json_option
def report(*, world: str, cases: int, seeds: tuple[int, ...], out: Path | None, as_json: bool) -> None:
    """Play the fixed ladder with messages and show whether published figures hold. Exit code 1 where one does not."""
    from evals.backtest.run import factory_of
    from evals.world_pictures import write_world_report
    from evals.world_report import probe, world_findings

    probes = probe(factory_of(world)(), cases, seeds)
    found = world_findings(world, probes)
    if out is not None:
        written = write_world_report(out, found, probes)
        click.echo(f"The report is {written}.", err=as_json)
    if as_json:
        print_json(found.as_json())
    else:
        for band in found.bands:
            value = "nothing to count" if band.value is None else f"{band.value:.1%}"
            click.echo(f"{MARKS[band.holds]}  {band.name}: {value}, published {band.low:.0%} to {band.high:.0%} ({band.source})")
        click.echo(f"      recovered by an oracle's plan: {found.oracle_rate:.1%}")
    if not all(band.holds for band in found.bands):
        raise click.exceptions.Exit(1)
