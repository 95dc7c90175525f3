"""What a model may add to a case file: a cause and a resolution of closed lists, and words for people that claim nothing of their own."""

import re
import unicodedata
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from agents.case_file import amounts_of, foreign_claim
from prompts.quote import visible
from prompts.render import SLOT, load, render
from recoup.actions import Queue
from recoup.facts import CaseFacts
from recoup.record import Record
from recoup.texts import Signal

# As much as a task's body takes.
MOST_CHARS = 4_000
ANSWER_SLOTS = frozenset({"first_name", "company", "amount", "invoices"})
# A dot between letters is a web address or will be read as one; an id of a row is one however it is spelt.
ADDRESS = re.compile(r"://|@|\w\.\w|\bwww\b", re.IGNORECASE)
ROW_ID = re.compile(r"\b(?:acc|act|att|case|crd|cus|dec|in|inv|msg|oth|pm|rsv|sub|tsk|txt)_\w+")


class RootCause(StrEnum):
    """Why the money does not come."""

    NO_FUNDS = "no_funds"
    METHOD_EXPIRED = "method_expired"
    METHOD_BLOCKED = "method_blocked"
    NEEDS_CONFIRMATION = "needs_confirmation"
    PERMISSION_WITHDRAWN = "permission_withdrawn"
    CUSTOMER_DISPUTES = "customer_disputes"
    CUSTOMER_CANNOT_PAY = "customer_cannot_pay"
    CUSTOMER_LEAVES = "customer_leaves"
    SUSPECTED_MISUSE = "suspected_misuse"
    OUR_SETUP = "our_setup"
    PROCESSOR_TROUBLE = "processor_trouble"
    UNCLEAR = "unclear"


class Resolution(StrEnum):
    """What a person should try first."""

    ANSWER_CUSTOMER = "answer_customer"
    ASK_FOR_METHOD = "ask_for_method"
    ASK_FOR_CONFIRMATION = "ask_for_confirmation"
    AGREE_ON_PARTS = "agree_on_parts"
    RECONCILE = "reconcile"
    ANSWER_DISPUTE = "answer_dispute"
    ACCEPT_DISPUTE = "accept_dispute"
    CHECK_SETUP = "check_setup"
    CHECK_FOR_MISUSE = "check_for_misuse"
    STOP_CONTACT = "stop_contact"
    DECIDE_ABOUT_DEBT = "decide_about_debt"
    WAIT = "wait"


class Offer(Record):
    """What could keep a customer, as a proposal that a person is asked about. ``size``: percent, or the number of parts."""

    kind: Literal["discount", "instalments"]
    size: Annotated[int, Field(ge=1, le=50)]


Note = Annotated[str, Field(max_length=600)]


class CaseNotes(Record):
    """A model's answer. Words are for people, in English; ``draft_answer`` is for the customer once a person has made it theirs, with slots
    for names and amounts. ``evidence``: names of rows as they were shown."""

    root_cause: RootCause
    resolution: Resolution
    summary: Annotated[str, Field(min_length=10, max_length=600)]
    dispute_summary: Note | None = None
    draft_answer: Annotated[str, Field(max_length=800)] | None = None
    call_script: Annotated[tuple[Annotated[str, Field(max_length=160)], ...], Field(max_length=5)] = ()
    queue: Queue | None = None
    offer: Offer | None = None
    signals: Annotated[tuple[Signal, ...], Field(max_length=4)] = ()
    evidence: Annotated[tuple[Annotated[str, Field(max_length=40)], ...], Field(min_length=1, max_length=20)]


def problem_with_notes(notes: CaseNotes, facts: CaseFacts) -> str | None:
    """Why these words may not stand in a case file; None where they may."""
    texts = [notes.summary, notes.dispute_summary or "", *notes.call_script]
    problem = next((p for text in texts if (p := _problem(text, facts, frozenset()))), None)
    return problem or (_problem(notes.draft_answer, facts, ANSWER_SLOTS) if notes.draft_answer else None)


def with_notes(body: str, notes: CaseNotes) -> str:
    """The file with what the model adds, clearly marked as its words, as far as there is room: the file of the rules is never cut."""
    sections = [("WHAT IT MAKES OF THE CASE", notes.summary)]
    if notes.dispute_summary:
        sections.append(("ABOUT THE DISPUTE", notes.dispute_summary))
    if notes.call_script:
        sections.append(("WHAT ELSE TO SAY", "\n".join(f"- {line}" for line in notes.call_script)))
    if notes.draft_answer:
        sections.append(("AN ANSWER TO START FROM", notes.draft_answer))
    head = render(load("case_notes"), {"root_cause": notes.root_cause.replace("_", " "), "resolution": notes.resolution.replace("_", " ")})
    whole = f"{body}\n\n{head.body.strip()}"
    if len(whole) > MOST_CHARS:
        return body
    for title, text in sections:
        longer = f"{whole}\n\n{title}\n{text.strip()}"
        whole = longer if len(longer) <= MOST_CHARS else whole
    return whole


def _problem(text: str, facts: CaseFacts, slots: frozenset[str]) -> str | None:
    if visible(text) != text or any(unicodedata.category(char) in {"Mn", "Me"} for char in unicodedata.normalize("NFC", text)):
        return "invisible or disguised characters stand in the words"
    unknown = sorted(set(SLOT.findall(text)) - slots)
    plain = SLOT.sub("", text)
    if unknown or re.search(r"[{}]", plain):
        return "a slot that there is not stands in the words"
    # Longest first, so that no amount is taken for a part of a longer one.
    for amount in sorted(amounts_of(facts), key=len, reverse=True):
        plain = plain.replace(amount, " ")
    if ADDRESS.search(plain):
        return "an address stands in the words"
    if ROW_ID.search(plain) or any(unicodedata.category(char) == "Sc" for char in plain):
        return "an id or an amount stands in the words that is not of this case"
    return foreign_claim(text, facts)
