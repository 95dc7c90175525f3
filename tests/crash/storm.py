"""Kills: at named points, when a wire reaches them, and at random moments. Keeps the books of all that it saw and did."""

import asyncio
import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from api.demo.processes import Program
from memory.database import Database
from memory.embedded.files import files_of
from tests.crash.points import MAIL, POINTS, Point, Victim
from tests.crash.protocols import Saying
from tests.crash.takeover import takeover_seconds

ACTION_ID = re.compile(r"act_[0-9a-f]{32}")
EVENT_ID = re.compile(r'"id": ?"(evt_[^"]+)"')
TAKEOVER_SECONDS = 15.0
MAIL_SERVER = Victim.MAIL_SERVER.value
# Whom a random moment hits, and how often beside the others. Bursts, and calm in between, since leases end after ten seconds.
VICTIMS = {"worker-1": 4, "worker-2": 4, "api": 3, "sandbox": 1, MAIL_SERVER: 1, Victim.POSTGRES.value: 1, Victim.SUPERVISOR.value: 1}
PAUSE_SECONDS, CALM_SECONDS = (0.2, 4.0), 10.0
KILLS_A_BURST = 10
TRAPS_AT_ONCE = 3


@dataclass(frozen=True)
class Kill:
    """Who was killed, where, when (monotonic and wall seconds), and the action that was being spoken of, if any."""

    where: str
    victim: str
    at: float
    wall: float
    action_id: str | None = None

    def __str__(self) -> str:
        return f"{self.victim} at {self.where}"


@dataclass
class Storm:
    """``programs`` by name. What is in ``down`` stays dead, and nobody else is killed, until its work has been taken over."""

    home: Path
    db: Database
    programs: Mapping[str, Program]
    kills: list[Kill] = field(default_factory=list[Kill])
    cuts: list[str] = field(default_factory=list[str])
    armed: list[Point] = field(default_factory=list[Point])
    down: set[str] = field(default_factory=set[str])
    takeovers: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])
    texts: Counter[str] = field(default_factory=Counter[str])
    replies: dict[str, tuple[str, float]] = field(default_factory=dict[str, tuple[str, float]])
    webhook_answers: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    _held_down: frozenset[str] = frozenset()
    _watches: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"])

    def arm(self, points: Iterable[Point], held_down: Iterable[str] = ()) -> None:
        """From now on each of these is a trap, once. Whoever dies at a point of ``held_down`` is not started again until the living
        have done what it held; how long that took is in ``takeovers``."""
        self.armed += points
        self._held_down = frozenset(held_down)

    def reached(self, wire: str, caller: str, saying: Saying) -> Point | None:
        """The armed point that this is; a trap springs only on somebody who lives."""
        if wire == MAIL and saying.text.startswith("TEXT"):
            self.texts[_action_in(saying) or "none"] += 1
        for point in () if self.down else self.armed:
            is_there = point.wire == wire and caller.startswith(point.caller) and point.is_reached(saying.text, saying.before)
            if is_there and self._lives(self._victim_of(point, caller)):
                self.armed.remove(point)
                return point
        return None

    async def strike(self, point: Point, caller: str, saying: Saying) -> None:
        """Kills the point's victim."""
        victim = self._victim_of(point, caller)
        if victim == Victim.NOBODY:
            self.cuts.append(point.name)
        elif not self.kill(victim, point.name, _action_in(saying)):
            self.missed(point)
        elif point.name in self._held_down:
            self.down.add(victim)
            watch = asyncio.create_task(self._see_taken_over(victim, point.name, self.kills[-1].at))
            self._watches.add(watch)
            watch.add_done_callback(self._watches.discard)

    def kill(self, victim: str, where: str, action_id: str | None = None) -> bool:
        """SIGKILL, by process id; False where it was dead already."""
        if not self._lives(victim):
            return False
        if victim in self.programs:
            self.programs[victim].kill()
        else:
            pid = self._pid(victim)
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        self.kills.append(Kill(where, victim, time.monotonic(), time.time(), action_id))
        return True

    def missed(self, point: Point) -> None:
        """Somebody else's death came first: the point is still to come."""
        self.armed.append(point)

    async def rage(self, dice: random.Random, enough: int) -> None:
        """Kills at random moments, and sets traps at random points, until there have been that many kills."""
        while len(self.kills) < enough:
            before = len(self.kills)
            while len(self.kills) < min(before + KILLS_A_BURST, enough):
                self.armed += dice.sample(POINTS, max(0, TRAPS_AT_ONCE - len(self.armed)))
                await asyncio.sleep(dice.uniform(*PAUSE_SECONDS))
                [victim] = dice.choices(list(VICTIMS), list(VICTIMS.values()))
                self.kill(victim, "a random moment")
            await asyncio.sleep(CALM_SECONDS)
        self.armed.clear()

    def revive(self) -> None:
        """Starts what is dead and need not stay so. PostgreSQL and its supervisor are brought back by Recoup itself."""
        for name, program in self.programs.items():
            if not program.is_running and name not in self.down:
                program.start()

    def hear_webhook(self, saying: Saying, answer: bytes) -> None:
        """The platform was told how its webhook went."""
        found = EVENT_ID.search(saying.text)
        self.webhook_answers.setdefault(found[1] if found else "none", []).append(_status(answer))

    def hear_mail(self, caller: str, saying: Saying, answer: bytes) -> None:
        """The mail server's word on a text has reached the caller."""
        action_id = _action_in(saying) if saying.text.startswith("TEXT") else None
        if action_id is not None and answer.startswith(b"250"):
            self.replies[action_id] = (caller, time.time())

    async def _see_taken_over(self, victim: str, where: str, killed_at: float) -> None:
        try:
            self.takeovers.append((where, await takeover_seconds(self.db, killed_at)))
        finally:
            self.down.discard(victim)

    def _victim_of(self, point: Point, caller: str) -> str:
        return caller if point.victim is Victim.CALLER else point.victim.value

    def _lives(self, victim: str) -> bool:
        if victim == Victim.NOBODY:
            return True
        return self.programs[victim].is_running if victim in self.programs else self._pid(victim) is not None

    def _pid(self, victim: str) -> int | None:
        return postmaster_of(self.home) if victim == Victim.POSTGRES else supervisor_of(self.home)


def postmaster_of(home: Path) -> int | None:
    """PostgreSQL's first process, while it lives."""
    try:
        pid = int((files_of(home).data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return None
    return None if state == "Z" else pid


def supervisor_of(home: Path) -> int | None:
    """The supervisor of our own PostgreSQL, while one lives."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[1:4] == [b"-m", b"memory.embedded", str(home).encode()]:
            return int(entry.name)
    return None


def _action_in(saying: Saying) -> str | None:
    found = ACTION_ID.search(saying.text)
    return found[0] if found else None


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])
