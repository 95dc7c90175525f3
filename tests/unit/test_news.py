"""What the lifecycle is told of a reading: what is new, the decisive first."""

from recoup.case import Attribution, FactKind
from recoup.events import CancellationKind, EventKind, Reading
from recoup.invoice import AttemptSnapshot, AttemptStatus, Initiator, InvoiceSnapshot, InvoiceStatus
from recoup.news import AttemptChange, InvoiceChange, concerned_attempt, facts_of
from tests.factories import FAILED_AT, attempt_snapshot, invoice_snapshot, make_policy, make_reading

FAILED = attempt_snapshot()
SUCCEEDED = attempt_snapshot(vendor_key="ch_2", charge_vendor_id="ch_2", status=AttemptStatus.SUCCEEDED, initiator=Initiator.RECOUP)
PAID = invoice_snapshot(status=InvoiceStatus.PAID, paid_minor=4900, remaining_minor=0)


def kinds(
    reading: Reading,
    before: InvoiceSnapshot | None = None,
    after: InvoiceSnapshot | None = None,
    *changes: tuple[AttemptSnapshot | None, AttemptSnapshot],
) -> list[FactKind]:
    change = InvoiceChange(before=before, after=after or invoice_snapshot())
    moved = [AttemptChange(before=old, after=new) for old, new in changes]
    return [fact.kind for fact in facts_of(reading, change, moved, [new for _, new in changes], make_policy())]


def test_a_new_failure_is_told_once_and_not_again_as_a_changed_invoice() -> None:
    assert kinds(make_reading(), None, None, (None, FAILED)) == [FactKind.ATTEMPT_FAILED]


def test_what_was_known_is_no_news() -> None:
    assert kinds(make_reading(), invoice_snapshot(), invoice_snapshot(), (FAILED, FAILED)) == []


def test_money_comes_before_the_failure_that_it_mends() -> None:
    told = kinds(make_reading(), invoice_snapshot(), PAID, (None, FAILED), (None, SUCCEEDED))
    assert told == [FactKind.ATTEMPT_SUCCEEDED, FactKind.ATTEMPT_FAILED, FactKind.INVOICE_CHANGED]


def test_a_failure_without_an_attempt_is_told_all_the_same() -> None:
    assert kinds(make_reading(attempts=()), invoice_snapshot(), invoice_snapshot()) == [FactKind.ATTEMPT_FAILED]


def test_a_changed_link_is_no_news_for_the_lifecycle_though_a_decision_rests_on_it() -> None:
    change = InvoiceChange(before=invoice_snapshot(), after=invoice_snapshot(payment_link="https://pay.example/new"))
    assert change.is_any
    assert not change.is_money


def test_reading_the_same_later_changes_nothing() -> None:
    assert not InvoiceChange(before=invoice_snapshot(), after=invoice_snapshot(observed_at=FAILED_AT.replace(year=2027), revision=7)).is_any


def test_an_invoice_that_says_paid_is_attributed_to_the_payment_that_is_known() -> None:
    change = InvoiceChange(before=invoice_snapshot(), after=PAID)
    reading = make_reading(kind=EventKind.PAYMENT_SUCCEEDED, attempts=())
    [fact] = facts_of(reading, change, [], [FAILED, SUCCEEDED], make_policy())
    assert (fact.attempt_key, fact.attribution) == ("ch_2", Attribution.RECOUP)


def test_a_credit_is_attributed_to_nobody() -> None:
    change = InvoiceChange(before=invoice_snapshot(), after=invoice_snapshot(credited_minor=4900, remaining_minor=0))
    [fact] = facts_of(make_reading(kind=EventKind.INVOICE_CREDITED, attempts=()), change, [], [SUCCEEDED], make_policy())
    assert (fact.attempt_key, fact.attribution) == (None, None)


def test_policy_answers_what_a_cancellation_does_to_the_debt() -> None:
    for kind, voids in make_policy().voids_debt.items():
        reading = make_reading(kind=EventKind.SUBSCRIPTION_CANCELLED, cancellation=kind, attempts=())
        [fact] = facts_of(reading, None, [], [], make_policy())
        assert (fact.cancellation, fact.cancellation_voids_debt) == (CancellationKind(kind), voids)


def test_a_dispute_names_its_charge_or_the_newest_success_of_its_intent() -> None:
    failed, won = (attempt.model_copy(update={"intent_vendor_id": "pi_1"}) for attempt in (FAILED, SUCCEEDED))
    by_charge = make_reading(kind=EventKind.DISPUTE_OPENED, charge_vendor_id="ch_1")
    by_intent = make_reading(kind=EventKind.DISPUTE_OPENED, intent_vendor_id="pi_1")
    assert concerned_attempt(by_charge, [failed, won]) == failed
    assert concerned_attempt(by_intent, [failed, won]) == won
    assert concerned_attempt(make_reading(), [failed, won]) is None
