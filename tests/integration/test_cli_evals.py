"""``recoup evals`` as people use it: run, compare, and what the exit code says."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api.cli.main import main
from evals.log import read_logs, write_logs
from evals.solver import Answer
from tests.vendors.model_server import Asked, ModelServer, Reply, answers


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


def judge(asked: Asked) -> Reply:
    """A judge that finds fit whatever is short."""
    verdict = "fit" if len(asked.raw) < 3000 else "unfit"
    return answers({"verdict": verdict, "reason": "its length"}, usage=(200, 10))


def test_a_recorded_run_is_repeated_without_its_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, live, again = tmp_path / "kept", tmp_path / "live", tmp_path / "again"
    with ModelServer(judge).running() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-live")
        told = recoup("run", "--suite", "judge_calibration", "--model", "openai:double", "--record", kept, "--out", live)
        assert told.exit_code == 0, told.output
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")

    replayed = recoup("run", "--suite", "judge_calibration", "--replay", kept, "--out", again, "--json")

    assert replayed.exit_code == 0, replayed.output
    cost = json.loads(replayed.stdout)["suites"]["judge_calibration"]["cost"]
    assert cost == {"calls_mean": 1.0, "calls_p95": 1.0, "tokens_mean": 210.0, "tokens_p95": 210.0}
    assert "Nothing speaks against B." in recoup("compare", live, again).stdout
    assert read_logs(again)["judge_calibration"].subject == "openai:double"


def test_a_recording_does_not_answer_for_another_model(tmp_path: Path) -> None:
    (tmp_path / "recording.json").write_text('{"model":"openai:one","host":"h","recorded_at":"2026-12-01T00:00:00Z","prompts":"p"}')
    (tmp_path / "exchanges.jsonl").touch()
    told = recoup("run", "--replay", tmp_path, "--model", "openai:other")
    assert (told.exit_code, "the recording is of openai:one, not of openai:other" in told.output) == (1, True)


def test_a_model_changes_nothing_where_no_agent_asks_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    told = recoup("run", "--suite", "routing", "--model", "openai:double", "--json", "--out", tmp_path)
    assert json.loads(told.stdout)["suites"]["routing"]["scores"] is None
