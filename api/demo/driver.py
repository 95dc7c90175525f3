"""Drives the demo: moves both clocks to the next instant at which something is due, and waits there until all of it is done."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import httpx

from api.demo.approver import SimulatedApprover
from api.demo.due import DueWork, due_work, newly_sent
from api.demo.scene import Stage
from memory import timers
from recoup.errors import Retryable
from tools.sandbox.population import DEFAULT_START, on_grid

JUST_BEFORE = timedelta(seconds=0.5)
POLL_SECONDS = 0.02
STUCK_SECONDS = 120.0
TIMEOUT_SECONDS = 30.0


class Stuck(Retryable):
    """Work that is due does not get done; the message says what waits."""


@dataclass
class Timing:
    """Where the wall time went, in seconds."""

    steps: int = 0
    waited_seconds: float = 0.0
    polls: int = 0


@dataclass
class Driver:
    """One run. ``on_step`` hears of every instant reached."""

    stage: Stage
    on_step: Callable[[datetime], None] = lambda _: None
    timing: Timing = field(default_factory=Timing)
    _told: set[str] = field(default_factory=set[str])
    _now: datetime = DEFAULT_START

    async def run(self) -> None:
        """Plays all days. Raises Stuck where work that is due is not done in good time."""
        self._end = DEFAULT_START + timedelta(days=self.stage.plot.days)
        async with (
            self._client(self.stage.sandbox_url, self.stage.sandbox_key) as self._sandbox,
            self._client(self.stage.api_url, self.stage.operator_key) as self._api,
            self._client(self.stage.api_url, self.stage.approver_key) as approver,
        ):
            self._approver = SimulatedApprover(approver, self.stage.plot.seed)
            while (to := await self._next_instant()) < self._end:
                await self._step(to)

    async def _next_instant(self) -> datetime:
        """The first instant of the world's grid by which one of our timers is due, or something happens in the world."""
        async with self.stage.db.read() as session:
            timer = await timers.next_due(session)
        answer = await self._ask(self._sandbox, "GET", "/control/next")
        happening = datetime.fromisoformat(answer["next"]) if answer["next"] else None
        first = min((at for at in (timer, happening) if at is not None), default=self._end)
        return on_grid(max(first, self._now + JUST_BEFORE))

    async def _step(self, to: datetime) -> None:
        """Just before the instant our own timers that are due, at the instant the world's news, each until all of it is done.

        The sandbox's clock goes first where we are going to act on it, ours where its news is going to reach us: a charge is booked, and a
        failure is absorbed, at one time in both books.
        """
        await self._move_sandbox(to - JUST_BEFORE)
        await self._move_recoup(to - JUST_BEFORE)
        await self._all_done()
        await self._move_recoup(to)
        await self._move_sandbox(to)
        await self._all_done()
        self.timing.steps += 1
        self.on_step(to)

    async def _move_sandbox(self, to: datetime) -> dict[str, Any]:
        return await self._ask(self._sandbox, "POST", "/control/advance", {"to": to.isoformat()})

    async def _move_recoup(self, to: datetime) -> None:
        """By seconds, as the API has it; the clock is read before every try, so that a try whose answer was lost is not repeated."""
        while (shown := datetime.fromisoformat((await self._ask(self._api, "GET", "/api/v1/clock"))["now"])) < to:
            with suppress(httpx.TransportError):
                response = await self._api.post("/api/v1/clock/advance", json={"seconds": (to - shown).total_seconds()})
                response.raise_for_status()
        self._now = to

    async def _all_done(self) -> None:
        """Waits until nothing is due, in the rows or on the wire."""
        started = time.monotonic()
        while True:
            self._revive()
            before = await self._ask(self._sandbox, "GET", "/control/pending")
            work = await self._work()
            acted = await self._act(work)
            if work.is_none and not acted and not before["pending"]:
                # A webhook that was sent after the first look, by an action that was over at the second, shows here.
                if await self._ask(self._sandbox, "GET", "/control/pending") == before:
                    break
            elif time.monotonic() - started > STUCK_SECONDS:
                raise Stuck(f"for {STUCK_SECONDS:.0f} seconds these have waited at {self._now}: {work}, {before['pending']} webhooks")
            self.timing.polls += 1
            await asyncio.sleep(POLL_SECONDS)
        self.timing.waited_seconds += time.monotonic() - started

    async def _work(self) -> DueWork:
        async with self.stage.db.read() as session:
            return await due_work(session, self._now)

    async def _act(self, work: DueWork) -> bool:
        """What people do meanwhile: the approver answers, and customers find messages in their mailboxes."""
        answered = 0
        if work.questions:
            with suppress(httpx.TransportError):
                answered = await self._approver.answer_all()
        async with self.stage.db.read() as session:
            sent = await newly_sent(session, self._told)
        for message in sent:
            body = {"account": message.account, "at": message.sent_at.isoformat(), "key": message.action_id, "channel": message.channel}
            await self._ask(self._sandbox, "POST", "/control/contact", body)
            self._told.add(message.action_id)
        return bool(answered or sent)

    def _revive(self) -> None:
        """Starts again what was killed: nobody's outcome depends on who does the work."""
        for program in self.stage.programs:
            if not program.is_running:
                program.start()

    async def _ask(self, client: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """A request that may be repeated, and is until the program that was killed answers again."""
        give_up_at = time.monotonic() + STUCK_SECONDS
        while True:
            try:
                response = await client.request(method, path, json=body)
                if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                    return response.raise_for_status().json()
            except httpx.TransportError as exc:
                if time.monotonic() > give_up_at:
                    raise Stuck(f"{client.base_url}{path} does not answer") from exc
            self._revive()
            await asyncio.sleep(POLL_SECONDS)

    @staticmethod
    def _client(url: str, key: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT_SECONDS)
