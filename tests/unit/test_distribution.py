"""The project keeps its own promises: names nobody else has, imports that flow downward, a quick --help, small files."""

import ast
import json
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("agents", "api", "evals", "graph", "memory", "prompts", "recoup", "tools")
HEAVY = ("pydantic", "psycopg", "fastapi", "langgraph", "langchain_core", "procrastinate", "alembic", "httpx", "uvicorn", "rich", "torch")
LONGEST_FILE, LONGEST_FUNCTION = 400, 60
SOURCES = sorted(path for package in (*PACKAGES, "tests") for path in (ROOT / package).rglob("*.py"))


def test_no_other_distribution_provides_our_packages() -> None:
    installed = packages_distributions()
    assert {name: set(installed.get(name, ())) - {"recoup"} for name in PACKAGES} == {name: set() for name in PACKAGES}


def test_imports_flow_downward_only() -> None:
    checked = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], check=False, cwd=ROOT, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout


def test_help_imports_nothing_heavy() -> None:
    code = """
import json, sys
from click.testing import CliRunner
from api.cli.main import main
result = CliRunner().invoke(main, ["--help"])
print(json.dumps([result.exit_code, sorted({name.split(".")[0] for name in sys.modules})]))
"""
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    exit_code, loaded = json.loads(said.stdout)
    assert exit_code == 0
    assert set(loaded) & set(HEAVY) == set()


def test_files_and_functions_fit_into_a_head() -> None:
    too_long = [f"{path.relative_to(ROOT)}: {what}" for path in SOURCES for what in _too_long(path.read_text(encoding="utf-8"))]
    assert too_long == []


def _too_long(text: str) -> list[str]:
    lines = len(text.splitlines())
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    found = [f"{node.name} in line {node.lineno}" for node in functions if (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION]
    return found + ([f"{lines} lines"] if lines > LONGEST_FILE else [])
