"""Follows a page as its reader does: every block of shell, in order, in one bash; what the page shows is held against what comes."""

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.vendors.chassis_courier import Courier

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```sh\n(?P<command>.*?)^```\n(?:\n```text\n(?P<sample>.*?)^```\n)?", re.MULTILINE | re.DOTALL)
SET_UP = re.compile(r"^(make setup-fast|source \S+)\n", re.MULTILINE)
# What differs from one time to the next.
VARIES = (
    (re.compile(r"\b(case|inv|acc|evt|dec|apr)_[0-9a-z]+"), r"\1_N"),
    (re.compile(r"\bin_[0-9A-Za-z]{8,}|\b(?=[0-9a-z]*\d)[0-9a-z]{12,13}\b"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "DAY"),
    (re.compile(r"\d\d:\d\d(:\d\d)?"), "TIME"),
    (re.compile(r"https?://(<your host>|[\w.:-]+)"), "URL"),
    (re.compile(r"\d+ s (ahead of|behind)"), "N s ahead of"),
    (re.compile(r"0\.0\d+"), "PRIORITY"),
    (re.compile(r"[ \t]+"), " "),
    (re.compile(r" *$", re.MULTILINE), ""),
)


class Block(NamedTuple):
    """What the reader pastes, and what the page says will come of it."""

    command: str
    sample: str | None


def blocks_of(page: str) -> list[Block]:
    """All blocks of a page of docs/."""
    found = BLOCK.finditer((DOCS / page).read_text(encoding="utf-8"))
    return [Block(SET_UP.sub("", one["command"]), one["sample"]) for one in found]


def shape(text: str) -> str:
    """Text without what differs from one time to the next."""
    for pattern, stands_for in VARIES:
        text = pattern.sub(stands_for, text)
    return text.strip()


class Shell:
    """One bash that is given block after block, as a terminal is."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._bash = subprocess.Popen(
            ["bash"], env=environment, cwd=folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def run(self, command: str) -> str:
        """What the block prints; it must end well."""
        assert self._bash.stdin
        assert self._bash.stdout
        mark = secrets.token_hex(8)
        # A command that reads would swallow what is pasted next.
        self._bash.stdin.write(f"{{ {command.rstrip()}\n}} < /dev/null; code=$?; echo; echo {mark} $code\n")
        self._bash.stdin.flush()
        lines: list[str] = []
        for line in self._bash.stdout:
            if line.startswith(mark):
                printed = "".join(lines)
                assert line.split()[1] == "0", f"{command}\n{printed}"
                return printed
            lines.append(line)
        raise AssertionError(f"the shell ended in {command}: {''.join(lines)}")

    def wait_for(self, command: str, seconds: int = 60) -> None:
        """Until a reader would see what the command looks for."""
        self.run(f"timeout {seconds} bash -c {_quoted(f'until {command} > /dev/null 2>&1; do sleep 0.1; done')}")

    def close(self) -> None:
        """Ends what the page left running."""
        assert self._bash.stdin
        self._bash.stdin.write("kill $(jobs -p); wait\n")
        self._bash.stdin.close()
        self._bash.wait(30)


@contextmanager
def shell(folder: Path, **environment: str) -> Generator[Shell]:
    """A shell as a stranger has it: nothing of Recoup is set but ``environment``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RECOUP_", "STRIPE_", "RECURLY_"))}
    found = f"{Path(sys.executable).parent}:{kept['PATH']}"
    opened = Shell(folder, kept | {"PATH": found} | environment)
    try:
        yield opened
    finally:
        opened.close()


def follow(page: str, in_shell: Shell, written: Callable[[str], str], between: Callable[[str], None]) -> list[str]:
    """Runs the page. ``written``: a block with what a stranger puts in; ``between``: what happens in the world after it.

    Gives what every block printed."""
    printed: list[str] = []
    for block in blocks_of(page):
        output = in_shell.run(written(block.command))
        if block.sample is not None:
            assert shape(output) == shape(block.sample), f"{block.command}\n{output}"
        printed.append(output)
        between(block.command)
    return printed


async def hand_over(courier: Courier) -> list[int | None]:
    """The double's webhooks, over HTTP to where its endpoints lead: how each was answered."""
    async with httpx.AsyncClient() as client:
        return [delivery.status for delivery in await courier.deliver(client)]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
