"""What the networks permit on a credential, counting everybody's attempts."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recoup.decline import Category
from recoup.facts import CredentialFacts, LedgerEntry
from recoup.invoice import Initiator, Rail
from recoup.network import network_rules, permit
from recoup.proposal import RuleHit
from tests.factories import NOW, credential_facts, ledger_entry

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def attempts(count: int, every: timedelta, **changes: object) -> tuple[LedgerEntry, ...]:
    """Declined attempts, the newest one ``every`` before now."""
    return tuple(ledger_entry(id=f"att_{n}", at=NOW - every * n, **changes) for n in range(count, 0, -1))


def asked(ledger: tuple[LedgerEntry, ...], credential: CredentialFacts | None = None, at: datetime = NOW) -> tuple[RuleHit, ...]:
    return permit(ledger, credential or credential_facts(), 4900, "USD", at)


def rules(hits: tuple[RuleHit, ...]) -> set[str]:
    return {hit.rule for hit in hits}


def test_every_rule_says_who_says_so_and_since_when() -> None:
    ids = [rule.id for rule in network_rules().all]
    assert len(ids) == len(set(ids))
    assert all(rule.source and rule.meaning for rule in network_rules().all)


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


def test_other_amounts_use_up_nothing_of_a_cap_per_amount() -> None:
    assert asked(attempts(25, timedelta(hours=25), amount_minor=100)) == ()


def test_what_the_customer_surely_started_is_counted_apart_by_visa() -> None:
    ledger = attempts(25, timedelta(hours=25), initiator=Initiator.CUSTOMER, customer_initiated=True)
    assert asked(ledger) == ()
    unsure = attempts(25, timedelta(hours=25), initiator=Initiator.CUSTOMER, customer_initiated=None)
    assert rules(asked(unsure)) == {"visa-reattempts-30-days"}


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
    (Category.POLICY, "method-not-permitted", True, True, True),
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
    assert rules(asked((decline, later_funds))) == {rule}, "a softer answer later forgives nothing"
    assert (rules(asked((decline, success))) == set()) is by_success
    assert (rules(asked((decline,), credential_facts(changed_at=changed, has_fingerprint=True))) == set()) is by_update
    assert (rules(asked((decline,), credential_facts(changed_at=changed, has_fingerprint=False))) == set()) is by_update_without_number
    assert all(hit.not_before is None for hit in asked((decline,))), "time cures none of these"


@pytest.mark.parametrize("category", [Category.FUNDS, Category.GENERIC, Category.TECHNICAL, Category.UNKNOWN_OUTCOME])
def test_soft_declines_of_cards_may_be_tried_again(category: Category) -> None:
    assert asked((ledger_entry(category=category),)) == ()


def test_a_bank_debit_is_presented_again_only_for_funds() -> None:
    bank = credential_facts(rail=Rail.ACH, brand=None)
    assert asked((ledger_entry(category=Category.FUNDS),), bank) == ()
    assert rules(asked((ledger_entry(category=Category.GENERIC),), bank)) == {"ach-not-represented"}


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
def test_the_order_of_the_ledger_does_not_matter(ledger: tuple[LedgerEntry, ...], credential: CredentialFacts, random: object) -> None:
    shuffled = list(ledger)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert asked(tuple(shuffled), credential) == asked(ledger, credential)


@given(ledgers, credentials)
def test_each_denial_that_time_cures_is_cured_at_its_instant_and_not_a_second_before(
    ledger: tuple[LedgerEntry, ...], credential: CredentialFacts
) -> None:
    for hit in asked(ledger, credential):
        if hit.not_before is not None:
            assert hit.rule in rules(asked(ledger, credential, hit.not_before - SECOND))
            assert hit.rule not in rules(asked(ledger, credential, hit.not_before))
