"""Finds card numbers and e-mail addresses in any text; shares nothing with the code that masks them."""

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

EMAIL = re.compile(r"[A-Za-z0-9._%+'-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")

# A number stands alone: what follows a letter, an underscore or "digit, point" is an id or a fraction.
ONE_RUN = re.compile(r"(?<![0-9A-Za-z_])(?<![0-9]\.)[0-9]{13,19}(?![0-9A-Za-z_])")
# As people group them, with the same few signs between the groups.
SIGNS = r"[^0-9A-Za-z,\"'\[\](){}<>]{1,3}"
GROUPS = re.compile(
    rf"(?<![0-9A-Za-z_])(?<![0-9]\.)(?:[0-9]{{4}}(?P<a>{SIGNS})[0-9]{{4}}(?P=a)[0-9]{{4}}(?P=a)[0-9]{{1,4}}(?:(?P=a)[0-9]{{1,3}})?"
    rf"|[0-9]{{4}}(?P<b>{SIGNS})[0-9]{{6}}(?P=b)[0-9]{{4,5}}"
    rf"|[0-9](?P<c>{SIGNS})[0-9](?:(?P=c)[0-9]){{11,17}})(?![0-9A-Za-z_])"
)
PERCENT = re.compile(r"(?:%3[0-9]){4}")
UNICODE_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
ENCODED = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{18,}={0,2}(?![A-Za-z0-9+/_=-])")
DIGIT = re.compile(r"[0-9]")

# (lowest first digits, highest, lengths) of cards in use.
ISSUERS = (
    ("4", "4", (13, 16, 19)),
    ("51", "55", (16,)),
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),
    ("37", "37", (15,)),
    ("300", "305", (14,)),
    ("36", "36", (14,)),
    ("38", "39", (14,)),
    ("3528", "3589", (16,)),
    ("6011", "6011", (16, 19)),
    ("62", "62", (16, 17, 18, 19)),
    ("644", "659", (16, 19)),
    ("50", "50", (16, 18, 19)),
    ("56", "58", (16, 18, 19)),
    ("63", "63", (16, 18, 19)),
    ("67", "67", (16, 18, 19)),
)


def has_card_number(text: str) -> bool:
    """Whether a card number stands anywhere in the text, as it is or behind one common encoding."""
    return any(_is_card(candidate) for view in _views(text) for candidate in _candidates(view))


def emails(text: str) -> set[str]:
    """Every e-mail address in the text."""
    return set(EMAIL.findall(text)) if "@" in text else set()


def _views(text: str) -> Iterator[str]:
    plain = text if text.isascii() else _with_ascii_digits(text)
    yield plain
    if "\\u00" in plain:
        yield UNICODE_ESCAPE.sub(lambda match: chr(int(match.group(1), 16)), plain)
    if PERCENT.search(plain):
        yield unquote(plain)
    if "&#" in plain:
        yield html.unescape(plain)
    for run in ENCODED.finditer(plain):
        decoded = _decoded(run.group())
        if decoded is not None:
            yield decoded


def _candidates(text: str) -> Iterator[str]:
    for pattern in (ONE_RUN, GROUPS):
        for match in pattern.finditer(text):
            yield "".join(DIGIT.findall(match.group()))


def _with_ascii_digits(text: str) -> str:
    normal = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in normal)


def _decoded(run: str) -> str | None:
    """Base64 of printable text with digits enough; None for all else, such as an id."""
    body = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    if not raw.isascii():
        return None
    text = raw.decode("ascii")
    return text if text.isprintable() and len(DIGIT.findall(text)) >= 13 else None


def _is_card(digits: str) -> bool:
    if not any(low <= digits[: len(low)] <= high and len(digits) in lengths for low, high, lengths in ISSUERS):
        return False
    values = [int(digit) for digit in reversed(digits)]
    doubled = (sum(divmod(2 * value, 10)) for value in values[1::2])
    return (sum(values[0::2]) + sum(doubled)) % 10 == 0
