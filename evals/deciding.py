"""One whole decision through the real graph on a sample's facts: what was routed, proposed, judged and written. No database, no effect."""

from itertools import count
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from evals.brief import Brief, facts_of_brief
from evals.sample import Sample
from evals.solver import Answer, NotRun, Solver
from evals.subject import Subject
from graph.build import build_graph
from graph.deps import GraphDeps
from graph.state import RecoveryState, actions_of, proposals_of, route_of, signals_of, start_on, verdicts_of
from prompts.render import load
from recoup.actions import RiskClass
from recoup.clock import FixedClock
from recoup.errors import NotFound
from recoup.facts import CaseFacts
from recoup.model_port import Model
from recoup.policy import Mode, Policy
from recoup.proposal import Proposed, Verdict

ASKS_NO_MODEL = "the agents of this version ask no model"
POLICY = Policy(mode=Mode.AUTO)


class _OneWorld:
    """The facts and the policy of one sample, wherever the graph asks for them."""

    def __init__(self, facts: CaseFacts, policy: Policy) -> None:
        self._facts, self._policy = facts, policy

    async def load(self, case_id: str, now: object) -> CaseFacts:  # noqa: ARG002 - the port's signature
        return self._facts

    async def current(self) -> tuple[int, Policy]:
        return 1, self._policy

    async def version(self, number: int) -> Policy:
        if number != 1:
            raise NotFound(f"there is no policy version {number}")
        return self._policy


def deciding(subject: Subject) -> Solver:
    """A solver that decides on the sample's brief: in auto mode, where nothing but the rules and the gate keeps an action back, since a
    person would hide what the agents got wrong."""

    async def solve(sample: Sample, /) -> Answer | NotRun:
        if subject.has_model:
            return NotRun(why=ASKS_NO_MODEL)
        facts = facts_of_brief(Brief.model_validate(sample.input))
        state = await decide(facts, POLICY, subject.model)
        return answer_of(state, facts)

    return solve


async def decide(facts: CaseFacts, policy: Policy, model: Model) -> RecoveryState:
    """The state at the end of the run, or where it waits for a person."""
    world, numbers = _OneWorld(facts, policy), count(1)
    deps = GraphDeps(facts=world, policies=world, clock=FixedClock(facts.now), new_id=lambda kind: f"{kind}_{next(numbers)}", model=model)
    config: RunnableConfig = {"configurable": {"thread_id": "dec_1"}}
    state: Any = await build_graph(deps, InMemorySaver()).ainvoke(start_on(facts, 1, policy), config, durability="exit")
    return cast("RecoveryState", state)


def answer_of(state: RecoveryState, facts: CaseFacts) -> Answer:
    """What scorers look at, JSON-able."""
    route, actions, verdicts = route_of(state), actions_of(state), verdicts_of(state)
    cited = {row for proposal in proposals_of(state) for row in proposal.evidence} | set(route.evidence)
    cited |= {row for proposed in actions for row in proposed.evidence}
    return Answer(
        value={
            "route": route.to,
            "signals": sorted(signals_of(state)),
            "pattern": route.pattern.kind if route.pattern else None,
            "reasons": [route.reason, *(proposal.reason for proposal in proposals_of(state))],
            "evidence": sorted(cited),
            "rows": sorted(facts.row_ids()),
            "actions": [_shown(proposed, verdict) for proposed, verdict in zip(actions, verdicts, strict=True)],
        },
        trajectory=tuple(said["node"] for said in state.get("trace", [])),
    )


def _shown(proposed: Proposed, verdict: Verdict) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": proposed.action.name.value,
        "risk": proposed.action.risk.value,
        "args": proposed.action.args,
        "gate": verdict.answer.value,
        "rules": [hit.rule for hit in verdict.rules],
    }
    if proposed.action.risk is RiskClass.CONTACT:
        template = load(str(proposed.action.args["template"]))
        shown |= {"subject": template.subject, "body": template.body}
    return shown
