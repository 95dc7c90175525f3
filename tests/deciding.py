"""Brings real rows to where a person is asked, and lets the machinery below fail on purpose."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, LiteralString

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple

from api.answers import answer_approval
from api.jobs import decide
from graph.bootstrap import Services
from graph.build import build_graph
from graph.deps import GraphDeps
from memory import approvals, decisions, outbox, policies
from memory.approvals import ApprovalRow
from memory.checkpoints import PooledSaver
from memory.database import Database, Write
from memory.decisions import DecisionRow
from memory.outbox import ActionRow, ActionState
from recoup.approval import Approve, Edit, EditedAction, HumanDecision, Reject
from recoup.events import Reading
from recoup.facts import CaseFacts
from recoup.ids import new_id
from recoup.people import Person, Role
from tests.factories import NOW, account_snapshot, attempt_snapshot, credential_snapshot, invoice_snapshot, make_reading
from tests.scenes import absorb_reading, change, open_case

ADA, BO, CY = (Person(name=name, role=Role.APPROVER) for name in ("ada", "bo", "cy"))
YES, NO = Approve(), Reject(message="not this one")


def failure_of(customer: int, *, card: str | None = None) -> Reading:
    """A failed payment of a customer of their own; ``card`` is a fingerprint, to share one card."""
    name = f"{customer:03}"
    return make_reading(
        account=account_snapshot(vendor_id=f"cus_{name}"),
        invoice=invoice_snapshot(vendor_id=f"in_{name}", account_vendor_id=f"cus_{name}", subscription_vendor_id=f"sub_{name}"),
        attempts=(attempt_snapshot(vendor_key=f"ch_{name}", charge_vendor_id=f"ch_{name}", credential_vendor_id=f"pm_{name}"),),
        credentials=(credential_snapshot(vendor_id=f"pm_{name}", fingerprint=card or f"fp_{name}"),),
        subscription_vendor_id=f"sub_{name}",
    )


async def set_policy(services: Services, text: str) -> None:
    """Puts a policy in force."""
    async with services.db.write() as tx:
        await policies.save(tx, text, by="test", note="", at=NOW)


async def asked(services: Services, reading: Reading | None = None) -> ApprovalRow:
    """A case whose decision asks a person, and the question."""
    case_id = await absorb_reading(services, reading) if reading else (await open_case(services)).case.id
    assert case_id is not None
    await decide.run(services, case_id)
    return await question(services.db, case_id)


async def question(db: Database, case_id: str) -> ApprovalRow:
    """The case's newest approval."""
    async with db.read() as session:
        return (await approvals.page(session, case_id=case_id, limit=1))[0]


async def give(services: Services, approval: ApprovalRow, *given: HumanDecision, by: Person = ADA) -> ApprovalRow:
    """Somebody answers what they were shown."""
    return await answer_approval(services, by, approval.id, approval.digest, given or (YES,), None)


def edit(approval: ApprovalRow, **args: Any) -> Edit:
    """The first action that is shown, with other arguments."""
    shown = approval.request.action_requests[0]
    return Edit(edited_action=EditedAction(name=shown.name, args=shown.args | args))


async def decisions_of(db: Database, case_id: str) -> list[DecisionRow]:
    """The case's decisions, oldest first."""
    async with db.read() as session:
        return list(reversed(await decisions.page(session, case_id=case_id, limit=100)))


async def actions_of(db: Database, case_id: str) -> list[ActionRow]:
    """The case's actions, oldest first."""
    async with db.read() as session:
        return list(reversed(await outbox.page(session, case_id=case_id, limit=100)))


async def rows(db: Database, sql: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
    """Rows of any table."""
    async with db.read() as session:
        return [tuple(row.values()) for row in await session.dicts(sql, parameters)]


async def facts_now(services: Services, case_id: str) -> CaseFacts:
    """What a decision would rest on."""
    return await services.facts.load(case_id, await services.clock.now())


async def holder_died(db: Database, case_id: str) -> None:
    """Ten seconds of wall time after the worker that held the case."""
    await change(db, "UPDATE cases SET lease_until = clock_timestamp() - interval '1 second' WHERE id = %s", case_id)


class Killed(BaseException):
    """The process dies here: nothing catches it."""


class MortalDatabase(Database):
    """Dies around its n-th transaction: before it commits, or just after, when nobody has heard of it yet."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.dies_at: tuple[int, str] | None = None
        self.writes = 0

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[Write]:
        self.writes += 1
        number = self.writes
        async with super().write() as tx:
            yield tx
            if self.dies_at == (number, "before"):
                raise Killed
        if self.dies_at == (number, "after"):
            raise Killed


class FaultySaver(BaseCheckpointSaver[str]):
    """A checkpointer whose writes fail at chosen places: ``plan`` says for each write whether it fails before it, after it, or not.

    ``meanwhile`` happens once, when the graph has judged and nothing is committed yet.
    """

    def __init__(self, inner: BaseCheckpointSaver[str]) -> None:
        super().__init__(serde=inner.serde)
        self._inner = inner
        self.plan: Callable[[int], str | None] = lambda _: None
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self.writes = 0
        self.faults = 0

    def get_next_version(self, current: str | None, channel: None) -> str:
        return self._inner.get_next_version(current, channel)

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> "FaultySaver":
        return self

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return await self._inner.aget_tuple(config)

    async def aput(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata, new_versions: ChannelVersions
    ) -> RunnableConfig:
        return await self._write(lambda: self._inner.aput(config, checkpoint, metadata, new_versions))

    async def aput_writes(self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = "") -> None:
        await self._write(lambda: self._inner.aput_writes(config, writes, task_id, task_path))

    async def _write(self, write: Callable[[], Awaitable[Any]]) -> Any:
        place, self.writes = self.plan(self.writes), self.writes + 1
        if place == "before":
            self.faults += 1
            raise ConnectionError("the checkpoint was not written")
        result = await write()
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens()
        if place == "after":
            self.faults += 1
            raise ConnectionError("the checkpoint was written, but nobody heard of it")
        return result


def with_saver(services: Services, saver: BaseCheckpointSaver[str]) -> Services:
    """The same services, the graph over another checkpointer."""
    deps = GraphDeps(facts=services.facts, policies=services.policies, clock=services.clock, new_id=new_id)
    return replace(services, graph=build_graph(deps, saver))


def with_faults(services: Services) -> tuple[Services, FaultySaver]:
    """The same services over a checkpointer that fails as told."""
    saver = FaultySaver(PooledSaver.over(services.db.pool))
    return with_saver(services, saver), saver


async def audit_agrees(db: Database) -> None:
    """The newest audit entry of every row tells the state that the row has."""
    wrong = await rows(
        db,
        """
        WITH stated AS (
            SELECT id, status AS state FROM cases UNION ALL SELECT id, state FROM decisions UNION ALL SELECT id, status FROM approvals
            UNION ALL SELECT id, state FROM actions UNION ALL SELECT id, state FROM timers UNION ALL SELECT id, state FROM reservations
        )
        SELECT s.id, s.state, e.state FROM stated s
          LEFT JOIN LATERAL (SELECT state FROM audit_log a WHERE a.subject = s.id ORDER BY n DESC LIMIT 1) e ON true
         WHERE e.state IS DISTINCT FROM s.state
        """,
    )
    assert wrong == []


async def now_stands(services: Services, approval: ApprovalRow) -> ApprovalRow:
    """The approval as it is now."""
    async with services.db.read() as session:
        return await approvals.get(session, approval.id)


async def the_action(db: Database, approval: ApprovalRow) -> tuple[ActionState, dict[str, object]]:
    """State and arguments of the action that was shown."""
    [action] = [action for action in await actions_of(db, approval.case_id) if action.id in approval.action_ids]
    return action.state, action.args


async def nothing_runs(db: Database, approval: ApprovalRow) -> None:
    """The answer had no effect, and has none any more."""
    assert [a.state for a in await actions_of(db, approval.case_id) if a.state is ActionState.READY] == []
    assert await rows(db, "SELECT 1 FROM reservations WHERE state <> 'released'") == []
    assert await rows(db, "SELECT 1 FROM approvals WHERE used_at IS NOT NULL") == []
    await audit_agrees(db)
