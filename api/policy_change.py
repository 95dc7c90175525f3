"""Putting a policy in force, and trying one on the decisions of the past: for the HTTP API and the command line alike."""

from collections.abc import AsyncIterator
from typing import Protocol

from graph.state import merged_actions
from memory import decisions, policies
from memory.database import Database, Read
from memory.decisions import DecisionRow
from memory.policies import PolicyRow
from recoup.clock import Clock
from recoup.masking import redact_text
from recoup.people import Permission, Person
from recoup.policy_changes import Judged

DECISIONS_A_PAGE = 100


class Stored(Protocol):
    """What is needed of the services here."""

    @property
    def db(self) -> Database:
        """The database."""
        ...

    @property
    def clock(self) -> Clock:
        """Domain time."""
        ...


async def set_policy(services: Stored, person: Person, text: str, note: str) -> PolicyRow:
    """The new version. Raises Forbidden, or Misconfigured where the text does not validate."""
    person.must_have(Permission.ADMINISTER)
    now = await services.clock.now()
    async with services.db.write() as tx:
        return await policies.save(tx, text, by=person.name, note=redact_text(note), at=now)


async def judged_decisions(session: Read, limit: int) -> AsyncIterator[Judged]:
    """The newest decisions that the gate has answered, up to ``limit``, page by page: facts are large."""
    before: str | None = None
    while limit > 0:
        page = await decisions.page(session, before=before, limit=min(limit, DECISIONS_A_PAGE))
        for row in page:
            judged = _judged(row)
            if judged is not None:
                yield judged
        if not page:
            return
        limit, before = limit - len(page), page[-1].id


def _judged(row: DecisionRow) -> Judged | None:
    if row.proposals is None or row.verdicts is None:
        return None
    return Judged(
        decision_id=row.id,
        case_id=row.case_id,
        facts=row.facts,
        actions=merged_actions(row.proposals),
        signals=tuple(signal for proposal in row.proposals for signal in proposal.signals),
        verdicts=row.verdicts,
    )
