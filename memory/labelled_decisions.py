"""Decisions that people answered, with what was shown to them and what they said; read only, for evals."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

from memory.database import Read
from recoup.record import Record


class AnsweredDecision(Record):
    """``answer`` has one entry an action of ``request``, by position; ``proposals`` are the agents', before anybody edited.

    ``facts``, ``proposals``, ``request`` and ``answer`` are JSON as stored."""

    id: str
    policy_version: int
    facts: dict[str, Any]
    proposals: list[dict[str, Any]]
    action_ids: list[str]
    request: dict[str, Any]
    answer: list[dict[str, Any]]
    decided_at: datetime


async def answered_decisions(session: Read, since: datetime | None = None) -> AsyncGenerator[AnsweredDecision]:
    """Oldest first. What was voided or ran out is left out: nobody's answer stands."""
    rows = await session.all(
        AnsweredDecision,
        """
        SELECT d.id, d.policy_version, d.facts, d.proposals, a.action_ids, a.request, a.answer, a.decided_at
          FROM approvals a JOIN decisions d ON d.id = a.decision_id
         WHERE a.status = 'decided' AND a.answer IS NOT NULL AND d.proposals IS NOT NULL
           AND (%(since)s::timestamptz IS NULL OR a.decided_at >= %(since)s)
         ORDER BY a.decided_at, a.id
        """,
        {"since": since},
    )
    for row in rows:
        yield row
