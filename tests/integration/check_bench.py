"""``recoup connections check`` as a person runs it, on an installation that a test sets up wrongly in one thing."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from api.cli.main import main


class Told(NamedTuple):
    """What the check found. ``wrong``: what is to be mended, ``unseen``: what nobody could see, by name. ``text``: as people read it."""

    code: int
    wrong: dict[str, dict[str, Any]]
    unseen: dict[str, dict[str, Any]]
    text: str

    def only(self, name: str) -> dict[str, Any]:
        """The one fault: it is named, told how to mend, and nothing else is said to be broken."""
        assert list(self.wrong) == [name], self.text
        assert self.code == 1
        assert self.wrong[name]["fix"]
        assert len(re.findall(r"^fail ", self.text, re.MULTILINE)) == 1
        assert f"mend: {self.wrong[name]['fix']}" in self.text
        return self.wrong[name]


class Installation:
    """A folder with recoup.toml, and the environment of the command. No secret of ``secrets`` may be told."""

    def __init__(self, home: Path, environment: pytest.MonkeyPatch, database_url: str) -> None:
        self.home, self._environment = home, environment
        for name, value in {"HOME": str(home), "CONFIG": str(home / "recoup.toml"), "DATABASE_URL": database_url}.items():
            environment.setenv(f"RECOUP_{name}", value)

    def check(self, name: str, toml: Mapping[str, Any], secrets: Mapping[str, str], *options: str) -> Told:
        """Runs the check of a connection that is set up so, for people and for programs."""
        self._set_up(name, toml, secrets)
        text = CliRunner().invoke(main, ["connections", "check", name, *options])
        told = CliRunner().invoke(main, ["connections", "check", name, *options, "--json"])
        assert text.exit_code == told.exit_code
        assert not [value for value in secrets.values() if value and (value in text.output or value in told.output)]
        checks = json.loads(told.stdout)["checks"]
        wrong = {check["name"]: check for check in checks if not check["ok"]}
        unseen = {check["name"]: check for check in checks if check["ok"] and not check["is_seen"]}
        assert all(check["fix"] for check in (*wrong.values(), *unseen.values()))
        assert json.loads(told.stdout)["ready"] is not bool(wrong)
        return Told(told.exit_code, wrong, unseen, text.output)

    def refusal(self, name: str, toml: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
        """What is said where the check cannot begin: one line, without a traceback."""
        self._set_up(name, toml, secrets)
        result = CliRunner().invoke(main, ["connections", "check", name])
        assert result.exit_code == 1
        assert result.output.startswith("Error: ")
        return result.output

    def _set_up(self, name: str, toml: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        lines = [f"[connections.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in toml.items() if value is not None)]
        (self.home / "recoup.toml").write_text("\n".join(lines), encoding="utf-8")
        for variable, value in secrets.items():
            self._environment.setenv(variable, value)
