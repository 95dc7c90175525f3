"""Where a platform cannot be told to stop retrying, every cap keeps room for it: in the plan, at the gate, and whenever it tries."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recoup.category import Category
from recoup.facts import CaseFacts, ConnectionFacts, CredentialFacts, LedgerEntry
from recoup.gate import judge
from recoup.house_rules import house_rules
from recoup.invoice import Collector, DeclineCodes, Initiator, InvoiceStatus, Rail
from recoup.ledger import Ledger
from recoup.network import ATTEMPTS_KEPT, Allowed, Denied, Kept, NotBefore, permission, permit
from recoup.policy import Mode, Policy
from recoup.proposal import Answer
from recoup.rule_data import Cap, load_rules
from tests.factories import (
    ALL_CAPABILITIES,
    connection_facts,
    credential_facts,
    invoice_facts,
    ledger_entry,
    make_facts,
    make_retry,
    open_invoice,
    proposed,
)
from tests.plans import RETRY, at, names, propose, wakes, wrote

RECURLY_CAN = tuple(name for name in ALL_CAPABILITIES if name not in {"take_over_collection", "hand_back_collection"})
COLLECTED = invoice_facts(collector=Collector.PLATFORM)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SOFT = DeclineCodes(processor="recurly", decline_code="insufficient_funds")


def recurly(kept: int = 2) -> ConnectionFacts:
    return connection_facts(platform="recurly", capabilities=RECURLY_CAN, reserved_platform_attempts=kept)


def tried(number: int, *, first: datetime | None = None, every: timedelta = DAY) -> tuple[LedgerEntry, ...]:
    """That many declines for want of money, one a day, the last a week before the twentieth day."""
    start = first or at(13) - (number - 1) * every
    return tuple(ledger_entry(id=f"att_{n}", at=start + n * every, codes=SOFT, own_case=False) for n in range(number))


def world(number: int, kept: int = 2, **changes: Any) -> CaseFacts:
    """The twentieth day of a case at Recurly, after so many attempts on its card."""
    values = {"now": at(20), "connection": recurly(kept), "invoice": COLLECTED, "ledger": tried(number), "attempts": ()}
    return make_facts(**(values | changes))


@pytest.mark.parametrize(("number", "is_allowed"), [(18, True), (19, False), (20, False)])
def test_of_a_cap_of_twenty_reattempts_two_are_kept(number: int, is_allowed: bool) -> None:
    facts = world(number)
    assert facts.credential is not None
    answer = permission(facts.credential, facts, facts.now)
    assert isinstance(answer, Allowed) is is_allowed
    if not is_allowed:
        assert isinstance(answer, NotBefore)
        (hit,) = answer.rules
        assert hit.rule == ATTEMPTS_KEPT
        reattempts = number - 1
        assert hit.detail == (
            f"2 attempts are kept for Recurly's own retries, and {reattempts} of 20 reattempts in the last 30 days are used"
            " (the cap is visa-reattempts-30-days)"
        )
        assert answer.at == tried(number)[number - 18].at + 30 * DAY, "when there is room for ours and for theirs"
        assert isinstance(permission(facts.credential, facts, answer.at), Allowed)


def test_where_the_cap_itself_is_reached_the_cap_speaks_as_well() -> None:
    facts = world(21)
    assert facts.credential is not None
    answer = permission(facts.credential, facts, facts.now)
    assert isinstance(answer, NotBefore)
    assert {hit.rule for hit in answer.rules} == {"visa-reattempts-30-days", ATTEMPTS_KEPT}
    assert answer.at == tried(21)[3].at + 30 * DAY, "not when the first leaves the window, but when both of ours and theirs have room"


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("nobody but us collects", {"invoice": invoice_facts(collector=Collector.RECOUP)}),
        ("the invoice is no longer open", {"invoice": invoice_facts(collector=Collector.PLATFORM, status=InvoiceStatus.UNCOLLECTIBLE)}),
        ("the platform can be told to stop", {"connection": connection_facts(reserved_platform_attempts=2)}),
        ("nothing is to be kept", {"connection": recurly(0)}),
    ],
)
def test_nothing_is_kept_where(why: str, changes: dict[str, Any]) -> None:
    facts = world(20, **changes)
    assert facts.kept_for_platform == 0
    assert facts.credential is not None
    assert isinstance(permission(facts.credential, facts, facts.now), Allowed), why


def test_room_is_kept_for_the_platforms_retries_of_another_invoice_of_the_account() -> None:
    facts = world(19, invoice=invoice_facts(), other_open_invoices=(open_invoice(collector=Collector.PLATFORM),))
    assert facts.kept_for_platform == 2
    assert isinstance(permission(credential_facts(), facts, facts.now), NotBefore)


def test_what_is_wholly_kept_is_denied_until_the_platform_ends_and_says_nothing_of_the_method() -> None:
    """A bank debit may be entered again twice, and both times are Recurly's."""
    debit = credential_facts(rail=Rail.ACH, brand=None)
    entry = ledger_entry(at=at(0), codes=DeclineCodes(processor="ach", decline_code="R01"))
    facts = make_facts(
        now=at(1), connection=recurly(), invoice=COLLECTED, ledger=(entry,), attempts=(), credential=debit, actions=(wrote(0),)
    )
    answer = permission(debit, facts, facts.now)
    assert isinstance(answer, Denied)
    assert [hit.rule for hit in answer.rules] == [ATTEMPTS_KEPT]
    proposal = propose(facts)
    assert names(proposal) == [], "the customer is not asked for another method"
    assert "2 attempts are kept for Recurly's own retries, and 0 of 2 reattempts in the last 180 days are used" in proposal.reason
    assert wakes(proposal) == at(3), "the next slot asks again whether Recurly still collects"
    ended = facts.model_copy(update={"invoice": invoice_facts(collector=Collector.RECOUP)})
    assert names(propose(ended)) == [RETRY]


def test_the_gate_denies_for_the_same_reason_as_the_plan() -> None:
    facts = world(19, actions=(wrote(0), wrote(1), wrote(2), wrote(3)))
    assert RETRY not in names(propose(facts))
    verdict = judge(proposed(make_retry()), (), facts, Policy(mode=Mode.AUTO))
    assert verdict.answer is Answer.DENY
    assert verdict.reason.startswith("2 attempts are kept for Recurly's own retries")
    assert RETRY in names(propose(world(18, actions=facts.actions)))


def test_our_own_limit_on_a_card_keeps_the_same_room() -> None:
    policy = Policy()
    assert house_rules(make_retry(), world(12), policy) == ()
    (hit,) = house_rules(make_retry(), world(13), policy)
    assert (hit.rule, hit.overridable) == ("attempts-per-credential", True)
    assert hit.detail == "13 in 30 days, and 2 attempts are kept for Recurly's own retries; 15 are allowed"


def test_one_attempt_is_one() -> None:
    assert Kept(attempts=1, platform="Recurly").says == "1 attempt is kept for Recurly's own retries"


# Whenever it tries

cards = st.builds(
    credential_facts,
    rail=st.sampled_from([Rail.CARD, Rail.CARD, Rail.ACH, Rail.SEPA]),
    brand=st.sampled_from(["visa", "mastercard", "amex"]),
    country=st.sampled_from(["US", "BR"]),
    changed_at=st.just(datetime(2020, 6, 1, tzinfo=UTC)),
)


@given(
    card=cards,
    kept=st.integers(1, 8),
    pauses=st.lists(st.sampled_from([HOUR, 5 * HOUR, DAY, 3 * DAY]), min_size=10, max_size=60),
    chance=st.randoms(use_true_random=False),
)
def test_a_platform_that_tries_up_to_as_often_as_is_kept_never_makes_a_window_with_ours_exceed_its_cap(
    card: CredentialFacts, kept: int, pauses: list[timedelta], chance: Random
) -> None:
    """We charge whenever we may, at the first instant where we must wait; the platform makes its attempts at any time at all."""
    room, now = Kept(attempts=kept, platform="Recurly"), datetime(2026, 1, 1, tzinfo=UTC)
    entries = [_entry("first", now, Initiator.PLATFORM)]
    theirs = sorted(chance.randrange(0, sum(pauses, timedelta()) // HOUR) for _ in range(chance.randint(0, kept)))
    due = [now + hours * HOUR for hours in theirs]
    for number, pause in enumerate(pauses):
        now += pause
        while due and due[0] <= now:
            entries.append(_entry(f"theirs_{len(due)}", due.pop(0), Initiator.PLATFORM))
        answer = permit(Ledger(entries), card, COLLECTED, now, room)
        if isinstance(answer, NotBefore) and chance.random() < 0.5 and (not due or answer.at < due[0]):
            now = answer.at
            answer = permit(Ledger(entries), card, COLLECTED, now, room)
            assert isinstance(answer, Allowed)
        if isinstance(answer, Allowed):
            entries.append(_entry(f"ours_{number}", now, Initiator.RECOUP))
    entries += [_entry(f"late_{n}", now + HOUR, Initiator.PLATFORM) for n in range(len(due))]
    _no_window_with_ours_is_over(card, entries)


def _entry(name: str, moment: datetime, by: Initiator) -> LedgerEntry:
    """An attempt that brought nothing, and of which no reason was told."""
    return ledger_entry(id=name, at=moment, category=None, state="reversed", initiator=by)


def _no_window_with_ours_is_over(card: CredentialFacts, entries: list[LedgerEntry]) -> None:
    """Every window that ends with any attempt is counted by hand."""
    made = sorted(entries, key=lambda entry: entry.at)
    for cap in load_rules().cap:
        if not _is_on(cap, card):
            continue
        counted = made[1:] if cap.counts == "reattempts" else made
        for last in counted:
            inside = [entry for entry in counted if _begin(cap, last.at) < entry.at <= last.at]
            if any(entry.initiator is Initiator.RECOUP for entry in inside):
                assert len(inside) <= cap.limit, cap.id


def _is_on(cap: Cap, card: CredentialFacts) -> bool:
    in_scope = cap.scope.networks is None or card.brand in cap.scope.networks
    issued = cap.scope.countries is None or card.country in cap.scope.countries
    return cap.scope.rail is card.rail and in_scope and issued and not cap.is_conditional and cap.effective_to is None


def _begin(cap: Cap, last: datetime) -> datetime:
    if cap.window == "calendar_day":
        return last.replace(hour=0, minute=0, second=0) - timedelta(seconds=1)
    return last - cap.hours * HOUR


@pytest.mark.parametrize("kept", range(5))
def test_once_a_bank_has_refused_without_a_reason_ours_and_theirs_together_keep_the_cap_of_four(kept: int) -> None:
    def refused(number: int, by: Initiator) -> LedgerEntry:
        code = DeclineCodes(processor="recurly", decline_code="declined")
        return ledger_entry(id=f"{by}_{number}", at=at(2 * number), codes=code, category=Category.GENERIC, initiator=by, own_case=False)

    room = Kept(attempts=kept, platform="Recurly")
    entries = [refused(0, Initiator.PLATFORM)]
    for day in range(1, 12):
        if isinstance(permit(Ledger(entries), credential_facts(), COLLECTED, at(2 * day), room), Allowed):
            entries.append(refused(day, Initiator.RECOUP))
    ours = len(entries) - 1
    assert ours == 4 - kept
