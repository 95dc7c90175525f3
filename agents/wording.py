"""Which words may reach a customer: no accusation, no threat, no promise, no literal amount or link, only known slots, a sane length.

A template was written by a person and a draft by a model; a draft is held against more, since nobody has read it yet.
"""

import re
import unicodedata

from agents.wording_lists import languages, spoken_in
from prompts.render import SLOT, Template
from prompts.slots import MESSAGE_SLOTS
from recoup.drafts import Draft

LINK = re.compile(r"https?:|www\.|@|\b[\w-]+\.[a-z]{2,}\b", re.IGNORECASE)
AMOUNT = re.compile(
    r"\d|\b(?:eur|usd|gbp|chf|jpy|brl|inr|euros?|dollars?|pounds?|francs?|franken|libras?|reais|d[oó]lar(?:es)?|cents?|centimes?|cent[ai]vos?)\b",
    re.IGNORECASE,
)
# Besides Latin letters; digits, currency signs and "@" have checks of their own, and nothing else is needed: no markup, no emoji.
PUNCTUATION = frozenset(" \n.,;:?!¿¡'’‘\"“”„«»‹›()-–—/&{}ªº@")
SUBJECT_LENGTH = range(8, 121)
BODY_LENGTH = range(60, 1501)
SMS_LENGTH = range(20, 301)
# A text message is read by whoever holds the telephone: it says that there is something to see to, and not what is owed.
SMS_SLOTS = frozenset({"first_name", "company", "update_link"})
# So many words that tell the language, at least: fewer, and nobody can say what the text is written in.
TELLING_WORDS = 4
LONGEST_SHOUT = 6
# Forbidden in English and an everyday word elsewhere: "court" is "short".
HARMLESS = frozenset({("fr", "court")})


def problem_with(words: Template, language: str = "en") -> str | None:
    """Why a customer may not be sent these words; None where they are fine."""
    text = f"{words.subject}\n{words.body}"
    problem = _problem_with_text(text, language, MESSAGE_SLOTS)
    if problem is not None:
        return problem
    if len(words.subject) not in SUBJECT_LENGTH or len(words.body) not in BODY_LENGTH:
        return "the subject or the body is too short or too long"
    return None


def problem_with_draft(draft: Draft, language: str, *, has_link: bool) -> str | None:
    """Why a model's draft is not sent; None where it is fit to be. ``has_link``: there is a payment page, and the draft must lead to it."""
    return problem_with_words(draft.subject, draft.body, language, has_link=has_link) or _problem_with_sms(
        draft.sms, language, has_link=has_link
    )


def problem_with_words(subject: str, body: str, language: str, *, has_link: bool) -> str | None:
    """The same for the form that goes out by mail."""
    text = f"{subject}\n{body}"
    problem = (
        _unreadable(text)
        or problem_with(Template(name="draft", purpose="", subject=subject, body=body), language)
        or _promise(text, language)
        or _missing_slots(text, frozenset({"company", "invoices"}), has_link=has_link)
        or _other_language(text, language, TELLING_WORDS)
    )
    return problem or ("the subject has more than one line" if "\n" in subject else None)


def _problem_with_sms(sms: str, language: str, *, has_link: bool) -> str | None:
    problem = (
        _unreadable(sms)
        or _problem_with_text(sms, language, SMS_SLOTS)
        or _promise(sms, language)
        or _missing_slots(sms, frozenset(), has_link=has_link)
        or _other_language(sms, language, 0)
    )
    if problem is None and ("\n" in sms or len(sms) not in SMS_LENGTH):
        problem = "the short form has more than one line, or is too short or too long"
    return f"{problem} (in the short form)" if problem else None


def _problem_with_text(text: str, language: str, slots: frozenset[str]) -> str | None:
    # English words of the list are never written either, whatever the language: models mix them in.
    for code in dict.fromkeys((language, "en")):
        forbidden = languages()[code].never.search(text)
        if forbidden and (language, forbidden[0].casefold()) not in HARMLESS:
            return f"the words contain {forbidden[0]!r}, which is never written to a customer"
    unknown = sorted(set(SLOT.findall(text)) - slots)
    if unknown:
        return f"there is no slot {', '.join(unknown)}"
    plain = SLOT.sub("", text)
    if re.search(r"[{}]", plain):
        return "a brace does not belong to a slot"
    if LINK.search(plain):
        return "a link stands in the words; links come from a slot"
    if AMOUNT.search(plain) or any(unicodedata.category(char) == "Sc" for char in plain):
        return "a number or currency sign stands in the words; amounts come from a slot"
    return None


def _unreadable(text: str) -> str | None:
    """What looks like one thing and is another: other scripts, invisible characters, forms that only look like letters."""
    plain = SLOT.sub("", text)
    if unicodedata.normalize("NFKC", plain) != plain:
        return "a character stands in a form that only looks like plain text"
    for char in plain:
        category = unicodedata.category(char)
        if category in {"Cf", "Co", "Cn", "Cs", "Mn", "Me"} or (category == "Cc" and char != "\n"):
            return "an invisible character stands in the words"
        if category[0] == "L" and char not in PUNCTUATION and not unicodedata.name(char, "").startswith("LATIN"):
            return "a letter of another script stands in the words"
        if category[0] != "L" and category not in {"Nd", "Sc"} and char not in PUNCTUATION:
            return f"the character {char!r} stands in the words, which is markup or worse"
    if plain.count("!") > 2 or re.search(rf"\b[^\W\d_a-zß-öø-ÿ]{{{LONGEST_SHOUT},}}\b", plain):
        return "the words shout"
    return None


def _promise(text: str, language: str) -> str | None:
    for code in dict.fromkeys((language, "en")):
        promised = languages()[code].offers.search(text)
        if promised:
            return f"the words promise {promised[0]!r}, which nobody has agreed to"
    return None


def _missing_slots(text: str, wanted: frozenset[str], *, has_link: bool) -> str | None:
    found = frozenset[str](SLOT.findall(text))
    missing = (wanted | {"update_link"} if has_link else wanted) - found
    if missing:
        return f"the slot {', '.join(sorted(missing))} is missing"
    if not has_link and "update_link" in found:
        return "there is no payment page to link to"
    return None


def _other_language(text: str, language: str, least: int) -> str | None:
    """The language must show by ``least`` of its common words, and no other may show more."""
    found = spoken_in(SLOT.sub("", text))
    if found[language] < least or any(count > found[language] for code, count in found.items() if code != language):
        return f"the words are not in the language {language}"
    return None
