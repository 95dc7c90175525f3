"""Words are files: loaded, hashed, and filled strictly."""

import pytest

from prompts.render import Template, load, prompts_digest, render, templates
from prompts.slots import MESSAGE_SLOTS, OwedInvoice, message_slots
from recoup.errors import Malformed, NotFound

INVOICES = (OwedInvoice(number="A-0001", amount_minor=4900, currency="USD"),)
GREETING = Template(name="x", purpose="x", subject="Hello {first_name}", body="From {company}.")


def slots(**changes: object) -> dict[str, str]:
    values: dict[str, object] = {
        "first_name": "Ada",
        "company": "Example & Co",
        "update_link": "https://pay.example/in_1?a=b&c=d",
        "invoices": INVOICES,
    }
    return message_slots(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [name for name in templates() if name.startswith("payment_failed") or name == "receipt"])
def test_every_message_can_be_filled_and_leaves_no_slot_open(name: str) -> None:
    words = render(load(name), slots())
    assert "{" not in words.subject + words.body
    assert "Ada" in words.body


def test_a_message_without_a_link_can_be_filled_without_one() -> None:
    assert "A-0001: $49.00" in render(load("payment_failed_no_link_first"), slots(update_link=None)).body
    with pytest.raises(Malformed, match="update_link"):
        render(load("payment_failed_soft_first"), slots(update_link=None))


def test_all_slots_of_messages_are_known() -> None:
    assert set(slots()) == MESSAGE_SLOTS


def test_a_missing_slot_is_an_error() -> None:
    with pytest.raises(Malformed, match="company"):
        render(GREETING, {"first_name": "Ada"})


@pytest.mark.parametrize("value", ["<b>Ada</b>", "Ada\x00", "Ada\x1b[2J"])
def test_a_value_that_is_not_plain_text_is_an_error(value: str) -> None:
    with pytest.raises(Malformed, match="plain text"):
        render(GREETING, {"first_name": value, "company": "Example"})


def test_braces_in_a_value_are_not_read_as_a_slot() -> None:
    assert render(GREETING, {"first_name": "{company}", "company": "Example"}).subject == "Hello {company}"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ada", "Ada"),
        ("Zoë-Marie O'Neil", "Zoë-Marie O'Neil"),
        ("李", "李"),
        (None, "there"),
        ("", "there"),
        ("<script>", "script"),
        ("visit www.evil.example/x1", "visit www evil example x"),
        ("Ada\nBcc: x", "Ada Bcc x"),
    ],
)
def test_a_name_shows_nothing_that_cannot_be_part_of_one(name: str | None, shown: str) -> None:
    assert slots(first_name=name)["first_name"] == shown


def test_amounts_are_totalled_per_currency_and_never_across() -> None:
    invoices = (
        *INVOICES,
        OwedInvoice(number="A-2", amount_minor=100, currency="USD"),
        OwedInvoice(number="B-1", amount_minor=700, currency="JPY"),
    )
    filled = slots(invoices=invoices)
    assert filled["amount"] == "¥700 and $50.00"
    assert filled["invoices"] == "- A-0001: $49.00\n- A-2: $1.00\n- B-1: ¥700"


@pytest.mark.parametrize("link", ["javascript:alert(1)", "pay.example/x", "https://pay.example/a b", 'https://pay.example/"x', ""])
def test_a_link_that_is_not_a_web_address_is_an_error(link: str) -> None:
    with pytest.raises(Malformed, match="web address"):
        slots(update_link=link)


def test_an_unknown_template_is_named() -> None:
    with pytest.raises(NotFound, match="no_such_words"):
        load("no_such_words")


def test_the_digest_is_of_all_words() -> None:
    assert len(prompts_digest()) == 64
