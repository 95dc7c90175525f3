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
ANY_DIGIT = re.compile(r"\d")

# For the quick look: signs that may stand in a number are taken out, but those of times of day, which leaves moments harmless.
REMOVED = bytes(code for code in range(128) if not chr(code).isalnum() and chr(code) not in ":+,\"'[](){}<>")
SHAPES = bytes.maketrans(b"123456789+", b"000000000:")
DENSE = (b"0" * 13, b"0000:0000", b"0000::0000", b"0000:::0000", b"0:0:0:0:0:0:")
ENCODING_SIGNS = ("\\u00", "%3", "&#")
# Three digits in base64 are four characters of these sets.
DIGITS_IN_BASE64 = re.compile(r"[DTjz](?<=[MNO].)[AEIMQUYcgk][w-z0-5]")

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
    plain = text if text.isascii() else _with_ascii_digits(text)
    return _may_hold_one(plain) and any(_is_card(candidate) for view in _views(plain) for candidate in _candidates(view))


def emails(text: str) -> set[str]:
    """Every e-mail address in the text."""
    return set(EMAIL.findall(text)) if "@" in text else set()


def _may_hold_one(text: str) -> bool:
    """A quick look that lets nearly every text pass by, since there may be gigabytes of them."""
    shape = text.encode("ascii", "ignore").translate(SHAPES, REMOVED)
    is_dense = any(dense in shape for dense in DENSE)
    return is_dense or any(sign in text for sign in ENCODING_SIGNS) or DIGITS_IN_BASE64.search(text) is not None


def _views(text: str) -> Iterator[str]:
    yield text
    if "\\u00" in text:
        yield UNICODE_ESCAPE.sub(lambda match: chr(int(match.group(1), 16)), text)
    if PERCENT.search(text):
        yield unquote(text)
    if "&#" in text:
        yield html.unescape(text)
    for run in ENCODED.finditer(text):
        decoded = _decoded(run.group())
        if decoded is not None:
            yield decoded


def _candidates(text: str) -> Iterator[str]:
    for pattern in (ONE_RUN, GROUPS):
        for match in pattern.finditer(text):
            yield "".join(DIGIT.findall(match.group()))


def _with_ascii_digits(text: str) -> str:
    return ANY_DIGIT.sub(lambda match: str(unicodedata.decimal(match.group())), unicodedata.normalize("NFKC", text))


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
