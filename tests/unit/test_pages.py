"""What the pages point at exists: links, files, and the names in files."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
# What a page's own examples add is not there yet.
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(params=PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def page(request: pytest.FixtureRequest) -> Path:
    return request.param


def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", prose(page))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_files_that_it_names_exist(page: Path) -> None:
    named = set(re.findall(r"`((?:agents|api|docs|evals|graph|memory|prompts|recoup|tests|tools)/[\w/.-]+?)(?::[^`]*)?`", prose(page)))
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_names_that_it_finds_in_files_are_there(page: Path) -> None:
    text = " ".join(prose(page).split())
    for path, name in re.findall(r"`([\w/]+\.py): (\w+)`", text):
        assert re.search(rf"\b(class|def) {name}\b|^{name}\b", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), f"{path}: {name}"
