"""Doubles of the two ports whose other side is not ours. They keep the promises of recoup/ports.py, and a ledger to check us by."""

from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Literal

from graph.bootstrap import Services, make_ticket_store
from graph.build import build_graph
from graph.deps import GraphDeps
from memory.checkpoints import PooledSaver
from memory.database import Database
from memory.drafts import StoredDrafts
from memory.facts import DatabaseFacts
from memory.incidents import StoredIncidents
from memory.policies import StoredPolicies
from memory.queue import make_app
from memory.texts import StoredTexts
from memory.tickets import TicketStore
from recoup.actions import ActionName
from recoup.clock import Clock, FixedClock
from recoup.drafts import DraftStore
from recoup.errors import BillingUnavailable, MessagingUnavailable, Misconfigured, OutcomeUnknown
from recoup.events import ObjectRef, Reading
from recoup.ids import new_id
from recoup.mirror import MirrorNote
from recoup.model_port import Model, NoModel
from recoup.monotonic import MachineTime, MonotonicTime
from recoup.ports import (
    Absent,
    BillingPlatform,
    ChangedPage,
    CheckResult,
    Effect,
    EffectLookup,
    EffectResult,
    Found,
    HistoryPage,
    Indeterminate,
    Messenger,
    OutgoingMessage,
)
from recoup.settings import Connection, Settings
from tests.factories import NOW, make_connection, make_reading

# What the other side does with the next call; "do" is what it does when nothing is asked of it.
Behaviour = Literal["do", "refuse", "unavailable", "do and lose the answer", "lose the request"]
ALL_CAPABILITIES = frozenset({"read", "note", "tag", *(str(name) for name in ActionName)})


class FakeBilling:
    """A billing platform in memory: idempotent by key, readable, and as unreliable as ``behaviours`` say."""

    def __init__(
        self, reading: Reading | None = None, *, capabilities: frozenset[str] = ALL_CAPABILITIES, key_valid_seconds: float = 86_400
    ) -> None:
        self.reading = reading or make_reading()
        self.behaviours: deque[Behaviour] = deque()
        self.behaviours_of_notes: deque[Behaviour] = deque()
        self.notes: list[MirrorNote] = []
        self.note_calls = 0
        self.effects: dict[str, Effect] = {}
        self.calls: list[str] = []
        self.reads = 0
        self.is_away = False
        self.lookup: EffectLookup | None = None
        self.changed: tuple[ObjectRef, ...] = ()
        self.checks: tuple[CheckResult, ...] = (CheckResult(name="credentials", ok=True, found="a fake takes any key"),)
        self.while_performing: Callable[[], Awaitable[None]] | None = None
        self.while_reading: Callable[[], Awaitable[None]] | None = None
        self._capabilities, self._key_valid_seconds = capabilities, key_valid_seconds

    @property
    def capabilities(self) -> frozenset[str]:
        return self._capabilities

    @property
    def key_valid_seconds(self) -> float:
        return self._key_valid_seconds

    async def read_invoice(self, invoice_vendor_id: str) -> Reading:
        self.reads += 1
        self._must_answer()
        answer = self.reading
        if self.while_reading:
            await self.while_reading()
        return answer

    async def fetch(self, ref: ObjectRef) -> Reading:
        self._must_answer()
        return self.reading

    async def perform(self, effect: Effect) -> EffectResult:
        self.calls.append(effect.key)
        if self.while_performing:
            await self.while_performing()
        behaviour = self.behaviours.popleft() if self.behaviours else "do"
        if behaviour == "unavailable":
            raise BillingUnavailable("fake", "answers 503")
        if behaviour == "lose the request":
            raise OutcomeUnknown("the connection broke")
        if behaviour == "refuse":
            return EffectResult(state="refused", detail="the platform does not do this now", request_id=f"req_{len(self.calls)}")
        self.effects.setdefault(effect.key, effect)
        if behaviour == "do and lose the answer":
            raise OutcomeUnknown("the connection broke")
        return _done(effect.key, request_id=f"req_{len(self.calls)}")

    async def mirror(self, note: MirrorNote) -> None:
        behaviour = self.behaviours_of_notes.popleft() if self.behaviours_of_notes else "do"
        self.note_calls += 1
        if behaviour == "unavailable":
            raise BillingUnavailable("fake", "answers 503")
        if behaviour == "lose the request":
            raise OutcomeUnknown("the connection broke")
        if behaviour == "refuse":
            raise Misconfigured("connections.sandbox: the api_key lacks the permission rak_invoice_write")
        if self.notes[-1:] != [note]:
            self.notes.append(note)
        if behaviour == "do and lose the answer":
            raise OutcomeUnknown("the connection broke")

    async def find_effect(self, effect: Effect) -> EffectLookup:
        self._must_answer()
        if self.lookup is not None:
            return self.lookup
        return Found(result=_done(effect.key)) if effect.key in self.effects else Absent()

    async def changed_since(self, cursor: str | None) -> ChangedPage:
        self._must_answer()
        return ChangedPage(refs=self.changed, cursor=cursor or "beginning", has_more=False)

    async def history(self, since: datetime, cursor: str | None) -> HistoryPage:
        self._must_answer()
        told = (self.reading,) if self.reading.invoice else ()
        return HistoryPage(readings=told, cursor=cursor, has_more=False, reached=since)

    async def examine(self, *, to_act: bool = True) -> tuple[CheckResult, ...]:
        self._must_answer()
        return self.checks

    def _must_answer(self) -> None:
        if self.is_away:
            raise BillingUnavailable("fake", "answers 503")


class FakeMessenger:
    """A mail provider in memory. With ``remembers`` it takes a message once and can be asked; without it is like SMTP."""

    def __init__(self, *, remembers: bool = True) -> None:
        self.behaviours: deque[Behaviour] = deque()
        self.accepted: list[OutgoingMessage] = []
        self.while_sending: Callable[[], Awaitable[None]] | None = None
        self._remembers = remembers

    @property
    def channels(self) -> frozenset[str]:
        return frozenset({"email"})

    async def send(self, message: OutgoingMessage) -> EffectResult:
        if self.while_sending:
            await self.while_sending()
        behaviour = self.behaviours.popleft() if self.behaviours else "do"
        if behaviour == "unavailable":
            raise MessagingUnavailable("the mail server is away")
        if behaviour == "lose the request":
            raise OutcomeUnknown("the connection broke")
        if behaviour == "refuse":
            return EffectResult(state="refused", detail="no such mailbox")
        if not (self._remembers and self._has(message.action_id)):
            self.accepted.append(message)
        if behaviour == "do and lose the answer":
            raise OutcomeUnknown("the connection broke")
        return _done(message.action_id)

    async def find(self, action_id: str) -> EffectLookup:
        if not self._remembers:
            return Indeterminate(why="it cannot be asked")
        return Found(result=_done(action_id)) if self._has(action_id) else Absent()

    def _has(self, action_id: str) -> bool:
        return any(message.action_id == action_id for message in self.accepted)


def make_services(
    db: Database,
    *,
    billing: BillingPlatform | None = None,
    messenger: Messenger | None = None,
    clock: Clock | None = None,
    time: MonotonicTime | None = None,
    ticket_store: TicketStore | None = None,
    model: Model | None = None,
    drafts: DraftStore | None = None,
) -> Services:
    """Services over a real database and doubles of what is outside, with one connection ``sandbox``. The clock stands at NOW. Without a
    ``model`` rules decide alone."""
    connection: Connection = make_connection()
    platforms = {connection.name: billing or FakeBilling()}
    connections, at = {connection.name: connection}, clock or FixedClock(NOW)
    policies, facts = StoredPolicies(db), DatabaseFacts(db, connections, platforms)
    deps = GraphDeps(
        facts=facts,
        policies=policies,
        clock=at,
        new_id=new_id,
        model=model or NoModel(),
        drafts=drafts or StoredDrafts(db),
        texts=StoredTexts(db),
        incidents=StoredIncidents(db),
    )
    return Services(
        settings=make_settings(),
        db=db,
        clock=at,
        policies=policies,
        facts=facts,
        connections=connections,
        billing=platforms,
        messenger=messenger or FakeMessenger(),
        graph=build_graph(deps, PooledSaver.over(db.pool)),
        app=make_app(db.url),
        ticket_store=ticket_store or make_ticket_store(make_settings()),
        time=time or MachineTime(),
    )


def make_settings() -> Settings:
    """Settings that point nowhere."""
    return Settings(
        home=Path("/nonexistent"),
        config=Path("/nonexistent/recoup.toml"),
        database_url=None,
        migrate_url=None,
        smtp_url=None,
        mail_from="The Shop <billing@shop.example>",
        admin_name="admin",
        admin_key=None,
        sandbox=True,
        host="127.0.0.1",
        port=0,
        backlog_limit=1000,
        log_level="INFO",
    )


def _done(key: str, *, request_id: str | None = None) -> EffectResult:
    return EffectResult(state="done", detail="accepted", vendor_ref=key, request_id=request_id)
