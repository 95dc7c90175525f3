"""The log of decisions as a file: what was written is read, and each line that is none is named with the reason."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from evals.decision_log import Logged, LoggedDecision, LoggedOption, Problem, read_log, write_log


def option(name: str = "retry", value: float = 800.0, propensity: float = 1.0, target: float | None = None) -> dict[str, Any]:
    return {"name": name, "value_minor": value, "propensity": propensity} | ({} if target is None else {"target": target})


def line(step: int = 0, **changes: Any) -> str:
    options = [option("retry on the 13th", 812.0, 0.95), option("retry on the 14th", 790.0, 0.05)]
    values = {"account": "acct_7", "case": "case_9", "step": step, "reward_minor": -10.0, "options": options, "chosen": 0}
    return json.dumps(values | changes)


def read(tmp_path: Path, *lines: str | bytes) -> tuple[list[Logged], list[Problem]]:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join((one.encode() if isinstance(one, str) else one) + b"\n" for one in lines))
    return read_log(path)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    options = (LoggedOption(name="retry", value_minor=1.0, propensity=0.5), LoggedOption(name="write", value_minor=2.0, propensity=0.5))
    decisions = [LoggedDecision(account="a", case="c", step=n, reward_minor=n, options=options, chosen=n) for n in (0, 1)]
    write_log(tmp_path / "log.jsonl", decisions)
    assert read_log(tmp_path / "log.jsonl") == ([Logged("a", "c", 0, 0.5, 0.0, 0), Logged("a", "c", 1, 0.5, 1.0, 1)], [])


def test_without_targets_the_most_valuable_option_is_the_one_that_is_asked_about(tmp_path: Path) -> None:
    log, problems = read(tmp_path, line(), line(step=1, chosen=1))
    assert [(row.propensity, row.target) for row in log] == [(0.95, 1.0), (0.05, 0.0)]
    assert not problems


def test_of_two_options_of_equal_value_the_first_is_asked_about(tmp_path: Path) -> None:
    alike = [option("now", 5.0, 0.5), option("later", 5.0, 0.5)]
    log, _ = read(tmp_path, line(options=alike, chosen=0), line(step=1, options=alike, chosen=1))
    assert [row.target for row in log] == [1.0, 0.0]


def test_a_target_of_its_own_is_taken_as_it_is(tmp_path: Path) -> None:
    [row], _ = read(tmp_path, line(options=[option("a", 1.0, 0.25, 0.4), option("b", 9.0, 0.75, 0.6)]))
    assert (row.propensity, row.target) == (0.25, 0.4)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Invalid JSON"),
        ("[]", "Input should be an object"),
        (b'{"account": "\xff"}', "Invalid JSON"),
        (line(chosen=2), "option 2 was chosen of 2"),
        (line(options=[]), "options: "),
        (line(options=[option(propensity=0.9)]), "the propensities of the options are not 1 together"),
        (line(options=[option("a", propensity=0.0), option("b")]), "what was chosen could not have been: its propensity is 0"),
        (line(options=[option("a", 1.0, 0.5, 1.0), option("b", 1.0, 0.5)]), "the targets of the options are not 1 together"),
        (line(options=[option("a", 1.0, 0.5, 0.9), option("b", 1.0, 0.5, 0.9)]), "the targets of the options are not 1 together"),
        (line(options=[option(propensity=1.5)]), "options.0.propensity: "),
        (line(reward_minor=float("nan")), "reward_minor: "),
        (line(options=[option(value=float("nan"))]), "options.0.value_minor: "),
        (line(step=-1), "step: "),
        (line(account=""), "account: "),
        (line(colour="red"), "colour: "),
    ],
)
def test_a_line_that_is_no_decision_is_named_and_left_out(tmp_path: Path, text: str | bytes, why: str) -> None:
    log, [problem] = read(tmp_path, line(account="other"), text)
    assert len(log) == 1
    assert problem.line == 2
    assert problem.what.startswith(why)


def test_of_a_case_that_lacks_a_step_nothing_can_be_weighed(tmp_path: Path) -> None:
    log, problems = read(tmp_path, line(), line(step=2), line(case="whole"), line(case="late", step=1))
    assert [row.case for row in log] == ["whole"]
    assert [problem.line for problem in problems] == [1, 2, 4]
    assert problems[0].what == "case case_9 lacks a step, so this one cannot be weighed"


def test_a_step_that_was_bad_takes_its_case_with_it(tmp_path: Path) -> None:
    log, problems = read(tmp_path, line(), line(step=1, chosen=7), line(step=2))
    assert not log
    assert [problem.line for problem in problems] == [1, 2, 3]


def test_of_two_lines_of_one_step_the_second_is_a_problem(tmp_path: Path) -> None:
    log, problems = read(tmp_path, line(reward_minor=5), line(reward_minor=7), line(account="other"))
    assert [row.reward_minor for row in log] == [5, -10]
    assert problems == [Problem(2, "step 0 of case case_9 stands twice")]


def test_steps_may_stand_in_any_order_and_empty_lines_between_them(tmp_path: Path) -> None:
    log, problems = read(tmp_path, line(step=1), "", "  ", line())
    assert (len(log), problems) == (2, [])


def test_an_empty_file_is_an_empty_log(tmp_path: Path) -> None:
    assert read(tmp_path) == ([], [])


def test_nobody_can_write_a_decision_that_does_not_add_up() -> None:
    with pytest.raises(ValidationError, match="are not 1 together"):
        LoggedDecision.model_validate_json(line(options=[option(propensity=0.5)]))
