"""Takes out of a text what says who somebody is: account numbers, e-mail addresses, telephone numbers, and the names that are known.

Codes, invoice numbers, dates and amounts look much like telephone numbers and must stay: people search for them. So digits count as a
telephone number only where they are written as one. A name that nobody told us of stays: nothing here guesses at names.
"""

import re
import unicodedata
from collections.abc import Iterable

from recoup.masking import redact_text

SHORTEST_IBAN, LONGEST_IBAN = 15, 34
SHORTEST_PHONE, LONGEST_PHONE = 7, 15
INTERNATIONAL_PHONE = 8
CUE_CHARS = 24
SHORT_NAME = 2

_EMAIL = re.compile(r"[\w.%+'-]+\s?(?:@|\(at\)|\[at\]|\{at\})\s?[\w-]+(?:\s?(?:\.|\(dot\)|\[dot\])\s?[\w-]{2,})+", re.IGNORECASE)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ .-]?[A-Za-z0-9]){11,30}")
_DIGITS = re.compile(r"(?<![\w#.,/-])(?:\+ ?)?\(?\d(?:[ ().\u00a0\u2010-\u2015/-]{0,3}\d){6,17}(?![\w-])")
_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})|\d{4}[./-]\d{1,2}[./-]\d{1,2}(?:[ ]\d{1,2})?")
# How the countries of our locales write a number without its prefix.
_GROUPED = re.compile(
    r"\(\d{2,5}\)[ .-]?[\d .-]+"  # (555) 123-4567, (030) 1234 567
    r"|\d{3}[ .-]\d{3}[ .-]\d{4}"  # North America
    r"|[679]\d{2}(?:[ .-]\d{3}){2}|[679]\d{2}(?:[ .-]\d{2}){3}"  # Spain, Portugal
)
_CUE = re.compile(
    r"(?:\btel|phone|mobile|\bcell|\bcall|\bring\b|whatsapp|\bsms\b|\btext (?:me|us)|\bfax|handy|telefon|mobil|\bruf|\banruf"
    r"|portable|appel|rappel|joign|m[oó]vil|tel[eé]fono|ll[aá]m|telem[oó]vel|telefone|lig(?:ue|ar|uem))",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
# A title is not a name, and a street's kind is no street; alone they would take harmless words out of every text.
_NO_NAMES = frozenset(
    re.findall(
        r"\w+",
        "mr mrs ms dr herr frau mme monsieur madame sr sra don dona street road avenue lane strasse platz rue calle avenida rua"
        " de da do dos das del la las le les los du des von van der den the and und et",
    )
)


def mask_personal(text: str, known: Iterable[str] = ()) -> str:
    """The text, in composed Unicode, with ``[email]``, ``[iban]``, ``[phone]`` and ``[name]`` for what was found, secrets taken out
    and cards cut to their last four digits. ``known``: names and addresses that are known of whoever wrote it."""
    masked = unicodedata.normalize("NFC", text)
    masked = _masked_names(masked, known)
    masked = _EMAIL.sub("[email]", masked)
    masked = _IBAN.sub(_masked_iban, masked)
    return _DIGITS.sub(_masked_phone, redact_text(masked))


def _masked_iban(match: re.Match[str]) -> str:
    """The longest part of it whose check digits hold; what stands behind it may be words."""
    found = match.group()
    ends = [index + 1 for index, char in enumerate(found) if char.isalnum()]
    for chars in range(min(LONGEST_IBAN, len(ends)), SHORTEST_IBAN - 1, -1):
        end = ends[chars - 1]
        if _checks(re.sub(r"[^A-Za-z0-9]", "", found[:end]).upper()):
            return "[iban]" + found[end:]
    return found


def _checks(iban: str) -> bool:
    """ISO 7064: the number, its first four characters moved to the end and letters counted from 10, leaves 1 of 97."""
    return int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % 97 == 1


def _masked_phone(match: re.Match[str]) -> str:
    before = match.string[max(0, match.start() - CUE_CHARS) : match.start()]
    return "[phone]" if _is_phone(match.group(), before) else match.group()


def _is_phone(written: str, before: str) -> bool:
    digits = sum(char.isdigit() for char in written)
    if not SHORTEST_PHONE <= digits <= LONGEST_PHONE or _DATE.fullmatch(written):
        return False
    if written.startswith(("+", "00")):
        return digits >= INTERNATIONAL_PHONE
    starts_nationally = written.lstrip("(").startswith("0") and digits > INTERNATIONAL_PHONE
    return starts_nationally or _GROUPED.fullmatch(written) is not None or _CUE.search(before) is not None


def _masked_names(text: str, known: Iterable[str]) -> str:
    """Each known name, whole or in parts, with and without its accents, in whatever case; two letters only as they are written."""
    folded = "".join(map(_base, text))
    spans: list[tuple[int, int]] = []
    for name in sorted(set(known), key=len, reverse=True):
        whole = unicodedata.normalize("NFC", name).strip()
        if not whole:
            continue
        spans += [match.span() for match in _pattern(whole).finditer(folded)]
        for part in _WORD.findall(whole):
            if len(part) > SHORT_NAME and part.casefold() not in _NO_NAMES:
                spans += [match.span() for match in _pattern(part).finditer(folded)]
            elif part.istitle() and part.casefold() not in _NO_NAMES:
                spans += [match.span() for match in re.finditer(rf"\b{re.escape(part)}\b", text)]
    parts, done = list[str](), 0
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= done:
            parts += (text[done:start], "[name]")
            done = end
    return "".join(parts) + text[done:]


def _pattern(name: str) -> re.Pattern[str]:
    """Matches the name in a folded text, an umlaut also spelt out: Müller, Muller, Mueller."""
    spelt = {"ä": "ae?", "ö": "oe?", "ü": "ue?", "ß": "ss?", " ": r"\s+"}
    return re.compile(r"(?<!\w)" + "".join(spelt.get(char.lower(), re.escape(_base(char))) for char in name) + r"(?!\w)")


def _base(char: str) -> str:
    """One character for one: in lower case and without its accent, so that places in the folded text are places in the text."""
    lower = unicodedata.normalize("NFD", char)[0].lower()
    return "s" if char == "ß" else lower if len(lower) == 1 else char
