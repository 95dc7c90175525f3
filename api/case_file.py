"""Everything about one case on one page: for the API, and for ``recoup cases show``."""

from pydantic import BaseModel

from api.explain import explain_decision
from graph.bootstrap import Services
from memory import approvals, cases, decisions, messages, outbox, tasks, timers
from memory.approvals import ApprovalRow
from memory.cases import CaseRow
from memory.decisions import DecisionRow
from memory.messages import MessageRow
from memory.outbox import ActionRow
from memory.tasks import TaskRow
from memory.timers import TimerRow
from recoup.facts import CaseFacts

MOST_ROWS = 200


class CaseFile(BaseModel):
    """A case with what is known, what was decided and why, what was done and what comes next.

    ``explanation`` is the newest decision in sentences, for a person.
    """

    case: CaseRow
    facts: CaseFacts
    explanation: list[str]
    decisions: list[DecisionRow]
    approvals: list[ApprovalRow]
    actions: list[ActionRow]
    messages: list[MessageRow]
    timers: list[TimerRow]
    tasks: list[TaskRow]


async def read_case_file(services: Services, case_id: str) -> CaseFile:
    """The whole case; raises NotFound."""
    now = await services.clock.now()
    facts = await services.facts.load(case_id, now)
    async with services.db.read() as session:
        made = await decisions.page(session, case_id=case_id, limit=MOST_ROWS)
        newest = made[0] if made else None
        return CaseFile(
            case=await cases.get(session, case_id),
            facts=facts,
            explanation=explain_decision(newest.facts, newest.proposals, newest.verdicts) if newest else ["No decision yet."],
            decisions=made,
            approvals=await approvals.page(session, case_id=case_id, limit=MOST_ROWS),
            actions=await outbox.page(session, case_id=case_id, limit=MOST_ROWS),
            messages=await messages.page(session, case_id=case_id, limit=MOST_ROWS),
            timers=await timers.page(session, case_id=case_id, limit=MOST_ROWS),
            tasks=await tasks.page(session, case_id=case_id, limit=MOST_ROWS),
        )
