"""``recoup evals`` as people use it: run, compare, and what the exit code says."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api.cli.main import main
from evals.log import read_logs, write_logs
from evals.solver import Answer


def recoup(*args: object) -> Result:
    return CliRunner().invoke(main, ["evals", *map(str, args)])


@pytest.fixture
def a_run(tmp_path: Path) -> Path:
    """A run of two quick suites."""
    out = tmp_path / "run"
    assert recoup("run", "--suite", "treatment", "--suite", "personal_data", "--out", out).exit_code == 0
    return out


def worsened(run: Path, into: Path) -> Path:
    """The same run, with one decline that is taken too lightly."""
    logs = read_logs(run)
    log = logs["treatment"]
    entry = next(e for e in log.entries if e.sample.input["code"] == "stripe:lost_card")
    assert isinstance(entry.outcome, Answer)
    bad = entry.outcome.model_copy(update={"value": entry.outcome.value | {"retry": "allowed"}})
    entries = tuple(e.model_copy(update={"outcome": bad}) if e is entry else e for e in log.entries)
    write_logs(into, [log.model_copy(update={"entries": entries}), logs["personal_data"]])
    return into


def test_what_needs_a_model_is_null_and_never_passed(tmp_path: Path) -> None:
    told = recoup("run", "--suite", "reading", "--json", "--out", tmp_path)
    suite = json.loads(told.stdout)["suites"]["reading"]
    assert told.exit_code == 0
    assert suite["scores"] is None
    assert suite["not_run"] == {"needs a model": suite["samples"]}
    assert set(suite["cost"].values()) == {None}
    assert "not run: needs a model" in recoup("run", "--suite", "reading", "--out", tmp_path).stdout


def test_a_run_beside_its_baseline_changes_nothing(a_run: Path) -> None:
    told = recoup("compare", "baseline", a_run)
    assert (told.exit_code, "Nothing speaks against B." in told.stdout) == (0, True)
    assert "detectable" in told.stdout


def test_a_regression_is_exit_code_1_and_stands_side_by_side(a_run: Path, tmp_path: Path) -> None:
    worse, page = worsened(a_run, tmp_path / "worse"), tmp_path / "page.html"
    assert recoup("score", worse).exit_code == 1
    told = recoup("compare", a_run, worse, "--html", page)
    assert told.exit_code == 1
    assert "SAFETY  treatment / permits_no_more_than_the_source" in told.stdout
    assert "lost_card" in page.read_text(encoding="utf-8")


def test_an_unsafe_run_is_no_baseline(a_run: Path, tmp_path: Path) -> None:
    worse = worsened(a_run, tmp_path / "worse")
    recoup("score", worse)
    told = recoup("baseline", worse, "--into", tmp_path)
    assert (told.exit_code, "is no baseline: treatment" in told.output) == (1, True)


def test_rules_cannot_be_recorded(tmp_path: Path) -> None:
    told = recoup("run", "--record", tmp_path)
    assert (told.exit_code, "only a live model can be recorded" in told.output) == (1, True)
