"""``recoup rules check``: what a schema cannot see in the rules is found, and the rules that come with Recoup are whole."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from api.cli.rules import command
from recoup.clock import wall_now
from recoup.rule_check import Problem, next_review, problems
from recoup.rule_data import Rules, load_rules

DAY = date(2026, 11, 21)
REVIEWED = date(2026, 11, 20)


def rules(**changes: Any) -> Rules:
    """The rules that come with Recoup, with other entries of some kinds."""
    return Rules.model_validate(load_rules().model_dump() | changes)


def with_entry(kind: str, entry_id: str, **changes: Any) -> Rules:
    """The rules with one entry changed."""
    entries = [entry | changes if entry["id"] == entry_id else entry for entry in load_rules().model_dump()[kind]]
    return rules(**{kind: entries})


def with_more(kind: str, entry_id: str, **changes: Any) -> Rules:
    """The rules with a second entry like one of theirs."""
    entries = load_rules().model_dump()[kind]
    like = next(entry for entry in entries if entry["id"] == entry_id)
    return rules(**{kind: [*entries, like | {"id": "another"} | changes]})


def found(given: Rules, kind: str, day: date = DAY) -> list[Problem]:
    return [problem for problem in problems(given, day) if problem.kind == kind]


def test_the_rules_that_come_with_recoup_are_whole_and_fresh() -> None:
    assert problems(load_rules(), DAY) == ()


def test_two_permissions_after_one_code_contradict_each_other() -> None:
    (problem,) = found(with_more("permission", "visa-category-4", retry="never"), "overlap")
    assert problem.rules == ("visa-category-4", "another")
    assert problem.detail.startswith("what visa permits after code 05: visa-category-4 and another both speak from 2020-01-01 on")


def test_two_permissions_after_one_advice_contradict_each_other() -> None:
    assert found(with_more("permission", "mastercard-advice-25", wait_hours=12), "overlap")


def test_two_permissions_of_a_rail_after_one_category_contradict_each_other() -> None:
    assert found(with_more("permission", "ach-not-represented", categories=["technical"]), "overlap")


def test_a_code_in_two_tables_of_its_speaker_means_two_things() -> None:
    (problem,) = found(with_more("codes", "stripe-codes", reasons={"lost_card": "do_not_honor"}), "overlap")
    assert "stripe's code lost_card" in problem.detail


def test_a_reason_in_two_treatments_asks_for_two_things() -> None:
    (problem,) = found(with_more("treatment", "funds-decline", reasons={"insufficient_funds": "too little"}), "overlap")
    assert "the treatment of insufficient_funds" in problem.detail


def test_entries_that_follow_one_another_do_not_overlap() -> None:
    entries = load_rules().model_dump()["permission"]
    like = next(entry for entry in entries if entry["id"] == "visa-category-4")
    ended = [entry | {"effective_to": DAY} if entry["id"] == "visa-category-4" else entry for entry in entries]
    assert problems(rules(permission=[*ended, like | {"id": "another", "effective_from": DAY}]), DAY) == ()


def test_a_day_that_nobody_rules_is_a_gap() -> None:
    (problem,) = found(with_entry("permission", "visa-category-1-57", effective_from=date(2026, 10, 27)), "gap")
    assert problem.detail == "what visa permits after code 57: no entry speaks from 2026-10-25 until 2026-10-27"


def test_a_code_whose_last_entry_ended_is_a_gap() -> None:
    (problem,) = found(with_entry("permission", "mastercard-advice-24", effective_to=DAY), "gap")
    assert problem.detail == "mastercard's advice 24: no entry speaks from 2026-11-21 on"


def test_a_cap_with_a_hole_in_time_is_a_gap() -> None:
    (problem,) = found(with_entry("cap", "visa-reattempts-30-days-until-2025", effective_to=date(2025, 5, 18)), "gap")
    assert problem.detail.endswith("no entry speaks from 2025-05-18 until 2025-05-19")


def test_a_cap_with_two_limits_at_once_contradicts_itself() -> None:
    assert found(with_entry("cap", "visa-reattempts-30-days-until-2025", effective_to=date(2025, 5, 20)), "overlap")


def test_a_cap_may_be_given_up() -> None:
    assert problems(with_entry("cap", "other-card-attempts-30-days", effective_to=DAY), DAY) == ()


def test_a_reason_whose_treatment_begins_after_its_code_is_a_gap() -> None:
    gaps = found(with_entry("treatment", "deceased", effective_from=date(2024, 1, 1)), "gap")
    assert any(problem.detail.endswith("no treatment has the reason deceased from 2020-01-01 until 2024-01-01") for problem in gaps)


def test_an_entry_that_ends_before_it_begins_is_never_in_force() -> None:
    assert found(with_more("issuer_country", "india-issued", effective_to=date(2019, 1, 1)), "unused")


def test_words_that_no_processor_passes_on_are_a_name_written_wrongly() -> None:
    (problem,) = found(with_more("permission", "visa-category-4", speaker="vsia"), "unused")
    assert problem.detail == "another: no processor passes on the words of vsia"


def test_a_source_that_no_rule_names_is_told() -> None:
    idle = {"title": "A page", "grade": "A", "reviewed": REVIEWED, "review_by": date(2027, 5, 20)}
    (problem,) = found(rules(sources=load_rules().model_dump()["sources"] | {"idle": idle}), "unused")
    assert problem.detail == "the source idle is named by no rule"


def test_a_source_is_overdue_from_its_day_on() -> None:
    due = next_review(load_rules(), DAY)
    assert found(load_rules(), "overdue", due - timedelta(days=1)) == []
    overdue = found(load_rules(), "overdue", due)
    assert overdue
    assert all(f"was to be read again by {due}" in problem.detail for problem in overdue)


def test_a_source_of_nothing_but_ended_rules_is_not_read_again() -> None:
    far = date(2099, 1, 1)
    overdue = {problem.rules[0] for problem in found(load_rules(), "overdue", far)}
    assert overdue == set(load_rules().sources) - {"visa-reattempts-until-2025"}


def test_the_command_says_in_one_line_that_all_is_well() -> None:
    result = CliRunner().invoke(command, ["check", "--at", "2026-11-21"])
    count, sources = len(load_rules().entries), len(load_rules().sources)
    assert (result.exit_code, result.output.count("\n")) == (0, 1)
    assert result.output.startswith(f"{count} rules of {sources} sources: ")
    assert f"next review is due {next_review(load_rules(), DAY)}" in result.output


def test_the_command_fails_where_there_is_something_to_mend() -> None:
    result = CliRunner().invoke(command, ["check", "--at", "2099-01-01"])
    assert result.exit_code == 1
    assert "overdue: the source visa-codes was to be read again by" in result.output


def test_programs_get_the_same() -> None:
    result = CliRunner().invoke(command, ["check", "--at", "2099-01-01", "--json"])
    told = json.loads(result.output)
    assert (result.exit_code, told["day"], told["rules"]) == (1, "2099-01-01", len(load_rules().entries))
    assert {problem["kind"] for problem in told["problems"]} == {"overdue"}
    assert set(told) == {"day", "rules", "sources", "next_review", "problems"}


def test_today_is_the_day_that_is_looked_at_by_itself() -> None:
    assert json.loads(CliRunner().invoke(command, ["check", "--json"]).output)["day"] == str(wall_now().date())


@pytest.mark.parametrize("day", ["soon", "2026-13-01", "20261121"])
def test_what_is_no_day_is_wrong_use(day: str) -> None:
    assert CliRunner().invoke(command, ["check", "--at", day]).exit_code == 2
