"""Recoup's own commands as processes, each in an environment of its own, stopped by the process that started them."""

import asyncio
import os
import secrets
import socket
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from evals.bench.server import Urls

READY_SECONDS = 60.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.01
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
MEGABYTE_KIB = 1000_000 / 1024


@dataclass(frozen=True)
class Process:
    """A process that runs; ``pid`` is the key to what /proc knows of it."""

    running: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.running.pid

    def cpu_seconds(self) -> float:
        """User and system time so far, of all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def megabytes(self, kind: str) -> float:
        """``Pss`` (shared pages are split among those who share them) or ``Rss``, of it and its children."""
        return sum(_kib(pid, kind) for pid in _family(self.pid)) / MEGABYTE_KIB


def environment(urls: Urls, home: Path, **values: str) -> dict[str, str]:
    """What a measured process is told; nothing of RECOUP_* comes from whoever runs the bench."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RECOUP_")}
    own = home / f"process-{secrets.token_hex(4)}"
    own.mkdir(mode=0o700)
    told = {"RECOUP_HOME": str(own), "RECOUP_DATABASE_URL": urls.app, "RECOUP_LOG_LEVEL": "error"}
    return kept | told | {f"RECOUP_{name.upper()}": value for name, value in values.items()}


@asynccontextmanager
async def recoup(arguments: str, told: Mapping[str, str]) -> AsyncGenerator[Process]:
    """``recoup ARGUMENTS`` while the block lasts."""
    async with _program(["-m", "api.cli", *arguments.split()], told) as process:
        yield process


@asynccontextmanager
async def listening(arguments: list[str], told: Mapping[str, str]) -> AsyncGenerator[tuple[Process, int]]:
    """A python program that ends its first line on stdout with ``:PORT`` once it listens, and that port."""
    async with _program(arguments, told) as process:
        assert process.running.stdout is not None  # noqa: S101 - a pipe was asked for
        line = await asyncio.wait_for(process.running.stdout.readline(), READY_SECONDS)
        if not line:
            raise RuntimeError(f"{' '.join(arguments)} ended before it listened; what it said stands above")
        yield process, int(line.decode().strip().rpartition(":")[2])


async def said(arguments: list[str], told: Mapping[str, str]) -> list[str]:
    """The lines that a python program says until it ends; raises RuntimeError where it fails."""
    async with _program(arguments, told) as process:
        out, _ = await process.running.communicate()
    if process.running.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed; why stands above")
    return out.decode().splitlines()


@asynccontextmanager
async def _program(arguments: list[str], told: Mapping[str, str]) -> AsyncGenerator[Process]:
    running = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env=dict(told), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Process(running)
    finally:
        if running.returncode is None:
            running.terminate()
            try:
                await asyncio.wait_for(running.wait(), STOP_SECONDS)
            except TimeoutError:
                running.kill()
                await running.wait()


async def accepts(port: int) -> None:
    """Waits until somebody listens on the loopback port."""
    give_up_at = time.monotonic() + READY_SECONDS
    while time.monotonic() < give_up_at:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(POLL_SECONDS)
            continue
        writer.close()
        return
    raise TimeoutError(f"nothing listens on port {port}")


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _family(pid: int) -> list[int]:
    found = [pid]
    for member in found:  # grows while it is walked
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            found += map(int, children.read_text(encoding="utf-8").split())
    return found


def _kib(pid: int, kind: str) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith(f"{kind}:"))
