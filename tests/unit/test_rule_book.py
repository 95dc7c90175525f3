"""The pages about rules and policy say what the code does."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from recoup.case import Hold
from recoup.policy import Match, Policy
from recoup.rule_book import hold_rule, page, rule_book

DOCS = Path(__file__).parents[2] / "docs"
SECTIONS = ("house", "low_risk", "escalations", "approvals", "plan", "steps", "offers", "freshness", "models", "voids_debt")


def test_the_page_of_rules_is_fresh() -> None:
    assert (DOCS / "rules.md").read_text(encoding="utf-8") == page(), "run: python -m recoup.rule_book > docs/rules.md"


def test_rules_have_stable_words_for_names() -> None:
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule_id) for rule_id in rule_book())


@pytest.mark.parametrize("hold", list(Hold))
def test_every_hold_has_its_rule(hold: Hold) -> None:
    assert hold_rule(hold) in rule_book()


def documented(section: str) -> dict[str, str]:
    """The keys of one section of docs/policy.md with their defaults as written; ``""`` is the part before the sections."""
    text = (DOCS / "policy.md").read_text(encoding="utf-8")
    heading = f"`[{section}]`" if section else "## How much Recoup does by itself"
    body = text.split(heading, 1)[1].split("\n## ", 1)[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.+?) \| ", body, re.MULTILINE))


@pytest.mark.parametrize("section", ["", *SECTIONS])
def test_the_page_of_the_policy_has_every_key_with_its_default(section: str) -> None:
    defaults: dict[str, Any] = Policy().model_dump(mode="json")
    expected = defaults[section] if section else {key: value for key, value in defaults.items() if key not in SECTIONS}
    written = documented(section)
    assert set(written) == set(expected)
    for key, value in expected.items():
        read = tomllib.loads("\n".join(_toml_lines(key, written[key])))[key]
        assert Policy.model_validate({section: {key: read}} if section else {key: read}) == Policy(), f"{key}: {json.dumps(value)}"


def _toml_lines(key: str, default: str) -> list[str]:
    """The cell as TOML: one value, or one ``NAME = value`` a code span for a table."""
    spans = re.findall(r"`([^`]+)`", default)
    if re.match(r"[A-Z]+ = ", spans[0]):
        return [f"{key}.{span}" for span in spans]
    return [f"{key} = {spans[0]}"]


def test_the_page_of_the_policy_has_every_condition_of_a_cohort() -> None:
    text = (DOCS / "policy.md").read_text(encoding="utf-8")
    assert all(f"`{condition}`" in text for condition in Match.model_fields)
