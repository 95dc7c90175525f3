"""What a model is told to write a planned message by: the situation in words of closed lists, and what would be sent otherwise."""

import re
from datetime import timedelta

from agents.wording import SMS_SLOTS
from agents.wording_lists import language_of
from prompts.render import load, render_text
from prompts.slots import MESSAGE_SLOTS
from recoup.actions import MessageArgs
from recoup.digest import digest
from recoup.drafts import Draft, Situation
from recoup.facts import CaseFacts
from recoup.gate import is_large
from recoup.policy import Policy
from recoup.record import Record

DEFAULT_LANGUAGE = "en"
NAMES = {"en": "English", "de": "German", "fr": "French", "es": "Spanish", "pt": "Portuguese"}
SEGMENT = re.compile(r"[A-Za-z][A-Za-z_-]{0,29}")
TYPOGRAPHY = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2026": "...", "\u2011": "-", "\r": None})

CAUSES = {
    "soft": "a charge failed, nothing is wrong with the payment method itself, and it is tried again by itself",
    "update_method": "the payment details on file are out of date, and only new ones help",
    "authenticate": "the bank wants the customer's own confirmation of the payment",
    "neutral": "the payment could not be collected with the method on file, and another way of paying is needed",
    "no_link": "the payment could not be collected, and there is no payment page: the customer is asked to answer",
}
STAGES = {
    "first": "the first one about this payment",
    "reminder": "a reminder; there was a message before, and the payment is still open",
    "final": "the last one; if nothing happens the subscription ends",
}
TONES = {
    "first": "light and short",
    "reminder": "friendly and a little more direct",
    "final": "calm and clear about what happens next, without a threat",
}
OFFERS = {
    True: "paying now or entering another payment method behind {update_link}; an answer to this message reaches a person",
    False: "an answer to this message reaches a person who helps",
}


class Brief(Record):
    """What is asked of the model, rendered: nothing in it says who the customer is."""

    situation: Situation
    language: str
    system: str
    user: str


def brief(facts: CaseFacts, policy: Policy, args: MessageArgs) -> Brief:
    """The question for one message whose template is chosen."""
    kind, stage = _kind_and_stage(args.template)
    language = language_of(facts.account.locale) or DEFAULT_LANGUAGE
    personal = is_large(facts, policy.escalations)
    has_link = facts.invoice.payment_link
    required = ["company", "invoices", *(["update_link"] if has_link else [])]
    template = load(args.template)
    values = {
        "language": NAMES[language],
        "slots": _listed(MESSAGE_SLOTS if has_link else MESSAGE_SLOTS - {"update_link"}),
        "short_slots": _listed(SMS_SLOTS if has_link else SMS_SLOTS - {"update_link"}),
        "cause": CAUSES[kind],
        "stage": STAGES[stage],
        "customer": "; ".join(_customer(facts, personal=personal)),
        "tone": TONES[stage],
        "offers": OFFERS[has_link],
        "required": _listed(required),
        "draft_subject": template.subject,
        "draft_body": template.body,
    }
    system, user = render_text(load("draft_system"), values), render_text(load("draft_brief"), values)
    situation = Situation(
        category=facts.category,
        stage=stage,
        segment=_segment(facts),
        locale=language,
        prompt=digest([system, user]),
        case_id=facts.case.id if personal else None,
    )
    return Brief(situation=situation, language=language, system=system, user=user)


def tidied(draft: Draft) -> Draft:
    """The draft in plain typography: spaces that do not break and dots in one character say nothing that plain ones do not."""
    return Draft(
        subject=draft.subject.translate(TYPOGRAPHY).strip(),
        body=draft.body.translate(TYPOGRAPHY).strip() + "\n",
        sms=draft.sms.translate(TYPOGRAPHY).strip(),
    )


def _kind_and_stage(template: str) -> tuple[str, str]:
    """``payment_failed_update_method_first`` is about ``update_method``, at the stage ``first``."""
    kind, _, stage = template.removeprefix("payment_failed_").rpartition("_")
    return kind, stage


def _listed(slots: frozenset[str] | list[str]) -> str:
    return ", ".join(f"{{{slot}}}" for slot in sorted(slots))


def _customer(facts: CaseFacts, *, personal: bool) -> list[str]:
    segment = _segment(facts)
    told = [_tenure(facts), f"segment {segment}" if segment else "of no particular segment"]
    return [*told, _personal(facts)] if personal else told


def _tenure(facts: CaseFacts) -> str:
    """In three steps, so that customers of about the same standing share their words."""
    since = facts.account.customer_since
    if since is None:
        return "how long they have been a customer is not known"
    age = facts.now - since
    if age < timedelta(days=90):
        return "new: a customer for less than three months"
    return "a customer for less than two years" if age < timedelta(days=730) else "a customer for more than two years"


def _segment(facts: CaseFacts) -> str | None:
    """The merchant's own word, where it is one: a platform's field may hold anything."""
    segment = facts.account.segment
    return segment if segment is not None and SEGMENT.fullmatch(segment) else None


def _personal(facts: CaseFacts) -> str:
    """What else may shape words that are written for this case alone: counts and standings, never who it is."""
    days = (facts.now - facts.case.first_failed_at).days
    told = [
        f"the payment has been open for {days} days",
        f"{len(facts.attempts)} tries have failed so far",
        f"{len({contact.step for contact in facts.contacts if contact.case_id == facts.case.id})} messages were sent about it",
    ]
    if facts.other_open_invoices:
        told.append(f"{len(facts.other_open_invoices)} more invoices are open")
    if facts.case.suspended:
        told.append("the service is suspended")
    return "a large amount, so write for this one customer: " + ", ".join(told)
