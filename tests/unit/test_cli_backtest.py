"""``recoup backtest`` on the command line: words for people, one object for programs, a folder with the report."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api.cli.backtest import command
from evals.history_files import write_history
from evals.history_row import HistoryRow
from recoup.errors import Malformed, Misconfigured

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
SMALL = ("--cases", "8", "--seeds", "1", "--policy", "by-code,never")


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


def charge(days: float, invoice: str, *, approved: bool = False) -> HistoryRow:
    code = None if approved else "insufficient_funds"
    return HistoryRow(
        kind="attempt",
        account_id=invoice,
        invoice_id=invoice,
        at=START + timedelta(days=days),
        amount_minor=4900,
        currency="USD",
        approved=approved,
        processor="stripe",
        decline_code=code,
    )


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "ours.csv"
    rows = [charge(day, f"i{number}", approved=day == 5) for number in range(12) for day in (0, 5)]
    write_history(path, [*rows, charge(80, "later", approved=True)])
    with path.open("a", encoding="utf-8") as file:
        file.write("refund,a,b,2026-03-01T09:30:00Z" + "," * 24 + "\n")
    return path


def test_the_object_is_the_last_line_and_the_report_lies_in_the_folder(tmp_path: Path, history: Path) -> None:
    result = ran(*SMALL, "--json", "--out", str(tmp_path / "out"), "--history", str(history))
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.splitlines()[-1])
    assert (found["world"], found["seeds"], found["cases"]) == ("tools.sandbox.world:home", [1], 8)
    assert found["policies"].keys() == {"by-code", "never"}
    assert found["best_baseline"] == "by-code"
    assert found["lift"] is None
    assert found["replay"]["policies"].keys() == {"by-code", "never"}
    assert found["replay"]["recovery_rate"] == 1.0
    assert json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8")) == found
    assert "A history, replayed" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "ours.csv: line 27: kind 'refund' is not one of attempt, message, event" in result.stderr


def test_people_get_a_sentence_and_a_table(history: Path) -> None:
    result = ran(*SMALL, "--history", str(history))
    assert result.exit_code == 0, result.output
    assert "Recoup was not among the policies" in result.stdout
    assert "by-code" in result.stdout
    assert "On 12 failed payments of the history" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--seeds", "1,x"), "are not whole numbers"),
        (("--seeds", ","), "names none"),
        (("--policy", ""), "names none"),
        (("--train-seeds", "101"), "seed 101 is also among the judged ones"),
        (("--cases", "0"), "--cases"),
    ],
)
def test_wrong_use_is_said(arguments: tuple[str, ...], what: str) -> None:
    result = ran(*arguments)
    assert result.exit_code == 2
    assert what in result.output


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--policy", "hope"), "there is no policy 'hope'"),
        (("--world", "nowhere:at_all"), "'nowhere:at_all' is no world"),
        (("--model", "no/such/folder"), "there is no model in no/such/folder"),
    ],
)
def test_what_is_not_there_is_named(arguments: tuple[str, ...], what: str) -> None:
    with pytest.raises(Misconfigured, match=what):
        ran(*arguments)


def test_a_history_that_is_none_is_said_before_anything_is_played(tmp_path: Path) -> None:
    path = tmp_path / "ours.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(Malformed, match="has no column kind"):
        ran(*SMALL, "--history", str(path))


def test_a_policy_file_is_read_before_anything_is_played(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("nonsense = 1\n", encoding="utf-8")
    with pytest.raises(Misconfigured, match="nonsense"):
        ran(*SMALL, "--policy-file", str(path))
