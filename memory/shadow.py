"""What the report on shadow mode rests on: cases with their decisions, what came of these, and every attempt on the invoice."""

from datetime import datetime

from pydantic import Field

from memory.database import Read
from recoup.actions import ActionName
from recoup.case import Attribution, CaseStatus
from recoup.facts import CaseFacts
from recoup.invoice import AttemptStatus, Initiator
from recoup.proposal import Verdict
from recoup.record import Record


class DecidedCase(Record):
    """A case with a finished decision. Amounts in minor units of ``currency``, as they stand now. ``next_opened_at``: when money that had
    settled it went back, and another episode of the same invoice began."""

    id: str
    invoice_id: str
    connection: str
    simulated: bool
    status: CaseStatus
    opened_at: datetime
    first_failed_at: datetime
    closed_at: datetime | None
    attribution: Attribution | None
    currency: str
    remaining_minor: int
    next_opened_at: datetime | None


class FinishedDecision(Record):
    """A decision that was carried to its end."""

    id: str
    case_id: str
    policy_version: int
    created_at: datetime
    facts: CaseFacts


class CommittedAction(Record):
    """One action of a decision, and where it stands."""

    id: str
    case_id: str
    decision_id: str
    name: ActionName
    args: dict[str, object]
    reason: str
    verdict: Verdict
    state: str
    at: datetime


class SeenAttempt(Record):
    """One try to collect an invoice, whoever made it."""

    invoice_id: str
    at: datetime
    initiator: Initiator
    status: AttemptStatus
    amount_minor: int | None
    currency: str | None
    reason: str | None


class Page(Record):
    """Some cases and all that belongs to them."""

    cases: tuple[DecidedCase, ...]
    decisions: tuple[FinishedDecision, ...] = Field(repr=False)
    actions: tuple[CommittedAction, ...] = Field(repr=False)
    attempts: tuple[SeenAttempt, ...] = Field(repr=False)


async def page(session: Read, *, since: datetime | None, after: str | None, limit: int) -> Page:
    """Cases with a finished decision made since then, oldest case first, from behind the case ``after``."""
    cases = await session.all(
        DecidedCase,
        """
        SELECT c.id, c.invoice_id, c.connection, c.simulated, c.status, c.opened_at, c.first_failed_at, c.closed_at, c.attribution,
               i.currency, CASE WHEN later.opened_at IS NULL THEN coalesce(i.remaining_minor, 0) ELSE 0 END AS remaining_minor,
               later.opened_at AS next_opened_at
        FROM cases c JOIN invoices i ON i.id = c.invoice_id
        LEFT JOIN cases later ON later.invoice_id = c.invoice_id AND later.episode = c.episode + 1
        WHERE (%(after)s::text IS NULL OR c.id > %(after)s) AND EXISTS (SELECT FROM decisions d WHERE d.case_id = c.id
              AND d.state = 'done' AND (%(since)s::timestamptz IS NULL OR d.created_at >= %(since)s))
        ORDER BY c.id LIMIT %(limit)s
        """,
        {"since": since, "after": after, "limit": limit},
    )
    wanted: dict[str, object] = {"cases": [case.id for case in cases], "invoices": [case.invoice_id for case in cases], "since": since}
    return Page(
        cases=tuple(cases),
        decisions=tuple(await _decisions(session, wanted)),
        actions=tuple(await _actions(session, wanted)),
        attempts=tuple(await _attempts(session, wanted)),
    )


async def _decisions(session: Read, wanted: dict[str, object]) -> list[FinishedDecision]:
    return await session.all(
        FinishedDecision,
        "SELECT id, case_id, policy_version, created_at, facts FROM decisions WHERE case_id = ANY(%(cases)s) AND state = 'done'"
        " AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s) ORDER BY created_at, id",
        wanted,
    )


async def _actions(session: Read, wanted: dict[str, object]) -> list[CommittedAction]:
    return await session.all(
        CommittedAction,
        "SELECT id, case_id, decision_id, name, args, reason, verdict, state, created_at AS at FROM actions"
        " WHERE case_id = ANY(%(cases)s) ORDER BY created_at, decision_id, position",
        wanted,
    )


async def _attempts(session: Read, wanted: dict[str, object]) -> list[SeenAttempt]:
    return await session.all(
        SeenAttempt,
        "SELECT invoice_id, occurred_at AS at, initiator, status, amount_minor, currency, reason FROM attempts"
        " WHERE invoice_id = ANY(%(invoices)s) ORDER BY occurred_at, id",
        wanted,
    )
