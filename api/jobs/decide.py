"""Makes the decision that a case wants: reads the world, runs the graph without a transaction, commits what it came to."""

from dataclasses import dataclass

from api.jobs import lease as leases
from api.jobs.advance import begin
from api.jobs.commit import commit_decision
from graph.bootstrap import Services
from graph.state import FLOW_VERSION, start_on
from memory import deciding, decisions
from memory.cases import Lease
from memory.decisions import Stamp
from prompts.render import prompts_digest
from recoup.clock import wall_now
from recoup.errors import Busy, Conflict, RecoupError
from recoup.facts import CaseFacts
from recoup.ids import new_id
from recoup.policy import Policy

# The world may move while it is looked at; a case that never stands still is looked at again by the sweep.
MOST_STARTS = 3


@dataclass(frozen=True)
class Decision:
    """A decision that has started: its row stands, and nobody else may finish it."""

    id: str
    lease: Lease
    facts: CaseFacts
    policy_version: int
    policy: Policy


async def run(services: Services, case_id: str) -> None:
    """Decides, unless nothing is wanted or another worker is at it. A failure is counted on the case and raised; after the last try
    deciding is dead until somebody asks again."""
    for _ in range(MOST_STARTS):
        decision = None
        try:
            decision = await _start(services, case_id)
            if decision is not None:
                await _decide(services, decision)
        except (Busy, Conflict):
            # The world moved under us and nothing was committed: once more, from what is stored now.
            if decision is not None:
                await leases.give_back(services.db, decision.lease)
        except Exception as error:
            await record_failure(services, case_id, decision.lease if decision else None, error)
            raise
        else:
            return


async def record_failure(services: Services, case_id: str, lease: Lease | None, error: Exception) -> None:
    """Counts it and plans the next try. Only our own words are kept: a driver's may quote what it was about."""
    told = str(error) if isinstance(error, RecoupError) else type(error).__name__
    async with services.db.write() as tx:
        await deciding.failed(tx, case_id, told, lease.token if lease else None)


async def _start(services: Services, case_id: str) -> Decision | None:
    """Reads the world, then takes the lease and writes the row of the running decision. It supersedes a live one: that of a worker
    that died, or one that waits for a person."""
    now = await services.clock.now()
    facts = await services.facts.load(case_id, now)
    version, policy = await services.policies.current()
    stamp = Stamp(policy_version=version, flow_version=FLOW_VERSION, prompts_digest=prompts_digest())
    decision_id = new_id("decision")
    async with services.db.write() as tx:
        lease = await deciding.take(tx, case_id)
        if lease is None:
            return None
        if not await decisions.start(tx, decision_id, facts=facts, stamp=stamp, trigger=lease.trigger):
            await deciding.supersede(tx, case_id, "superseded by a newer decision", now)
            await decisions.start(tx, decision_id, facts=facts, stamp=stamp, trigger=lease.trigger)
    return Decision(id=decision_id, lease=lease, facts=facts, policy_version=version, policy=policy)


async def _decide(services: Services, decision: Decision) -> None:
    started = wall_now()
    async with leases.renewed(services, decision.lease):
        start = start_on(decision.facts, decision.policy_version, decision.policy)
        outcome = await begin(services.graph, decision.id, start)
    await commit_decision(services, decision.lease, decision.id, outcome, decision.facts.now)
    services.tracer.tell(decision.id, outcome.state, started, wall_now())
