"""Who somebody is is taken out of a text; codes, invoice numbers, dates and amounts stay."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recoup.personal_data import mask_personal


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("mail jane.doe+x@mail.example.co.uk now", "mail [email] now"),
        ("jane (at) example (dot) com", "[email]"),
        ("DE89 3704 0044 0532 0130 00 please", "[iban] please"),
        ("iban gb29nwbk60161331926819.", "iban [iban]."),
        ("FR14 2004 1010 0505 0001 3M02 606 und mehr", "[iban] und mehr"),
        ("call +49 30 1234567", "call [phone]"),
        ("0049 (0)30 123 45 67", "[phone]"),
        ("(555) 123-4567 or 555-123-4567", "[phone] or [phone]"),
        ("06 12 34 56 78", "[phone]"),
        ("Handy: 01701234567", "Handy: [phone]"),
        ("mi móvil es 612 34 56 78", "mi móvil es [phone]"),
        ("+351 912 345 678", "[phone]"),
        ("my phone 5551234", "my phone [phone]"),
        ("card 4242 4242 4242 4242", "card **** **** **** 4242"),
        ("Bearer abcdefgh12345678", "Bearer [secret]"),
    ],
)
def test_what_says_who_somebody_is_goes(text: str, masked: str) -> None:
    assert mask_personal(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "INV-2026-000412 and RE-2026-1188",
        "ch_3QaLm81, in_1PqXabc99, dp_1Nw88K",
        "R01, AM04, 51, insufficient_funds, card_velocity_exceeded",
        "on 2026-11-20 at 14:30, am 01.02.2026, le 3/4/26",
        "2026-11-20 14:30:00 UTC",
        "1.234,56 EUR, 100.000.000 EUR, $5,000",
        "order #4711 0815 99",
        "invoice 20260001234",
        "DE00 3704 0044 0532 0130 00 has wrong check digits",
        "we pay 49 for 11 of 12 seats",
    ],
)
def test_what_people_search_for_stays(text: str) -> None:
    assert mask_personal(text) == text


@pytest.mark.parametrize("written", ["Müller", "MÜLLER", "Muller", "Mueller", "mu\u0308ller"])
def test_a_known_name_goes_however_it_is_written(written: str) -> None:
    assert mask_personal(f"Hier ist {written}, Jörg.", ["Jörg Müller"]) == "Hier ist [name], [name]."


def test_an_address_goes_whole_and_in_parts_and_harmless_words_stay() -> None:
    known = ["Elm Street 12, Springfield"]
    assert mask_personal("I live in elm street 12, Springfield", known) == "I live in [name]"
    assert mask_personal("the street in Springfield", known) == "the street in [name]"


def test_a_name_inside_a_word_and_a_short_one_in_lower_case_stay() -> None:
    assert (
        mask_personal("Annabel ordered; so did I. Bo did not, bo.", ["Anna So", "Bo Li"])
        == "Annabel ordered; so did I. [name] did not, bo."
    )


@pytest.mark.parametrize("pattern", ["a.", "a", "a@", "1", "QUJD", " ", "(", "+ ", "DE12 "])
def test_a_long_text_takes_no_quadratic_time(pattern: str) -> None:
    started = time.process_time()
    mask_personal(pattern * (100_000 // len(pattern)), ["Anna Maria"])
    assert time.process_time() - started < 10.0  # quadratic took minutes


@given(st.text(max_size=80), st.lists(st.text(min_size=1, max_size=12), max_size=3))
def test_masking_ends_on_any_text_and_twice_is_once_for_addresses(text: str, known: list[str]) -> None:
    assert isinstance(mask_personal(text, known), str)
    assert "someone@example.com" not in mask_personal(f"{text} someone@example.com", ())
