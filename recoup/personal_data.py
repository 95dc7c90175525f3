"""Takes out of a text what says who somebody is: account numbers, e-mail addresses, telephone numbers, and the names that are known.

Codes, invoice numbers, dates and amounts look much like telephone numbers and must stay: people search for them. So digits count as a
telephone number only where they are written as one. A name that nobody told us of stays: nothing here guesses at names.
"""

import re
import unicodedata
from collections.abc import Iterable

from recoup.masking import redact_text

# How long an account number of each country is (ISO 13616): words behind one are then never taken for a part of it.
IBAN_CHARS = {
    country: chars
    for chars, countries in {
        15: "NO", 16: "BE", 18: "DK FI FO GL NL", 19: "MK SI", 20: "AT BA EE KZ LT LU XK", 21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "PT ST", 26: "IS TR",
        27: "FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB PL SV", 29: "BR EG PS QA UA", 30: "JO KW MU", 31: "MT SC", 32: "LC",
    }.items()
    for country in countries.split()
}  # fmt: skip
SHORTEST_PHONE, LONGEST_PHONE = 7, 15
INTERNATIONAL_PHONE = 8
CUE_CHARS = 24
SHORT_NAME = 2

# From the beginning of a run of such characters and never back into it: else a long run without an @ takes quadratic time.
_EMAIL = re.compile(
    r"(?<![\w.+'-])[\w.+'-]++\s?(?:@|%40|\(at\)|\[at\]|\{at\})\s?[\w-]+(?:\s?(?:\.|\(dot\)|\[dot\])\s?[\w-]{2,})+",
    re.IGNORECASE,
)
_GAP = r"[\s.\u00a0-]?"
_IBAN = re.compile(rf"(?<![A-Za-z0-9])[A-Za-z]{{2}}{_GAP}\d{{2}}(?=(?:{_GAP}[A-Za-z0-9]){{11}})")
_DIGITS = re.compile(r"(?<![\w#.,/-])(?:\+ ?)?\(?\d(?:[ ().\u00a0\u2010-\u2015/-]{0,3}\d){6,17}(?![\w-])")
_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})|\d{4}[./-]\d{1,2}[./-]\d{1,2}(?:[ ]\d{1,2})?")
# How the countries of our locales write a number without its prefix.
_GROUPED = re.compile(
    r"\(\d{2,5}\)[ .-]?[\d .-]+"  # (555) 123-4567, (030) 1234 567
    r"|\d{3}[ .-]\d{3}[ .-]\d{4}"  # North America
    r"|[679]\d{2}(?:[ .-]\d{3}){2}|[679]\d{2}(?:[ .-]\d{2}){3}"  # Spain, Portugal
)
_CUE = re.compile(
    r"(?:\b(?:my|meine|mon|mi|o meu) (?:number|nummer|numéro|número)"
    r"|\btel|phone|mobile|\bcell|\bcall|\bring\b|whatsapp|\bsms\b|\btext (?:me|us)|\bfax|handy|telefon|mobil|\bruf|\banruf"
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
    masked = _masked_ibans(masked)
    return _DIGITS.sub(_masked_phone, redact_text(masked))


def _masked_ibans(text: str) -> str:
    parts, done = list[str](), 0
    for match in _IBAN.finditer(text):
        chars = IBAN_CHARS.get(match.group()[:2].upper())
        whole = re.compile(rf"[A-Za-z0-9](?:{_GAP}[A-Za-z0-9]){{{chars - 1}}}(?![A-Za-z0-9])").match(text, match.start()) if chars else None
        if whole and match.start() >= done and _checks(re.sub(r"[^A-Za-z0-9]", "", whole.group()).upper()):
            parts += (text[done : match.start()], "[iban]")
            done = whole.end()
    return "".join(parts) + text[done:]


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
    if re.match(r"\+|00[ ]?[1-9]", written):
        return digits >= INTERNATIONAL_PHONE
    # No country's code and no area's begins with another zero; order numbers do.
    starts_nationally = re.match(r"\(?0[1-9]", written) is not None and digits > INTERNATIONAL_PHONE
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
    pattern = "".join(spelt.get(char.lower(), re.escape(_base(char))) for char in name)
    # A German street is as often abbreviated as not.
    return re.compile(r"(?<!\w)" + re.sub(r"str(?:asse|ass\?e)", r"str(?:ass?e|\\.)?", pattern) + r"(?!\w)")


def _base(char: str) -> str:
    """One character for one: in lower case and without its accent, so that places in the folded text are places in the text."""
    lower = unicodedata.normalize("NFD", char)[0].lower()
    return "s" if char == "ß" else lower if len(lower) == 1 else char
