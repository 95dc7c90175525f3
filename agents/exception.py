"""Hands a case to people: the case file, what to say on the telephone, and the queue; or the refund of what was paid twice."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from agents.bounds import Checked, first_problem
from agents.case_file import case_file, foreign_file
from agents.case_notes import ANSWER_SLOTS, CaseNotes, Offer, problem_with_notes, with_notes
from agents.failure_pattern import failure_pattern
from agents.planning import Planner
from agents.schedule import last_moment
from agents.trouble import HandOff, Trouble, find_trouble, hand_off_of, is_known
from prompts.render import load, render_text
from recoup.actions import (
    ActionName,
    DiscountArgs,
    PaymentPlanArgs,
    Queue,
    RefundArgs,
    RiskClass,
    TaskArgs,
    make_action,
    typed_args,
)
from recoup.case import CaseStatus
from recoup.citations import Citations, citations_of
from recoup.errors import Defect
from recoup.facts import AttemptFacts, CaseFacts
from recoup.invoice import AttemptStatus
from recoup.model_port import Bounds, Model, ModelCall, ModelUse, ToolSpec
from recoup.money import format_money
from recoup.policy import Policy
from recoup.proposal import Alternative, Proposal, Proposed, Wait
from recoup.texts import Intent

AGENT = "exception"
OFFERS = frozenset({ActionName.OFFER_DISCOUNT, ActionName.OFFER_PAYMENT_PLAN})
ALLOWED = frozenset({ActionName.CREATE_TASK, ActionName.CREATE_TICKET, ActionName.WRITE_NOTE, ActionName.REFUND_DUPLICATE}) | OFFERS
TASKS = frozenset({ActionName.CREATE_TASK, ActionName.CREATE_TICKET})
CONFIDENCE = 0.9
# Where people have been told, looking again and again only fills the log.
PATIENCE = 4
BOUNDS = Bounds(output_tokens=1_500, steps=3, seconds=60.0)
# To whom an offer makes sense at all.
MAY_LEAVE = frozenset({Intent.CANCEL, Intent.CANNOT_PAY, Intent.COMPLAINS})


class Tools(Protocol):
    """The tools of one case, and what may be cited after they were used."""

    @property
    def citations(self) -> Citations:
        """Names of rows that were shown."""
        ...

    def specs(self) -> tuple[ToolSpec, ...]:
        """Tools that only read."""
        ...


@dataclass(frozen=True)
class Desk:
    """What a model works with: itself, the case's tools, ids of actions that it may propose, and the decision that it works for."""

    model: Model
    tools: Tools
    new_action_id: Callable[[], str]
    decision_id: str


@dataclass(frozen=True)
class Revised:
    """The proposal with what a model added, or as it was. ``also``: rows beside the facts that a tool has shown. ``use`` is None where no
    model was wanted."""

    proposal: Proposal
    also: frozenset[str] = frozenset()
    use: ModelUse | None = None
    tools: tuple[str, ...] = ()


def propose(facts: CaseFacts, policy: Policy, new_action_id: Callable[[], str]) -> Proposal:
    """One task with all that a person needs, unless they have it already; raises Defect where nothing is wrong with the case."""
    trouble = trouble_of(facts)
    planner = Planner(facts=facts, policy=policy, new_action_id=new_action_id)
    hand_off = hand_off_of(trouble, facts)
    known = is_known(facts, trouble)
    says = f"People have been told ({hand_off.queue}); nothing is done until they have looked." if known else hand_off.why
    return Proposal(
        agent=AGENT,
        reason=says,
        actions=() if known else (_act(planner, trouble, hand_off),),
        wait=_wait(facts, policy, hand_off, known=known),
        confidence=CONFIDENCE,
        evidence=planner.evidence(),
        signals=hand_off.signals,
    )


async def revise(draft: Proposal, facts: CaseFacts, policy: Policy, desk: Desk) -> Revised:
    """The draft with a model's notes in its case file; where no file is made, nothing is asked."""
    if not any(p.action.name in TASKS for p in draft.actions) or not desk.model.chain(AGENT):
        return Revised(draft)
    system, user = prompt(facts, policy)
    call = ModelCall(
        agent=AGENT,
        case_id=facts.case.id,
        decision_id=desk.decision_id,
        system=system,
        user=user,
        answer=CaseNotes,
        tools=desk.tools.specs(),
        bounds=BOUNDS,
    )
    answer = await desk.model.ask(call)
    used = tuple(use.tool for use in answer.tool_uses)
    if answer.value is None:
        return Revised(draft, use=ModelUse.of(AGENT, answer), tools=used)
    refused = problem_with_notes(answer.value, facts)
    try:
        evidence = desk.tools.citations.resolve(answer.value.evidence)
    except KeyError:
        refused, evidence = refused or "it cites what is no row of this case", ()
    if refused:
        return Revised(draft, use=ModelUse.of(AGENT, answer, refused), tools=used)
    also = frozenset(desk.tools.citations.rows.values())
    return Revised(_with(draft, answer.value, evidence, facts, policy, desk.new_action_id), also, ModelUse.of(AGENT, answer), used)


def check(draft: Proposal, revised: Proposal, facts: CaseFacts, policy: Policy, also: frozenset[str] = frozenset()) -> Checked:
    """A revision keeps the common bounds, the signals and the work of the rules, and its case file speaks of this case alone."""
    problem = first_problem(revised, facts, policy, ALLOWED, also) or foreign_file(revised, facts) or _other_work(draft, revised, policy)
    if problem is None and not set(draft.signals) <= set(revised.signals):
        problem = "a signal of the rules was dropped"
    return Checked(proposal=draft, refused=problem) if problem else Checked(proposal=revised)


def trouble_of(facts: CaseFacts) -> Trouble:
    """Why people get the case: what the rules found, else what was written. Raises Defect where there is neither."""
    trouble = find_trouble(facts) or (Trouble.TOLD if facts.texts else None)
    if trouble is None:
        raise Defect(f"case {facts.case.id} was routed to people, and nothing is wrong with it")
    return trouble


def prompt(facts: CaseFacts, policy: Policy) -> tuple[str, str]:
    """The rules of the work, and the case in closed words."""
    hand_off, citations = hand_off_of(trouble_of(facts), facts), citations_of(facts)
    texts = [
        f"- {citations.name_of(text.id)}, a {text.kind}: {', '.join([text.reading.intent, *text.reading.signals])}"
        for text in facts.texts
        if text.reading
    ]
    offers = [f"a discount of up to {policy.offers.discount_percent_up_to} percent"] if policy.offers.discount_percent_up_to else []
    offers += [f"up to {policy.offers.instalments_up_to} instalments"] if policy.offers.instalments_up_to > 1 else []
    remaining = format_money(facts.invoice.remaining_minor, facts.invoice.currency)
    context = {
        "trouble": hand_off.why,
        "next_step": hand_off.next_step,
        "queue": hand_off.queue,
        "case": f"{len(facts.attempts)} tries, last failure of the kind {facts.category}; {remaining} remain",
        "pattern": failure_pattern(facts).kind,
        "texts": "\n".join(texts) or "Nothing.",
        "offers": "; ".join(offers) or "none",
        "rows": ", ".join(citations.rows),
    }
    slots = ", ".join(f"{{{slot}}}" for slot in sorted(ANSWER_SLOTS))
    return render_text(load("exception_system"), {"answer_slots": slots}), render_text(load("exception_case"), context)


def _with(
    draft: Proposal, notes: CaseNotes, evidence: tuple[str, ...], facts: CaseFacts, policy: Policy, new_action_id: Callable[[], str]
) -> Proposal:
    def noted(proposed: Proposed) -> Proposed:
        if proposed.action.name not in TASKS:
            return proposed
        args = typed_args(proposed.action, TaskArgs)
        queue = notes.queue if notes.queue and args.queue is Queue.COLLECTIONS and trouble_of(facts) is Trouble.TOLD else args.queue
        task = args.model_copy(update={"body": with_notes(args.body, notes), "queue": queue})
        rows = tuple(dict.fromkeys((*proposed.evidence, *evidence)))
        return proposed.model_copy(update={"action": make_action(proposed.action.name, task), "evidence": rows})

    offer = _offer(notes.offer, evidence, facts, policy, new_action_id)
    return draft.model_copy(
        update={
            "reason": f"{draft.reason} A model takes the cause to be: {notes.root_cause.replace('_', ' ')}.",
            "actions": (*(noted(proposed) for proposed in draft.actions), *offer),
            "evidence": tuple(dict.fromkeys((*draft.evidence, *evidence))),
            "signals": tuple(dict.fromkeys((*draft.signals, *map(str, notes.signals)))),
        }
    )


def _offer(
    offer: Offer | None, evidence: tuple[str, ...], facts: CaseFacts, policy: Policy, new_action_id: Callable[[], str]
) -> tuple[Proposed, ...]:
    """The offer as a proposal that a person is asked about, where policy knows of one and the customer has given a reason."""
    intents = {text.reading.intent for text in facts.texts if text.reading}
    if offer is None or facts.case.status is not CaseStatus.OPEN or not (intents & MAY_LEAVE or trouble_of(facts) is Trouble.PLAN_OVER):
        return ()
    limits = policy.offers
    if offer.kind == "discount" and offer.size <= limits.discount_percent_up_to:
        action = make_action(ActionName.OFFER_DISCOUNT, DiscountArgs(percent=offer.size))
    elif offer.kind == "instalments" and 2 <= offer.size <= limits.instalments_up_to:
        action = make_action(ActionName.OFFER_PAYMENT_PLAN, PaymentPlanArgs(instalments=offer.size))
    else:
        return ()
    why = "A model proposes it, within what the policy allows, to somebody who may leave or cannot pay; a person decides."
    alternative = Alternative(what="offer nothing", why_not="the customer may be lost with the debt")
    return (Proposed(id=new_action_id(), action=action, reason=why, evidence=evidence, confidence=CONFIDENCE, alternatives=(alternative,)),)


def _other_work(draft: Proposal, revised: Proposal, policy: Policy) -> str | None:
    """A revision makes the same tasks for the same people, and offers no more than policy allows."""
    mine, theirs = ([(p.id, p.action.name) for p in proposal.actions if p.action.name not in OFFERS] for proposal in (draft, revised))
    if mine != theirs:
        return "only the case file of the rules' own task may change"
    offers = [p.action for p in revised.actions if p.action.name in OFFERS]
    for action in offers:
        if action.name is ActionName.OFFER_DISCOUNT:
            too_much = typed_args(action, DiscountArgs).percent > policy.offers.discount_percent_up_to
        else:
            too_much = typed_args(action, PaymentPlanArgs).instalments > policy.offers.instalments_up_to
        if too_much:
            return f"{action.name} is more than the policy allows"
    if len(offers) > 1:
        return "two offers at once"
    for before, after in zip(draft.actions, revised.actions, strict=False):
        if before.action.name in TASKS and not str(after.action.args["body"]).startswith(str(before.action.args["body"])):
            return "the case file of the rules was changed"
        if before.action.risk is RiskClass.ACCOUNT and before != after:
            return "what the rules propose of money was changed"
    return None


def _act(planner: Planner, trouble: Trouble, hand_off: HandOff) -> Proposed:
    extra = _extra_payment(planner.facts) if trouble is Trouble.OVERPAID else None
    if extra is not None and planner.can(ActionName.REFUND_DUPLICATE):
        return planner.act(
            ActionName.REFUND_DUPLICATE,
            RefundArgs(
                attempt_id=extra.id,
                amount_minor=min(extra.amount_minor, planner.facts.case.overpaid_minor),
                currency=extra.currency,
            ),
            "The invoice was paid more than once; this payment came last and is the one too many.",
            confidence=CONFIDENCE,
            evidence=(extra.id,),
            keep_it_as_credit="the customer did not ask for that",
        )
    return planner.act(
        hand_off.action,
        TaskArgs(queue=hand_off.queue, title=hand_off.title, body=case_file(planner.facts, hand_off)),
        hand_off.why,
        confidence=CONFIDENCE,
        evidence=tuple(attempt.id for attempt in planner.facts.attempts),
        go_on_with_the_plan=hand_off.next_step,
    )


def _extra_payment(facts: CaseFacts) -> AttemptFacts | None:
    """The payment that came last. A single one, where the invoice was paid by other means as well: those the platform cannot give back.
    None where nobody knows what was paid besides."""
    paid = [a for a in facts.attempts if a.status is AttemptStatus.SUCCEEDED]
    if not paid or (len(paid) == 1 and facts.invoice.paid_minor <= paid[0].amount_minor):
        return None
    return paid[-1]


def _wait(facts: CaseFacts, policy: Policy, hand_off: HandOff, *, known: bool) -> Wait | None:
    end = last_moment(facts, policy)
    if facts.case.status is not CaseStatus.OPEN or facts.now >= end:
        return None
    if hand_off.look_again is None:
        return Wait(until=end, reason="people work on it; the case is looked at again when something happens, or on its last day")
    pause = hand_off.look_again * (PATIENCE if known else 1)
    return Wait(until=min(facts.now + pause, end), reason="to see whether this has been cleared up")
