"""A copy of the project in which faults are planted and its own tests are run."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.faults.table import Edit

ROOT = Path(__file__).parents[2]
LONGEST_RUN_SECONDS = 300
TESTS_FAILED = 1  # pytest's exit status; others mean that it could not run them
OUTCOME = re.compile(r"^(FAILED|ERROR|PASSED) (\S+?)(\[| |$)", re.MULTILINE)


class Run(NamedTuple):
    """What pytest said of the named tests, their parameters taken together: where one of them failed, the test did."""

    passed: frozenset[str]
    failed: frozenset[str]
    broken: frozenset[str]
    status: int
    output: str


class Tree:
    """The copy. Its packages win over the installed ones, in pytest and in every process that a test starts."""

    def __init__(self, folder: Path, database_url: str | None = None) -> None:
        self.folder = folder / "recoup"
        shutil.copytree(ROOT, self.folder, ignore=shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "mutants"))
        given = {"RECOUP_TEST_DATABASE_URL": database_url} if database_url else {}
        # A run inside a run must not take itself for a part of the outer one.
        outer = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
        self._environment = outer | given | {"PYTHONPATH": str(self.folder)}

    def run_tests(self, tests: Sequence[str]) -> Run:
        """Runs the named tests in the copy as it stands."""
        command = ["-m", "pytest", "-q", "-rA", "--tb=no", "-p", "no:cacheprovider", "-o", "addopts=", "--color=no", *tests]
        status, output = self._python(command)
        outcomes: dict[str, set[str]] = {"PASSED": set(), "FAILED": set(), "ERROR": set()}
        for match in OUTCOME.finditer(output):
            outcomes[match[1]].add(match[2])
        failed, broken = outcomes["FAILED"], outcomes["ERROR"]
        return Run(frozenset(outcomes["PASSED"] - failed - broken), frozenset(failed), frozenset(broken), status, output)

    def imported_from(self, module: str) -> Path:
        """The file that a test in the copy would import the module from."""
        status, output = self._python(["-c", f"import {module}; print({module}.__file__)"])
        assert status == 0, output
        return Path(output.strip())

    @contextmanager
    def planted(self, edits: Iterable[Edit]) -> Generator[None]:
        """The copy with these edits, and without them again afterwards."""
        kept: dict[Path, str] = {}
        try:
            for edit in edits:
                assert edit.count(self.folder) == 1, f"{edit.file} does not hold exactly once: {edit.old}"
                path = self.folder / edit.file
                text = path.read_text(encoding="utf-8")
                kept.setdefault(path, text)
                _write(path, text.replace(edit.old, edit.new))
            yield
        finally:
            for path, text in kept.items():
                _write(path, text)

    def _python(self, arguments: Sequence[str]) -> tuple[int, str]:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=LONGEST_RUN_SECONDS)
        except subprocess.TimeoutExpired:
            # What the tests started goes with them.
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
        return process.returncode, output


def _write(path: Path, text: str) -> None:
    """Python takes compiled code for fresh by second and size of its source; an edit can keep both."""
    path.write_text(text, encoding="utf-8")
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()
