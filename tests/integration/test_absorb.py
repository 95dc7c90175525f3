"""What a platform's events make of the rows and cases, on a real database."""

from datetime import timedelta

import pytest

from memory import timers
from memory.database import Database
from recoup.case import Attribution, CaseStatus, Fact, FactKind, Hold
from recoup.events import CancellationKind, EventKind
from recoup.invoice import AttemptStatus, BillingReason, CollectionMethod, Initiator, InvoiceSnapshot, InvoiceStatus
from recoup.policy import Policy
from tests.factories import (
    FAILED_AT,
    invoice_snapshot,
    make_connection,
)
from tests.integration.world import World, attempt, event, failed, invoice_event, later, paid


@pytest.fixture
def world(db: Database) -> World:
    return World(db)


# Opening


async def test_a_failed_renewal_opens_a_case_that_wants_a_decision(world: World) -> None:
    absorbed = await world.tell(failed())
    case = await world.case()
    assert absorbed.case_ids == (case.id,)
    assert (case.status, case.episode, case.needs_decision, case.simulated) == (CaseStatus.OPEN, 1, True, True)
    assert case.first_failed_at == FAILED_AT
    assert 0 < case.priority < 1
    assert await world.rows("SELECT kind, state, due_at FROM timers") == [("end_case", "pending", world.now + timedelta(days=28))]
    jobs = await world.rows("SELECT task_name, args ->> 'row_id' FROM procrastinate_jobs")
    assert jobs == [("decide", case.id)]


async def test_the_facts_of_a_fresh_case_can_be_read(world: World) -> None:
    await world.tell(failed())
    facts = await world.facts((await world.case()).id)
    assert (facts.invoice.remaining_minor, facts.invoice.currency, facts.account.reachable) == (4900, "USD", ("email",))
    assert facts.last_failure is not None
    assert facts.last_failure.reason == "insufficient_funds"
    assert facts.credential is not None
    assert [entry.id for entry in facts.ledger] == [facts.last_failure.id]


async def test_the_same_event_again_changes_nothing(world: World) -> None:
    await world.tell(failed())
    before = await world.rows("SELECT version, woken_at FROM cases")
    await world.tell(failed())
    assert await world.rows("SELECT version, woken_at FROM cases") == before
    assert len(await world.rows("SELECT id FROM attempts")) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"collection_method": CollectionMethod.SEND_INVOICE},
        {"billing_reason": BillingReason.SUBSCRIPTION_CREATE},
        {"billing_reason": BillingReason.MANUAL},
        {"currency": None},
        {"total_minor": None, "due_minor": None, "remaining_minor": None},
    ],
    ids=["sent", "first payment", "manual", "no currency", "no amount"],
)
async def test_what_is_not_dunned_or_not_known_enough_is_kept_and_opens_nothing(world: World, changes: dict[str, object]) -> None:
    reading = failed()
    await world.tell(reading.model_copy(update={"invoice": invoice_snapshot(**changes)}))
    assert await world.episodes() == []
    assert len(await world.rows("SELECT id FROM invoices")) == 1
    assert len(await world.rows("SELECT id FROM attempts")) == 1


async def test_it_opens_once_a_later_reading_tells_the_rest(world: World) -> None:
    unknown = InvoiceSnapshot(vendor_id="in_1", observed_at=FAILED_AT, account_vendor_id="cus_1")
    await world.tell(failed().model_copy(update={"invoice": unknown}))
    assert await world.episodes() == []
    await world.tell(invoice_event(EventKind.INVOICE_CHANGED, later(minutes=1)))
    assert (await world.case()).status is CaseStatus.OPEN


async def test_paid_before_failed_opens_nothing(world: World) -> None:
    await world.tell(paid(), failed())
    assert await world.episodes() == []
    assert await world.rows("SELECT status, remaining_minor FROM invoices") == [("paid", 0)]


async def test_two_open_invoices_of_one_account_are_two_cases_that_know_of_each_other(world: World) -> None:
    second = failed("ch_2").model_copy(update={"invoice": invoice_snapshot(vendor_id="in_2", subscription_vendor_id="sub_2")})
    await world.tell(failed(), second)
    first_case, second_case = await world.case("in_1"), await world.case("in_2")
    assert first_case.account_id == second_case.account_id
    facts = await world.facts(first_case.id)
    assert [other.id for other in facts.other_open_invoices] == [second_case.invoice_id]


async def test_the_holdout_arm_is_fixed_with_the_first_case(db: Database) -> None:
    await World(db, policy=Policy(holdout_share=1.0)).tell(failed())
    later_policy = World(db, policy=Policy(holdout_share=0.0))
    await later_policy.tell(failed("ch_2").model_copy(update={"invoice": invoice_snapshot(vendor_id="in_2")}))
    assert await later_policy.rows("SELECT holdout FROM accounts") == [(True,)]


# Payment


async def test_payment_in_full_ends_the_case_and_cancels_its_timers(world: World) -> None:
    await world.tell(failed(), paid())
    case = await world.case()
    assert (case.status, case.attribution, case.winning_attempt_key) == (CaseStatus.RECOVERED, Attribution.PLATFORM, "ch_paid")
    assert case.closed_at == world.now
    assert await world.rows("SELECT state FROM timers") == [("cancelled",)]
    # The decision that is wanted is the one that thanks.
    assert (case.needs_decision, case.wanted_because) == (True, "attempt_succeeded")


async def test_late_failure_after_payment_only_enters_the_ledger(world: World) -> None:
    await world.tell(failed(), paid())
    before = await world.case()
    await world.tell(failed("ch_late", later(hours=12)))
    assert await world.case() == before
    assert await world.rows("SELECT vendor_key, status FROM attempts ORDER BY occurred_at") == [
        ("ch_1", "failed"),
        ("ch_late", "failed"),
        ("ch_paid", "succeeded"),
    ]


async def test_a_partial_payment_changes_what_is_owed_and_ends_nothing(world: World) -> None:
    await world.tell(failed())
    before = await world.case()
    await world.tell(paid(amount=2900))
    case = await world.case()
    assert (case.status, case.needs_decision) == (CaseStatus.OPEN, True)
    assert case.version > before.version
    assert (await world.facts(case.id)).invoice.remaining_minor == 2000


async def test_the_rest_ends_it_by_whoever_paid_the_rest(world: World) -> None:
    rest = paid("ch_rest", later(days=2), amount=2000, before=2900)
    by_customer = attempt("ch_rest", AttemptStatus.SUCCEEDED, later(days=2), amount_minor=2000, initiator=Initiator.CUSTOMER)
    await world.tell(failed(), paid("ch_part", amount=2900), rest.model_copy(update={"attempts": (by_customer,)}))
    case = await world.case()
    assert (case.status, case.attribution, case.winning_attempt_key) == (CaseStatus.RECOVERED, Attribution.CUSTOMER_LINK, "ch_rest")


async def test_a_credit_of_the_rest_ends_it_as_nobodys_payment(world: World) -> None:
    credited = {"paid_minor": 2900, "credited_minor": 2000, "remaining_minor": 0, "status": InvoiceStatus.PAID}
    await world.tell(failed(), paid(amount=2900), invoice_event(EventKind.INVOICE_CREDITED, later(days=2), **credited))
    case = await world.case()
    assert (case.status, case.attribution) == (CaseStatus.RECOVERED, Attribution.OUT_OF_BAND)


async def test_an_invoice_paid_before_its_payment_is_told_learns_its_winner(world: World) -> None:
    settled = {"status": InvoiceStatus.PAID, "paid_minor": 4900, "remaining_minor": 0}
    await world.tell(failed(), invoice_event(EventKind.PAYMENT_SUCCEEDED, later(days=1), **settled))
    assert (await world.case()).winning_attempt_key is None
    await world.tell(paid())
    case = await world.case()
    assert (case.winning_attempt_key, case.attribution) == ("ch_paid", Attribution.PLATFORM)


async def test_an_attempt_in_flight_makes_everything_wait(world: World) -> None:
    await world.tell(failed())
    processing = attempt("ch_ach", AttemptStatus.PROCESSING, later(days=1))
    await world.tell(event(EventKind.PAYMENT_PROCESSING, later(days=1), invoice=invoice_snapshot(), attempts=(processing,)))
    assert (await world.facts((await world.case()).id)).has_open_attempt


async def test_a_second_payment_asks_what_to_give_back(world: World) -> None:
    await world.tell(failed(), paid())
    async with world.db.write() as tx:
        await tx.run("UPDATE cases SET needs_decision = false")
    await world.tell(paid("ch_twice", later(days=2), before=4900))
    case = await world.case()
    assert (case.status, case.needs_decision, case.winning_attempt_key) == (CaseStatus.RECOVERED, True, "ch_paid")
    assert (await world.facts(case.id)).case.overpaid_minor == 4900


async def test_money_after_the_last_day_is_a_late_recovery(world: World) -> None:
    await world.tell(failed())
    await world.tell_case((await world.case()).id, Fact(kind=FactKind.TIME_OVER))
    assert (await world.case()).status is CaseStatus.EXPIRED
    await world.tell(paid())
    assert (await world.case()).status is CaseStatus.RECOVERED_LATE


# Disputes, reversals, refunds


async def test_a_dispute_that_names_only_its_charge_holds_the_case(world: World) -> None:
    await world.tell(failed(), paid("ch_part", amount=2900))
    await world.tell(event(EventKind.DISPUTE_OPENED, later(days=5), charge_vendor_id="ch_part"))
    assert (await world.case()).holds == (Hold.DISPUTE,)
    await world.tell(event(EventKind.DISPUTE_CLOSED, later(days=9), charge_vendor_id="ch_part", dispute_won=True))
    assert (await world.case()).holds == ()


async def test_news_of_a_dispute_that_is_already_over_holds_nothing(world: World) -> None:
    await world.tell(failed(), paid("ch_part", amount=2900))
    await world.tell(event(EventKind.DISPUTE_CLOSED, later(days=9), charge_vendor_id="ch_part", dispute_won=True))
    await world.tell(event(EventKind.DISPUTE_OPENED, later(days=5), charge_vendor_id="ch_part"))
    assert (await world.case()).holds == ()


@pytest.mark.parametrize(
    "gone",
    [
        event(EventKind.PAYMENT_REVERSED, later(days=9), charge_vendor_id="ch_paid"),
        event(EventKind.DISPUTE_CLOSED, later(days=9), charge_vendor_id="ch_paid", dispute_won=False),
        event(
            EventKind.PAYMENT_REVERSED,
            later(days=9),
            invoice=invoice_snapshot(observed_at=later(days=9)),
            attempts=(attempt("ch_paid", AttemptStatus.REVERSED, later(days=9)),),
        ),
    ],
    ids=["a return", "a lost dispute", "a reopened invoice"],
)
async def test_reversal_of_the_winning_payment_opens_the_next_episode_held(world: World, gone: object) -> None:
    await world.tell(failed(), paid(), gone)  # type: ignore[arg-type]
    first, second = await world.episodes()
    assert await world.rows("SELECT remaining_minor FROM invoices") == [(4900,)]
    assert first.status is CaseStatus.RECOVERED
    assert (second.status, second.episode, second.holds) == (CaseStatus.OPEN, 2, (Hold.REVERSAL,))
    # Told again, it opens nothing more.
    await world.tell(gone)  # type: ignore[arg-type]
    assert len(await world.episodes()) == 2


async def test_a_refund_by_the_merchant_reopens_nothing(world: World) -> None:
    await world.tell(failed(), paid())
    before = await world.case()
    await world.tell(event(EventKind.PAYMENT_REFUNDED, later(days=9), charge_vendor_id="ch_paid"))
    assert await world.case() == before


# Cancellations, voids


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (CancellationKind.IMMEDIATE, CaseStatus.CANCELLED),
        (CancellationKind.NON_PAYMENT, CaseStatus.OPEN),
        (CancellationKind.PERIOD_END, CaseStatus.OPEN),
    ],
)
async def test_what_a_cancelled_subscription_does_to_the_debt_is_policy(world: World, kind: CancellationKind, expected: CaseStatus) -> None:
    cancelled = event(EventKind.SUBSCRIPTION_CANCELLED, later(days=1), subscription_vendor_id="sub_1", cancellation=kind)
    await world.tell(failed(), cancelled)
    assert (await world.case()).status is expected


async def test_a_cancellation_concerns_every_invoice_of_the_subscription(world: World) -> None:
    await world.tell(failed(), failed("ch_2").model_copy(update={"invoice": invoice_snapshot(vendor_id="in_2")}))
    await world.tell(
        event(
            EventKind.SUBSCRIPTION_CANCELLED,
            later(days=1),
            subscription_vendor_id="sub_1",
            cancellation=CancellationKind.IMMEDIATE,
        )
    )
    assert [(await world.case(name)).status for name in ("in_1", "in_2")] == [CaseStatus.CANCELLED, CaseStatus.CANCELLED]


async def test_a_failure_told_after_a_cancellation_that_took_the_debt_opens_nothing(world: World) -> None:
    await world.tell(invoice_event(EventKind.INVOICE_CHANGED, FAILED_AT))
    cancelled = event(
        EventKind.SUBSCRIPTION_CANCELLED, later(days=1), subscription_vendor_id="sub_1", cancellation=CancellationKind.IMMEDIATE
    )
    await world.tell(cancelled, failed())
    assert await world.episodes() == []


@pytest.mark.parametrize(
    ("status", "expected"), [(InvoiceStatus.VOID, CaseStatus.CANCELLED), (InvoiceStatus.UNCOLLECTIBLE, CaseStatus.WRITTEN_OFF)]
)
async def test_the_platform_gives_the_invoice_up(world: World, status: InvoiceStatus, expected: CaseStatus) -> None:
    await world.tell(failed(), invoice_event(EventKind.INVOICE_CHANGED, later(days=1), status=status))
    assert (await world.case()).status is expected


# Time, people


async def test_a_cancelled_timer_never_fires_and_a_due_one_fires_once(world: World) -> None:
    await world.tell(failed(), failed("ch_2").model_copy(update={"invoice": invoice_snapshot(vendor_id="in_2")}), paid())
    due = world.now + timedelta(days=29)
    async with world.db.write() as tx:
        fired = await timers.fire_due(tx, due)
        assert [timer.case_id for timer in fired] == [(await world.case("in_2")).id]
    async with world.db.write() as tx:
        assert await timers.fire_due(tx, due) == []
        assert await timers.next_due(tx) is None


async def test_every_state_of_a_case_and_timer_is_the_newest_in_the_audit(world: World) -> None:
    await world.tell(failed(), paid(), event(EventKind.PAYMENT_REVERSED, later(days=9), charge_vendor_id="ch_paid"))
    newest = await world.rows(
        """
        SELECT r.state, (SELECT l.state FROM audit_log l WHERE l.subject = r.id ORDER BY l.n DESC LIMIT 1) AS audited
        FROM (SELECT id, status AS state FROM cases UNION ALL SELECT id, state FROM timers) r
        """
    )
    assert len(newest) == 4
    assert all(state == audited for state, audited in newest)


async def test_simulated_and_real_cases_are_told_apart(db: Database) -> None:
    live = World(db, connection=make_connection(name="stripe-eu", simulated=False, livemode=True))
    await live.tell(failed())
    assert not (await live.case()).simulated
