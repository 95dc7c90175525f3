"""What the networks permit on a credential, counting everybody's attempts."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recoup.category import Category
from recoup.facts import CredentialFacts, LedgerEntry
from recoup.invoice import DeclineCodes, Initiator, Rail
from recoup.ledger import Ledger
from recoup.network import Allowed, Denied, NotBefore, permit
from recoup.proposal import RuleHit
from tests.factories import FAILED_AT, NOW, credential_facts, invoice_facts, ledger_entry

INVOICE = invoice_facts()
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def attempts(count: int, every: timedelta, **changes: object) -> tuple[LedgerEntry, ...]:
    """Attempts whose money went back, which only the caps count; the newest one ``every`` before now."""
    values = {"category": None, "state": "reversed", **changes}
    return tuple(ledger_entry(id=f"att_{n}", at=NOW - every * n, **values) for n in range(count, 0, -1))


def asked(ledger: tuple[LedgerEntry, ...], credential: CredentialFacts | None = None, at: datetime = NOW) -> tuple[RuleHit, ...]:
    permission = permit(Ledger(ledger), credential or credential_facts(), INVOICE, at)
    return () if isinstance(permission, Allowed) else permission.rules


def mastercard(code: str, advice: str) -> DeclineCodes:
    return DeclineCodes(processor="iso8583", decline_code=code, network_advice_code=advice)


def rules(hits: tuple[RuleHit, ...]) -> set[str]:
    return {hit.rule for hit in hits}


CAPS = [
    # rail, brand, attempts so far, how far apart, rule that denies (None: permitted)
    (Rail.CARD, "visa", 20, timedelta(hours=30), None),
    (Rail.CARD, "visa", 21, timedelta(hours=30), "visa-reattempts-30-days"),
    (Rail.CARD, "Visa", 21, timedelta(hours=30), "visa-reattempts-30-days"),
    (Rail.CARD, "mastercard", 9, timedelta(hours=2), None),
    (Rail.CARD, "MasterCard", 10, timedelta(hours=2), "mastercard-declines-24-hours"),
    (Rail.CARD, "mastercard", 34, timedelta(hours=20), None),
    (Rail.CARD, "mastercard", 35, timedelta(hours=20), "mastercard-attempts-30-days"),
    (Rail.CARD, "American Express", 14, DAY, None),
    (Rail.CARD, "American Express", 15, DAY, "other-card-attempts-30-days"),
    (Rail.CARD, "discover", 15, DAY, "other-card-attempts-30-days"),
    (Rail.ACH, None, 2, DAY, None),
    (Rail.ACH, None, 3, DAY, "ach-entries-180-days"),
    (Rail.SEPA, None, 2, DAY, None),
    (Rail.SEPA, None, 3, DAY, "sepa-representments-42-days"),
]


@pytest.mark.parametrize(("rail", "brand", "made", "every", "denied_by"), CAPS)
def test_each_network_has_its_cap(rail: Rail, brand: str | None, made: int, every: timedelta, denied_by: str | None) -> None:
    hits = asked(attempts(made, every), credential_facts(rail=rail, brand=brand))
    assert rules(hits) == ({denied_by} if denied_by else set())


@pytest.mark.parametrize(("rail", "brand", "made", "every", "denied_by"), [row for row in CAPS if row[-1]])
def test_a_slot_frees_at_the_very_second_that_the_denial_names(
    rail: Rail, brand: str | None, made: int, every: timedelta, denied_by: str
) -> None:
    ledger, credential = attempts(made, every), credential_facts(rail=rail, brand=brand)
    free_at = asked(ledger, credential)[0].not_before
    assert free_at is not None
    assert denied_by in rules(asked(ledger, credential, free_at - SECOND))
    assert denied_by not in rules(asked(ledger, credential, free_at))


def test_a_card_of_an_unknown_brand_falls_under_every_card_cap() -> None:
    hits = asked(attempts(36, timedelta(hours=1)), credential_facts(brand=None))
    assert {
        "visa-reattempts-30-days",
        "mastercard-declines-24-hours",
        "mastercard-attempts-30-days",
        "other-card-attempts-30-days",
    } <= rules(hits)


def test_mastercards_day_is_also_a_calendar_day() -> None:
    just_after_midnight = NOW.replace(hour=0, minute=5)
    late = tuple(ledger_entry(id=f"a{n}", at=just_after_midnight + timedelta(minutes=n)) for n in range(10))
    hits = asked(late, credential_facts(brand="mastercard"), NOW.replace(hour=23, minute=59))
    by_rule = {hit.rule: hit.not_before for hit in hits}
    assert by_rule["mastercard-declines-calendar-day"] == NOW.replace(hour=0) + DAY


def test_visas_cap_was_fifteen_until_may_2025() -> None:
    switch = datetime(2025, 5, 19, tzinfo=UTC)
    ledger = tuple(ledger_entry(id=f"a{n}", at=switch - timedelta(hours=30) * n) for n in range(17, 0, -1))
    assert rules(asked(ledger, at=switch - SECOND)) == {"visa-reattempts-30-days-until-2025"}
    assert asked(ledger, at=switch) == ()


def test_a_brazilian_mastercard_takes_seven_of_one_amount_in_a_month() -> None:
    card = credential_facts(brand="mastercard", country="BR")
    assert asked(attempts(6, DAY), card) == ()
    assert rules(asked(attempts(7, DAY), card)) == {"mastercard-brazil-month"}
    early = datetime(2024, 6, 30, tzinfo=UTC)
    told = tuple(entry.model_copy(update={"at": early - DAY * n}) for n, entry in enumerate(attempts(7, DAY), start=1))
    assert rules(asked(told, card, early)) == {"mastercard-brazil-month"}


def test_other_amounts_use_up_nothing_of_a_cap_per_amount() -> None:
    assert asked(attempts(25, timedelta(hours=25), amount_minor=100)) == ()


def test_what_the_customer_surely_started_is_counted_apart_by_visa() -> None:
    ledger = attempts(25, timedelta(hours=25), initiator=Initiator.CUSTOMER, customer_initiated=True, cit_confidence=0.8)
    assert asked(ledger) == ()
    for unsure in ({"customer_initiated": None}, {"customer_initiated": True, "cit_confidence": 0.7}):
        doubted = attempts(25, timedelta(hours=25), initiator=Initiator.CUSTOMER, **unsure)
        assert rules(asked(doubted)) == {"visa-reattempts-30-days"}


@pytest.mark.parametrize("state", ["failed", "pending", "processing", "unknown", "reserved", "confirmed", "requires_action", "reversed"])
def test_reservations_and_unknown_outcomes_count_as_used(state: str) -> None:
    assert rules(asked(attempts(21, timedelta(hours=30), state=state))) == {"visa-reattempts-30-days"}


@pytest.mark.parametrize("state", ["succeeded", "released"])
def test_successes_and_released_reservations_count_for_nothing(state: str) -> None:
    assert asked(attempts(40, timedelta(hours=10), state=state)) == ()


PROHIBITED = [
    # category of an earlier decline, rule; whether a success since, changed data (number known), changed data (number not known) lift it
    (Category.NEVER, "never-code", False, False, True),
    (Category.MANDATE_STOPPED, "mandate-stopped", False, False, True),
    (Category.NEW_DATA, "new-data-needed", True, True, True),
    (Category.CUSTOMER_ACTION, "customer-must-act", True, False, True),
    (Category.POLICY, "method-not-permitted", True, False, True),
]


@pytest.mark.parametrize(("category", "rule", "by_success", "by_update", "by_update_without_number"), PROHIBITED)
def test_some_declines_forbid_the_next_attempt_until_something_changed(
    category: Category, rule: str, by_success: bool, by_update: bool, by_update_without_number: bool
) -> None:
    declined_at = NOW - 2 * DAY
    decline = ledger_entry(at=declined_at, category=category)
    later_funds = ledger_entry(id="att_2", at=NOW - DAY, category=Category.FUNDS)
    success = ledger_entry(id="att_3", at=NOW - DAY, category=None, state="succeeded")
    changed = declined_at + SECOND

    assert rules(asked((decline,))) == {rule}
    assert rule in rules(asked((decline, later_funds))), "a softer answer later forgives nothing"
    assert (rules(asked((decline, success))) == set()) is by_success
    assert (rules(asked((decline,), credential_facts(changed_at=changed, has_fingerprint=True))) == set()) is by_update
    assert (rules(asked((decline,), credential_facts(changed_at=changed, has_fingerprint=False))) == set()) is by_update_without_number
    assert all(hit.not_before is None for hit in asked((decline,))), "time cures none of these"


WAITS = [
    # what was answered, the rule that makes wait, how long
    ({"category": Category.FUNDS}, "funds-decline", timedelta(hours=24)),
    ({"category": Category.GENERIC}, "generic-decline", timedelta(hours=24)),
    ({"category": Category.TECHNICAL}, "technical-decline", timedelta(hours=1)),
    ({"codes": mastercard("51", "24")}, "mastercard-advice-24", timedelta(hours=1)),
    ({"codes": mastercard("51", "02")}, "mastercard-advice-02", timedelta(hours=72)),
    ({"codes": mastercard("51", "30")}, "mastercard-advice-30", timedelta(hours=240)),
]


@pytest.mark.parametrize(("answer", "rule", "wait"), WAITS, ids=[row[1] for row in WAITS])
def test_a_wait_is_honoured_to_the_second(answer: dict[str, object], rule: str, wait: timedelta) -> None:
    card = credential_facts(brand="mastercard")
    ledger = (ledger_entry(at=NOW, **answer),)
    (hit,) = asked(ledger, card, NOW + wait - SECOND)
    assert (hit.rule, hit.not_before) == (rule, NOW + wait)
    assert asked(ledger, card, NOW + wait) == ()


def test_what_nobody_has_answered_yet_makes_wait_as_a_decline_without_a_reason() -> None:
    for state in ("reserved", "confirmed", "pending", "processing", "unknown"):
        (hit,) = asked((ledger_entry(at=NOW, category=None, state=state),), at=NOW + DAY - SECOND)
        assert (hit.rule, hit.not_before) == ("generic-decline", NOW + DAY)


def test_once_the_outcome_is_read_what_the_other_words_said_still_holds() -> None:
    codes = DeclineCodes(processor="stripe", decline_code="lock_timeout", network_decline_code="05")
    ledger = Ledger((ledger_entry(at=NOW, category=Category.GENERIC, codes=codes),))
    waiting = permit(ledger, credential_facts(), invoice_facts(read_at=NOW), NOW + SECOND)
    assert isinstance(waiting, NotBefore)
    assert waiting.at == NOW + DAY


def test_money_that_came_since_ends_a_wait() -> None:
    success = ledger_entry(id="att_2", at=NOW - timedelta(minutes=30), category=None, state="succeeded")
    assert asked((ledger_entry(),)) != ()
    assert asked((ledger_entry(), success)) == ()


def test_an_outcome_that_was_left_open_is_read_before_anything_else() -> None:
    unread = invoice_facts(read_at=FAILED_AT - SECOND)
    ledger = Ledger((ledger_entry(category=Category.UNKNOWN_OUTCOME),))
    denied = permit(ledger, credential_facts(), unread, NOW)
    assert isinstance(denied, Denied)
    assert rules(denied.rules) == {"outcome-unread"}
    assert isinstance(permit(ledger, credential_facts(), invoice_facts(read_at=FAILED_AT), NOW), Allowed)


def test_without_a_reason_a_card_is_tried_four_times_more() -> None:
    declines = attempts(5, 2 * DAY, state="failed", category=Category.GENERIC)
    assert asked(declines[:4]) == ()
    (hit,) = asked(declines)
    assert (hit.rule, hit.not_before) == ("card-declines-without-reason", declines[1].at + 30 * DAY)
    assert asked(declines, credential_facts(changed_at=NOW - SECOND)) == (), "new data are a new chance"
    paid = ledger_entry(id="att_9", at=NOW - DAY, category=None, state="succeeded")
    assert asked((*declines, paid)) == ()


def test_whatever_follows_a_decline_without_a_reason_counts_and_whatever_went_before_does_not() -> None:
    first = ledger_entry(id="att_0", at=NOW - 20 * DAY, category=Category.GENERIC)
    after = attempts(4, 2 * DAY, state="failed", category=Category.FUNDS)
    before = tuple(ledger_entry(id=f"old_{n}", at=NOW - (21 + n) * DAY) for n in range(4))
    assert rules(asked((first, *after))) == {"card-declines-without-reason"}
    assert asked((*before, first, *after[:3])) == ()
    in_flight = ledger_entry(id="rsv_1", at=NOW - DAY, category=None, state="reserved")
    assert rules(asked((first, *after[:3], in_flight))) == {"card-declines-without-reason"}


def test_a_virtual_card_is_tried_once_more() -> None:
    card = credential_facts(brand="mastercard")
    answered = {"state": "failed", "category": Category.POLICY, "codes": mastercard("05", "43")}
    assert asked(attempts(1, 2 * DAY, **answered), card) == ()
    assert rules(asked(attempts(2, 2 * DAY, **answered), card)) == {"mastercard-advice-43-once"}


def test_visas_category_1_counts_from_the_day_it_is_in_force() -> None:
    switch = datetime(2026, 10, 25, tzinfo=UTC)
    codes = DeclineCodes(processor="iso8583", decline_code="57")
    ledger = (ledger_entry(at=switch - 3 * DAY, category=Category.POLICY, codes=codes),)
    assert asked(ledger, at=switch - SECOND) == ()
    assert rules(asked(ledger, at=switch)) == {"visa-category-1-57"}


def test_a_bank_debit_is_presented_again_only_for_funds() -> None:
    bank = credential_facts(rail=Rail.ACH, brand=None)
    assert asked((ledger_entry(at=NOW - 2 * DAY, category=Category.FUNDS),), bank) == ()
    assert rules(asked((ledger_entry(at=NOW - 2 * DAY, category=Category.GENERIC),), bank)) == {"ach-not-represented"}


@pytest.mark.parametrize("rail", [Rail.CARD, Rail.ACH, Rail.SEPA])
def test_what_nobody_has_answered_makes_wait_a_day_and_forbids_nothing_more(rail: Rail) -> None:
    bank, under_way = credential_facts(rail=rail, brand=None), ledger_entry(at=NOW, state="processing", category=None, own_case=False)
    [hit] = asked((under_way,), bank)
    assert (hit.rule, hit.not_before) == ("generic-decline", NOW + DAY)
    assert "not answered yet" in hit.detail
    assert asked((under_way,), bank, NOW + DAY) == ()


def test_a_debit_that_was_paid_begins_a_new_count() -> None:
    bank = credential_facts(rail=Rail.SEPA, brand=None)
    made = attempts(3, 5 * DAY)
    assert rules(asked(made, bank)) == {"sepa-representments-42-days"}
    assert asked((*made, ledger_entry(id="att_9", at=NOW - DAY, category=None, state="succeeded")), bank) == ()
    other = ledger_entry(id="att_9", at=NOW - DAY, category=None, state="succeeded", amount_minor=100)
    assert rules(asked((*made, other), bank)) == {"sepa-representments-42-days"}, "another amount is another debit"


def test_what_time_cures_is_told_apart_from_what_it_does_not() -> None:
    waiting = permit(Ledger((ledger_entry(),)), credential_facts(), INVOICE, NOW)
    assert isinstance(waiting, NotBefore)
    assert waiting.at == FAILED_AT + timedelta(hours=24)
    forbidden = permit(Ledger((ledger_entry(), ledger_entry(id="att_2", category=Category.NEVER))), credential_facts(), INVOICE, NOW)
    assert isinstance(forbidden, Denied)
    assert rules(forbidden.rules) == {"funds-decline", "never-code"}


def test_a_card_issued_in_india_takes_no_automatic_retry() -> None:
    assert rules(asked((), credential_facts(country="IN"))) == {"india-issued"}


# Properties

entries = st.builds(
    ledger_entry,
    id=st.uuids().map(str),
    at=st.datetimes(datetime(2026, 1, 1), datetime(2026, 3, 10)).map(lambda at: at.replace(tzinfo=UTC)),
    amount_minor=st.sampled_from([4900, 100]),
    state=st.sampled_from(["failed", "pending", "unknown", "reserved", "confirmed"]),
    customer_initiated=st.sampled_from([True, False, None]),
    category=st.sampled_from([*Category, None]),
    codes=st.sampled_from(
        [None, mastercard("51", "28"), mastercard("57", "03"), DeclineCodes(processor="stripe", decline_code="do_not_honor")]
    ),
)
ledgers = st.lists(entries, max_size=45).map(tuple)
credentials = st.builds(
    credential_facts,
    rail=st.sampled_from(list(Rail)),
    brand=st.sampled_from(["visa", "mastercard", "amex", "", None]),
    country=st.sampled_from(["US", "IN"]),
    has_fingerprint=st.booleans(),
)


@given(ledgers, entries, credentials)
def test_one_more_attempt_that_did_not_succeed_never_permits_what_was_denied(
    ledger: tuple[LedgerEntry, ...], extra: LedgerEntry, credential: CredentialFacts
) -> None:
    assert rules(asked(ledger, credential)) <= rules(asked((*ledger, extra), credential))


@given(ledgers, credentials, st.randoms(use_true_random=False))
def test_the_order_of_the_ledger_does_not_matter(ledger: tuple[LedgerEntry, ...], credential: CredentialFacts, random: Random) -> None:
    shuffled = list(ledger)
    random.shuffle(shuffled)
    assert asked(tuple(shuffled), credential) == asked(ledger, credential)


@given(ledgers, credentials)
def test_each_denial_that_time_cures_is_cured_at_its_instant_and_not_a_second_before(
    ledger: tuple[LedgerEntry, ...], credential: CredentialFacts
) -> None:
    for hit in asked(ledger, credential):
        if hit.not_before is not None:
            assert hit.rule in rules(asked(ledger, credential, hit.not_before - SECOND))
            assert hit.rule not in rules(asked(ledger, credential, hit.not_before))


@given(ledgers, credentials)
def test_the_instant_that_a_wait_names_is_allowed(ledger: tuple[LedgerEntry, ...], credential: CredentialFacts) -> None:
    permission = permit(Ledger(ledger), credential, INVOICE, NOW)
    if isinstance(permission, NotBefore):
        assert isinstance(permit(Ledger(ledger), credential, INVOICE, permission.at), Allowed)
