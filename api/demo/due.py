"""What still has to be done before the demo's clock may go on, in one statement over the rows."""

from datetime import datetime

from memory.database import Read
from recoup.record import Record
from tools.sandbox.protocol import Channel


class DueWork(Record):
    """How many rows of each kind wait. ``questions`` wait for a person, all others for a worker."""

    events: int
    decisions_wanted: int
    decisions_running: int
    answers: int
    actions: int
    timers: int
    questions: int

    @property
    def is_none(self) -> bool:
        """Whether everything due is done and everything asked is answered."""
        return not any(self.model_dump().values())

    def __str__(self) -> str:
        return ", ".join(f"{rows} {kind.replace('_', ' ')}" for kind, rows in self.model_dump().items() if rows) or "nothing"


class Sent(Record):
    """A message that has left, as the customer's mailbox sees it."""

    action_id: str
    account: str
    channel: Channel
    sent_at: datetime


# An ambiguous action is done with once a person has been given the task; a decision or event that is dead waits for nobody.
DUE = """
SELECT (SELECT count(*) FROM inbox WHERE status = 'accepted') AS events,
       (SELECT count(*) FROM cases WHERE needs_decision AND decide_error IS NULL) AS decisions_wanted,
       (SELECT count(*) FROM decisions d JOIN cases c ON c.id = d.case_id WHERE d.state = 'running' AND c.decide_error IS NULL)
           AS decisions_running,
       (SELECT count(*) FROM approvals p JOIN decisions d ON d.id = p.decision_id
         WHERE p.status = 'decided' AND p.used_at IS NULL AND d.state = 'waiting') AS answers,
       (SELECT count(*) FROM actions a WHERE (a.hold_until IS NULL OR a.hold_until <= %(now)s) AND (a.state IN ('ready', 'started')
            OR (a.state = 'unknown' AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.action_id = a.id)))) AS actions,
       (SELECT count(*) FROM timers WHERE state = 'pending' AND due_at <= %(now)s) AS timers,
       (SELECT count(*) FROM approvals WHERE status = 'pending') AS questions
"""

SENT = """
SELECT m.action_id, a.vendor_id AS account, m.channel, m.sent_at FROM messages m JOIN accounts a ON a.id = m.account_id
WHERE m.state = 'sent' AND NOT m.is_receipt AND m.action_id <> ALL (%(known)s) ORDER BY m.sent_at, m.id
"""


async def due_work(session: Read, now: datetime) -> DueWork:
    """What waits at the domain's ``now``."""
    [found] = await session.all(DueWork, DUE, {"now": now})
    return found


async def newly_sent(session: Read, known: set[str]) -> list[Sent]:
    """Messages that have left and are not ``known`` by their actions' ids; receipts ask for nothing and are left out."""
    return await session.all(Sent, SENT, {"known": list(known)})
