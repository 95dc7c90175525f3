"""Which words may reach a customer: no accusation, no threat, no literal amount or link, only known slots, a sane length."""

import re

from prompts.render import SLOT, Template
from prompts.slots import MESSAGE_SLOTS

# Words that accuse, reveal why a bank declined, or threaten. Whole words, any case.
FORBIDDEN = re.compile(
    r"\b(fraud\w*|stolen|theft|lost card|pick ?up card|suspicious|blacklist\w*|black ?listed|criminal\w*|police|prosecut\w*"
    r"|lawyers?|attorneys?|lawsuits?|sue|sued|court|legal|litigation|bailiffs?|debt collect\w*|collection agenc\w*"
    r"|credit (score|bureau|report)"
    r"|insufficient funds|declined|bankrupt\w*)\b",
    re.IGNORECASE,
)
LINK = re.compile(r"https?:|www\.|\b[\w-]+\.(com|net|org|io|app|example)\b", re.IGNORECASE)
AMOUNT = re.compile(r"\d|[$€£¥₹]")
SUBJECT_LENGTH = range(8, 121)
BODY_LENGTH = range(60, 1501)


def problem_with(words: Template) -> str | None:
    """Why a customer may not be sent these words; None where they are fine."""
    text = f"{words.subject}\n{words.body}"
    forbidden = FORBIDDEN.search(text)
    if forbidden:
        return f"the words contain {forbidden[0]!r}, which is never written to a customer"
    unknown = sorted(words.slots - MESSAGE_SLOTS)
    if unknown:
        return f"there is no slot {', '.join(unknown)}"
    if re.search(r"[{}]", SLOT.sub("", text)):
        return "a brace does not belong to a slot"
    if LINK.search(text):
        return "a link stands in the words; links come from a slot"
    if AMOUNT.search(text):
        return "a number or currency sign stands in the words; amounts come from a slot"
    if len(words.subject) not in SUBJECT_LENGTH or len(words.body) not in BODY_LENGTH:
        return "the subject or the body is too short or too long"
    return None
