"""Hands a case to people: the case file, what to say on the telephone, and the queue; or the refund of what was paid twice."""

from collections.abc import Callable

from agents.bounds import Checked, first_problem
from agents.case_file import case_file, foreign_file
from agents.planning import Planner
from agents.schedule import last_moment
from agents.trouble import HAND_OFFS, HandOff, Trouble, find_trouble, is_known
from recoup.actions import ActionName, RefundArgs, TaskArgs
from recoup.case import CaseStatus
from recoup.errors import Defect
from recoup.facts import AttemptFacts, CaseFacts
from recoup.invoice import AttemptStatus
from recoup.policy import Policy
from recoup.proposal import Proposal, Proposed, Wait

AGENT = "exception"
ALLOWED = frozenset({ActionName.CREATE_TASK, ActionName.CREATE_TICKET, ActionName.WRITE_NOTE, ActionName.REFUND_DUPLICATE})
CONFIDENCE = 0.9
# Where people have been told, looking again and again only fills the log.
PATIENCE = 4


def propose(facts: CaseFacts, policy: Policy, new_action_id: Callable[[], str]) -> Proposal:
    """One task with all that a person needs, unless they have it already; raises Defect where nothing is wrong with the case."""
    trouble = find_trouble(facts)
    if trouble is None:
        raise Defect(f"case {facts.case.id} was routed to people, and nothing is wrong with it")
    planner = Planner(facts=facts, policy=policy, new_action_id=new_action_id)
    hand_off = HAND_OFFS[trouble]
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


def check(draft: Proposal, revised: Proposal, facts: CaseFacts, policy: Policy) -> Checked:
    """A revision keeps the common bounds and the signals, and its case file speaks of this case alone."""
    problem = first_problem(revised, facts, policy, ALLOWED) or foreign_file(revised, facts)
    if problem is None and not set(draft.signals) <= set(revised.signals):
        problem = "a signal of the rules was dropped"
    return Checked(proposal=draft, refused=problem) if problem else Checked(proposal=revised)


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
