"""Fills in the words of the messages that the plan wants, and nothing else: neither whether, nor when, nor to whom."""

import re
from dataclasses import dataclass

from agents.bounds import Checked, first_problem
from agents.drafting import Brief, brief, tidied
from agents.method import Standing, standing
from agents.planned_messages import TO_BE_WRITTEN
from agents.wording import problem_with, problem_with_draft, problem_with_words
from agents.wording_lists import language_of
from prompts.render import load
from recoup.actions import RECEIPT_TEMPLATE, ActionName, MessageArgs, MessageWords, RiskClass, make_action, typed_args
from recoup.category import Category, Retry
from recoup.drafts import Draft, DraftStore, KeptDraft
from recoup.errors import NotFound
from recoup.facts import CaseFacts
from recoup.model_port import Bounds, Model, ModelCall, ModelUse
from recoup.policy import Policy
from recoup.proposal import Alternative, Proposal, Proposed

AGENT = "communication"
ALLOWED = frozenset({ActionName.SEND_MESSAGE, ActionName.REQUEST_METHOD_UPDATE})

# A draft has some hundred words; a slow model is not worth a message that goes out late.
BOUNDS = Bounds(output_tokens=1_200, steps=1, seconds=40.0)
REGIONAL = re.compile(r"[a-z]{2}[-_][A-Z]{2}")

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


@dataclass(frozen=True)
class Pen:
    """What a model writes with: itself, the drafts that were paid for before, and the decision that it writes for."""

    model: Model
    drafts: DraftStore
    decision_id: str


@dataclass(frozen=True)
class Revised:
    """The proposal with a model's words, or as it was. ``use`` is None where no model was wanted."""

    proposal: Proposal
    use: ModelUse | None = None


async def revise(draft: Proposal, facts: CaseFacts, policy: Policy, pen: Pen) -> Revised:
    """The planned messages in words that a model wrote for the situation, in the customer's language: kept ones cost nothing."""
    wanted = [args for p in draft.actions if (args := typed_args(p.action, MessageArgs)).template != RECEIPT_TEMPLATE]
    models = pen.model.chain(AGENT)
    if not wanted or not models:
        return Revised(draft)
    asked = brief(facts, policy, wanted[0])
    kept = await pen.drafts.find(asked.situation, models)
    if kept is not None:
        use = ModelUse(agent=AGENT, model=kept.model, refused=kept.refused, kept=True)
    else:
        kept, use = await _written(asked, facts, pen)
    if kept is None or kept.draft is None:
        return Revised(draft, use)
    return Revised(_with_words(draft, wanted[0].template, kept.draft, asked.language, facts), use)


def check(draft: Proposal, revised: Proposal, facts: CaseFacts, policy: Policy) -> Checked:
    """A revision may choose other words for the same messages; the words must be fit for a customer."""
    problem = first_problem(revised, facts, policy, ALLOWED) or _other_messages(draft, revised) or _words(revised, facts)
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
            (p.id, p.action.name, {k: v for k, v in p.action.args.items() if k not in {"template", "locale", "words"}})
            for p in proposal.actions
        ]

    return None if but_for_words(draft) == but_for_words(revised) else "only the words of a planned message may change"


def _words(revised: Proposal, facts: CaseFacts) -> str | None:
    for proposed in revised.actions:
        args = typed_args(proposed.action, MessageArgs)
        try:
            problem = problem_with(load(args.template)) or (_problem_with_own(args, facts) if args.words else None)
        except NotFound as missing:
            return str(missing)
        if problem is not None:
            return problem
    return None


def _problem_with_own(args: MessageArgs, facts: CaseFacts) -> str | None:
    if args.words is None or args.template == RECEIPT_TEMPLATE:
        return "the receipt's words are fixed"
    language = language_of(args.locale)
    if language is None:
        return f"no words may be written in {args.locale}"
    return problem_with_words(args.words.subject, args.words.body, language, has_link=facts.invoice.payment_link)


async def _written(asked: Brief, facts: CaseFacts, pen: Pen) -> tuple[KeptDraft | None, ModelUse]:
    """What a model writes now, kept for the next one, unfit words as such; None where no answer came."""
    call = ModelCall(
        agent=AGENT,
        case_id=facts.case.id,
        decision_id=pen.decision_id,
        system=asked.system,
        user=asked.user,
        answer=Draft,
        bounds=BOUNDS,
    )
    answer = await pen.model.ask(call)
    if answer.value is None or answer.model is None:
        return None, ModelUse.of(AGENT, answer)
    words = tidied(answer.value)
    refused = problem_with_draft(words, asked.language, has_link=facts.invoice.payment_link)
    kept = KeptDraft(model=answer.model, draft=None if refused else words, refused=refused)
    await pen.drafts.keep(asked.situation, kept)
    return kept, ModelUse.of(AGENT, answer, refused)


def _with_words(draft: Proposal, template: str, words: Draft, language: str, facts: CaseFacts) -> Proposal:
    """The words in every message that is about the same; the amounts are formatted as the customer's own locale has it."""
    locale = facts.account.locale if REGIONAL.fullmatch(facts.account.locale) and language_of(facts.account.locale) else language
    own = MessageWords(subject=words.subject, body=words.body)

    def rewritten(proposed: Proposed) -> Proposed:
        args = typed_args(proposed.action, MessageArgs)
        if args.template != template:
            return proposed
        return proposed.model_copy(
            update={"action": make_action(proposed.action.name, args.model_copy(update={"words": own, "locale": locale}))}
        )

    reason = f"{draft.reason} A model wrote them for this situation, in the language {language}."
    return draft.model_copy(update={"reason": reason, "actions": tuple(rewritten(p) for p in draft.actions)})
