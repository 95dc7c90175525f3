"""``recoup train`` and ``recoup world`` on the command line: a world's history becomes a model, and bad rows are told by their line."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.planner.model import load_model
from api.cli.train import command as train_command
from api.cli.world import command as world_command
from evals.history import read_history


def trained(*arguments: str) -> Result:
    return CliRunner().invoke(train_command, arguments, catch_exceptions=False)


def world(*arguments: str) -> Result:
    return CliRunner().invoke(world_command, arguments, catch_exceptions=False)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a merchant of a hundred failed payments would have, and 25 lines that are nothing."""
    path = tmp_path_factory.mktemp("world") / "history.csv"
    told = world("history", "--world", "tools.sandbox.worlds:no_paydays", "--cases", "100", "--seed", "7", "--out", str(path), "--json")
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["rows"] == len(read_history(path))
    with path.open("a", encoding="utf-8") as file:
        file.write(("refund,a,b,2026-03-01T09:30:00Z" + "," * 15 + "someday" + "," * 9 + "\n") * 25)
    return path


def test_a_worlds_history_becomes_a_model_that_the_planner_loads(history: Path, tmp_path: Path) -> None:
    told = trained("--history", str(history), "--out", str(tmp_path / "model"), "--json")
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    model = load_model(tmp_path / "model")
    assert model.name == found["model"]
    assert found["rows"] == len(read_history(history))
    assert found["bad_rows"] == 25
    assert found["retries"] > 100
    assert found["measured"].keys() <= {"customers", "later", "both"}


def test_bad_rows_are_told_by_line_the_first_of_them_at_once_and_all_in_a_file(history: Path, tmp_path: Path) -> None:
    told = trained("--history", str(history), "--out", str(tmp_path))
    first = len(read_history(history)) + 2
    shown = [line for line in told.stderr.splitlines() if line.startswith("line ")]
    assert len(shown) == 20
    assert shown[0].startswith(f"line {first}: kind 'refund' is not one of attempt, message, event; ")
    assert "25 bad rows were left out" in told.stderr
    with (tmp_path / "bad_rows.csv").open(encoding="utf-8", newline="") as file:
        lines = [int(row["line"]) for row in csv.DictReader(file)]
    assert lines == list(range(first, first + 25))
    assert "25 rows were bad and left out" in (tmp_path / "card.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("arguments", [(), ("--from-ledger", "--history", __file__), ("--history", __file__, "--simulated")])
def test_it_learns_from_one_thing(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert trained(*arguments, "--out", str(tmp_path / "model")).exit_code == 2


def test_a_world_is_held_against_published_figures(tmp_path: Path) -> None:
    told = world("report", "--cases", "60", "--seeds", "1", "--out", str(tmp_path), "--json")
    found = json.loads(told.stdout)
    assert told.exit_code == (0 if found["holds"] else 1)
    assert (found["cases"], found["seeds"]) == (60, [1])
    assert list(tmp_path.glob("*.html"))
