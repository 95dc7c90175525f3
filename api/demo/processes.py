"""Starts, watches and stops the demo's programs, each by its own process id."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from recoup.errors import Retryable

READY_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05


class NotReady(Retryable):
    """A program ended or did not answer in time; the message names its log."""


@dataclass
class Program:
    """One program of ``recoup`` and how to start it. ``log`` takes what it prints."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    starts: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Starts it, in a session of its own so that Ctrl-C reaches only whoever supervises it."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", *self.arguments],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.starts += 1

    @property
    def pid(self) -> int:
        """The process id."""
        if self._process is None:
            raise NotReady(f"{self.name} was not started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def ask_to_stop(self) -> None:
        """Sends the terminating signal; ``wait_stopped`` waits for its effect."""
        if self.is_running:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once, as a machine that fails would."""
        if self.is_running:
            os.kill(self.pid, signal.SIGKILL)
            self.wait_stopped()

    def wait_stopped(self) -> None:
        """Waits for its end; kills it where it takes too long."""
        if self._process is None:
            return
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    async def wait_ready(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        """Waits until ``url`` answers 2xx; raises NotReady where the program ends or takes too long."""
        give_up_at = time.monotonic() + READY_SECONDS
        async with httpx.AsyncClient(headers=headers, timeout=2.0) as client:
            while time.monotonic() < give_up_at:
                if not self.is_running:
                    raise NotReady(f"{self.name} ended while it started; see {self.log}: {self.last_words()}")
                try:
                    if (await client.get(url)).is_success:
                        return
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(POLL_SECONDS)
        raise NotReady(f"{self.name} does not answer {url}; see {self.log}: {self.last_words()}")

    def last_words(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1] if lines else "it said nothing"


def stop_all(programs: list[Program]) -> None:
    """Asks every program to stop, then waits for each, the last started first."""
    for program in reversed(programs):
        program.ask_to_stop()
    for program in reversed(programs):
        program.wait_stopped()


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
