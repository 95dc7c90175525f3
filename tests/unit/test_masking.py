"""Card numbers are masked in whatever form they stray into a text, and nothing else is touched."""

import base64
import json
import unicodedata
from urllib.parse import quote
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recoup.cards import is_card_number
from recoup.masking import mask_cards, redact

VISA = "4242424242424242"
GROUPS = ["4242", "4242", "4242", "4242"]
ZERO_WIDTH, NBSP, FULLWIDTH, ARABIC, DEVANAGARI, MATH = "\u200b", "\u00a0", 0xFF10, 0x660, 0x966, 0x1D7CE


def in_digits_from(zero: int) -> str:
    return "".join(chr(zero + int(digit)) for digit in VISA)


FORMS = {
    "plain": VISA,
    "spaces": " ".join(GROUPS),
    "no-break spaces": NBSP.join(GROUPS),
    "dashes": "-".join(GROUPS),
    "dots": ".".join(GROUPS),
    "slashes": "/".join(GROUPS),
    "underscores": "_".join(GROUPS),
    "mixed": "4242-4242 4242.4242",
    "commas": ", ".join(GROUPS),
    "lines": "\r\n    ".join(GROUPS),
    "zero width": ZERO_WIDTH.join(VISA),
    "soft hyphens": "\u00ad".join(VISA),
    "digit by digit": " - ".join(VISA),
    "glued to a word": f"card{VISA}",
    "glued to letters that are hexadecimal too": f"cc{VISA}",
    "in a sentence": f"Please use {VISA}, it expires 12/26.",
    "beside other numbers": f"12 {VISA} 12/26 123",
    "fullwidth": in_digits_from(FULLWIDTH),
    "arabic-indic": in_digits_from(ARABIC),
    "devanagari": in_digits_from(DEVANAGARI),
    "mathematical": in_digits_from(MATH),
    "circled": "④②" * 8,
    "superscript": "⁴²" * 8,
    "keycaps": "4\ufe0f\u20e32\ufe0f\u20e3" * 8,
    "han": "四二" * 8,
    "percent": "".join(f"%{ord(digit):02x}" for digit in VISA),
    "percent twice": quote(quote(" ".join(GROUPS))),
    "percent of fullwidth": quote(in_digits_from(FULLWIDTH)),
    "decimal entities": "".join(f"&#{ord(digit)};" for digit in VISA),
    "hexadecimal entities": "".join(f"&#x{ord(digit):x};" for digit in VISA),
    "named entities between": "&nbsp;".join(GROUPS),
    "json escapes": "".join(f"\\u{ord(digit):04x}" for digit in VISA),
    "json in json": "".join(f"\\\\u{ord(digit):04x}" for digit in VISA),
    "c escapes": "".join(f"\\x{ord(digit):x}" for digit in VISA),
    "quoted-printable": "".join(f"={ord(digit):X}" for digit in VISA),
    "behind what could begin an escape": "x=34000000000000&nbsp;9",
    "behind a percent sign": "100%34000000000000&nbsp;9",
    "markup between": '4242<b>4242</b> 4242<span class="x">4242</span>',
    "escaped markup between": "4242&lt;b&gt;4242&lt;/b&gt;42424242",
    "base64": base64.b64encode(VISA.encode()).decode(),
    "base64 in a sentence": base64.b64encode(f"card: {' '.join(GROUPS)}, thanks".encode()).decode(),
    "base64 of json": base64.urlsafe_b64encode(json.dumps({"n": VISA}).encode()).decode().rstrip("="),
    "base64 twice": base64.b64encode(base64.b64encode(VISA.encode())).decode(),
    "base64 behind a path": "files/" + base64.b64encode(VISA.encode()).decode(),
    "hexadecimal": VISA.encode().hex(),
}
LOOKALIKES = {
    "stripe id": "in_1GyU3gCOCguPTL2BnyYlJe2x",
    "id of digits only": f"pi_{VISA}",
    "recurly uuid": "63b068f7d409d4b4478dea4e6aba58ae",
    "hexadecimal id full of digits": "ab4242424242424242cd1234",
    "uuid": "4242424a-4242-4242-8242-424242424242",
    "own id": "evt_0199f3aa42424242424242424242424242",
    "milliseconds": "1594000000123",
    "microseconds": "1770000000000002",
    "nanoseconds": "1770000000000000003",
    "phone": "+49 1512 3456789",
    "phone with country code 42": "+424242424242420",
    "time": "2026-10-26 16:00:12.123456",
    "fraction": "0.4242424242424242",
    "amounts in elements": "<a>4000</a><b>4500</b><c>0</c><d>4500</d>",
    "wrong check digit": "4242424242424243",
    "twenty digits": "42424242424242424242",
    "masked before": "************4242",
    "words in base64": base64.b64encode(b"nothing of the kind in here, 4242").decode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_card_number_is_masked_as(form: str) -> None:
    masked = mask_cards(FORMS[form])
    assert masked != FORMS[form]
    assert mask_cards(masked) == masked


@pytest.mark.parametrize("form", FORMS)
def test_a_json_payload_stays_json_with(form: str) -> None:
    payload = json.dumps({"id": "evt_1", "amount": 4900, "note": FORMS[form]})
    masked = mask_cards(payload)
    assert masked != payload
    assert json.loads(masked) | {"note": ""} == {"id": "evt_1", "amount": 4900, "note": ""}


@pytest.mark.parametrize("form", sorted(FORMS.keys() - {"markup between"}))
def test_an_xml_payload_stays_xml_with(form: str) -> None:
    content = FORMS[form] if "&" in FORMS[form] else FORMS[form].replace("<", "&lt;")
    content = content.replace("&nbsp;", "&#160;")
    masked = mask_cards(f'<?xml version="1.0"?><n><amount>4900</amount><note>{content}</note></n>')
    assert content not in masked
    assert fromstring(masked).findtext("amount") == "4900"


@pytest.mark.parametrize("lookalike", LOOKALIKES)
def test_nothing_is_masked_in(lookalike: str) -> None:
    text = LOOKALIKES[lookalike]
    assert mask_cards(text) == text
    assert mask_cards(json.dumps({"a": text})) == json.dumps({"a": text})


@pytest.mark.parametrize("number", [VISA, "4.242424242424242e15", f"{VISA}.0", f"-{VISA}"])
def test_a_number_of_json_that_is_a_card_becomes_a_string(number: str) -> None:
    assert json.loads(mask_cards(f'{{"a": {number}, "b": [1, 2]}}')) == {"a": "************4242", "b": [1, 2]}


def test_numbers_of_json_are_not_read_together() -> None:
    payload = '{"amounts": [4242, 4242, 4242, 4242], "created": 1594000000}'
    assert mask_cards(payload) == payload


def test_what_only_begins_like_json_is_read_as_text() -> None:
    assert mask_cards("{4242 4242 4242 4242}") == "{**** **** **** 4242}"


def test_the_last_four_digits_stay_as_they_were_written() -> None:
    assert mask_cards("4242-4242-4242-4242") == "****-****-****-4242"
    assert mask_cards(FORMS["fullwidth"]).endswith("４２４２")
    assert base64.b64decode(mask_cards(FORMS["base64"])) == b"************4242"


ISSUED = st.sampled_from(
    [("4", 16), ("4", 13), ("4", 19), ("51", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16), ("36", 14), ("62", 19)]
)
SEPARATORS = st.sampled_from(
    ["", " ", "-", ".", "/", "\u2013", NBSP, ZERO_WIDTH, "\u2060", "\n", "\t", " - ", "&nbsp;", "%20", "\\n", "<br>", "|"]
)
ZEROS = [ord("0"), FULLWIDTH, ARABIC, DEVANAGARI, MATH, 0x6F0, 0x1D7F6, 0x0E50]


@st.composite
def written_cards(draw: st.DrawFn) -> tuple[str, str]:
    """A random card number, and the same as somebody might have written it."""
    prefix, length = draw(ISSUED)
    body = prefix + draw(st.text("0123456789", min_size=length - len(prefix) - 1, max_size=length - len(prefix) - 1))
    number = next(body + digit for digit in "0123456789" if is_card_number(body + digit))
    written = number[0]
    for digit in number[1:]:
        written += draw(SEPARATORS) + chr(draw(st.sampled_from(ZEROS)) + int(digit))
    return number, written


@given(written_cards(), st.sampled_from(["", "card ", "nr.: ", "Ж", "{", "x="]), st.sampled_from(["", " ok", ".", "}", "ß"]))
def test_any_card_number_in_any_digits_with_any_separators_is_masked(card: tuple[str, str], before: str, after: str) -> None:
    number, written = card
    masked = mask_cards(before + written + after)
    seen = "".join(str(unicodedata.digit(char)) for char in masked.replace("%20", " ") if char.isdigit())
    assert number not in seen
    assert number[:-4] not in seen


@given(st.text(alphabet="0123456789abcdef", min_size=32, max_size=32).filter(lambda text: not text.isdigit()))
def test_a_hexadecimal_id_is_never_touched(identifier: str) -> None:
    assert mask_cards(identifier) == identifier


def test_a_hostile_megabyte_is_read_in_time() -> None:
    for text in ("4 " * 50_000, "4" * 100_000, "%34" * 30_000, "\\u0034" * 15_000, '{"' * 50_000, "+1" * 50_000):
        mask_cards(text)


def test_a_log_line_holds_no_secret_and_no_person() -> None:
    line = {
        "Authorization": "Bearer abcdefghijkl",
        "said": [
            f"write to ada@customer.example about {VISA}",
            "Bearer rk_abc123def456",
            "sk_live_4eC39HqL",
            "whsec_test_secret",
        ],
        "url": "postgresql://recoup:hunter2@db/recoup",
        "count": 3,
        "number": int(VISA),
        "none": None,
    }
    shown = repr(redact(line))
    for secret in ("abcdefghijkl", "ada@", VISA, "rk_abc", "4eC39", "test_secret", "hunter2"):
        assert secret not in shown
    assert "'count': 3" in shown
