"""What a decline means and what may be done about it: the most specific word gives the meaning, the strictest the permission."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recoup.category import STRICTNESS, Category, Retry
from recoup.decline import Most, Treatment, decline_of, treat, treat_category
from recoup.invoice import DeclineCodes, Rail
from recoup.rule_data import load_rules
from recoup.words import Decline

TODAY = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RULES = load_rules()


def told(
    code: str | None = None,
    *,
    processor: str = "stripe",
    at: datetime = TODAY,
    network: str | None = None,
    network_code: str | None = None,
    advice: str | None = None,
    country: str | None = None,
) -> Treatment:
    words = (advice,) if advice else ()
    return treat(Decline(processor=processor, code=code, network=network, network_code=network_code, advice=words, country=country), at)


def hours(treatment: Treatment) -> float | None:
    return treatment.wait.wait_hours if treatment.wait else None


Words = dict[str, str]
MEANING: list[tuple[str, str, Words, str, str, str, int | None]] = [
    # why, code, other words, reason, category, retry, hours to wait
    ("the processor's own word", "insufficient_funds", {}, "insufficient_funds", "funds", "allowed", 24),
    (
        "the network's code is more specific",
        "generic_decline",
        {"network": "visa", "network_code": "51"},
        "insufficient_funds",
        "funds",
        "allowed",
        24,
    ),
    (
        "advice is more specific still",
        "generic_decline",
        {"network": "mastercard", "network_code": "51", "advice": "01"},
        "new_account_information_available",
        "new_data",
        "after_update",
        None,
    ),
    (
        "advice that only says when leaves the meaning",
        "insufficient_funds",
        {"network": "mastercard", "advice": "28"},
        "insufficient_funds",
        "funds",
        "allowed",
        144,
    ),
    (
        "the strictest permits: the processor",
        "lost_card",
        {"network": "visa", "network_code": "51"},
        "insufficient_funds",
        "funds",
        "never",
        None,
    ),
    ("the strictest permits: the network", "do_not_honor", {"network": "visa", "network_code": "41"}, "lost_card", "never", "never", None),
    (
        "the strictest permits: the advice",
        "insufficient_funds",
        {"network": "mastercard", "advice": "03"},
        "do_not_try_again",
        "never",
        "never",
        None,
    ),
    ("Stripe's own advice", "generic_decline", {"advice": "do_not_try_again"}, "generic_decline", "generic", "never", None),
    ("the longest wait", "processing_error", {"network": "visa", "network_code": "05"}, "do_not_honor", "generic", "allowed", 24),
    (
        "Mastercard gives no advice about a Visa card",
        "insufficient_funds",
        {"network": "visa", "advice": "03"},
        "insufficient_funds",
        "funds",
        "allowed",
        24,
    ),
    (
        "whose card it is, nobody told: the advice counts",
        "insufficient_funds",
        {"advice": "03"},
        "do_not_try_again",
        "never",
        "never",
        None,
    ),
    ("issued in India", "insufficient_funds", {"country": "IN"}, "insufficient_funds", "funds", "customer_action", None),
    ("issued in India, and lost", "lost_card", {"country": "IN"}, "lost_card", "never", "never", None),
    ("issued in India, and expired", "expired_card", {"country": "IN"}, "expired_card", "new_data", "customer_action", None),
    ("nobody knows the code", "made_up", {}, "unknown", "generic", "allowed", 24),
    (
        "nobody knows the code, but the network's",
        "made_up",
        {"network": "visa", "network_code": "54"},
        "expired_card",
        "new_data",
        "after_update",
        None,
    ),
]


@pytest.mark.parametrize(("why", "code", "words", "reason", "category", "retry", "wait"), MEANING, ids=[row[0] for row in MEANING])
def test_the_most_specific_word_means_and_the_strictest_permits(
    why: str, code: str, words: Words, reason: str, category: str, retry: str, wait: float | None
) -> None:
    found = told(
        code,
        network=words.get("network"),
        network_code=words.get("network_code"),
        advice=words.get("advice"),
        country=words.get("country"),
    )
    assert (found.reason, found.category, found.retry, hours(found)) == (reason, category, retry, wait)


VISA = {
    Retry.NEVER: "04 07 12 14 15 41 43 46 R0 R1 R3 57",
    Retry.ALLOWED: "03 19 39 51 52 53 59 61 62 65 75 78 86 91 93 96 N3 N4 Z5 5C 9G 83 05",
    Retry.AFTER_UPDATE: "54 55 82 N7",
}


@pytest.mark.parametrize(("retry", "codes"), VISA.items())
def test_visas_categories(retry: Retry, codes: str) -> None:
    for code in codes.split():
        assert told(code, processor="iso8583", network="visa").retry is retry, code


SWITCHES = [
    # code, day on which it changes, before, after
    ("57", datetime(2026, 10, 25, tzinfo=UTC), "visa-category-4-57-until-2026", "visa-category-1-57"),
    ("83", datetime(2026, 10, 25, tzinfo=UTC), "visa-category-4-83-until-2026", "visa-category-2-83"),
    ("5C", datetime(2025, 4, 11, tzinfo=UTC), "visa-category-4-until-2025", "visa-category-2-2025"),
]


@pytest.mark.parametrize(("code", "day", "before", "after"), SWITCHES)
def test_a_rule_switches_at_midnight_utc_whatever_the_zone_of_the_question(code: str, day: datetime, before: str, after: str) -> None:
    for zone in ("UTC", "Pacific/Auckland", "America/Los_Angeles"):
        just_before, then = (day - SECOND).astimezone(ZoneInfo(zone)), day.astimezone(ZoneInfo(zone))
        assert before in {rule.id for rule in told(code, processor="iso8583", network="visa", at=just_before).rules}
        assert after in {rule.id for rule in told(code, processor="iso8583", network="visa", at=then).rules}


def test_57_was_tried_again_until_visa_forbade_it_and_stripes_own_word_never_was() -> None:
    before = datetime(2026, 10, 24, tzinfo=UTC)
    assert told("57", processor="iso8583", network="visa", at=before).retry is Retry.ALLOWED
    assert told("transaction_not_allowed", network="visa", network_code="57", at=before).retry is Retry.NEVER


ADVICE = {"02": 72, "24": 1, "25": 24, "26": 48, "27": 96, "28": 144, "29": 192, "30": 240}


@pytest.mark.parametrize(("advice", "wait"), ADVICE.items())
def test_mastercards_waits(advice: str, wait: int) -> None:
    assert hours(told("51", processor="iso8583", network="mastercard", advice=advice)) == wait
    assert hours(told("05", processor="iso8583", network="mastercard", advice=advice)) == max(wait, 24), "nobody retries without a reason"


def test_the_same_advice_differs_by_processor() -> None:
    assert told("05", processor="iso8583", network="mastercard", advice="03").retry is Retry.NEVER
    assert told("05", processor="rapyd", network="mastercard", advice="03").retry is Retry.AFTER_UPDATE
    assert told(processor="rapyd", network="mastercard", code="05", advice="01").retry is Retry.NEVER


CAPS = [
    # processor, code, network, at, how many more in how many days
    ("stripe", "insufficient_funds", "visa", TODAY, Most(count=20, days=30)),
    ("stripe", "insufficient_funds", "visa", datetime(2025, 5, 18, 23, 59, 59, tzinfo=UTC), Most(count=15, days=30)),
    ("stripe", "insufficient_funds", "visa", datetime(2025, 5, 19, tzinfo=UTC), Most(count=20, days=30)),
    ("stripe", "insufficient_funds", "mastercard", TODAY, Most(count=35, days=30)),
    ("stripe", "insufficient_funds", "amex", TODAY, Most(count=15, days=30)),
    ("stripe", "do_not_honor", "visa", TODAY, Most(count=4, days=30)),
    ("stripe", "lost_card", "visa", TODAY, None),
    ("ach", "R01", None, TODAY, Most(count=2, days=180)),
    ("sepa", "AM04", None, TODAY, Most(count=2, days=42)),
]


@pytest.mark.parametrize(("processor", "code", "network", "at", "most"), CAPS)
def test_how_many_more_are_allowed(processor: str, code: str, network: str | None, at: datetime, most: Most | None) -> None:
    assert treat(Decline(processor=processor, code=code, network=network), at).most == most


def test_a_virtual_card_is_tried_once_more() -> None:
    found = told("do_not_honor", network="mastercard", advice="43")
    assert (found.retry, found.most) == (Retry.ALLOWED, Most(count=1, days=3650))


def test_a_code_means_nothing_without_its_processor() -> None:
    found = told("lost_card", processor="somebody")
    assert (found.category, found.known) == (Category.GENERIC, False)


def test_a_word_that_nobody_has_is_noticed_beside_words_that_are_known() -> None:
    assert told("insufficient_funds", network="mastercard", network_code="51", advice="25").all_known
    for found in (
        told("insufficient_funds", network="mastercard", advice="99"),
        told("insufficient_funds", network="mastercard", network_code="Q7"),
    ):
        assert (found.known, found.all_known) == (True, False)


def test_billing_platforms_pass_their_gateways_codes() -> None:
    for processor in ("chargebee", "zuora"):
        assert told("lost_card", processor=processor).retry is Retry.NEVER
        assert told("2053", processor=processor).retry is Retry.NEVER
        assert told("R07", processor=processor).category is Category.MANDATE_STOPPED


def test_raw_codes_become_a_decline_with_what_is_known_of_the_card() -> None:
    codes = DeclineCodes(
        processor="stripe", decline_code="do_not_honor", network_decline_code="05", advice_code="try_again_later", network_advice_code="25"
    )
    assert decline_of(codes, "MasterCard", "US", Rail.CARD) == Decline(
        processor="stripe",
        code="do_not_honor",
        network="mastercard",
        network_code="05",
        advice=("25", "try_again_later"),
        country="US",
        rail=Rail.CARD,
    )


def test_where_only_a_category_is_known_its_own_group_speaks() -> None:
    for category in Category:
        assert treat_category(category, Decline(processor=""), TODAY).category is category
    ach = treat_category(Category.GENERIC, Decline(processor="", rail=Rail.ACH), TODAY)
    assert (ach.retry, ach.statement.rule) == (Retry.AFTER_UPDATE, "ach-not-represented")


REVEALING = re.compile(r"lost|stolen|fraud|pick|police|steal|suspect|risk|blocked", re.IGNORECASE)


def test_no_wording_reveals_what_the_customer_must_not_hear_from_us() -> None:
    wordings = [rule.wording for rule in (*RULES.treatment, *RULES.permission) if rule.wording]
    assert wordings
    assert not [wording for wording in wordings if REVEALING.search(wording)]


def test_to_the_bereaved_nothing_is_said() -> None:
    found = told("MD07", processor="sepa")
    assert (found.retry, found.wording) == (Retry.NEVER, None)


def test_the_wording_fits_what_is_permitted_and_not_what_the_decline_means() -> None:
    assert "We will try again" not in (told("lost_card", network="visa", network_code="51").wording or "")


# Properties

processors = st.sampled_from([*RULES.speakers.codes, "somebody"])
codes = st.sampled_from(sorted({code for table in RULES.codes for code in table.reasons} | {"made_up"}))
networks = st.sampled_from([*RULES.speakers.networks, None])
advices = st.sampled_from(sorted({a for rule in RULES.permission for a in rule.advice} | {"99"}))
days = st.datetimes(datetime(2020, 1, 1), datetime(2028, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
declines = st.builds(
    Decline,
    processor=processors,
    code=codes | st.none(),
    network=networks,
    network_code=codes | st.none(),
    advice=st.lists(advices, max_size=2).map(tuple),
    country=st.sampled_from(["US", "IN", "BR", None]),
    rail=st.sampled_from([*Rail, None]),
)


@given(declines, days)
def test_every_decline_has_a_treatment_that_cites_its_rules(decline: Decline, at: datetime) -> None:
    found = treat(decline, at)
    assert found.rules
    assert all(rule.source and rule.effective_from <= at.date() for rule in found.rules)
    assert found.statement.rule in {rule.id for rule in found.rules}
    assert (found.retry is Retry.ALLOWED) or (found.wait is None and found.most is None)


@given(declines, advices, days)
def test_another_word_never_makes_more_permissible_what_was_told(decline: Decline, advice: str, at: datetime) -> None:
    if not decline.code and not decline.network_code and not decline.advice:
        return
    with_advice = treat(replace(decline, advice=(*decline.advice, advice)), at)
    assert STRICTNESS[with_advice.retry] <= STRICTNESS[treat(decline, at).retry]


@given(codes, networks, days)
def test_a_processors_never_stays_never(network_code: str, network: str | None, at: datetime) -> None:
    for code in ("lost_card", "stolen_card", "fraudulent", "previously_declined_do_not_retry"):
        assert treat(Decline(processor="stripe", code=code, network=network, network_code=network_code), at).retry is Retry.NEVER
