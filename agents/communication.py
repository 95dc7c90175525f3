"""Fills in the words of the messages that the plan wants, and nothing else: neither whether, nor when, nor to whom."""

from agents.bounds import Checked, first_problem
from agents.method import Standing, standing
from agents.planned_messages import TO_BE_WRITTEN
from agents.wording import problem_with
from prompts.render import load
from recoup.actions import ActionName, MessageArgs, RiskClass, make_action, typed_args
from recoup.category import Category, Retry
from recoup.errors import NotFound
from recoup.facts import CaseFacts
from recoup.policy import Policy
from recoup.proposal import Alternative, Proposal, Proposed

AGENT = "communication"
ALLOWED = frozenset({ActionName.SEND_MESSAGE, ActionName.REQUEST_METHOD_UPDATE})

WORDS_FOR = {
    Retry.NEVER: "neutral",
    Retry.RECONCILE: "neutral",
    Retry.CUSTOMER_ACTION: "authenticate",
    Retry.AFTER_UPDATE: "update_method",
    Retry.ALLOWED: "soft",
}
WHY_THESE_WORDS = {
    "neutral": "Neutral words: nothing may hint at why the bank refused.",
    "update_method": "The details on file are out of date, so the words ask for new ones.",
    "authenticate": "The bank wants the customer's own confirmation, so the words ask for it.",
    "soft": "Nothing is wrong with the method itself, so the words are light.",
    "no_link": "There is no payment page to link to, so the words ask for an answer.",
}


def propose(facts: CaseFacts, policy: Policy, priority: Proposal) -> Proposal:
    """The plan's messages with words; each lists all open invoices of the account. Same ids, same steps, same channels."""
    wanted = contacts(priority)
    kind = _kind(facts, standing(facts))
    written = tuple(_write(proposed, kind, facts, policy) for proposed in wanted)
    return Proposal(
        agent=AGENT,
        reason=WHY_THESE_WORDS[kind] if any(p.action.args["template"] == TO_BE_WRITTEN for p in wanted) else "The words are fixed.",
        actions=written,
        evidence=priority.evidence,
        alternatives=(Alternative(what="name the bank's reason", why_not="it would reveal what only the bank may tell its customer"),),
    )


def check(draft: Proposal, revised: Proposal, facts: CaseFacts, policy: Policy) -> Checked:
    """A revision may choose other words for the same messages; the words must be fit for a customer."""
    problem = first_problem(revised, facts, policy, ALLOWED) or _other_messages(draft, revised) or _words(revised)
    return Checked(proposal=draft, refused=problem) if problem else Checked(proposal=revised)


def contacts(priority: Proposal) -> tuple[Proposed, ...]:
    """The plan's actions that reach the customer."""
    return tuple(p for p in priority.actions if p.action.risk is RiskClass.CONTACT)


def _kind(facts: CaseFacts, method: Standing) -> str:
    if not facts.invoice.payment_link:
        return "no_link"
    if not method.is_chargeable:
        return "neutral"
    if method.retry is Retry.AFTER_UPDATE and Category.NEW_DATA not in method.treatment.categories:
        # A bank debit may need a new mandate, and a token a new number: that the details are old would not be true.
        return "neutral"
    return WORDS_FOR[method.retry]


def _write(proposed: Proposed, kind: str, facts: CaseFacts, policy: Policy) -> Proposed:
    args = typed_args(proposed.action, MessageArgs)
    if args.template != TO_BE_WRITTEN:
        return proposed
    stage = "first" if args.step == 0 else "final" if args.step >= len(policy.steps.message_days) - 1 else "reminder"
    words = args.model_copy(
        update={
            "template": f"payment_failed_{kind}_{stage}",
            # The words exist in English only yet, whatever the customer's language.
            "locale": "en",
            "invoice_ids": (facts.invoice.id, *(other.id for other in facts.other_open_invoices)),
        }
    )
    return proposed.model_copy(update={"action": make_action(proposed.action.name, words)})


def _other_messages(draft: Proposal, revised: Proposal) -> str | None:
    def but_for_words(proposal: Proposal) -> list[tuple[str, str, object]]:
        return [
            (p.id, p.action.name, {k: v for k, v in p.action.args.items() if k not in {"template", "locale"}}) for p in proposal.actions
        ]

    return None if but_for_words(draft) == but_for_words(revised) else "only the words of a planned message may change"


def _words(revised: Proposal) -> str | None:
    for proposed in revised.actions:
        try:
            template = load(typed_args(proposed.action, MessageArgs).template)
        except NotFound as missing:
            return str(missing)
        problem = problem_with(template)
        if problem is not None:
            return problem
    return None
