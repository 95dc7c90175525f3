"""``recoup evaluate`` on the command line: how much the answer rests on first, then the answer, and none where there is none."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from api.cli.evaluate import command
from evals.decision_log import LoggedDecision, LoggedOption, write_log


def ran(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, ["--log", str(path), *arguments], catch_exceptions=False)


def logged(path: Path, accounts: int) -> Path:
    """The better of two options was chosen half the time, and brings 20.00 where the other brings 10.00, in turns a little more or less."""
    options = (LoggedOption(name="a", value_minor=9.0, propensity=0.5), LoggedOption(name="b", value_minor=4.0, propensity=0.5))
    write_log(
        path,
        (
            LoggedDecision(account=f"a{n}", case="c", step=0, reward_minor=(1000 if n % 2 else 2000) + n % 3, options=options, chosen=n % 2)
            for n in range(accounts)
        ),
    )
    return path


def test_how_much_it_rests_on_comes_first(tmp_path: Path) -> None:
    result = ran(logged(tmp_path / "log.jsonl", 600))
    assert result.exit_code == 0, result.output
    first, ran_, asked = result.stdout.splitlines()
    assert first == "Effective sample size: 300 of 600 accounts (600 decisions)."
    assert ran_ == "The policy that ran: 15.01 a case."
    assert asked.startswith("The policy asked about: 20.01 a case, 95 % between 20.0")


def test_the_object_is_the_last_line(tmp_path: Path) -> None:
    found = json.loads(ran(logged(tmp_path / "log.jsonl", 600), "--json").stdout.splitlines()[-1])
    assert found.keys() == {
        "accounts",
        "cases",
        "decisions",
        "effective_accounts",
        "logged_minor",
        "value_minor",
        "ci_minor",
        "why_not",
        "bad_lines",
    }
    assert (found["accounts"], found["effective_accounts"], found["value_minor"], found["bad_lines"]) == (600, 300, 2001, 0)
    assert found["ci_minor"][0] < 2001 < found["ci_minor"][1]


def test_where_the_log_explored_too_little_there_is_no_answer(tmp_path: Path) -> None:
    path = logged(tmp_path / "log.jsonl", 60)
    result = ran(path, "--json")
    assert result.exit_code == 3
    assert "No answer: to this target the log is worth 30 of its 60 accounts, and 100 are needed." in result.stderr
    assert "The policy asked about" not in result.stdout
    found = json.loads(result.stdout.splitlines()[-1])
    assert (found["value_minor"], found["ci_minor"], found["effective_accounts"]) == (None, None, 30)
    assert found["why_not"]
    assert ran(path, "--enough", "30").exit_code == 0


def test_bad_lines_are_named_and_counted(tmp_path: Path) -> None:
    path = logged(tmp_path / "log.jsonl", 600)
    with path.open("a", encoding="utf-8") as file:
        file.write("{}\n" * 25)
    result = ran(path, "--json")
    assert result.exit_code == 0
    assert result.stderr.count("line 6") == 20
    assert "line 601: account: Field required" in result.stderr
    assert "25 of 625 lines are no decisions and were left out." in result.stderr
    assert json.loads(result.stdout.splitlines()[-1])["bad_lines"] == 25


def test_an_empty_log_gets_no_answer(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("", encoding="utf-8")
    result = ran(tmp_path / "log.jsonl")
    assert result.exit_code == 3
    assert "No answer: the log holds no decision." in result.stderr


def test_a_log_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    result = ran(tmp_path / "nowhere.jsonl")
    assert result.exit_code == 2
    assert "does not exist" in result.stderr
