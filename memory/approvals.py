"""Approvals: what was shown to people, bound by a digest, and the one answer that each gets and that is used once."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import LiteralString

from psycopg.types.json import Jsonb

from memory import audit
from memory.database import Read, Write
from recoup.approval import ApprovalRequest, HumanDecision
from recoup.errors import Conflict, Expired, NotFound
from recoup.ids import new_id
from recoup.people import Person, Role
from recoup.record import Record


class ApprovalStatus(StrEnum):
    """``decided`` is an answer on its way; ``used_at`` says that it has had its effect."""

    PENDING = "pending"
    DECIDED = "decided"
    VOID = "void"
    EXPIRED = "expired"


class Interrupt(Record):
    """A persisted interrupt of a decision's thread: the only thing that an approval is ever made from."""

    id: str
    request: ApprovalRequest


class ApprovalRow(Record):
    """A row of ``approvals``. While ``pending``, ``answer`` holds the edits that wait for a second person (four eyes)."""

    id: str
    decision_id: str
    case_id: str
    digest: str
    request: ApprovalRequest
    action_ids: tuple[str, ...]
    interrupt_id: str
    interrupt_digest: str
    edited_by: tuple[str, ...]
    status: ApprovalStatus
    void_reason: str | None
    answer: tuple[HumanDecision, ...] | None
    note: str | None
    decided_by: str | None
    decided_role: Role | None
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    used_at: datetime | None


COLUMNS: LiteralString = """
    id, decision_id, case_id, digest, request, action_ids, interrupt_id, interrupt_digest, edited_by, status, void_reason, answer, note,
    decided_by, decided_role, created_at, expires_at, decided_at, used_at"""


async def ask(tx: Write, *, decision_id: str, case_id: str, interrupt: Interrupt, expires_at: datetime, at: datetime) -> str:
    """Puts the persisted interrupt before people and gives the approval's id."""
    approval_id = new_id("approval")
    request = interrupt.request
    await tx.run(
        """
        INSERT INTO approvals (id, decision_id, case_id, digest, request, action_ids, interrupt_id, interrupt_digest, status, created_at,
                               expires_at)
        VALUES (%(id)s, %(decision_id)s, %(case_id)s, %(digest)s, %(request)s, %(action_ids)s, %(interrupt_id)s, %(digest)s, 'pending',
                %(at)s, %(expires_at)s)
        """,
        {
            "id": approval_id,
            "decision_id": decision_id,
            "case_id": case_id,
            "digest": request.digest,
            "request": Jsonb(request.model_dump(mode="json")),
            "action_ids": list(request.action_ids),
            "interrupt_id": interrupt.id,
            "at": at,
            "expires_at": expires_at,
        },
    )
    await _audit(tx, case_id, approval_id, ApprovalStatus.PENDING, actor="worker", at=at, data={"digest": request.digest})
    return approval_id


async def decide(
    tx: Write, approval_id: str, *, digest: str, answer: Sequence[HumanDecision], note: str | None, person: Person, at: datetime
) -> ApprovalRow:
    """The one answer. Raises NotFound, Conflict (decided, void, or shown differently) or Expired.

    The WHERE clause is the referee between any number of people who answer at once: one row changes, once.
    """
    row = await tx.one(
        ApprovalRow,
        """
        UPDATE approvals SET status = 'decided', answer = %(answer)s, note = %(note)s, decided_by = %(person)s, decided_role = %(role)s,
               decided_at = %(at)s
         WHERE id = %(id)s AND status = 'pending' AND digest = %(digest)s AND expires_at > %(at)s RETURNING """  # noqa: S608 - constants
        + COLUMNS,
        {
            "id": approval_id,
            "digest": digest,
            "answer": _json(answer),
            "note": note,
            "person": person.name,
            "role": person.role,
            "at": at,
        },
    )
    if row is None:
        raise await _taken(tx, approval_id, digest, at)
    data: dict[str, object] = {"digest": digest, "answers": [decision.type for decision in answer], "role": person.role}
    await _audit(tx, row.case_id, approval_id, ApprovalStatus.DECIDED, actor=person.name, at=at, data=data)
    return row


async def amend(
    tx: Write, approval_id: str, *, digest: str, edits: Sequence[HumanDecision], request: ApprovalRequest, person: Person, at: datetime
) -> ApprovalRow:
    """Four eyes: shows the edited actions instead, for somebody else to answer. Raises as ``decide``."""
    row = await tx.one(
        ApprovalRow,
        """
        UPDATE approvals SET request = %(request)s, digest = %(new)s, answer = %(edits)s, edited_by = array_append(edited_by, %(person)s)
         WHERE id = %(id)s AND status = 'pending' AND digest = %(digest)s AND expires_at > %(at)s RETURNING """  # noqa: S608 - constants
        + COLUMNS,
        {
            "id": approval_id,
            "digest": digest,
            "new": request.digest,
            "request": Jsonb(request.model_dump(mode="json")),
            "edits": _json(edits),
            "person": person.name,
            "at": at,
        },
    )
    if row is None:
        raise await _taken(tx, approval_id, digest, at)
    data: dict[str, object] = {"edited": True, "digest": request.digest, "before": digest}
    await _audit(tx, row.case_id, approval_id, ApprovalStatus.PENDING, actor=person.name, at=at, data=data)
    return row


async def use(tx: Write, approval: ApprovalRow, at: datetime) -> None:
    """The answer takes effect, in the transaction that commits it and never again; raises Conflict where it was used or voided."""
    used = await tx.run("UPDATE approvals SET used_at = %s WHERE id = %s AND status = 'decided' AND used_at IS NULL", (at, approval.id))
    if not used:
        raise Conflict(f"approval {approval.id} was used already, or is void")
    await _audit(tx, approval.case_id, approval.id, ApprovalStatus.DECIDED, actor="worker", at=at, data={"used": True})


async def void_for_case(tx: Write, case_id: str, why: str, at: datetime, actor: str = "worker") -> list[str]:
    """Voids every approval of the case that has had no effect yet, answered or not, and gives the ids. The caller holds the case."""
    rows = await tx.dicts(
        """
        UPDATE approvals SET status = 'void', void_reason = %(why)s
         WHERE case_id = %(case_id)s AND (status = 'pending' OR (status = 'decided' AND used_at IS NULL)) RETURNING id
        """,
        {"case_id": case_id, "why": why},
    )
    ids = sorted(str(row["id"]) for row in rows)
    for approval_id in ids:
        await _audit(tx, case_id, approval_id, ApprovalStatus.VOID, actor=actor, at=at, data={"reason": why})
    return ids


async def expire(tx: Write, approval_id: str, at: datetime) -> bool:
    """Ends a pending approval whose time is over; False where it was answered, voided or has time left. The caller holds the case."""
    case_id: str | None = await tx.value(
        "UPDATE approvals SET status = 'expired' WHERE id = %s AND status = 'pending' AND expires_at <= %s RETURNING case_id",
        (approval_id, at),
    )
    if case_id is None:
        return False
    await _audit(tx, case_id, approval_id, ApprovalStatus.EXPIRED, actor="worker", at=at, data={})
    return True


async def get(session: Read, approval_id: str) -> ApprovalRow:
    """One approval; raises NotFound."""
    row = await session.one(ApprovalRow, "SELECT" + COLUMNS + " FROM approvals WHERE id = %s", (approval_id,))
    if row is None:
        raise NotFound(f"there is no approval {approval_id}")
    return row


async def of_decision(session: Read, decision_id: str) -> ApprovalRow | None:
    """The approval that a decision waits for, or waited for."""
    return await session.one(ApprovalRow, "SELECT" + COLUMNS + " FROM approvals WHERE decision_id = %s", (decision_id,))


async def page(
    session: Read, *, status: str | None = None, case_id: str | None = None, before: str | None = None, limit: int = 50
) -> list[ApprovalRow]:
    """Approvals, newest first; ``before`` is the id of the last one already seen."""
    return await session.all(
        ApprovalRow,
        "SELECT"
        + COLUMNS
        + """ FROM approvals
         WHERE (%(status)s::text IS NULL OR status = %(status)s) AND (%(case_id)s::text IS NULL OR case_id = %(case_id)s)
           AND (%(before)s::text IS NULL OR id < %(before)s)
         ORDER BY id DESC LIMIT %(limit)s""",
        {"status": status, "case_id": case_id, "before": before, "limit": limit},
    )


def refusal(row: ApprovalRow, digest: str, at: datetime) -> Conflict | Expired | None:
    """Why an answer to what ``digest`` shows cannot be taken at ``at``; None where it can."""
    match row.status:
        case ApprovalStatus.DECIDED:
            return Conflict(f"approval {row.id} was already decided by {row.decided_by}")
        case ApprovalStatus.VOID:
            return Conflict(f"approval {row.id} is void: {row.void_reason}")
        case ApprovalStatus.EXPIRED:
            return Expired(f"approval {row.id} expired at {row.expires_at.isoformat()}")
        case ApprovalStatus.PENDING if row.expires_at <= at:
            # Its timer has not fired yet, but its time is over.
            return Expired(f"approval {row.id} expired at {row.expires_at.isoformat()}")
        case ApprovalStatus.PENDING if row.digest != digest:
            return Conflict(f"approval {row.id} shows something else: its digest is {row.digest}; read it again before you answer")
        case ApprovalStatus.PENDING:
            return None


async def _taken(tx: Write, approval_id: str, digest: str, at: datetime) -> Conflict | Expired:
    """Why the row did not change; where it looks open again, somebody was faster and has gone."""
    row = await get(tx, approval_id)
    return refusal(row, digest, at) or Conflict(f"approval {approval_id} changed while you answered; read it again")


def _json(decisions: Sequence[HumanDecision]) -> Jsonb:
    return Jsonb([decision.model_dump(mode="json") for decision in decisions])


async def _audit(
    tx: Write, case_id: str, approval_id: str, status: ApprovalStatus, *, actor: str, at: datetime, data: dict[str, object]
) -> None:
    await audit.append(tx, chain=case_id, subject=approval_id, kind="approval", state=status, actor=actor, at=at, data=data)
