"""The nodes: each reads the state, lets one agent or the gate judge, and writes its own channel. No side effects."""

from collections.abc import Iterable

from langchain_core.runnables import RunnableConfig

from agents import communication, exception, orchestrator, prioritization, reader
from agents.bounds import Checked
from agents.schedule import last_moment
from graph.deps import GraphDeps
from graph.recheck import recheck
from graph.state import (
    FLOW_VERSION,
    Json,
    RecoveryState,
    Said,
    actions_of,
    case_of,
    facts_of,
    policy_of,
    priority_of,
    proposals_of,
    signals_of,
    start_on,
)
from prompts.render import prompts_digest, template_of
from recoup.actions import MessageArgs, RiskClass, typed_args
from recoup.approval import request_approval
from recoup.case import CaseStatus
from recoup.errors import Defect
from recoup.facts import CaseFacts
from recoup.gate import judge
from recoup.model_port import ModelUse
from recoup.policy import Policy
from recoup.proposal import Answer, Proposal, Proposed, Verdict, Wait
from tools.case_view import CaseView
from tools.catalog import Catalog


class Nodes:
    """All nodes but ``human_review``, over one set of dependencies. Their names are pinned: a renamed node loses waiting threads."""

    def __init__(self, deps: GraphDeps) -> None:
        self._deps = deps

    async def load_facts(self, state: RecoveryState, config: RunnableConfig) -> RecoveryState:
        """Reads the world once, unless the job gave it along, and what people wrote: all below rests on these facts and this policy."""
        world = state
        if "facts" not in state:
            now = await self._deps.clock.now()
            world = start_on(await self._deps.facts.load(case_of(state), now), *await self._deps.policies.current())
        facts = facts_of(world)
        lines = [f"Case {facts.case.id} as of {facts.now:%Y-%m-%d %H:%M} UTC, policy version {world.get('policy_version')}."]
        found = await reader.read(facts, self._deps.texts, self._deps.model, _decision_of(config))
        if found.fresh:
            lines.append(f"Texts that were read: {len(found.fresh)}.")
        if found.use:
            lines.append(found.use.says)
        return world | RecoveryState(
            flow_version=FLOW_VERSION,
            prompts_digest=prompts_digest(),
            facts=facts.model_copy(update={"texts": found.texts}).model_dump(mode="json"),
            fresh=list(found.fresh),
            asked=_asked(found.use),
            trace=[Said(node="load_facts", lines=lines)],
        )

    async def orchestrate(self, state: RecoveryState, config: RunnableConfig) -> RecoveryState:
        """Who works on it."""
        facts = facts_of(state)
        draft = orchestrator.propose(facts)
        own = orchestrator.check(draft, draft, facts)
        if own.refused:
            raise Defect(f"the orchestrator's own route is not valid: {own.refused}")
        revised = await orchestrator.revise(draft, facts, state.get("fresh", []), self._deps.model, _decision_of(config))
        checked = orchestrator.check(draft, revised.route, facts)
        use = _whole(revised.use, checked.refused)
        lines = [f"To {checked.route.to}: {checked.route.reason}", *([use.says] if use else [])]
        return {
            "route": checked.route.model_dump(mode="json"),
            "asked": _asked(use),
            "trace": [Said(node="orchestrate", lines=lines)],
        }

    async def prioritize(self, state: RecoveryState) -> RecoveryState:
        """What and when."""
        facts, policy = facts_of(state), policy_of(state)
        draft = prioritization.propose(facts, policy, self._deps.new_action_id)
        proposal = _own(prioritization.check(draft, draft, facts, policy))
        return {"priority": proposal.model_dump(mode="json"), "trace": [_said("prioritize", proposal)]}

    async def communicate(self, state: RecoveryState, config: RunnableConfig) -> RecoveryState:
        """The words."""
        facts, policy = facts_of(state), policy_of(state)
        draft = communication.propose(facts, policy, priority_of(state))
        draft = _own(communication.check(draft, draft, facts, policy))
        pen = communication.Pen(model=self._deps.model, drafts=self._deps.drafts, decision_id=_decision_of(config))
        revised = await communication.revise(draft, facts, policy, pen)
        checked = communication.check(draft, revised.proposal, facts, policy)
        return {"words": checked.proposal.model_dump(mode="json"), **_told("communicate", checked, revised.use)}

    async def handle_exception(self, state: RecoveryState, config: RunnableConfig) -> RecoveryState:
        """The case file for people."""
        facts, policy = facts_of(state), policy_of(state)
        draft = exception.propose(facts, policy, self._deps.new_action_id)
        draft = _own(exception.check(draft, draft, facts, policy))
        desk = exception.Desk(
            model=self._deps.model,
            tools=self._tools(facts, policy),
            new_action_id=self._deps.new_action_id,
            decision_id=_decision_of(config),
        )
        revised = await exception.revise(draft, facts, policy, desk)
        checked = exception.check(draft, revised.proposal, facts, policy, revised.also)
        told = _told("handle_exception", checked, revised.use, revised.tools)
        return {"exception": checked.proposal.model_dump(mode="json"), **told}

    async def gate(self, state: RecoveryState) -> RecoveryState:
        """May each action run, must a person be asked, or is it denied?"""
        facts, policy, actions = facts_of(state), policy_of(state), actions_of(state)
        verdicts = tuple(judge(proposed, signals_of(state), facts, policy) for proposed in actions)
        asked = [(p, v.reason) for p, v in zip(actions, verdicts, strict=True) if v.answer is Answer.ASK]
        request = request_approval(asked, facts.digest(), _words(p for p, _ in asked)) if asked else None
        wake = plan_wake(proposals_of(state), verdicts, facts, policy)
        lines = [f"{p.action.name}: {v.answer}, {v.reason}" for p, v in zip(actions, verdicts, strict=True)] or ["Nothing to judge."]
        return {
            "verdicts": [verdict.model_dump(mode="json") for verdict in verdicts],
            "request": request.model_dump(mode="json") if request else None,
            "wake": wake.model_dump(mode="json") if wake else None,
            "trace": [Said(node="gate", lines=lines)],
        }

    async def recheck(self, state: RecoveryState) -> RecoveryState:
        """Reads the world again and applies the answer to it."""
        now = await self._deps.clock.now()
        fresh = await self._deps.facts.load(case_of(state), now)
        _, policy = await self._deps.policies.current()
        return recheck(state, fresh, policy)

    async def finish(self, state: RecoveryState) -> RecoveryState:
        """The decision stands; the job commits it."""
        wake = state.get("wake")
        line = f"Done. The case is looked at again on {wake['until'][:16].replace('T', ' ')} UTC: {wake['reason']}." if wake else "Done."
        return {"outcome": "finished", "done": True, "trace": [Said(node="finish", lines=[line])]}

    async def superseded(self, state: RecoveryState) -> RecoveryState:
        """What was shown is no longer what stands: the answer is void, and a new decision starts."""
        because = state.get("superseded_because")
        return {
            "outcome": "superseded",
            "done": True,
            "trace": [Said(node="superseded", lines=[f"Void: {because}. A new decision starts."])],
        }

    def _tools(self, facts: CaseFacts, policy: Policy) -> Catalog:
        """The tools of this one case. The plan that they show is the rules' own, and nothing of it is done."""
        plan = prioritization.propose(facts, policy, lambda: "planned")
        return Catalog(CaseView(facts=facts, policy=policy, plan=plan, tickets=self._deps.tickets, incidents=self._deps.incidents))


def plan_wake(proposals: tuple[Proposal, ...], verdicts: tuple[Verdict, ...], facts: CaseFacts, policy: Policy) -> Wait | None:
    """The earliest of the agents' waits and of the times at which a denial is cured; never after the case's last day."""
    waits = [proposal.wait for proposal in proposals if proposal.wait]
    end = last_moment(facts, policy)
    if facts.case.status is CaseStatus.OPEN and facts.now < end:
        cured = [(v.not_before, v.reason) for v in verdicts if v.not_before is not None]
        waits += [Wait(until=min(at, end), reason=f"it was too early: {why}") for at, why in cured if at > facts.now]
    return min(waits, key=lambda wait: wait.until, default=None)


def _words(asked: Iterable[Proposed]) -> dict[str, str]:
    """What the messages among these actions say, by action id; slots stay unfilled, since the question holds no personal data."""
    messages = [(p.id, template_of(typed_args(p.action, MessageArgs))) for p in asked if p.action.risk is RiskClass.CONTACT]
    return {action_id: f"Subject: {template.subject}\n\n{template.body}" for action_id, template in messages}


def _decision_of(config: RunnableConfig) -> str:
    """The decision's id is that of its thread."""
    return str(config.get("configurable", {}).get("thread_id", "offline"))


def _own(checked: Checked) -> Proposal:
    """An agent's own draft must pass its own check; where it does not, we are wrong, and nothing of it may leave."""
    if checked.refused:
        raise Defect(f"the {checked.proposal.agent} agent's own proposal is not valid: {checked.refused}")
    return checked.proposal


def _told(node: str, checked: Checked, use: ModelUse | None, tools: tuple[str, ...] = ()) -> RecoveryState:
    """What an agent answered, what a model had to do with it where one had its turn, and which tools it looked through."""
    whole = _whole(use, checked.refused)
    lines = _said(node, checked.proposal)["lines"]
    lines += [f"It looked through {', '.join(tools)}."] if tools else []
    lines += [whole.says] if whole else []
    return {"asked": _asked(whole), "trace": [Said(node=node, lines=lines)]}


def _whole(use: ModelUse | None, refused: str | None) -> ModelUse | None:
    """The turn with the reason why its answer was not taken, whoever saw it."""
    return use.model_copy(update={"refused": use.refused or refused}) if use else None


def _asked(use: ModelUse | None) -> list[Json]:
    return [use.model_dump(mode="json")] if use else []


def _said(node: str, proposal: Proposal) -> Said:
    lines = [proposal.reason, *(f"{p.action.name}: {p.reason} (confidence {p.confidence:.2f})" for p in proposal.actions)]
    if proposal.wait:
        lines.append(f"Look again on {proposal.wait.until:%Y-%m-%d %H:%M} UTC: {proposal.wait.reason}.")
    return Said(node=node, lines=lines)
