"""The outbox: every effect Recoup will have, has had or refused to have, each a row that says what became of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import LiteralString

from psycopg.types.json import Jsonb

from memory import audit
from memory.database import Read, Write
from recoup.actions import Action, ActionName, RiskClass
from recoup.clock import wall_now
from recoup.digest import digest
from recoup.errors import Conflict, NotFound
from recoup.ports import EffectResult
from recoup.proposal import Proposed, Verdict
from recoup.record import Record


class ActionState(StrEnum):
    """``started`` and ``unknown`` may be on the wire: nothing voids them, they are read on the other side."""

    DENIED = "denied"
    SHADOWED = "shadowed"
    WAITING = "waiting"
    REJECTED = "rejected"
    VOID = "void"
    READY = "ready"
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DEAD = "dead"


class NewAction(Record):
    """One judged action to commit; ``proposed.id`` becomes its id and thereby its key on the other side."""

    proposed: Proposed
    verdict: Verdict
    state: ActionState
    position: int
    state_reason: str | None = None
    approval_id: str | None = None


class Change(Record):
    """What an answer made of a waiting action. ``action``: as a person edited it; ``verdict``: what the gate then said."""

    id: str
    state: ActionState
    reason: str | None = None
    action: Action | None = None
    verdict: Verdict | None = None


class ActionRow(Record):
    """A row of ``actions``. ``next_try_at``, ``first_sent_at``, ``key_valid_until`` and ``lease_until`` are wall time; ``hold_until``
    is domain time."""

    id: str
    decision_id: str
    case_id: str
    account_id: str
    approval_id: str | None
    position: int
    name: ActionName
    risk: RiskClass
    args: dict[str, object]
    args_digest: str
    reason: str
    evidence: tuple[str, ...]
    confidence: float
    verdict: Verdict
    state: ActionState
    state_reason: str | None
    result: EffectResult | None
    attempts: int
    next_try_at: datetime | None
    hold_until: datetime | None
    first_sent_at: datetime | None
    key_valid_until: datetime | None
    started_at: datetime | None
    read_at: datetime | None
    finished_at: datetime | None
    created_at: datetime
    lease_token: int
    lease_until: datetime | None

    @property
    def action(self) -> Action:
        """The effect itself."""
        return Action(name=self.name, args=self.args)


COLUMNS: LiteralString = """
    id, decision_id, case_id, account_id, approval_id, position, name, risk, args, args_digest, reason, evidence, confidence, verdict,
    state, state_reason, result, attempts, next_try_at, hold_until, first_sent_at, key_valid_until, started_at, read_at, finished_at,
    created_at, lease_token, lease_until"""


async def insert(
    tx: Write, rows: Sequence[NewAction], *, decision_id: str, case_id: str, account_id: str, at: datetime, actor: str = "worker"
) -> None:
    """Commits a decision's actions, in their order, each with its audit entry."""
    await tx.run_many(
        """
        INSERT INTO actions (id, decision_id, case_id, account_id, approval_id, position, name, risk, args, args_digest, reason,
                             evidence, confidence, verdict, denied_rule, state, state_reason, created_at, finished_at, woken_at)
        VALUES (%(id)s, %(decision_id)s, %(case_id)s, %(account_id)s, %(approval_id)s, %(position)s, %(name)s, %(risk)s, %(args)s,
                %(args_digest)s, %(reason)s, %(evidence)s, %(confidence)s, %(verdict)s, %(denied_rule)s, %(state)s, %(state_reason)s,
                %(at)s, CASE WHEN %(state)s IN ('denied', 'shadowed') THEN %(at)s::timestamptz END, %(wall)s)
        """,
        [{"decision_id": decision_id, "case_id": case_id, "account_id": account_id, "at": at, **_parameters(row)} for row in rows],
    )
    for row in rows:
        data = {"name": row.proposed.action.name, "args_digest": digest(row.proposed.action.args), "reason": row.state_reason}
        await _audit(tx, case_id, row.proposed.id, row.state, at=at, actor=actor, data=data)


async def set_states(tx: Write, case_id: str, changes: Sequence[Change], *, at: datetime, actor: str = "worker") -> None:
    """Moves waiting actions where an answer sends them; raises Conflict where one is no longer waiting."""
    for change in changes:
        moved = await tx.run(
            """
            UPDATE actions SET state = %(state)s, state_reason = %(reason)s,
                   name = coalesce(%(name)s, name), risk = coalesce(%(risk)s, risk), args = coalesce(%(args)s, args),
                   args_digest = coalesce(%(args_digest)s, args_digest), verdict = coalesce(%(verdict)s, verdict),
                   denied_rule = coalesce(%(denied_rule)s, denied_rule), woken_at = %(wall)s,
                   finished_at = CASE WHEN %(state)s = 'ready' THEN NULL ELSE %(at)s::timestamptz END
             WHERE id = %(id)s AND case_id = %(case_id)s AND state = 'waiting'
            """,
            {
                "id": change.id,
                "case_id": case_id,
                "state": change.state,
                "reason": change.reason,
                "name": change.action.name if change.action else None,
                "risk": change.action.risk if change.action else None,
                "args": Jsonb(change.action.args) if change.action else None,
                "args_digest": digest(change.action.args) if change.action else None,
                "verdict": Jsonb(change.verdict.model_dump(mode="json")) if change.verdict else None,
                "denied_rule": _denied_rule(change.state, change.verdict),
                "at": at,
                "wall": wall_now(),
            },
        )
        if not moved:
            raise Conflict(f"action {change.id} is no longer waiting for an answer")
        data: dict[str, object] = {"reason": change.reason}
        if change.action:
            data |= {"edited_to": change.action.name, "args_digest": digest(change.action.args)}
        await _audit(tx, case_id, change.id, change.state, at=at, actor=actor, data=data)


async def void_for_case(tx: Write, case_id: str, why: str, at: datetime, actor: str = "worker") -> list[str]:
    """Voids what has not started (``waiting``, ``ready``) and gives the ids. The caller holds the case's row lock, so that no worker
    is just starting one; what is ``started`` or ``unknown`` may be on the wire and stays."""
    rows = await tx.dicts(
        """
        UPDATE actions SET state = 'void', state_reason = %(why)s, finished_at = %(at)s
         WHERE case_id = %(case_id)s AND state IN ('waiting', 'ready') RETURNING id
        """,
        {"case_id": case_id, "why": why, "at": at},
    )
    ids = sorted(str(row["id"]) for row in rows)
    for action_id in ids:
        await _audit(tx, case_id, action_id, ActionState.VOID, at=at, actor=actor, data={"reason": why})
    return ids


async def get(session: Read, action_id: str) -> ActionRow:
    """One action; raises NotFound."""
    row = await session.one(ActionRow, "SELECT" + COLUMNS + " FROM actions WHERE id = %s", (action_id,))
    if row is None:
        raise NotFound(f"there is no action {action_id}")
    return row


async def of_decision(session: Read, decision_id: str) -> list[ActionRow]:
    """A decision's actions in their order."""
    return await session.all(ActionRow, "SELECT" + COLUMNS + " FROM actions WHERE decision_id = %s ORDER BY position", (decision_id,))


async def page(
    session: Read,
    *,
    case_id: str | None = None,
    state: str | None = None,
    name: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[ActionRow]:
    """Actions, newest first; ``before`` is the id of the last one already seen."""
    return await session.all(
        ActionRow,
        "SELECT"
        + COLUMNS
        + """ FROM actions
         WHERE (%(case_id)s::text IS NULL OR case_id = %(case_id)s) AND (%(state)s::text IS NULL OR state = %(state)s)
           AND (%(name)s::text IS NULL OR name = %(name)s) AND (%(before)s::text IS NULL OR id < %(before)s)
         ORDER BY id DESC LIMIT %(limit)s""",
        {"case_id": case_id, "state": state, "name": name, "before": before, "limit": limit},
    )


def _parameters(row: NewAction) -> dict[str, object]:
    proposed = row.proposed
    return {
        "id": proposed.id,
        "approval_id": row.approval_id,
        "position": row.position,
        "name": proposed.action.name,
        "risk": proposed.action.risk,
        "args": Jsonb(proposed.action.args),
        "args_digest": digest(proposed.action.args),
        "reason": proposed.reason,
        "evidence": list(proposed.evidence),
        "confidence": proposed.confidence,
        "verdict": Jsonb(row.verdict.model_dump(mode="json")),
        "denied_rule": _denied_rule(row.state, row.verdict),
        "state": row.state,
        "state_reason": row.state_reason,
        "wall": wall_now(),
    }


def _denied_rule(state: ActionState, verdict: Verdict | None) -> str | None:
    if state is not ActionState.DENIED or verdict is None or not verdict.rules:
        return None
    return verdict.rules[0].rule


async def _audit(
    tx: Write, case_id: str, action_id: str, state: ActionState, *, at: datetime, actor: str, data: Mapping[str, object]
) -> None:
    kept = {key: value for key, value in data.items() if value is not None}
    await audit.append(tx, chain=case_id, subject=action_id, kind="action", state=state, actor=actor, at=at, data=kept)
