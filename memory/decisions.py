"""Decisions: one row a graph run, from ``running`` to what it proposed, what the gate said and what came of it."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from memory import audit
from memory.database import Read, Write
from recoup.clock import wall_now
from recoup.errors import Conflict, NotFound
from recoup.facts import CaseFacts
from recoup.proposal import Proposal, Verdict
from recoup.record import Record


class DecisionState(StrEnum):
    """``running`` and ``waiting`` (for a person) are live, and a case has one live decision at most."""

    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    SUPERSEDED = "superseded"


class Stamp(Record):
    """What a decision was made with, fixed when it starts: so that an old one can be understood and run again."""

    policy_version: int
    flow_version: str
    prompts_digest: str


class Conclusion(Record):
    """What a finished or interrupted run says. ``trace`` has one entry a node, JSON-able and free of personal data. ``trace_run_id``: its
    name at LangSmith, where it is told there."""

    route: str | None
    proposals: tuple[Proposal, ...]
    verdicts: tuple[Verdict, ...]
    trace: tuple[dict[str, Any], ...]
    outcome: str
    trace_run_id: str | None = None


class DecisionRow(Record):
    """A row of ``decisions``. What only a run that got so far can tell is None before."""

    id: str
    case_id: str
    case_version: int
    policy_version: int
    flow_version: str
    prompts_digest: str
    trigger: str
    state: DecisionState
    facts: CaseFacts
    facts_digest: str
    route: str | None
    proposals: tuple[Proposal, ...] | None
    verdicts: tuple[Verdict, ...] | None
    trace: tuple[dict[str, Any], ...] | None
    outcome: str | None
    trace_run_id: str | None
    created_at: datetime
    finished_at: datetime | None


COLUMNS: LiteralString = """
    id, case_id, case_version, policy_version, flow_version, prompts_digest, trigger, state, facts, facts_digest, route, proposals,
    verdicts, trace, outcome, trace_run_id, created_at, finished_at"""


async def start(tx: Write, decision_id: str, *, facts: CaseFacts, stamp: Stamp, trigger: str) -> bool:
    """A running decision on these facts; False, and nothing is done, where the case has another live one (``supersede_live``)."""
    started = await tx.run(
        """
        INSERT INTO decisions (id, case_id, case_version, policy_version, flow_version, prompts_digest, trigger, state, facts,
                               facts_digest, created_at, woken_at)
        VALUES (%(id)s, %(case_id)s, %(version)s, %(policy)s, %(flow)s, %(prompts)s, %(trigger)s, 'running', %(facts)s, %(digest)s,
                %(at)s, %(wall)s)
        ON CONFLICT (case_id) WHERE state IN ('running', 'waiting') DO NOTHING
        """,
        {
            "id": decision_id,
            "case_id": facts.case.id,
            "version": facts.case.version,
            "policy": stamp.policy_version,
            "flow": stamp.flow_version,
            "prompts": stamp.prompts_digest,
            "trigger": trigger,
            "facts": Jsonb(facts.model_dump(mode="json")),
            "digest": facts.digest(),
            "at": facts.now,
            "wall": wall_now(),
        },
    )
    if not started:
        return False
    data: dict[str, object] = {"trigger": trigger, "case_version": facts.case.version, "policy_version": stamp.policy_version}
    await _audit(tx, facts.case.id, decision_id, DecisionState.RUNNING, at=facts.now, data=data)
    return True


async def conclude(tx: Write, decision_id: str, case_id: str, state: DecisionState, conclusion: Conclusion, *, at: datetime) -> None:
    """Stores what a live decision came to: ``waiting`` for a person, or ``done``; raises Conflict where it is no longer live."""
    moved = await tx.run(
        """
        UPDATE decisions SET state = %(state)s, route = %(route)s, proposals = %(proposals)s, verdicts = %(verdicts)s, trace = %(trace)s,
               outcome = %(outcome)s, trace_run_id = %(run_id)s, woken_at = %(wall)s,
               finished_at = CASE WHEN %(state)s = 'done' THEN %(at)s::timestamptz END
         WHERE id = %(id)s AND state IN ('running', 'waiting')
        """,
        {
            "id": decision_id,
            "state": state,
            "route": conclusion.route,
            "proposals": _json(conclusion.proposals),
            "verdicts": _json(conclusion.verdicts),
            "trace": Jsonb(list(conclusion.trace)),
            "outcome": conclusion.outcome,
            "run_id": conclusion.trace_run_id,
            "at": at,
            "wall": wall_now(),
        },
    )
    if not moved:
        raise Conflict(f"decision {decision_id} was superseded")
    # Where a rule forbids a charge, none is proposed: then only the agents' reasons name it.
    reasons = {proposal.agent: proposal.reason for proposal in conclusion.proposals}
    data: dict[str, object] = {"outcome": conclusion.outcome, "route": conclusion.route, "reasons": reasons}
    await _audit(tx, case_id, decision_id, state, at=at, data=data)


async def facts_as_read(tx: Write, decision_id: str, facts: CaseFacts) -> None:
    """Keeps what the reader made of the texts among the facts: what a decision's row says is what it rested on."""
    await tx.run("UPDATE decisions SET facts = %s WHERE id = %s", (Jsonb(facts.model_dump(mode="json")), decision_id))


async def supersede_live(tx: Write, case_id: str, at: datetime, why: str = "superseded", actor: str = "worker") -> str | None:
    """Ends the case's live decision, if it has one, and gives its id. Its approval and waiting actions are the caller's to void."""
    decision_id: str | None = await tx.value(
        """
        UPDATE decisions SET state = 'superseded', outcome = %(why)s, finished_at = %(at)s
         WHERE case_id = %(case_id)s AND state IN ('running', 'waiting') RETURNING id
        """,
        {"case_id": case_id, "why": why, "at": at},
    )
    if decision_id is not None:
        await _audit(tx, case_id, decision_id, DecisionState.SUPERSEDED, at=at, data={"outcome": why}, actor=actor)
    return decision_id


async def get(session: Read, decision_id: str) -> DecisionRow:
    """One decision; raises NotFound."""
    row = await session.one(DecisionRow, "SELECT" + COLUMNS + " FROM decisions WHERE id = %s", (decision_id,))
    if row is None:
        raise NotFound(f"there is no decision {decision_id}")
    return row


async def newest_told(session: Read, case_id: str) -> DecisionRow | None:
    """The case's newest decision that came to something, whatever became of it then."""
    return await session.one(
        DecisionRow,
        "SELECT" + COLUMNS + " FROM decisions WHERE case_id = %s AND verdicts IS NOT NULL ORDER BY created_at DESC, id DESC LIMIT 1",
        (case_id,),
    )


async def page(
    session: Read, *, case_id: str | None = None, state: str | None = None, before: str | None = None, limit: int = 50
) -> list[DecisionRow]:
    """Decisions, newest first; ``before`` is the id of the last one already seen."""
    return await session.all(
        DecisionRow,
        "SELECT"
        + COLUMNS
        + """ FROM decisions
         WHERE (%(case_id)s::text IS NULL OR case_id = %(case_id)s) AND (%(state)s::text IS NULL OR state = %(state)s)
           AND (%(before)s::text IS NULL OR id < %(before)s)
         ORDER BY id DESC LIMIT %(limit)s""",
        {"case_id": case_id, "state": state, "before": before, "limit": limit},
    )


async def waiting_ids(session: Read) -> list[str]:
    """Every decision that waits for a person: the threads that the graph must still be able to resume."""
    rows = await session.dicts("SELECT id FROM decisions WHERE state = 'waiting' ORDER BY id")
    return [row["id"] for row in rows]


def _json(records: Sequence[Record]) -> Jsonb:
    return Jsonb([record.model_dump(mode="json") for record in records])


async def _audit(
    tx: Write, case_id: str, decision_id: str, state: DecisionState, *, at: datetime, data: dict[str, object], actor: str = "worker"
) -> None:
    await audit.append(tx, chain=case_id, subject=decision_id, kind="decision", state=state, actor=actor, at=at, data=data)
