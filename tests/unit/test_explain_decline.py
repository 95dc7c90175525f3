"""``recoup explain-decline``: the shape that programs read, the words that people read, and what is no question."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from api.cli.explain_decline import command
from recoup.category import Category, Retry
from recoup.rule_data import load_rules

KEYS = ["known", "reason", "category", "retry", "not_before_hours", "max_attempts", "customer_wording", "rules"]


def asked(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(command, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def text(*arguments: str) -> str:
    result = CliRunner().invoke(command, list(arguments))
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


@pytest.mark.parametrize(("processor", "code"), [("stripe", "insufficient_funds"), ("sepa", "AM04"), ("iso8583", "nothing")])
def test_programs_get_exactly_these_keys(processor: str, code: str) -> None:
    told = asked(processor, code)
    assert list(told) == KEYS
    assert all(list(rule) == ["id", "source", "effective_from"] for rule in told["rules"])
    assert told["category"] in list(Category)
    assert told["retry"] in list(Retry)


def test_a_wait_in_whole_hours_is_an_integer() -> None:
    output = CliRunner().invoke(command, ["stripe", "do_not_honor", "--network", "mastercard", "--advice", "02", "--json"]).output
    assert '"not_before_hours": 72, "max_attempts": {"count": 4, "days": 30}' in output


def test_what_is_not_retried_has_neither_wait_nor_attempts() -> None:
    told = asked("stripe", "stolen_card", "--network", "visa")
    assert (told["retry"], told["not_before_hours"], told["max_attempts"]) == ("never", None, None)
    assert "stolen" not in told["customer_wording"]


def test_a_code_that_nobody_knows_is_no_failure() -> None:
    told = asked("stripe", "brand_new")
    assert (told["known"], told["reason"], told["category"], told["retry"]) == (False, "unknown", "generic", "allowed")
    assert "No table has this code. It is treated with care" in text("stripe", "brand_new")


def test_the_same_code_means_another_thing_from_another_day_on() -> None:
    before, after = (asked("iso8583", "57", "--network", "visa", "--at", day) for day in ("2026-10-24", "2026-10-25"))
    assert (before["retry"], after["retry"]) == ("allowed", "never")
    assert "visa-category-1-57" in [rule["id"] for rule in after["rules"]]


def test_a_card_issued_in_india_waits_for_its_owner() -> None:
    assert asked("stripe", "insufficient_funds", "--country", "in")["retry"] == "customer_action"


@pytest.mark.parametrize("name", ["VISA", "Visa Electron", "vi"])
def test_a_network_has_every_name_that_processors_give_it(name: str) -> None:
    assert asked("stripe", "do_not_honor", "--network", name) == asked("stripe", "do_not_honor", "--network", "visa")


@pytest.mark.parametrize("processor", load_rules().speakers.codes)
def test_every_processor_can_be_asked_about(processor: str) -> None:
    assert asked(processor, "nothing at all")["known"] is False


def test_people_read_what_it_means_what_is_allowed_and_who_says_so() -> None:
    said = text("stripe", "do_not_honor", "--network", "mastercard", "--advice", "02", "--at", "2026-11-20")
    for expected in (
        "stripe do_not_honor, mastercard, advice 02, by the rules of 2026-11-20 (UTC)",
        "means do_not_honor: the bank refused without a reason",
        "try again yes, within waits and caps Mastercard advice 02: it cannot be approved now; again after 72 hours (mastercard-advice-02;",
        "not before 72 hours after the decline (mastercard-advice-02)",
        "at most 4 more in 30 days, whoever makes them at most 4 reattempts on a card in 30 days",
        "customer may be told: “",
        "stripe-codes since 2020-01-01 Stripe, decline codes",
    ):
        assert expected in said


def test_people_read_that_the_dead_are_not_written_to() -> None:
    assert "customer is told nothing" in text("sepa", "MD07")


def test_people_read_that_a_person_looks_at_fraud_first() -> None:
    assert "first a person looks before anything else happens" in text("stripe", "fraudulent")


def test_people_read_which_of_their_words_no_rule_took_up() -> None:
    assert "No rule knows the advice 25 here" in text("stripe", "do_not_honor", "--network", "visa", "--advice", "25")


def test_people_read_that_the_network_is_missing() -> None:
    assert "network was not told" in text("stripe", "insufficient_funds")
    assert "network was not told" not in text("sepa", "AM04")
    assert "network was not told" not in text("stripe", "insufficient_funds", "--network", "visa")


def test_a_code_cannot_speak_to_the_terminal_or_show_a_card() -> None:
    said = CliRunner().invoke(command, ["stripe", "\x1b[2Jpaid with 4242424242424242", "--advice", "\x07" * 500]).output
    assert "\x1b" not in said
    assert "\x07" not in said
    assert "4242424242424242" not in said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("paypal", "x"), "give one of stripe, recurly, braintree, chargebee, zuora, iso8583, ach, sepa"),
        (("stripe", "x", "--network", "vsia"), "give one of visa, mastercard, amex"),
        (("stripe", "x", "--country", "India"), "two letters"),
        (("stripe", "x", "--at", "yesterday"), "a UTC day such as 2026-11-20"),
        (("stripe", "x", "--at", "2026-02-30"), "a UTC day such as 2026-11-20"),
        (("stripe",), "Missing argument 'CODE'"),
    ],
)
def test_what_is_no_question_is_wrong_use(arguments: tuple[str, ...], told: str) -> None:
    result = CliRunner().invoke(command, list(arguments))
    assert result.exit_code == 2
    assert told in result.output


def test_it_needs_no_database_no_settings_and_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys; from api.cli.main import main; main(['explain-decline', 'stripe', 'do_not_honor'], standalone_mode=False);"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'psycopg', 'fastapi', 'langgraph', 'graph', 'memory', 'rich'}))"
    )
    root = Path(__file__).parents[2]
    environment = {"RECOUP_DATABASE_URL": "postgresql://nowhere", "RECOUP_HOME": str(tmp_path), "PYTHONPATH": str(root)}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("written", "meant"), [("r01", ("ach", "R01")), (" AM04 ", ("sepa", "AM04")), ("Lost_Card", ("stripe", "lost_card"))]
)
def test_capitals_and_blanks_make_no_other_code(written: str, meant: tuple[str, str]) -> None:
    processor, code = meant
    assert asked(processor, written) == asked(processor, code)


def test_a_code_in_small_letters_that_forbids_every_retry_still_does() -> None:
    assert asked("stripe", "do_not_honor", "--network", "visa", "--network-code", "r0")["retry"] == "never"
    assert asked("stripe", "insufficient_funds", "--advice", "DO_NOT_TRY_AGAIN")["retry"] == "never"
    assert "changes nothing" not in text("stripe", "do_not_honor", "--network", "visa", "--network-code", "r0")


def test_a_bank_debit_is_one_whoever_passes_its_code_on() -> None:
    for processor in ("chargebee", "zuora"):
        assert asked(processor, "R01") == asked("ach", "R01")
        assert asked(processor, "AM04") == asked("sepa", "AM04")
    assert "network was not told" not in text("zuora", "R01")


def test_words_that_were_given_empty_were_not_given() -> None:
    assert text("stripe", "do_not_honor", "--advice", "", "--network-code", "") == text("stripe", "do_not_honor")


def test_no_speaker_tells_two_codes_apart_by_capitals() -> None:
    rules = load_rules()
    assert len(rules.spellings) == len({*rules.tables, *rules.by_code, *rules.by_advice})
