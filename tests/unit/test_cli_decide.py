"""One decision on a file of facts."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli.decide import decide, read_facts
from recoup.case import Hold
from recoup.errors import Malformed
from tests.factories import case_info, make_facts

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "facts.json"


def test_the_example_is_explained_node_by_node_up_to_the_question() -> None:
    result = CliRunner().invoke(decide, ["--facts", str(EXAMPLE)])
    assert result.exit_code == 0
    for expected in ("load_facts", "orchestrate", "prioritize", "gate", "In words", "A person is asked", "digest"):
        assert expected in result.output


def test_the_decision_is_one_json_object_too() -> None:
    result = CliRunner().invoke(decide, ["--facts", str(EXAMPLE), "--json"])
    decision = json.loads(result.output)
    assert decision["route"]["to"] == "prioritize"
    assert [r["name"] for r in decision["request"]["action_requests"]] == ["retry_payment"]


def test_another_policy_decides_differently(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('mode = "auto"\n')
    result = CliRunner().invoke(decide, ["--facts", str(EXAMPLE), "--policy", str(policy), "--json"])
    assert json.loads(result.output)["outcome"] == "finished"


def test_a_case_for_people_shows_the_case_file(tmp_path: Path) -> None:
    facts = tmp_path / "facts.json"
    facts.write_text(make_facts(case=case_info(holds=(Hold.DISPUTE,))).model_dump_json())
    result = CliRunner().invoke(decide, ["--facts", str(facts)])
    assert "handle_exception" in result.output
    assert "disputes" in result.output


def test_a_file_that_holds_no_facts_is_refused_with_the_field(tmp_path: Path) -> None:
    broken = tmp_path / "facts.json"
    broken.write_text("{}")
    with pytest.raises(Malformed, match="invoice: Field required"):
        read_facts(broken)
