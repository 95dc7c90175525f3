"""Text as it is finally seen, each character with the part of the original it came from; made for finding card numbers.

``SeenText(text)`` is the text as it stands; ``decoded`` takes one layer of escapes off (JSON and C escapes, percent-encoding, HTML
entities, quoted-printable, enclosed two-digit numbers). Look-alikes that must stay readable (vendor ids, hexadecimal ids, UUIDs, phone
numbers, fractions) do not count as digits.
"""

import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from recoup.cards import MAX_DIGITS, MIN_DIGITS, LuhnSums, is_issued

_ESCAPE = (
    r"(?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\u(?P<u4>[0-9a-fA-F]{4})|\\u\{(?P<ux>[0-9a-fA-F]{1,6})\}|\\U(?P<u8>[0-9a-fA-F]{8})|\\x(?P<x2>[0-9a-fA-F]{2})"
    r"|(?P<control>\\[nrtbfv/\"'\\])"
    r"|(?P<entity>&(?:#[xX][0-9a-fA-F]{1,6};?|#[0-9]{1,7};?|[A-Za-z][A-Za-z0-9]{1,30};))"
    r"|(?P<enclosed>[\u2469-\u2473\u247d-\u2487\u2491-\u249b\u24eb-\u24f4\u3251-\u325f\u32b1-\u32bf])"
)
_PERCENT, _QUOTED = r"|(?P<percent>(?:%[0-9a-fA-F]{2})+)", r"|=(?P<quoted>3[0-9])"
# What ``mark`` begins may be an escape or a plain character before a digit ("100%42...", "card=34..."), so both are tried.
# (mark that the text must hold, the escapes)
LAYERS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("", re.compile(_ESCAPE)),
    ("%", re.compile(_ESCAPE + _PERCENT)),
    ("=3", re.compile(_ESCAPE + _PERCENT + _QUOTED)),
)
_MARK = re.compile(r"[\\%&=\u2469-\u2473\u247d-\u2487\u2491-\u249b\u24eb-\u24f4\u3251-\u325f\u32b1-\u32bf]")  # begins every escape
_ASCII_MARKS = "\\%&="
_CONTROL = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v"}

# Formatting that a person does not see between two digits; any other tag ends a number.
_INLINE_TAG = re.compile(
    r"</?(?:a|abbr|b|big|br|code|em|font|i|kbd|mark|nobr|s|small|span|strong|sub|sup|tt|u|wbr)(?:\s[^<>]{0,200})?/?>|<!--[^<>]{0,200}-->",
    re.IGNORECASE,
)
# The prefixes of vendors' and our own ids: what follows is an identifier even if it happens to be all digits.
_ID = (
    r"(?:acc|acct|act|apr|att|btok|bt|case|ch|cn|crd|cs|cus|dec|dp|du|evt|ii|il|in|inpay|inv|key|mandate|msg|pi|pm|price|prod|py|pyr|re|rsv"
    r"|seti|si|src|sub|tmr|tsk|txn|txr)_(?:test_|live_)?[0-9A-Za-z]{14,}"
)
IDENTIFIER = re.compile(_ID)
_LOOKALIKE = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    rf"{_ID}"
    r"|(?=[0-9-]*[a-fA-F])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    r"|(?![a-fA-F]{1,6}[0-9]{13,19}(?![0-9A-Za-z]))(?![0-9]{13,19}[a-fA-F]{1,6}(?![0-9A-Za-z]))(?=[0-9]*[a-fA-F])[0-9a-fA-F]{16,}"
    r"|\+(?:[ ().-]{0,2}[0-9]){7,14}(?![ ().-]{0,2}[0-9])"
    r"|0\.[0-9]{13,}"
    r")(?![0-9A-Za-z])"
    # The digits inside an escape are not the text's: replacing half of one would break the document.
    r"|\\u[0-9a-fA-F]{4}|&#[xX][0-9a-fA-F]{1,6};|&#[0-9]{1,7};"
)

_GAP = 24
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_RUN = re.compile(rf"[0-9](?<![0-9][0-9])(?: {{0,{_GAP}}}+[0-9]){{{MIN_DIGITS - 1},}}+")
_GROUP = re.compile("[0-9]+")


class _Kinds(dict[int, str]):
    """Translates each character to the digit it is, ``x`` for a letter or a star, and a space for everything that only separates."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        value = unicodedata.numeric(char, -1.0)
        is_digit = 0 <= value <= 9 and value.is_integer()
        self[code] = str(int(value)) if is_digit else "x" if char.isalnum() or char == "*" else " "
        return self[code]


_KINDS = _Kinds()
_ALL_DIGITS_0 = bytes(ord("0") if chr(code) in "0123456789" else code for code in range(256))
_SHORTEST = b"0" * MIN_DIGITS
_ASCII_KINDS = "".join(_KINDS[code] for code in range(128)).encode("ascii") + bytes(128)


@dataclass(frozen=True)
class Piece:
    """From ``at`` on, the text came from ``start:end`` of its source: copied character by character, or an escape for one."""

    at: int
    start: int
    end: int
    is_escape: bool


@dataclass(frozen=True)
class SeenText:
    """``text`` as seen. ``source`` is what it was decoded from, piece by piece; None for the original itself."""

    text: str
    source: "SeenText | None" = None
    pieces: tuple[Piece, ...] = ()

    def origin(self, index: int) -> tuple[int, int]:
        """Start and end in the original text of what character ``index`` came from."""
        if self.source is None:
            return index, index + 1
        piece = self.pieces[bisect_right(self.pieces, index, key=lambda p: p.at) - 1]
        if piece.is_escape:
            return self.source.origin(piece.start)[0], self.source.origin(piece.end - 1)[1]
        return self.source.origin(piece.start + index - piece.at)

    def card_digits(self, kept: int) -> set[int]:
        """Positions in ``text`` of all digits of card numbers but the last ``kept`` of each.

        A number begins and ends where a group of digits does. Where several readings of one run are card numbers, all are masked.
        """
        found: set[int] = set()
        for kinds, offset in self._runs():
            positions = [offset + i for i, kind in enumerate(kinds) if kind != " "]
            digits = kinds.replace(" ", "")
            luhn = LuhnSums(digits)
            for first, end in _windows(kinds):
                if luhn.holds(first, end) and is_issued(digits[first:end]):
                    found.update(positions[first : end - kept])
        return found

    def _runs(self) -> Iterator[tuple[str, int]]:
        text = self.text
        if "<" in text:
            text = _INLINE_TAG.sub(lambda match: " " * len(match.group()), text)
        if any(_long_runs(text)):
            # Looked for only now: most texts have no run that could be one, and this is the costly expression.
            yield from _long_runs(_LOOKALIKE.sub(lambda match: "x" * len(match.group()), text))


def _long_runs(text: str) -> Iterator[tuple[str, int]]:
    """Runs of digits and separators with at least as many digits as the shortest card number, and where they start."""
    # Python translates bytes at once and anything else character by character, so the few others are taken out first.
    kinds = text if text.isascii() else _NOT_ASCII.sub(lambda match: match.group().translate(_KINDS), text)
    seen = kinds.encode("ascii").translate(_ASCII_KINDS)
    if _SHORTEST not in seen.translate(_ALL_DIGITS_0, b" "):
        return
    for run in _RUN.finditer(seen.decode("ascii")):
        yield run.group(), run.start()


def _windows(kinds: str) -> Iterator[tuple[int, int]]:
    """Every stretch of whole groups that has as many digits as a card, as positions among the digits."""
    edges = [0]
    for group in _GROUP.finditer(kinds):
        edges.append(edges[-1] + len(group.group()))
    for index, first in enumerate(edges):
        for end in edges[index + 1 : index + 1 + MAX_DIGITS]:
            if end - first > MAX_DIGITS:
                break
            if end - first >= MIN_DIGITS:
                yield first, end


def decoded(view: SeenText, escapes: re.Pattern[str]) -> SeenText | None:
    """One layer of these escapes less; None where there is none."""
    if view.text.isascii() and not any(mark in view.text for mark in _ASCII_MARKS):
        return None
    parts: list[str] = []
    pieces: list[Piece] = []
    seen = done = 0
    for mark in _MARK.finditer(view.text):
        match = escapes.match(view.text, mark.start()) if mark.start() >= done else None
        if match is None:
            continue
        copied = view.text[done : match.start()]
        pieces.append(Piece(seen, done, match.start(), is_escape=False))
        parts.append(copied)
        seen += len(copied)
        start = match.start()
        for char, width in _unescaped(match):
            pieces.append(Piece(seen, start, start + width, is_escape=True))
            parts.append(char)
            seen += len(char)
            start += width
        done = match.end()
    if not done:
        return None
    pieces.append(Piece(seen, done, len(view.text), is_escape=False))
    return SeenText("".join((*parts, view.text[done:])), view, tuple(pieces))


def _unescaped(match: re.Match[str]) -> Iterator[tuple[str, int]]:
    """The characters an escape stands for, each with how many characters of it they took."""
    escape = match.group()
    kind = match.lastgroup
    if kind == "percent":
        octets = bytes.fromhex(escape.replace("%", ""))
        for char in octets.decode("utf-8", "surrogateescape"):
            yield char, 3 * len(char.encode("utf-8", "surrogateescape"))
    elif kind == "pair":
        yield escape.encode("ascii").decode("unicode_escape").encode("utf-16", "surrogatepass").decode("utf-16"), len(escape)
    elif kind == "control":
        yield _CONTROL.get(escape[1], escape[1]), len(escape)
    elif kind == "entity":
        yield html.unescape(escape), len(escape)
    elif kind == "enclosed":
        yield str(int(unicodedata.numeric(escape))), len(escape)
    else:
        code = int(match.group(kind or 0), 16)
        yield chr(code) if code < 0x110000 else "\ufffd", len(escape)
