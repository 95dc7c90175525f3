"""Makes the decision that a case wants: reads the world, runs the graph without a transaction, commits what it came to."""

from datetime import datetime

from api.jobs import lease as leases
from api.jobs.advance import begin
from api.jobs.commit import commit_decision
from graph.bootstrap import Services
from graph.state import FLOW_VERSION, start_on
from memory import cases, deciding, decisions, invoices
from memory.cases import Lease
from memory.decisions import Stamp
from prompts.render import prompts_digest
from recoup.errors import Busy, Conflict, RecoupError
from recoup.facts import CaseFacts
from recoup.ids import new_id

# The world may move while it is looked at; a case that never stands still is looked at again by the sweep.
MOST_STARTS = 3


async def run(services: Services, case_id: str) -> None:
    """Decides, unless nothing is wanted or another worker is at it. A failure is counted on the case and raised; after the last try
    deciding is dead until somebody asks again."""
    for _ in range(MOST_STARTS):
        lease = await leases.take(services.db, case_id)
        if lease is None:
            return
        if lease.trigger is None:
            await leases.give_back(services.db, lease)
            return
        try:
            await _decide(services, lease, lease.trigger)
        except (Busy, Conflict):
            # The world moved under us and nothing was committed: once more, from what is stored now.
            await leases.give_back(services.db, lease)
        except Exception as error:
            await record_failure(services, lease, error)
            raise
        else:
            return


async def record_failure(services: Services, lease: Lease, error: Exception) -> None:
    """Counts it and plans the next try. Only our own words are kept: a driver's may quote what it was about."""
    told = str(error) if isinstance(error, RecoupError) else type(error).__name__
    async with services.db.write() as tx:
        await deciding.failed(tx, lease, told)


async def _decide(services: Services, lease: Lease, trigger: str) -> None:
    async with leases.renewed(services.db, lease):
        now = await services.clock.now()
        facts = await services.facts.load(lease.case_id, now)
        version, policy = await services.policies.current()
        stamp = Stamp(policy_version=version, flow_version=FLOW_VERSION, prompts_digest=prompts_digest())
        decision_id = new_id("decision")
        await _start(services, decision_id, facts, stamp, trigger, now)
        outcome = await begin(services.graph, decision_id, start_on(facts, version, policy))
    await commit_decision(services, lease, decision_id, outcome, now)


async def _start(services: Services, decision_id: str, facts: CaseFacts, stamp: Stamp, trigger: str, now: datetime) -> None:
    """The row of the running decision. It supersedes a live one: that of a worker that died, or one that waits for a person."""
    async with services.db.write() as tx:
        if await decisions.start(tx, decision_id, facts=facts, stamp=stamp, trigger=trigger):
            return
        await invoices.lock_account(tx, facts.account.id)
        await cases.lock(tx, facts.case.id)
        await deciding.supersede(tx, facts.case.id, "superseded by a newer decision", now)
        if not await decisions.start(tx, decision_id, facts=facts, stamp=stamp, trigger=trigger):
            raise Busy(f"another decision of case {facts.case.id} is being made")
