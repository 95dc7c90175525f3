"""The life of a case, told line by line: where the newest episode stands, how the debt stands, what happened, and what comes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recoup.case import (
    SETTLED,
    Attribution,
    CaseState,
    CaseStatus,
    DebtState,
    Fact,
    FactKind,
    Hold,
    Transition,
    next_state,
)
from recoup.events import CancellationKind


def debt(remaining: int = 4900, **changes: object) -> DebtState:
    """49.00 owed after one failed attempt."""
    values: dict[str, object] = {
        "is_dunnable": True,
        "is_owed": remaining > 0,
        "remaining_minor": remaining,
        "paid_minor": 4900 - remaining,
        "has_failed_attempt": True,
        "has_processing_attempt": False,
    }
    return DebtState.model_validate(values | changes)


def case(status: CaseStatus = CaseStatus.OPEN, *holds: Hold, episode: int = 1, winner: str | None = None) -> CaseState:
    return CaseState(episode=episode, status=status, holds=frozenset(holds), winning_attempt_key=winner)


def fact(kind: FactKind, **changes: object) -> Fact:
    return Fact.model_validate({"kind": kind} | changes)


def told(transition: Transition) -> str:
    """A transition in words: what becomes of the case, its holds, and what follows."""
    opening = f"opens episode {transition.episode}" if transition.opens else None
    ending = f"ends {transition.status}" if transition.ends else None
    words = [opening or ending or transition.kind]
    words += [f"held by {hold}" for hold in sorted(transition.holds)]
    follows = {"decide": transition.decide, "void pending": transition.void_pending, "receipt": transition.receipt}
    return ", ".join(words + [name for name, does in follows.items() if does])


NO_CASE = None
OPEN = case()
RECOVERED = case(CaseStatus.RECOVERED, winner="ch_won")
EXPIRED = case(CaseStatus.EXPIRED)
CANCELLED = case(CaseStatus.CANCELLED)
HELD = case(CaseStatus.OPEN, Hold.DISPUTE)

OWED = debt()
PAID = debt(0)
PARTLY_PAID = debt(2000)
CREDITED = debt(0, paid_minor=0)
IN_FLIGHT = debt(has_processing_attempt=True)
NOT_TRIED = debt(has_failed_attempt=False)
NOT_DUNNED = debt(is_dunnable=False)
VOID = debt(0, is_void=True, paid_minor=0)
UNCOLLECTIBLE = debt(is_uncollectible=True, is_owed=False)
OVERPAID = debt(0, paid_minor=9800, overpaid_minor=4900)

FAILED = fact(FactKind.ATTEMPT_FAILED, attempt_key="ch_1")
ACTION_REQUIRED = fact(FactKind.ACTION_REQUIRED, attempt_key="ch_1")
PROCESSING = fact(FactKind.ATTEMPT_PROCESSING, attempt_key="ch_2")
SUCCEEDED = fact(FactKind.ATTEMPT_SUCCEEDED, attempt_key="ch_won", attribution=Attribution.PLATFORM)
CHANGED = fact(FactKind.INVOICE_CHANGED)
REVERSED = fact(FactKind.ATTEMPT_REVERSED, attempt_key="ch_won")
OTHER_REVERSED = fact(FactKind.ATTEMPT_REVERSED, attempt_key="ch_other")
DISPUTED = fact(FactKind.DISPUTE_OPENED, attempt_key="ch_won")
DISPUTE_WON = fact(FactKind.DISPUTE_CLOSED, attempt_key="ch_won", dispute_won=True)
DISPUTE_LOST = fact(FactKind.DISPUTE_CLOSED, attempt_key="ch_won", dispute_won=False)
REFUNDED = fact(FactKind.REFUNDED, attempt_key="ch_won")
NEW_METHOD = fact(FactKind.METHOD_UPDATED)
CANCELLED_NOW = fact(FactKind.SUBSCRIPTION_CANCELLED, cancellation=CancellationKind.IMMEDIATE, cancellation_voids_debt=True)
CANCELLED_AT_PERIOD_END = fact(FactKind.SUBSCRIPTION_CANCELLED, cancellation=CancellationKind.PERIOD_END)
PERSON_HOLDS = fact(FactKind.HOLD_PLACED, hold=Hold.PERSON)
PERSON_RELEASES = fact(FactKind.HOLD_RELEASED, hold=Hold.PERSON)
TIME_OVER = fact(FactKind.TIME_OVER)
WRITTEN_OFF = fact(FactKind.WRITTEN_OFF)
HANDED_OFF = fact(FactKind.HANDED_OFF)

TABLE: list[tuple[str, CaseState | None, DebtState, Fact, str]] = [
    # Opening
    ("a failed renewal opens a case", NO_CASE, OWED, FAILED, "opens episode 1, decide"),
    ("so does one that needs authentication", NO_CASE, NOT_TRIED, ACTION_REQUIRED, "opens episode 1, decide"),
    ("a failure while another attempt is in flight opens and waits", NO_CASE, IN_FLIGHT, FAILED, "opens episode 1"),
    ("an invoice that nobody tried opens nothing", NO_CASE, NOT_TRIED, CHANGED, "none"),
    ("a sent, manual or first invoice opens nothing", NO_CASE, NOT_DUNNED, FAILED, "none"),
    ("paid before failed: a late failure of a paid invoice opens nothing", NO_CASE, PAID, FAILED, "none"),
    ("a failure of a voided invoice opens nothing", NO_CASE, VOID, FAILED, "none"),
    ("a failure of an invoice that was given up opens nothing", NO_CASE, UNCOLLECTIBLE, FAILED, "none"),
    ("a failure after a cancellation that took the debt opens nothing", NO_CASE, debt(is_owed=False), FAILED, "none"),
    ("a payment that never had a case and goes back opens one, held", NO_CASE, OWED, REVERSED, "opens episode 1, held by reversal, decide"),
    ("a dispute about an owed invoice opens it held", NO_CASE, OWED, DISPUTED, "opens episode 1, held by dispute, decide"),
    # While money is owed
    ("another failure asks for a new decision", OPEN, OWED, FAILED, "changed, decide"),
    ("a failure while another attempt is in flight waits", OPEN, IN_FLIGHT, FAILED, "changed"),
    ("an attempt in flight voids pending charges and waits", OPEN, IN_FLIGHT, PROCESSING, "changed, void pending"),
    ("a partial payment changes the facts; it is no end", OPEN, PARTLY_PAID, SUCCEEDED, "changed, decide, void pending"),
    ("a credit that leaves something owed changes the facts", OPEN, PARTLY_PAID, CHANGED, "changed, decide, void pending"),
    ("a new payment method is a new chance", OPEN, OWED, NEW_METHOD, "changed, decide, void pending"),
    ("a merchant's refund of a part is only recorded", OPEN, OWED, REFUNDED, "recorded"),
    # The ends
    ("payment in full ends it", OPEN, PAID, SUCCEEDED, "ends recovered, receipt"),
    ("also where only the invoice says so", OPEN, PAID, CHANGED, "ends recovered, receipt"),
    ("also where the failure is told last", OPEN, PAID, FAILED, "ends recovered, receipt"),
    ("also while it is held", HELD, PAID, SUCCEEDED, "ends recovered, receipt"),
    ("a credit of everything ends it, with nothing to thank for", OPEN, CREDITED, CHANGED, "ends recovered"),
    ("a payment above the total ends it and asks what to give back", OPEN, OVERPAID, SUCCEEDED, "ends recovered, decide, receipt"),
    ("a voided invoice cancels it", OPEN, VOID, CHANGED, "ends cancelled"),
    ("an uncollectible invoice is written off", OPEN, UNCOLLECTIBLE, CHANGED, "ends written_off"),
    ("a cancellation that takes the debt cancels it", OPEN, OWED, CANCELLED_NOW, "ends cancelled"),
    ("a cancellation that leaves the debt changes the facts", OPEN, OWED, CANCELLED_AT_PERIOD_END, "changed, decide, void pending"),
    ("the last day ends it", OPEN, OWED, TIME_OVER, "ends expired"),
    ("money beats the last day", OPEN, PAID, TIME_OVER, "ends recovered, receipt"),
    ("people write it off", OPEN, OWED, WRITTEN_OFF, "ends written_off"),
    ("people take it over", OPEN, OWED, HANDED_OFF, "ends handed_off"),
    # Holds
    ("a dispute holds it, and the case file is prepared", OPEN, OWED, DISPUTED, "changed, held by dispute, decide, void pending"),
    ("the same dispute again changes nothing", HELD, OWED, DISPUTED, "recorded, held by dispute"),
    ("a failure while held decides nothing", HELD, OWED, FAILED, "changed, held by dispute"),
    ("a won dispute releases it", HELD, OWED, DISPUTE_WON, "changed, decide, void pending"),
    ("a won dispute that held nothing is only recorded", OPEN, OWED, DISPUTE_WON, "recorded"),
    ("a lost dispute holds it for the money that went back", HELD, OWED, DISPUTE_LOST, "changed, held by reversal, decide, void pending"),
    ("a partial payment that goes back holds it", OPEN, OWED, OTHER_REVERSED, "changed, held by reversal, decide, void pending"),
    ("a person holds it", OPEN, OWED, PERSON_HOLDS, "changed, held by person, void pending"),
    ("a person releases it", case(CaseStatus.OPEN, Hold.PERSON), OWED, PERSON_RELEASES, "changed, decide"),
    (
        "only a release releases: a failure that names the hold leaves it",
        case(CaseStatus.OPEN, Hold.PERSON),
        OWED,
        fact(FactKind.ATTEMPT_FAILED, attempt_key="ch_1", hold=Hold.PERSON),
        "changed, held by person",
    ),
    (
        "a person's release leaves a dispute's hold",
        case(CaseStatus.OPEN, Hold.PERSON, Hold.DISPUTE),
        OWED,
        PERSON_RELEASES,
        "changed, held by dispute",
    ),
    ("a release of what does not hold is only recorded", OPEN, OWED, PERSON_RELEASES, "recorded"),
    # After the end
    ("a late failure after success is only recorded", RECOVERED, PAID, FAILED, "recorded"),
    ("so is the same success told again", RECOVERED, PAID, SUCCEEDED, "recorded"),
    ("so is a dispute that is still open", RECOVERED, PAID, DISPUTED, "recorded"),
    ("so is a merchant's refund", RECOVERED, PAID, REFUNDED, "recorded"),
    ("so is a cancellation", RECOVERED, PAID, CANCELLED_NOW, "recorded"),
    ("so is a person's hold", RECOVERED, PAID, PERSON_HOLDS, "recorded"),
    ("so is the last day", RECOVERED, PAID, TIME_OVER, "recorded"),
    (
        "the reversal of the winning payment opens the next episode, held",
        RECOVERED,
        OWED,
        REVERSED,
        "opens episode 2, held by reversal, decide",
    ),
    ("also where the platform keeps the invoice paid", RECOVERED, PAID, REVERSED, "opens episode 2, held by reversal, decide"),
    ("a lost dispute is such a reversal", RECOVERED, OWED, DISPUTE_LOST, "opens episode 2, held by reversal, decide"),
    ("a won dispute after the end is only recorded", RECOVERED, PAID, DISPUTE_WON, "recorded"),
    ("the reversal of another attempt is only recorded", RECOVERED, PAID, OTHER_REVERSED, "recorded"),
    ("unless it leaves the invoice owed again", RECOVERED, PARTLY_PAID, OTHER_REVERSED, "opens episode 2, held by reversal, decide"),
    ("a second payment asks what to give back", RECOVERED, OVERPAID, SUCCEEDED, "changed, decide"),
    ("money after the last day is a late recovery", EXPIRED, PAID, SUCCEEDED, "ends recovered_late, receipt"),
    ("money after a cancellation too", CANCELLED, PAID, CHANGED, "ends recovered_late, receipt"),
    ("a part of it is not", EXPIRED, PARTLY_PAID, SUCCEEDED, "recorded"),
    ("a voided invoice brings no money", CANCELLED, VOID, CHANGED, "recorded"),
    ("a failure after the last day is only recorded", EXPIRED, OWED, FAILED, "recorded"),
    ("a reversal of what never settled it is only recorded", EXPIRED, OWED, OTHER_REVERSED, "recorded"),
]


@pytest.mark.parametrize(("line", "before", "owed", "happened", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_the_life_of_a_case(line: str, before: CaseState | None, owed: DebtState, happened: Fact, expected: str) -> None:
    assert told(next_state(before, owed, happened)) == expected


def test_who_paid_is_kept_with_the_end() -> None:
    ended = next_state(OPEN, PAID, SUCCEEDED)
    assert (ended.winning_attempt_key, ended.attribution) == ("ch_won", Attribution.PLATFORM)


def test_a_credit_is_nobodys_payment() -> None:
    assert next_state(OPEN, CREDITED, CHANGED).attribution is Attribution.OUT_OF_BAND


def test_a_payment_told_after_the_invoice_names_the_winner() -> None:
    settled_by_unknown = case(CaseStatus.RECOVERED)
    named = next_state(settled_by_unknown, PAID, SUCCEEDED)
    assert (named.kind, named.winning_attempt_key, named.attribution) == ("recorded", "ch_won", Attribution.PLATFORM)


def test_another_payment_does_not_become_the_winner() -> None:
    second = fact(FactKind.ATTEMPT_SUCCEEDED, attempt_key="ch_2", attribution=Attribution.RECOUP)
    after = next_state(RECOVERED, OVERPAID, second)
    assert (after.winning_attempt_key, after.attribution, after.reason) == ("ch_won", None, "more was paid than was owed")
    again = next_state(RECOVERED, PAID, second)
    assert (again.winning_attempt_key, again.attribution, again.reason) == ("ch_won", None, "it was settled before")


def test_what_is_only_recorded_keeps_the_winner() -> None:
    assert next_state(RECOVERED, PAID, FAILED).winning_attempt_key == "ch_won"


ONE_MINOR_UNIT: list[tuple[str, CaseState, DebtState, Fact, str]] = [
    ("that remains keeps the case open", OPEN, debt(1), SUCCEEDED, "changed, decide, void pending"),
    ("that remains is no late recovery", EXPIRED, debt(1), SUCCEEDED, "recorded"),
    ("that is owed again opens the next episode", RECOVERED, debt(1), OTHER_REVERSED, "opens episode 2, held by reversal, decide"),
    ("paid is a payment to thank for", OPEN, debt(0, paid_minor=1), CHANGED, "ends recovered, receipt"),
    ("paid makes a late recovery", EXPIRED, debt(0, paid_minor=1), CHANGED, "ends recovered_late, receipt"),
    ("less, and nothing was recovered late", EXPIRED, debt(0, paid_minor=0), CHANGED, "recorded"),
    ("too much asks what to give back", RECOVERED, debt(0, overpaid_minor=1), SUCCEEDED, "changed, decide"),
    ("too much at the end asks too", OPEN, debt(0, overpaid_minor=1), SUCCEEDED, "ends recovered, decide, receipt"),
]


@pytest.mark.parametrize(("line", "before", "owed", "happened", "expected"), ONE_MINOR_UNIT, ids=[row[0] for row in ONE_MINOR_UNIT])
def test_one_minor_unit(line: str, before: CaseState, owed: DebtState, happened: Fact, expected: str) -> None:
    assert told(next_state(before, owed, happened)) == expected


def test_what_opens_is_open_and_what_does_not_has_neither_status_nor_episode() -> None:
    opened = next_state(NO_CASE, OWED, FAILED)
    assert (opened.status, opened.episode) == (CaseStatus.OPEN, 1)
    nothing = next_state(NO_CASE, PAID, FAILED)
    assert (nothing.status, nothing.episode) == (None, 0)


def test_a_dispute_that_closed_without_a_word_on_who_won_keeps_its_hold() -> None:
    silent = fact(FactKind.DISPUTE_CLOSED, dispute_won=None)
    assert told(next_state(HELD, OWED, silent)) == "recorded, held by dispute"


# Properties: they hold for every case, debt and fact there can be.

debts: st.SearchStrategy[DebtState] = st.builds(
    DebtState,
    is_dunnable=st.booleans(),
    is_owed=st.booleans(),
    remaining_minor=st.integers(0, 5000),
    has_failed_attempt=st.booleans(),
    has_processing_attempt=st.booleans(),
    paid_minor=st.integers(0, 5000),
    is_void=st.booleans(),
    is_uncollectible=st.booleans(),
    overpaid_minor=st.integers(0, 5000),
)
facts: st.SearchStrategy[Fact] = st.builds(
    Fact,
    kind=st.sampled_from(FactKind),
    attempt_key=st.sampled_from(["ch_won", "ch_other", None]),
    attribution=st.sampled_from([*Attribution, None]),
    cancellation=st.sampled_from([*CancellationKind, None]),
    cancellation_voids_debt=st.booleans(),
    dispute_won=st.sampled_from([True, False, None]),
    hold=st.sampled_from([*Hold, None]),
)


def cases_in(statuses: list[CaseStatus]) -> st.SearchStrategy[CaseState]:
    return st.builds(
        CaseState,
        episode=st.integers(1, 5),
        status=st.sampled_from(statuses),
        holds=st.frozensets(st.sampled_from(Hold)),
        winning_attempt_key=st.sampled_from(["ch_won", None]),
    )


ENDED = [status for status in CaseStatus if status is not CaseStatus.OPEN]


@given(cases_in(sorted(SETTLED)), debts, facts)
def test_settled_is_absorbing_against_everything_but_money_that_goes_back_or_comes_twice(
    before: CaseState, owed: DebtState, happened: Fact
) -> None:
    after = next_state(before, owed, happened)
    goes_back = happened.kind is FactKind.ATTEMPT_REVERSED or (happened.kind is FactKind.DISPUTE_CLOSED and happened.dispute_won is False)
    if not goes_back:
        assert after.status is before.status
        assert after.episode == before.episode
    if not goes_back and owed.overpaid_minor == 0:
        assert after.kind == "recorded"


@given(cases_in(ENDED), debts, facts)
def test_an_ended_case_never_becomes_open_again(before: CaseState, owed: DebtState, happened: Fact) -> None:
    after = next_state(before, owed, happened)
    if after.status is CaseStatus.OPEN:
        assert after.opens
        assert after.episode == before.episode + 1
        assert after.holds == {Hold.REVERSAL}


@given(cases_in([CaseStatus.OPEN]), debts, facts)
def test_what_ends_a_case_leaves_nothing_held_and_what_does_not_keeps_it_open(before: CaseState, owed: DebtState, happened: Fact) -> None:
    after = next_state(before, owed, happened)
    assert after.ends == (after.status is not CaseStatus.OPEN)
    assert after.episode == before.episode
    if after.ends:
        assert not after.holds


@given(cases_in([CaseStatus.OPEN]), debts, facts)
def test_nothing_remaining_always_ends_an_open_case(before: CaseState, owed: DebtState, happened: Fact) -> None:
    after = next_state(before, owed.model_copy(update={"remaining_minor": 0}), happened)
    assert after.status in {CaseStatus.RECOVERED, CaseStatus.CANCELLED}


@given(cases_in([CaseStatus.OPEN]), debts, facts)
def test_a_held_case_decides_only_when_a_hold_comes(before: CaseState, owed: DebtState, happened: Fact) -> None:
    after = next_state(before, owed, happened)
    if after.holds and after.decide:
        assert after.holds - before.holds


@given(st.none() | cases_in(list(CaseStatus)), debts, facts)
def test_only_an_owed_dunnable_invoice_opens_a_first_episode(before: CaseState | None, owed: DebtState, happened: Fact) -> None:
    after = next_state(before, owed, happened)
    if before is None and after.opens:
        assert owed.is_dunnable
        assert owed.is_owed
        assert after.episode == 1
