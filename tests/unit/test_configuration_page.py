"""docs/configuration.md has every variable and every key that is read, with its default."""

import re
from pathlib import Path

import pytest

from graph.settings import ConnectionTable, Environment
from recoup.settings import Platform

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
PACKAGES = ("agents", "api", "graph", "memory", "prompts", "recoup", "tools")


def rows() -> dict[str, str]:
    """Each documented variable with its default as written."""
    found: dict[str, str] = {}
    for names, default in re.findall(r"^\| (`RECOUP_.*?) \| (.*?) \|", PAGE, re.MULTILINE):
        listed = re.findall(r"`(RECOUP_\w+)`", names)
        defaults = default.split(", ") if len(listed) == len(default.split(", ")) else [default] * len(listed)
        found |= dict(zip(listed, defaults, strict=True))
    return found


def test_every_variable_that_the_code_names_is_on_the_page_and_no_other() -> None:
    sources = [path.read_text(encoding="utf-8") for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    read = {f"RECOUP_{name.upper()}" for name in Environment.model_fields}
    named = {name for source in sources for name in re.findall(r'"(RECOUP_[A-Z_]+)"', source)}
    assert set(rows()) == read | named


@pytest.mark.parametrize("name", ["home", "mail_from", "admin", "model", "host", "port", "backlog_limit", "log_level"])
def test_a_plain_default_is_the_one_on_the_page(name: str) -> None:
    assert f"`{Environment.model_fields[name].default}`" == rows()[f"RECOUP_{name.upper()}"]


def test_every_key_of_a_connection_is_in_the_example() -> None:
    example = PAGE.split("## Connections", 1)[1].split("```", 2)[1]
    assert set(re.findall(r"^(\w+) = ", example, re.MULTILINE)) == set(ConnectionTable.model_fields)
    assert " | ".join(Platform) in example
