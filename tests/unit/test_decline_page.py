"""The page of decline codes says what the engine does, of every code and every rule."""

import re
from pathlib import Path

import pytest

from recoup.decline_page import page
from recoup.rule_data import load_rules

DOCS = Path(__file__).parents[2] / "docs"
CODE = re.compile(r"^\| `([^`]+)`(?: to `([^`]+)`)? \| `", re.MULTILINE)


def section(heading: str) -> str:
    return page().split(f"\n{heading}\n", 1)[1].split("\n## ", 1)[0].split("\n### ", 1)[0]


def test_the_page_is_fresh() -> None:
    written = (DOCS / "declines.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m recoup.decline_page > docs/declines.md"


@pytest.mark.parametrize("speaker", sorted({table.speaker for table in load_rules().codes}))
def test_every_code_of_every_speaker_is_on_the_page(speaker: str) -> None:
    named = {(first, last) for first, last in CODE.findall(section(f"### {speaker}"))}
    codes = {code for first, last in named for code in (map(str, range(int(first), int(last) + 1)) if last else [first])}
    assert codes >= {code for table in load_rules().codes if table.speaker == speaker for code in table.reasons}


def test_every_rule_and_source_is_on_the_page() -> None:
    rules = load_rules()
    whole = page()
    named = [*rules.permission, *rules.cap, *rules.issuer_country]
    assert [entry.id for entry in named if f"| `{entry.id}` |" not in whole] == []
    assert [group.id for group in rules.treatment if f"### {group.id}\n" not in whole] == []
    assert [
        name for name, source in rules.sources.items() if f"| {source.grade} | {source.reviewed} | {source.review_by} |" not in whole
    ] == []


def test_a_code_that_changes_its_meaning_stands_there_once_for_each_time() -> None:
    rows = [line for line in section("### visa").splitlines() if line.startswith("| `57` |")]
    assert [re.split(r" \| ", row.strip("| "))[3:] for row in rows] == [
        ["allowed", "24 h", "`visa-category-4-57-until-2026`", "until 2026-10-24"],
        ["never", "", "`visa-category-1-57`", "from 2026-10-25"],
    ]


def test_a_code_whose_answer_differs_by_network_is_told_at_its_strictest_and_for_the_network() -> None:
    assert "| `39` | `invalid_account` | new_data | after_update |" in section("### iso8583")
    assert "| `39` | `invalid_account` | new_data | allowed | 24 h | `visa-category-2` |" in section("### visa")
