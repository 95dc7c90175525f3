"""What a platform is told of a case: short, and nothing but ids of ours, amounts, dates and words of closed lists."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from recoup.actions import SPECIFICATION, ActionName, RiskClass
from recoup.case import Attribution, CaseStatus, Hold
from recoup.category import Category
from recoup.ids import new_id
from recoup.mirror import OUTCOMES, Addressee, MirroredAction, MirroredCase, MirrorNote, note_of
from recoup.rule_book import rule_book

AT = datetime(2026, 3, 10, 14, 0, tzinfo=UTC)
TO = Addressee(invoice_vendor_id="in_1", account_vendor_id="cus_1")


def action(name: ActionName = ActionName.RETRY_PAYMENT, state: str = "ready", **changes: Any) -> MirroredAction:
    values: dict[str, Any] = {"name": name, "risk": SPECIFICATION[name][0], "state": state}
    if SPECIFICATION[name][0] is RiskClass.CHARGE:
        values |= {"amount_minor": 4900, "currency": "EUR"}
    return MirroredAction(**(values | changes))


def case(**changes: Any) -> MirroredCase:
    values: dict[str, Any] = {
        "id": "case_1",
        "decision_id": "dec_1",
        "status": CaseStatus.OPEN,
        "holds": (),
        "attribution": None,
        "closed_at": None,
        "category": Category.FUNDS,
        "actions": (),
        "last": None,
        "wakes_at": AT,
    }
    return MirroredCase(**(values | changes))


def note(**changes: Any) -> MirrorNote:
    return note_of(case(**changes), TO, version=1)


def next_of(*actions: MirroredAction, **changes: Any) -> str:
    return note(actions=actions, **changes).next


def test_what_is_planned_is_told_with_its_amount_its_time_and_what_the_decline_asked_for() -> None:
    assert next_of(action()) == "retry_payment 49.00 EUR (funds)"
    assert next_of(action(not_before=AT)) == "retry_payment 49.00 EUR from 2026-03-10 14:00Z (funds)"
    assert next_of(action(amount_minor=4900, currency="JPY")) == "retry_payment 4900 JPY (funds)"


def test_of_several_actions_the_one_that_matters_most_is_named() -> None:
    told = next_of(action(ActionName.SEND_MESSAGE), action(), action(ActionName.SUSPEND_SERVICE))
    assert told == "suspend_service and 2 more (funds)"


def test_what_waits_for_a_person_says_so() -> None:
    assert next_of(action(state="waiting"), action(ActionName.SEND_MESSAGE)) == "asks a person: retry_payment 49.00 EUR (funds)"


def test_a_denial_names_its_rule_and_when_the_case_is_looked_at_again() -> None:
    told = next_of(action(state="denied", rule="hours-between-attempts"))
    assert told == "retry_payment denied by hours-between-attempts; looks again 2026-03-10 14:00Z (funds)"


def test_a_rule_that_is_in_no_book_is_not_named() -> None:
    assert next_of(action(state="denied", rule="because Ada said so")) == "looks again 2026-03-10 14:00Z (funds)"


def test_what_stays_inside_is_not_told() -> None:
    assert next_of(action(ActionName.CREATE_TASK), action(ActionName.WRITE_NOTE)) == "looks again 2026-03-10 14:00Z (funds)"


def test_a_case_on_hold_says_why_and_what_it_waits_for() -> None:
    held = note(holds=(Hold.PERSON, Hold.DISPUTE), wakes_at=None)
    assert (held.status, held.next) == ("open, held: dispute, person", "waits for a person to release it (funds)")


def test_a_case_that_has_ended_says_how_and_plans_nothing() -> None:
    ended = note(status=CaseStatus.RECOVERED, attribution=Attribution.PLATFORM, closed_at=AT, wakes_at=None)
    assert (ended.status, ended.next) == ("recovered by platform on 2026-03-10", "")


def test_an_ended_case_still_tells_what_it_asks_of_people() -> None:
    refund = action(ActionName.REFUND_DUPLICATE, "waiting", amount_minor=4900, currency="EUR")
    assert next_of(refund, status=CaseStatus.RECOVERED) == "asks a person: refund_duplicate 49.00 EUR"


@pytest.mark.parametrize(("state", "word"), sorted(OUTCOMES.items()))
def test_what_was_done_last_is_told_with_its_outcome(state: str, word: str) -> None:
    assert note(last=action(state=state, ended_at=AT)).last == f"retry_payment 49.00 EUR {word} 2026-03-10 14:00Z"


def test_the_same_told_by_another_decision_is_the_same() -> None:
    first, second = note(), note(decision_id="dec_2")
    assert first.digest() == second.digest()
    assert note_of(case(), TO, version=2).digest() == first.digest()
    assert note(wakes_at=AT + timedelta(hours=1)).digest() != first.digest()
    assert note_of(case(), TO.model_copy(update={"tags": ("vip",)}), 1).digest() != first.digest()


def test_a_repetition_has_the_same_key_and_a_return_to_an_earlier_state_has_not() -> None:
    assert note().key == note().key
    assert note_of(case(), TO, version=3).key != note().key


def test_it_reads_as_one_line() -> None:
    told = note(actions=(action(),), last=action(state="failed", ended_at=AT))
    assert told.says == (
        "Recoup case_1: open. Next: retry_payment 49.00 EUR (funds). Last: retry_payment 49.00 EUR refused 2026-03-10 14:00Z."
    )


def test_whatever_happens_it_stays_short() -> None:
    longest = 0
    ids = {"id": new_id("case"), "decision_id": new_id("decision")}
    for name, state, rule in product(ActionName, ("ready", "waiting", "denied", *OUTCOMES), (None, *rule_book())):
        money = {"amount_minor": 123_456_789, "currency": "EUR"}
        told = action(name, state, rule=rule, not_before=AT, ended_at=AT, **money)
        for changes in ({"holds": tuple(Hold)}, {"status": CaseStatus.RECOVERED_LATE, "attribution": Attribution.CUSTOMER_LINK}):
            made = note(**ids, actions=(told,) * 11, last=told, category=Category.CUSTOMER_ACTION, **changes)
            assert max(len(made.status), len(made.next), len(made.last)) <= 160
            longest = max(longest, len(made.says))
    assert longest <= 330
    usual = note(**ids, actions=(action(not_before=AT),), last=action(state="done", ended_at=AT))
    assert len(usual.says) <= 200


NASTY = ("Ada Lovelace", "ada@customer.example", "4242 4242 4242 4242", "EVA", "+44 20 7946 0000", "act_1'; DROP TABLE", "<b>call me</b>")


@pytest.mark.parametrize("text", NASTY)
def test_free_text_gets_in_nowhere(text: str) -> None:
    told = action(state=text, rule=text, currency=text)
    made = note(actions=(told, action(state="denied", rule=text), action(currency=text)), last=told)
    assert text not in f"{made.says} {made.key}"
    assert made.next == "retry_payment (funds)"
    assert made.last == ""
