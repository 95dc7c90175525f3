"""Keeps card numbers out of everything that is stored, and secrets and addresses out of logs.

A card number may stray into any text of a payload: typed with separators, in other scripts' digits, or wrapped in an encoding. The
text is therefore read the way a person or a program would finally see it, while every seen character remembers which part of the
original it came from; only that part is replaced, all but the last four digits. Text without a card number comes back unchanged.
"""

import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal, InvalidOperation
from typing import cast

from recoup.cards import MAX_DIGITS, MIN_DIGITS, is_card_number
from recoup.seen_text import IDENTIFIER, LAYERS, SeenText, decoded

KEPT_DIGITS = 4
MAX_DEPTH = 4  # encodings inside encodings

_NOT_DIGITS = bytes(code for code in range(256) if not chr(code).isascii() or not chr(code).isdigit())
_WORDS = bytes(code if chr(code).isascii() and (chr(code).isalnum() or chr(code) in "+/_-") else ord(" ") for code in range(256))
MIN_ENCODED_CHARS = 18  # 13 digits in base64
_PADDING = ("", "===", "==", "=")  # by the length, counted in fours
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){13,}")
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?', re.DOTALL)
# The exponent of a number such as 4.242e15, looked for by its own first digit: that is rarer than an "e".
_EXPONENT = re.compile(r"1[2-8](?:(?<=\d[eE]1.)|(?<=\d[eE]\+1.))\s*[,}\]]")

Replacement = tuple[int, int, str]


def mask_cards(text: str) -> str:
    """The text with every card number reduced to its last four digits; JSON stays JSON, XML stays XML."""
    masked = _mask_text(text, 0)
    if masked == text and not _EXPONENT.search(text):
        return text
    if text.lstrip()[:1] == "{" and _is_json(text):
        return _JSON_TOKEN.sub(_masked_token, text)
    return masked


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _masked_token(match: re.Match[str]) -> str:
    token = match.group()
    if len(token) < MIN_DIGITS:
        return token
    if token[0] == '"':
        return f'"{_mask_text(token[1:-1], 0)}"'
    return _masked_number(token)


def _masked_number(token: str) -> str:
    """A JSON number; one that is a card number becomes a string, since ``****4242`` is no number."""
    try:
        value = Decimal(token)
    except InvalidOperation:
        return token
    if not MIN_DIGITS <= value.adjusted() + 1 <= MAX_DIGITS:
        return token
    whole = str(abs(int(value)))
    return f'"{_stars(whole)}"' if is_card_number(whole) else token


def _stars(digits: str) -> str:
    return "*" * (len(digits) - KEPT_DIGITS) + digits[-KEPT_DIGITS:]


def _mask_text(text: str, depth: int) -> str:
    if depth > MAX_DEPTH or _is_harmless(text):
        return text
    replacements = [replacement for view in _views(text) for replacement in _found(view, depth)]
    return _replaced(text, replacements) if replacements else text


def _is_harmless(text: str) -> bool:
    """Whether a quick look rules a card number out: every written form of 13 digits but base64 has 13 ASCII digits, or is not ASCII."""
    return text.isascii() and len(text.encode().translate(None, _NOT_DIGITS)) < MIN_DIGITS and not any(_encoded_runs(text))


def _views(text: str) -> Iterator[SeenText]:
    """The text as it stands, then with one encoding after another taken off it."""
    original = SeenText(text)
    yield original
    for mark, escapes in LAYERS:
        view = decoded(original, escapes) if mark in text else None
        for _ in range(MAX_DEPTH):
            if view is None:
                break
            yield view
            view = decoded(view, escapes)


def _found(view: SeenText, depth: int) -> Iterator[Replacement]:
    for index in view.card_digits(KEPT_DIGITS):
        yield *view.origin(index), "*"
    known: dict[str, tuple[int, str] | None] = {}  # a payload names the same ids again and again
    for start, run in _encoded_runs(view.text):
        if run not in known:
            known[run] = _masked_run(run, depth)
        masked = known[run]
        if masked is not None:
            offset, replacement = masked
            yield view.origin(start + offset)[0], view.origin(start + len(run) - 1)[1], replacement


def _encoded_runs(text: str) -> Iterator[tuple[int, str]]:
    """What may be base64 or hexadecimal, and where it starts. Base64 of digits has capitals, so words in lower case are none,
    and neither are identifiers, whose digits do not count either."""
    at = 0
    words = text.encode("ascii", "replace").translate(_WORDS)  # of the same length: "?" stands for what is not ASCII
    for word in [word for word in words.decode("ascii").split() if len(word) >= MIN_ENCODED_CHARS]:
        start = text.index(word, at)
        at = start + len(word)
        if word.lower() != word or _HEX.fullmatch(word):
            padding = len(text[at : at + 2]) - len(text[at : at + 2].lstrip("="))
            if padding or not IDENTIFIER.fullmatch(word):
                yield start, word + "=" * padding


def _masked_run(run: str, depth: int) -> tuple[int, str] | None:
    """For base64 or hexadecimal with a card number inside: where it starts in the run, and its masked form."""
    if _HEX.fullmatch(run):
        inner = bytes.fromhex(run).decode("latin-1")
        if inner.isprintable() and (masked := _mask_text(inner, depth + 1)) != inner:
            return 0, masked.encode("latin-1").hex()
    body = run.rstrip("=")
    urlsafe = "-" in run or "_" in run
    plain_body = body.replace("-", "+").replace("_", "/")
    # A path or a prefix may be glued to it: "/" and letters are in the alphabet too.
    for offset in range(4):
        part = plain_body[offset:]
        if len(part) % 4 == 1:
            continue  # no bytes have such an encoding
        try:
            inner_bytes = binascii.a2b_base64(part + _PADDING[len(part) % 4], strict_mode=True)
        except binascii.Error:
            continue
        charset = _charset(inner_bytes)
        if charset is None:
            continue
        inner = inner_bytes.decode(charset)
        masked = _mask_text(inner, depth + 1)
        if masked != inner:
            encoded = binascii.b2a_base64(masked.encode(charset), newline=False).decode("ascii")
            encoded = encoded if run.endswith("=") else encoded.rstrip("=")
            return offset, encoded.replace("+", "-").replace("/", "_") if urlsafe else encoded
    return None


def _charset(raw: bytes) -> str | None:
    """How to read decoded bytes as text; None for what is neither text nor has digits enough, such as an opaque id."""
    # Not by an exception: most runs are opaque ids, and raising one for each took longer than all else here.
    if len(raw.decode("utf-8", "ignore").encode()) == len(raw):
        return "utf-8"
    return "latin-1" if len(raw.translate(None, _NOT_DIGITS)) >= MIN_DIGITS else None


def _replaced(text: str, replacements: list[Replacement]) -> str:
    """Applies them from left to right; of overlapping ones the one that starts first and reaches furthest."""
    parts: list[str] = []
    done = 0
    for start, end, by in sorted(set(replacements), key=lambda r: (r[0], -r[1])):
        if start >= done:
            parts += (text[done:start], by)
            done = end
    return "".join(parts) + text[done:]


SECRET_KEYS = re.compile(r"pass(word|wd)?|secret|token|authorization|api_?key|cookie|signature", re.IGNORECASE)
_SECRETS = (
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), r"\1 [secret]"),
    (re.compile(r"\b(?:(?:sk|rk|pk)_(?:live|test)_|whsec_|rk_|sk_)[A-Za-z0-9_+/=-]{4,}"), "[secret]"),
    (re.compile(r"(://[^/\s:@]+:)[^@\s/]+@"), r"\1[secret]@"),
    # From the beginning of a run of such characters and never back into it: else a long run without an @ takes quadratic time.
    (re.compile(r"(?<![A-Za-z0-9._%+'-])[A-Za-z0-9._%+'-]++@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"), "[email]"),
)


def redact_text(text: str) -> str:
    """The text without what ``redact`` takes out; for what people write, too, since it is kept for good in the audit log."""
    masked = mask_cards(text)
    for pattern, replacement in _SECRETS:
        masked = pattern.sub(replacement, masked)
    return masked


def redact(value: object) -> object:
    """A copy fit for a log line: no card numbers, e-mail addresses, bearer or API keys, webhook secrets or passwords in URLs."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes):
        return redact(value.decode("utf-8", "replace"))
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return {str(redact(str(key))): "[secret]" if SECRET_KEYS.search(str(key)) else redact(item) for key, item in pairs}
    if isinstance(value, Sequence | AbstractSet):
        return [redact(item) for item in cast("Sequence[object]", value)]
    if isinstance(value, int) and is_card_number(str(value)):
        return _stars(str(value))
    return value if isinstance(value, bool | int | float) or value is None else redact(str(value))
