"""``recoup train``: a model of a merchant's own payments, with a card that says how good it is."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.output import json_option, print_json

if TYPE_CHECKING:
    from evals.history import History
    from evals.training.train import Trained
    from recoup.settings import Settings

File = click.Path(exists=True, dir_okay=False, path_type=Path)
Folder = click.Path(file_okay=False, path_type=Path)
PROBLEMS_SHOWN = 20


@click.command()
@click.option("--history", "path", type=File, default=None, help="A history file: CSV, JSON lines or Parquet (docs/history.md).")
@click.option("--from-ledger", is_flag=True, help="What Recoup's own database holds of a connection.")
@click.option("--connection", "name", default=None, help="Which, where there are several.")
@click.option("--simulated", is_flag=True, help="Train on a connection whose money is simulated: never for one whose money is real.")
@click.option("--out", type=Folder, required=True, help="A folder for model.json, card.md, card.html and bad_rows.csv.")
@json_option
def command(*, path: Path | None, from_ledger: bool, name: str | None, simulated: bool, out: Path, as_json: bool) -> None:
    """Train on the past and write the model with its card.

    It changes nothing that is in use: a model comes into force where a person sets it in the policy.
    """
    if (path is not None) == from_ledger:
        raise click.UsageError("give either --history FILE or --from-ledger")
    if not from_ledger and (name or simulated):
        raise click.UsageError("--connection and --simulated go with --from-ledger")
    from evals.training.folder import write
    from evals.training.train import train

    history, source = _read(path) if path else _stored(name, simulated=simulated)
    for problem in history.problems[:PROBLEMS_SHOWN]:
        click.echo(str(problem), err=True)
    if history.problems:
        click.echo(f"{len(history.problems)} bad rows were left out; all of them are in {out / 'bad_rows.csv'}.", err=True)
    trained = train(history)
    write(out, trained, history, source)
    if as_json:
        print_json(_told(trained, len(history.problems), out))
    else:
        _print(trained, out)


def _read(path: Path) -> "tuple[History, str]":
    from evals.history import read_history

    return read_history(path), path.name


def _stored(name: str | None, *, simulated: bool) -> "tuple[History, str]":
    from api.cli.running import run
    from evals.training.stored import stored_history
    from graph.bootstrap import open_database
    from graph.settings import load_connections
    from recoup.errors import Misconfigured

    async def read(settings: "Settings") -> "tuple[History, str]":
        connections = load_connections(settings)
        chosen = name or (next(iter(connections)) if len(connections) == 1 else None)
        if chosen is None or chosen not in connections:
            raise Misconfigured(f"say which with --connection; there are: {', '.join(connections) or 'none'}")
        async with open_database(settings) as db:
            return await stored_history(db, connections[chosen], simulated=simulated), f"what is stored of the connection {chosen}"

    return run(read)


def _print(trained: "Trained", out: Path) -> None:
    from evals.training.card import headline

    trees = len(trained.model.trees.roots)
    click.echo(
        f"Read {trained.rows:,} rows of {trained.customers:,} customers: {trained.retries:,} retries, {trained.messages:,} messages."
    )
    click.echo(headline(trained))
    click.echo(f"Model {trained.model.name} ({f'{trees} trees' if trees else 'no trees'}) and its card are in {out}.")


def _told(trained: "Trained", problems: int, out: Path) -> dict[str, object]:
    measured = {
        name: {"attempts": one.attempts, "brier": one.brier, "skill": one.skill, "calibration_error": one.calibration_error}
        for name, one in trained.measured.items()
    }
    counts = {"rows": trained.rows, "bad_rows": problems, "customers": trained.customers, "retries": trained.retries}
    return {"model": trained.model.name, "out": str(out), **counts, "trees": len(trained.model.trees.roots), "measured": measured}
