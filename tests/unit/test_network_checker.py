"""The independent checker of network rules, what declines forbid: every code, to the second, and until what cures it."""

import ast
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evals import network_checker, network_facts
from evals.network_checker import Card, Try
from tests.network_histories import ACH, AMEX, DAY, HOUR, MASTERCARD, NOVA, SECOND, SEPA, START, VISA, elses, found, paid, tried


def is_free_at(card: Card, declined: Try, wait: timedelta) -> bool:
    """Whether the decline makes us wait that long, to the second."""
    assert not found(card, declined, tried(wait)), "it is not forbidden once the wait is over"
    return len(found(card, declined, tried(wait - SECOND))) == 1


WAITS = [
    ("stripe", "insufficient_funds withdrawal_count_limit_exceeded card_velocity_exceeded", DAY),
    ("stripe", "do_not_honor generic_decline no_action_taken try_again_later approve_with_id", DAY),
    ("stripe", "a_word_that_nobody_knows", DAY),
    ("stripe", "processing_error issuer_not_available reenter_transaction", HOUR),
    ("recurly", "insufficient_funds exceeds_daily_limit temporary_hold declined try_again", DAY),
    ("recurly", "gateway_unavailable issuer_unavailable too_busy", HOUR),
    ("braintree", "2000 2001 2002 2003 2038 2046 2104 2109 2999", DAY),
    ("braintree", "3000", HOUR),
]


@pytest.mark.parametrize(("processor", "codes", "wait"), WAITS)
def test_a_processors_word_makes_wait_to_the_second(processor: str, codes: str, wait: timedelta) -> None:
    for code in codes.split():
        assert is_free_at(MASTERCARD, elses(0 * DAY, code, processor=processor), wait), code


def test_an_outcome_that_must_be_asked_for_first_has_no_wait_of_its_own() -> None:
    assert not found(MASTERCARD, elses(0 * DAY, "duplicate_transaction"), tried(SECOND))


def test_the_same_word_of_an_unknown_processor_is_an_unknown_word() -> None:
    assert is_free_at(MASTERCARD, elses(0 * DAY, "lost_card", processor="somebody"), DAY)
    assert is_free_at(MASTERCARD, elses(0 * DAY, None), DAY)


@pytest.mark.parametrize(
    ("advice", "wait"),
    [("02", 72 * HOUR), ("24", HOUR), ("25", DAY), ("26", 2 * DAY), ("27", 4 * DAY), ("28", 6 * DAY), ("29", 8 * DAY), ("30", 10 * DAY)],
)
def test_mastercards_advice_makes_wait_to_the_second(advice: str, wait: timedelta) -> None:
    assert is_free_at(MASTERCARD, elses(0 * DAY, advice=advice), wait)
    assert is_free_at(NOVA, elses(0 * DAY, advice=advice), wait), "who knows whether it is no Mastercard"
    assert is_free_at(VISA, elses(0 * DAY, advice=advice), HOUR), "no network but Mastercard means that by it"


def test_the_strictest_of_word_network_code_and_advice_decides() -> None:
    assert is_free_at(MASTERCARD, elses(0 * DAY, "card_velocity_exceeded", advice="24"), DAY)
    assert is_free_at(MASTERCARD, elses(0 * DAY, "insufficient_funds", advice="24"), HOUR), "of funds the advice alone says when"
    assert is_free_at(MASTERCARD, elses(0 * DAY, "processing_error", advice="02"), 72 * HOUR)
    assert is_free_at(VISA, elses(0 * DAY, "processing_error", network_code="51"), DAY)
    assert found(VISA, elses(0 * DAY, "insufficient_funds", network_code="41"), tried(9 * DAY))


def test_the_longest_of_several_waits_counts_each_from_its_own_decline() -> None:
    first, second = elses(0 * DAY, advice="27"), elses(2 * DAY, "insufficient_funds")
    assert len(found(MASTERCARD, first, second, tried(4 * DAY - SECOND))) == 1
    assert not found(MASTERCARD, first, second, tried(4 * DAY))
    again = elses(3 * DAY, advice="27")
    assert found(MASTERCARD, first, again, tried(7 * DAY - SECOND))
    assert not found(MASTERCARD, first, again, tried(7 * DAY))


@pytest.mark.parametrize(
    ("codes", "wait"),
    [("51 59 61 65 05 57 83 ZZ", DAY), ("03 19 39 52 53 62 75 78 86 91 93 96 N3 N4 Z5 5C 9G", HOUR)],
)
def test_visas_response_code_makes_wait_to_the_second(codes: str, wait: timedelta) -> None:
    for code in codes.split():
        assert is_free_at(VISA, elses(0 * DAY, network_code=code), wait), code


def test_without_a_word_visas_code_alone_is_no_generic_decline() -> None:
    assert not found(VISA, elses(0 * DAY, None, network_code="91"), tried(SECOND))


ON_THE_DAY = [
    ("57", datetime(2026, 10, 25, tzinfo=UTC), 2 * DAY, False, True),
    ("83", datetime(2026, 10, 25, tzinfo=UTC), 2 * HOUR, True, False),
    ("5C", datetime(2025, 4, 11, tzinfo=UTC), 2 * HOUR, True, False),
    ("9G", datetime(2025, 4, 11, tzinfo=UTC), 2 * HOUR, True, False),
]


@pytest.mark.parametrize(("code", "day", "later", "before", "since"), ON_THE_DAY)
def test_visas_categories_change_at_midnight_utc(code: str, day: datetime, later: timedelta, before: bool, since: bool) -> None:
    """Judged is the new try: what is forbidden on its day."""
    for at, is_forbidden in ((day - SECOND, before), (day, since)):
        again = tried(0 * DAY, at=at)
        assert bool(found(VISA, elses(0 * DAY, at=at - later, network_code=code), again)) is is_forbidden


# What no wait cures, but perhaps a payment, or changed data, or another number.
NEVER, AFTER_UPDATE, AFTER_THE_CUSTOMER = (False, False, True), (True, True, True), (True, False, True)
STANDING: list[tuple[str, Card, dict[str, str], str, tuple[bool, bool, bool]]] = [
    ("never", MASTERCARD, {"processor": "stripe"}, "lost_card stolen_card pickup_card fraudulent merchant_blacklist", NEVER),
    ("never", MASTERCARD, {"processor": "stripe"}, "highest_risk_level previously_declined_do_not_retry security_violation", NEVER),
    ("stopped", MASTERCARD, {"processor": "stripe"}, "revocation_of_authorization revocation_of_all_authorizations", NEVER),
    ("stopped", MASTERCARD, {"processor": "stripe"}, "stop_payment_order", NEVER),
    ("new data", MASTERCARD, {"processor": "stripe"}, "incorrect_number invalid_number invalid_account expired_card", AFTER_UPDATE),
    ("new data", MASTERCARD, {"processor": "stripe"}, "invalid_expiry_month invalid_expiry_year incorrect_cvc invalid_cvc", AFTER_UPDATE),
    ("new data", MASTERCARD, {"processor": "stripe"}, "incorrect_zip incorrect_address new_account_information_available", AFTER_UPDATE),
    ("customer", MASTERCARD, {"processor": "stripe"}, "authentication_required authentication_not_handled", AFTER_THE_CUSTOMER),
    ("customer", MASTERCARD, {"processor": "stripe"}, "call_issuer incorrect_pin invalid_pin pin_try_exceeded", AFTER_THE_CUSTOMER),
    ("policy", MASTERCARD, {"processor": "sandbox"}, "card_not_supported currency_not_supported not_permitted", AFTER_THE_CUSTOMER),
    ("policy", MASTERCARD, {"processor": "sandbox"}, "transaction_not_allowed service_not_allowed restricted_card", AFTER_THE_CUSTOMER),
    ("policy", MASTERCARD, {"processor": "sandbox"}, "invalid_amount testmode_decline", AFTER_THE_CUSTOMER),
    ("never", MASTERCARD, {"processor": "recurly"}, "fraud_stolen_card card_blocked cardholder_requested_stop", NEVER),
    ("new data", MASTERCARD, {"processor": "recurly"}, "expired_card invalid_card_number", AFTER_UPDATE),
    ("customer", MASTERCARD, {"processor": "recurly"}, "call_issuer three_d_secure_authentication", AFTER_THE_CUSTOMER),
    ("never", MASTERCARD, {"processor": "braintree"}, "2012 2013 2014 2047 2053 2108 2017 2018 2070", NEVER),
    ("hard", MASTERCARD, {"processor": "braintree"}, "2004 2005 2006 2010 2015 2044", AFTER_UPDATE),
    ("customer", MASTERCARD, {"processor": "braintree"}, "2099", AFTER_THE_CUSTOMER),
    ("return code", ACH, {"processor": "ach"}, "R07 R10 R29 R51", NEVER),
    ("return code", ACH, {"processor": "ach"}, "R02 R03 R04 R08 R20", AFTER_UPDATE),
    ("no return code", ACH, {"processor": "stripe"}, "generic_decline do_not_honor what_is_this", AFTER_UPDATE),
    ("reason code", SEPA, {"processor": "sepa"}, "AC04 AC06 AG01 MD06 MD07", NEVER),
    ("reason code", SEPA, {"processor": "sepa"}, "AC01 MD01", AFTER_UPDATE),
    ("reason code", SEPA, {"processor": "sepa"}, "MS02", AFTER_THE_CUSTOMER),
]
NUMBERS: list[tuple[str, Card, str, str, tuple[bool, bool, bool]]] = [
    ("category 1", VISA, "network_code", "04 07 12 14 15 41 43 46 R0 R1 R3", NEVER),
    ("category 3", VISA, "network_code", "54 55 70 82 6P N7", AFTER_UPDATE),
    ("to be authenticated", VISA, "network_code", "1A", AFTER_THE_CUSTOMER),
    ("not retryable", AMEX, "network_code", "101 109 110 111 115", AFTER_UPDATE),
    ("pick up", AMEX, "network_code", "200", NEVER),
    ("an unknown network's", NOVA, "network_code", "41 200", NEVER),
    ("stop", MASTERCARD, "advice", "03 21 do_not_try_again", NEVER),
    ("new information", MASTERCARD, "advice", "01 04", AFTER_UPDATE),
    ("no", MASTERCARD, "advice", "22 40 41", AFTER_THE_CUSTOMER),
]
DECLINES = [
    (f"{kind}: {codes} ({words['processor']})", card, elses(0 * DAY, code, **words), cures)
    for kind, card, words, codes, cures in STANDING
    for code in codes.split()
] + [
    (f"{kind}: {field} {code}", card, elses(0 * DAY, **{field: code}), cures)
    for kind, card, field, codes, cures in NUMBERS
    for code in codes.split()
]


@pytest.mark.parametrize(("card", "declined", "cures"), [row[1:] for row in DECLINES], ids=[row[0] for row in DECLINES])
def test_a_decline_stands_until_what_cures_it(card: Card, declined: Try, cures: tuple[bool, bool, bool]) -> None:
    later = tried(170 * DAY, subject="act_9")
    assert found(card, declined, later), "time does not cure it"
    assert found(replace(card, changes=(START,), has_fingerprint=False), declined, later), "nor a change that had come before"
    assert found(replace(card, changes=(later.at + SECOND,), has_fingerprint=False), declined, later), "nor one that comes after"
    by_payment, by_change, by_number = cures
    assert (not found(card, declined, paid(DAY), later)) is by_payment
    changed = replace(card, changes=(START + SECOND,))
    assert (not found(changed, declined, later)) is by_change
    assert (not found(replace(changed, has_fingerprint=False), declined, later)) is by_number


def test_what_still_waits_for_the_customer_forbids_whatever_its_code() -> None:
    assert found(MASTERCARD, elses(0 * DAY, None, status="requires_action"), tried(9 * DAY))
    assert not found(MASTERCARD, elses(0 * DAY, None, status="requires_action"), paid(DAY), tried(9 * DAY))


def test_a_payment_or_another_number_ends_a_wait() -> None:
    declined, soon = elses(0 * DAY, "insufficient_funds"), tried(3 * SECOND)
    assert found(MASTERCARD, declined, soon)
    assert not found(MASTERCARD, declined, paid(SECOND), soon)
    changed = replace(MASTERCARD, changes=(START + SECOND,))
    assert found(changed, declined, soon)
    assert not found(replace(changed, has_fingerprint=False), declined, soon)


def test_every_change_of_the_data_is_held_against_the_declines_around_it() -> None:
    twice = replace(MASTERCARD, changes=(START + DAY, START + 5 * DAY))
    expired = [elses(0 * DAY, "expired_card"), elses(3 * DAY, "expired_card")]
    assert not found(twice, expired[0], tried(2 * DAY))
    assert found(twice, *expired, tried(4 * DAY))
    assert not found(twice, *expired, tried(6 * DAY))


@pytest.mark.parametrize(("card", "codes"), [(ACH, "R01 R09 insufficient_funds"), (SEPA, "AM04 MS03")])
def test_a_debit_is_entered_again_the_next_day_where_the_scheme_lets_it(card: Card, codes: str) -> None:
    for code in codes.split():
        assert is_free_at(card, elses(0 * DAY, code), DAY), code


def test_the_schemes_code_is_heard_wherever_the_processor_puts_it() -> None:
    assert is_free_at(ACH, elses(0 * DAY, "generic_decline", network_code="R01"), DAY)
    assert found(ACH, elses(0 * DAY, "insufficient_funds", network_code="R29"), tried(9 * DAY))
    assert found(VISA, elses(0 * DAY, "41", processor="iso8583"), tried(9 * DAY))
    for code in ("AG02", "BE05", "FF01"):
        assert is_free_at(SEPA, elses(0 * DAY, code, processor="sepa"), HOUR), code


def test_no_card_issued_in_india_is_charged_by_itself() -> None:
    for brand in ("visa", "mastercard", None):
        assert found(Card("card", brand, "IN"), tried(0 * DAY)) == ["a card issued in IN takes no automatic retry"]
    assert not found(Card("card", "visa", "IN"), tried(0 * DAY, by_customer_surely=True))
    assert not found(Card("ach", None, "IN"), tried(0 * DAY))


def test_only_what_we_did_without_the_customer_is_judged() -> None:
    lost = elses(0 * DAY, "lost_card")
    assert not found(MASTERCARD, lost, elses(DAY))
    assert not found(MASTERCARD, lost, tried(DAY, by_customer_surely=True))
    assert not found(MASTERCARD, lost, tried(DAY, status="released"))
    for status in ("reserved", "pending", "processing", "requires_action", "unknown", "failed", "reversed", "succeeded"):
        assert found(MASTERCARD, lost, tried(DAY, status=status)), status


def test_it_shares_nothing_with_the_engine() -> None:
    """Not even an import: whatever is wrong there must not be wrong here for the same reason."""
    for module in (network_checker, network_facts):
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or "."] if isinstance(node, ast.ImportFrom) else []
            assert all(name.split(".")[0] in sys.stdlib_module_names or name == "evals.network_facts" for name in names), names
