"""What a month came to: for each customer how the case stands, who tried to collect and what Recoup did; and a table of it for people."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evals.ledgers import PlatformAttempt
from recoup.case import Attribution, CaseStatus
from tests.merchants.merchant import Merchant
from tests.merchants.month_people import Customer, End, Household

CASES = """
SELECT DISTINCT ON (i.id) i.vendor_id AS invoice, c.id, c.status, c.attribution, c.episode
  FROM invoices i JOIN cases c ON c.invoice_id = i.id ORDER BY i.id, c.episode DESC
"""
ACTIONS = """
SELECT i.vendor_id AS invoice, a.id, a.name, a.risk, a.args ->> 'template' AS template, a.state, a.started_at,
       p.status AS asked, p.decided_by, p.decided_at, p.used_at
  FROM actions a JOIN cases c ON c.id = a.case_id JOIN invoices i ON i.id = c.invoice_id LEFT JOIN approvals p ON p.id = a.approval_id
 ORDER BY a.created_at, a.position
"""
DECISIONS = """
SELECT i.vendor_id AS invoice, count(*) FILTER (WHERE d.state = 'done' AND jsonb_array_length(d.proposals) > 0) AS decided
  FROM decisions d JOIN cases c ON c.id = d.case_id JOIN invoices i ON i.id = c.invoice_id GROUP BY 1
"""
TRIED_BY = {"platform": "P", "recoup": "R", "customer": "C", "merchant": "M"}
CAME_TO = {"succeeded": "+", "failed": "-", "reversed": "±", "processing": "?", "requires_action": "!"}


@dataclass(frozen=True)
class Action:
    """An action and what came of it. ``asked``: how the question to people stands; ``decided_by``: who answered it."""

    id: str
    name: str
    risk: str
    template: str | None
    state: str
    started_at: datetime | None
    asked: str | None
    decided_by: str | None
    decided_at: datetime | None
    used_at: datetime | None

    @property
    def has_run(self) -> bool:
        """Whether it went out of the house, whatever the other side said."""
        return self.started_at is not None

    @property
    def was_allowed(self) -> bool:
        """Whether a named person approved exactly this before it started."""
        return self.decided_by is not None and self.used_at is not None and self.decided_at is not None and self.decided_at <= self._started

    @property
    def _started(self) -> datetime:
        assert self.started_at is not None
        return self.started_at


@dataclass(frozen=True)
class Story:
    """One bill of one customer. ``end`` None: no case was ever opened."""

    customer: Customer
    invoice: str
    end: End | None
    decided: int
    actions: tuple[Action, ...]
    attempts: tuple[PlatformAttempt, ...]

    def wanted(self, *, watching: bool) -> End | None:
        """What the script says."""
        return self.customer.watched if watching else self.customer.acted

    def ran(self, *risks: str) -> list[Action]:
        """What really went out."""
        return [action for action in self.actions if action.has_run and action.risk in risks]


async def stories(made: Merchant, households: Sequence[Household]) -> list[Story]:
    """Every bill in the order in which they came."""
    async with made.services.db.read() as session:
        cases = {row["invoice"]: row for row in await session.dicts(CASES)}
        decided = {row["invoice"]: row["decided"] for row in await session.dicts(DECISIONS)}
        actions = await session.dicts(ACTIONS)
    attempts = made.ledger().attempts
    return [
        Story(
            household.customer,
            invoice,
            _end(cases.get(invoice)),
            decided.get(invoice, 0),
            tuple(Action(**{k: v for k, v in row.items() if k != "invoice"}) for row in actions if row["invoice"] == invoice),
            tuple(one for one in attempts if one.invoice == invoice),
        )
        for household in households
        for invoice in household.invoices
    ]


def table(told: Sequence[Story], *, watching: bool) -> str:
    """A line a bill: P platform, R Recoup, C customer, M merchant tried; + paid, - declined, ± paid and taken back."""
    lines = [f"{'customer':42} {'tried':24} {'stands':28} Recoup"]
    for one in told:
        tried = " ".join(TRIED_BY[a.initiator] + CAME_TO[a.status] for a in one.attempts)
        wanted = one.wanted(watching=watching)
        stands = str(one.end) if one.end == wanted else f"{one.end}, NOT {wanted}"
        lines.append(f"{one.customer.name:42} {tried:24} {stands:28} {_did(one)}")
    return "\n".join(lines)


def _did(one: Story) -> str:
    """Each kind of action as often as it came to its end, and who had allowed it."""
    counted = Counter((action.name, action.state, action.decided_by if action.has_run else None) for action in one.actions)
    told = [f"{times}x {name} {state}" + (f" ({by} said yes)" if by else "") for (name, state, by), times in counted.items()]
    return ", ".join(told) or "nothing"


def _end(case: dict[str, Any] | None) -> End | None:
    if case is None:
        return None
    by = Attribution(case["attribution"]) if case["attribution"] else None
    return End(CaseStatus(case["status"]), by, case["episode"])
