"""What the plan makes of a permission: the category tells what a decline means, the rules whether and when it is tried again."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import prioritization
from agents.method import standing
from recoup.actions import MOVES_MONEY, ChargeArgs, make_action, typed_args
from recoup.category import Category, Retry
from recoup.facts import AttemptFacts, CaseFacts, CredentialFacts, LedgerEntry
from recoup.invoice import AttemptStatus, CredentialSlot, DeclineCodes, Initiator, Rail
from recoup.ledger import Ledger
from recoup.network import Allowed, permit
from recoup.proposal import Proposal
from recoup.rule_data import load_rules
from tests.factories import attempt_facts, credential_facts, ledger_entry, make_facts
from tests.plans import ASK, BACKUP, POLICY, RETRY, WRITE, at, names, propose, wakes, wrote

MASTERCARD = credential_facts(brand="mastercard")
OTHER = credential_facts(id="crd_2", vendor_id="pm_2", slot=CredentialSlot.BACKUP)


def declined(code: str, day: float = 0, **changes: Any) -> AttemptFacts:
    """Answered by Stripe with that code; of the network's words those that are named."""
    words = {key: changes.pop(key) for key in ("network_decline_code", "network_advice_code", "advice_code") if key in changes}
    return attempt_facts(occurred_at=at(day), codes=DeclineCodes(processor="stripe", decline_code=code, **words), **changes)


def after(*attempts: AttemptFacts, day: float = 1, **changes: Any) -> CaseFacts:
    """That day of a case in which these attempts failed; the first messages are out."""
    ledger = tuple(a.as_ledger_entry().model_copy(update={"credential_id": a.credential_id}) for a in attempts)
    values = {"now": at(day), "attempts": attempts, "ledger": ledger, "actions": (wrote(0),)}
    return make_facts(**(values | changes))


STANDINGS: list[tuple[str, AttemptFacts, CredentialFacts, Category, Retry]] = [
    ("too little money", declined("insufficient_funds"), credential_facts(), Category.FUNDS, Retry.ALLOWED),
    (
        "a lost card for which the network says too little money",
        declined("lost_card", network_decline_code="51"),
        credential_facts(),
        Category.FUNDS,
        Retry.NEVER,
    ),
    (
        "an expired card for which the network says too little money",
        declined("expired_card", network_decline_code="51"),
        credential_facts(),
        Category.FUNDS,
        Retry.AFTER_UPDATE,
    ),
    (
        "no reason, and the network's advice not to try again",
        declined("generic_decline", network_advice_code="03"),
        MASTERCARD,
        Category.NEVER,
        Retry.NEVER,
    ),
    (
        "a kind of payment that Visa leaves open until October",
        declined("generic_decline", network_decline_code="57"),
        credential_facts(),
        Category.POLICY,
        Retry.ALLOWED,
    ),
    ("a card of India", declined("insufficient_funds"), credential_facts(country="IN"), Category.FUNDS, Retry.CUSTOMER_ACTION),
    ("a confirmation wanted", declined("authentication_required"), credential_facts(), Category.CUSTOMER_ACTION, Retry.CUSTOMER_ACTION),
    (
        "a confirmation waited for",
        attempt_facts(status=AttemptStatus.REQUIRES_ACTION, category=None, codes=None),
        credential_facts(),
        Category.CUSTOMER_ACTION,
        Retry.CUSTOMER_ACTION,
    ),
    ("an unclear outcome", declined("lock_timeout"), credential_facts(), Category.UNKNOWN_OUTCOME, Retry.RECONCILE),
    (
        "a category and no code",
        attempt_facts(category=Category.NEW_DATA, codes=None),
        credential_facts(),
        Category.NEW_DATA,
        Retry.AFTER_UPDATE,
    ),
]


@pytest.mark.parametrize(("what", "attempt", "card", "category", "retry"), STANDINGS, ids=[row[0] for row in STANDINGS])
def test_the_method_stands_by_what_is_permitted_and_not_by_what_it_means(
    what: str, attempt: AttemptFacts, card: CredentialFacts, category: Category, retry: Retry
) -> None:
    method = standing(after(attempt, credential=card))
    assert (method.treatment.category, method.retry) == (category, retry)
    assert method.may_retry is (retry is Retry.ALLOWED)
    assert method.needs_customer is (retry in {Retry.CUSTOMER_ACTION, Retry.NEVER, Retry.AFTER_UPDATE})
    assert method.is_dead is (retry in {Retry.NEVER, Retry.AFTER_UPDATE})
    assert (method.why_not is None) is method.may_retry


def test_what_another_invoice_made_of_the_card_binds_this_one_too() -> None:
    elsewhere = ledger_entry(
        id="att_x", at=at(-3), own_case=False, invoice_id="inv_2", codes=DeclineCodes(processor="stripe", decline_code="lost_card")
    )
    facts = after(declined("insufficient_funds"), actions=())
    proposal = propose(facts.model_copy(update={"ledger": (*facts.ledger, elsewhere)}))
    assert names(proposal) == [ASK]
    assert "(rule never-code; Recoup: " in proposal.reason


def test_a_new_number_reopens_a_lost_card_and_new_data_of_the_same_number_do_not() -> None:
    lost, changed = declined("lost_card"), at(2)
    assert names(propose(after(lost, day=3, credential=credential_facts(changed_at=changed)))) == [RETRY]
    same_number = credential_facts(changed_at=changed, has_fingerprint=True)
    assert names(propose(after(lost, day=3, credential=same_number))) == [ASK]


def test_a_charge_that_must_wait_wakes_the_case_when_it_may_be_made_and_says_by_which_rule() -> None:
    eight_days = declined("insufficient_funds", network_advice_code="29")
    proposal = propose(after(eight_days, day=1, credential=MASTERCARD))
    assert names(proposal) == []
    assert "Mastercard advice 29: again after 8 days" in proposal.reason
    assert "(rule mastercard-advice-29; Mastercard" in proposal.reason
    assert "waits until 2026-03-18 14:00 UTC" in proposal.reason
    done = (wrote(0), wrote(1), wrote(2))
    late = propose(after(eight_days, day=7.1, credential=MASTERCARD, actions=done))
    assert (names(late), wakes(late)) == ([], at(8))
    assert names(propose(after(eight_days, day=8, credential=MASTERCARD, actions=done))) == [RETRY]


def test_a_slot_that_comes_too_early_is_put_off_before_it_comes() -> None:
    proposal = propose(after(declined("insufficient_funds", network_advice_code="26"), day=0.5, credential=MASTERCARD))
    assert (names(proposal), wakes(proposal)) == ([], at(2))


def test_a_code_that_a_network_rules_out_from_some_day_on_is_retried_only_until_then() -> None:
    """Visa's 57 turns final on 2026-10-25."""
    for day, expected in (("2026-10-24", [RETRY]), ("2026-10-25", [])):
        last = declined("generic_decline", network_decline_code="57")
        facts = after(last, day=1)
        moved = {"now": facts.now.fromisoformat(f"{day}T14:00:00+00:00")}
        opened = facts.case.model_copy(update={"opened_at": moved["now"] - timedelta(days=1)})
        assert [n for n in names(propose(facts.model_copy(update=moved | {"case": opened}))) if n is RETRY] == expected


def test_who_must_not_be_charged_again_is_asked_for_another_method_whatever_it_means() -> None:
    for attempt, expected in (
        (declined("lost_card", network_decline_code="51"), ASK),
        (declined("expired_card", network_decline_code="51"), ASK),
        (declined("authentication_required", network_decline_code="51"), WRITE),
    ):
        assert names(propose(after(attempt, day=0.1, actions=()))) == [expected]


def test_nobody_is_written_to_while_it_is_unclear_whether_the_money_moved() -> None:
    proposal = propose(after(declined("lock_timeout"), day=3.1))
    assert names(proposal) == []
    assert wakes(proposal) == at(3.1) + timedelta(hours=6)


def test_another_method_is_charged_only_where_its_own_past_permits() -> None:
    def late(code: str, **changes: Any) -> Proposal:
        entry = ledger_entry(id="att_x", credential_id="crd_2", own_case=False, codes=DeclineCodes(processor="stripe", decline_code=code))
        facts = after(declined("lost_card"), day=15, backups=(OTHER,), actions=tuple(wrote(n) for n in range(4)))
        return propose(facts.model_copy(update={"ledger": (*facts.ledger, entry.model_copy(update=changes))}))

    assert names(late("insufficient_funds")) == [BACKUP]
    soon = late("insufficient_funds", at=at(14.5))
    assert (names(soon), wakes(soon)) == ([], at(15.5))
    forbidden = late("expired_card")
    assert names(forbidden) == []
    assert any("(rule new-data-needed; " in other.why_not for other in forbidden.alternatives)


def test_without_consent_no_other_method_is_charged_even_where_the_newest_answer_forgets_it() -> None:
    attempts = (declined("stop_payment_order"), declined("lost_card", 2, id="att_2"))
    assert BACKUP not in names(propose(after(*attempts, day=15, backups=(OTHER,))))


def test_a_revision_may_not_charge_before_the_rules_let_it() -> None:
    facts = after(declined("insufficient_funds", network_advice_code="29"), credential=MASTERCARD)
    charge = make_action(RETRY, ChargeArgs(credential_id="crd_1", amount_minor=4900, currency="USD"))
    draft = propose(facts)
    extra = {"id": "act_x", "action": charge.model_dump(), "reason": "now", "evidence": ("inv_1",), "confidence": 0.9}
    revised = Proposal.model_validate(draft.model_dump() | {"actions": (extra,)})
    refused = prioritization.check(draft, revised, facts, POLICY).refused
    assert refused is not None
    assert "mastercard-advice-29" in refused


# Whatever happened


def words_of(table: str) -> list[str]:
    return sorted({code for codes in load_rules().codes if codes.speaker == table for code in codes.reasons})


PROCESSORS = {name: words_of(name) for name in ("stripe", "recurly", "braintree", "ach", "sepa")}
NETWORK_CODES, ADVICE = words_of("iso8583"), sorted({a for rule in load_rules().permission for a in rule.advice})


@st.composite
def codes(draw: st.DrawFn) -> DeclineCodes:
    processor = draw(st.sampled_from(sorted(PROCESSORS)))
    return DeclineCodes(
        processor=processor,
        decline_code=draw(st.sampled_from([*PROCESSORS[processor], "never_heard_of"])),
        network_decline_code=draw(st.sampled_from([None, None, *NETWORK_CODES])),
        network_advice_code=draw(st.sampled_from([None, None, *ADVICE])),
    )


@st.composite
def worlds(draw: st.DrawFn) -> CaseFacts:
    """An open case on any day of its plan and any date of the rules, with anything on its two methods' ledgers."""
    now = at(draw(st.integers(0, 365)))
    opened = now - draw(st.sampled_from([1, 3, 7, 12, 14, 15, 20])) * timedelta(days=1)
    is_dead, crowd = draw(st.booleans()), draw(st.integers(0, 8))

    def entry(number: int) -> LedgerEntry:
        state = draw(st.sampled_from(["failed", "failed", "failed", "succeeded", "requires_action"]))
        return ledger_entry(
            id=f"att_x{number}",
            at=now - timedelta(minutes=draw(st.integers(0, 60 * 24 * 40))),
            credential_id=draw(st.sampled_from([None, "crd_1", "crd_2"])),
            codes=draw(codes()) if state == "failed" else None,
            category=draw(st.sampled_from(list(Category))) if state != "succeeded" else None,
            state=state,
            own_case=draw(st.booleans()),
            initiator=draw(st.sampled_from(list(Initiator))),
        )

    def method(credential_id: str, slot: CredentialSlot) -> CredentialFacts:
        rail = draw(st.sampled_from([Rail.CARD, Rail.CARD, Rail.ACH, Rail.SEPA]))
        return credential_facts(
            id=credential_id,
            vendor_id=f"pm_{credential_id}",
            slot=slot,
            rail=rail,
            brand=draw(st.sampled_from([None, "visa", "mastercard", "amex"])),
            country=draw(st.sampled_from(["US", "IN", "BR", None])),
            changed_at=now - timedelta(hours=draw(st.integers(1, 24 * 60))),
            has_fingerprint=draw(st.booleans()),
        )

    count = draw(st.integers(0, 3))
    attempts = tuple(
        attempt_facts(
            id=f"att_{n}",
            occurred_at=opened + (now - opened) * n / (count + 1),
            codes=DeclineCodes(processor="stripe", decline_code="lost_card") if is_dead else draw(codes()),
            credential_id=draw(st.sampled_from([None, "crd_1"])),
        )
        for n in range(count)
    )
    own = tuple(a.as_ledger_entry() for a in attempts) if draw(st.booleans()) else ()
    facts = make_facts(
        now=now,
        attempts=attempts,
        ledger=(*own, *(entry(n) for n in range(crowd))),
        credential=method("crd_1", CredentialSlot.SUBSCRIPTION),
        backups=(method("crd_2", CredentialSlot.BACKUP),),
    )
    return facts.model_copy(update={"case": facts.case.model_copy(update={"opened_at": opened})})


@settings(max_examples=300)
@given(worlds())
def test_no_charge_is_ever_proposed_that_a_network_forbids(facts: CaseFacts) -> None:
    for action in [p.action for p in propose(facts).actions if p.action.name in MOVES_MONEY]:
        wanted = typed_args(action, ChargeArgs).credential_id
        charged = next(c for c in (facts.credential, *facts.backups) if c and c.id == wanted)
        assert isinstance(permit(Ledger(facts.ledger_of(wanted)), charged, facts.invoice, facts.now), Allowed)


def test_the_worlds_of_that_test_have_charges_in_them() -> None:
    proposed: list[object] = []

    @settings(derandomize=True, max_examples=300)
    @given(worlds())
    def look(facts: CaseFacts) -> None:
        proposed.extend(names(propose(facts)))

    look()
    assert {RETRY, BACKUP} <= set(proposed)
