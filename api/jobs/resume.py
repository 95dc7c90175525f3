"""Carries a person's answer into the decision that waits for it, exactly once, whatever crashed in between."""

from api.jobs import lease as leases
from api.jobs.advance import Ended, advance
from api.jobs.commit import commit_answer, start_over
from api.jobs.decide import record_failure
from graph.bootstrap import Services
from memory import approvals, deciding, decisions
from memory.approvals import ApprovalRow, ApprovalStatus
from memory.cases import Lease
from memory.decisions import DecisionState
from recoup.errors import Busy, Conflict


async def run(services: Services, decision_id: str) -> None:
    """Resumes the decision, unless its approval is not answered, was used, or is void. A failure is counted on the case and raised."""
    if await _answered(services, decision_id) is None:
        return
    async with services.db.read() as session:
        case_id = (await decisions.get(session, decision_id)).case_id
    lease = await leases.take(services.db, case_id)
    if lease is None:
        raise Busy(f"another worker is at case {case_id}")
    try:
        # Read again under the lease: whoever held it may have finished this very job.
        approval = await _answered(services, decision_id)
        if approval is None:
            await leases.give_back(services.db, lease)
        else:
            await _resume(services, lease, approval)
    except (Busy, Conflict):
        # The approval was voided, or the case is somebody else's now. The sweep wakes what is still to do.
        await leases.give_back(services.db, lease)
    except Exception as error:
        await record_failure(services, case_id, lease, error)
        raise


async def _resume(services: Services, lease: Lease, approval: ApprovalRow) -> None:
    async with leases.renewed(services, lease):
        outcome = await advance(services.graph, approval.decision_id, approval)
        now = await services.clock.now()
    if isinstance(outcome, Ended):
        await commit_answer(services, lease, approval, outcome, now)
        return
    # The thread asks something else than what was answered, or is gone: the answer has no question any more.
    async with services.db.write() as tx:
        if not await deciding.hold(tx, lease):
            raise Busy(f"another worker took case {approval.case_id}")
        await start_over(tx, approval.case_id, "superseded: the question it answers is gone", now)


async def _answered(services: Services, decision_id: str) -> ApprovalRow | None:
    """The decision's approval where its answer has not had its effect yet."""
    async with services.db.read() as session:
        approval = await approvals.of_decision(session, decision_id)
        decision = await decisions.get(session, decision_id)
    is_due = approval is not None and approval.status is ApprovalStatus.DECIDED and approval.used_at is None
    return approval if is_due and decision.state is DecisionState.WAITING else None
