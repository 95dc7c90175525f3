"""The examples of docs/extending.md, applied to a copy of this tree, with the commands that the page gives run there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
TREE = ("agents", "api", "docs", "evals", "graph", "memory", "prompts", "recoup", "tests", "tools")
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*")
SECTIONS = re.findall(r"^## (An? \w+)$", PAGE, re.MULTILINE)


def blocks(section: str) -> list[tuple[str, str]]:
    """The code of one section as (language, text), in order."""
    text = PAGE.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_there_is_a_page_each_for_a_connection_a_rule_an_action_and_an_agent() -> None:
    assert SECTIONS == ["A connection", "A rule", "An action", "An agent"]


@pytest.mark.parametrize("section", SECTIONS)
def test_the_example_can_be_followed_to_its_end(section: str, tmp_path: Path, server_url: str) -> None:
    for name in TREE:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=LEFT_OUT)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    for language, text in blocks(section):
        match language:
            case "python":
                path, _, source = text.removeprefix("# ").partition("\n")
                (tmp_path / path).write_text(source, encoding="utf-8")
            case "diff":
                run(tmp_path, ["git", "apply", "-"], text)
            case _:
                run(tmp_path, ["bash", "-e"], text, RECOUP_TEST_DATABASE_URL=server_url)


def run(folder: Path, command: list[str], text: str, **more: str) -> None:
    """Runs it on ``text`` as its input; it must succeed."""
    environment = os.environ | more | {"PYTHONPATH": str(folder), "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    ran = subprocess.run(command, cwd=folder, input=text, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
