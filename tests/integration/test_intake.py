"""The intake job: every accepted event ends once, and what cannot be processed says why."""

import json
from collections.abc import Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.jobs import intake
from graph.bootstrap import Services
from memory import inbox
from memory.database import Database
from memory.inbox import EventRow, EventStatus
from memory.policies import StoredPolicies
from recoup.case import CaseStatus, Hold
from recoup.clock import FixedClock, wall_now
from recoup.errors import BillingUnavailable
from recoup.events import CancellationKind, EventIdentity, EventKind, ObjectRef, Reading
from recoup.invoice import AttemptStatus
from recoup.settings import Connection, Platform
from tests.deciding import Killed, MortalDatabase
from tests.factories import FAILED_AT, NOW, account_snapshot, invoice_snapshot, make_connection
from tests.integration.world import World, attempt, failed, later, paid
from tools.billing.events_only import EventsOnly

READ_AT = "2026-03-11T14:00:00Z"


class Reads(EventsOnly):
    """A platform that can be read: it answers with the reading it was given, or raises the error."""

    def __init__(self, answer: Reading | Exception) -> None:
        super().__init__("sandbox")
        self.answer = answer
        self.asked: list[str] = []

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({"read"})

    async def read_invoice(self, invoice_vendor_id: str) -> Reading:
        self.asked.append(invoice_vendor_id)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def fetch(self, ref: ObjectRef) -> Reading:
        assert ref.kind == "invoice"
        return await self.read_invoice(ref.vendor_id)


class Intake:
    """Accepts events of one connection and processes them, pauses skipped."""

    def __init__(self, db: Database, platform: EventsOnly, connection: Connection | None = None) -> None:
        self.db, self.platform = db, platform
        self.connection = connection or make_connection()
        self.world = World(db, self.connection)
        made: dict[str, Any] = {
            "db": db,
            "clock": FixedClock(NOW),
            "policies": StoredPolicies(db),
            "connections": {self.connection.name: self.connection},
            "billing": {self.connection.name: platform},
        }
        self.services = cast("Services", SimpleNamespace(**made))

    async def accept(self, payload: str, *, name: str = "evt_1", event_type: str = "test") -> str:
        async with self.db.write() as tx:
            accepted = await inbox.accept(
                tx, self.connection.name, EventIdentity(name, event_type, None), "application/json", payload, wall_now()
            )
        return accepted.event_id

    async def process(self, event_id: str, times: int = 1) -> EventRow:
        for _ in range(times):
            async with self.db.write() as tx:
                await tx.run("UPDATE inbox SET lease_until = NULL")
            await intake.run(self.services, event_id)
        async with self.db.read() as session:
            return await inbox.get(session, event_id)

    async def jobs(self) -> list[tuple[object, ...]]:
        return await self.world.rows("SELECT task_name, args ->> 'row_id' FROM procrastinate_jobs WHERE task_name = 'intake' ORDER BY id")


def notice(event_type: str, at: datetime = FAILED_AT, **data: object) -> str:
    """A sandbox webhook."""
    about: Mapping[str, object] = {"invoice": "in_1", "customer": "cus_1", "subscription": "sub_1"} | data
    return json.dumps({"id": "evt_1", "type": event_type, "created": at.isoformat(), "data": about})


def dispute_of(charge: str) -> str:
    """A Stripe event that names nothing but the charge."""
    dispute = {"id": "dp_1", "object": "dispute", "charge": charge, "status": "needs_response", "amount": 4900, "currency": "usd"}
    created = int(later(days=1).timestamp())
    return json.dumps({"id": "evt_1", "type": "charge.dispute.created", "created": created, "livemode": False, "data": {"object": dispute}})


async def test_an_event_is_a_notification_the_invoice_is_read_as_it_stands_now(db: Database) -> None:
    door = Intake(db, Reads(paid()))
    event = await door.process(await door.accept(notice("invoice.payment_failed")))
    assert (event.status, event.kind) == (EventStatus.PROCESSED, EventKind.PAYMENT_FAILED)
    # It says "failed", but the invoice was paid since: nothing opens.
    assert await door.world.episodes() == []
    assert await door.world.rows("SELECT status, remaining_minor FROM invoices") == [("paid", 0)]


async def test_the_event_says_what_happened_and_the_reading_how_things_stand(db: Database) -> None:
    door = Intake(db, Reads(failed()))
    event = await door.process(await door.accept(notice("dispute.opened", charge="ch_1")))
    case = await door.world.case()
    assert (event.invoice_id, event.case_id) == (case.invoice_id, case.id)
    assert case.holds == (Hold.DISPUTE,)


async def test_an_event_that_names_only_a_payment_has_the_invoice_of_that_payment_read(db: Database) -> None:
    stripe = make_connection(name="stripe-eu", platform=Platform.STRIPE)
    platform = Reads(failed())
    door = Intake(db, platform, stripe)
    await door.world.tell(failed("ch_1"))
    event = await door.process(await door.accept(dispute_of("ch_1")))
    assert (event.status, platform.asked, (await door.world.case()).holds) == (EventStatus.PROCESSED, ["in_1"], (Hold.DISPUTE,))
    unknown = await door.process(await door.accept(dispute_of("ch_unknown"), name="evt_2"))
    assert (unknown.status, platform.asked) == (EventStatus.PROCESSED, ["in_1"])
    assert unknown.reason == "waits for an invoice with ch_unknown"


async def test_what_an_event_came_to_says_when(db: Database) -> None:
    door = Intake(db, Reads(failed()))
    for name, payload in (("evt_1", notice("invoice.payment_failed")), ("evt_2", notice("moon.full")), ("evt_3", "{}")):
        event = await door.process(await door.accept(payload, name=name))
        assert event.finished_at is not None, event.status
        assert (event.reason is None) is (event.status is EventStatus.PROCESSED)


def test_how_things_stand_is_what_was_read_and_what_happened_is_what_the_event_says() -> None:
    happened = Reading(
        kind=EventKind.SUBSCRIPTION_CANCELLED,
        event_type="told",
        occurred_at=later(days=1),
        livemode=True,
        account=account_snapshot(vendor_id="cus_told"),
        invoice=invoice_snapshot(vendor_id="in_told"),
        subscription_vendor_id="sub_told",
        cancellation=CancellationKind.IMMEDIATE,
        charge_vendor_id="ch_told",
        intent_vendor_id="pi_told",
        dispute_won=True,
        channel="email",
    )
    read = failed()
    stands = intake.combined(happened, read)
    of_the_event = {"kind", "event_type", "occurred_at", "livemode", "cancellation", "charge_vendor_id", "intent_vendor_id", "dispute_won"}
    for field in Reading.model_fields:
        source = happened if field in of_the_event | {"channel", "subscription_vendor_id"} else read
        assert getattr(stands, field) == getattr(source, field), field
    assert intake.combined(happened, read.model_copy(update={"account": None})).account == happened.account
    merged = happened.model_copy(update={"kind": EventKind.ACCOUNT_MERGED})
    assert intake.combined(merged, read).account == happened.account, "who was merged into whom only the event says"
    bare = happened.model_copy(update={"subscription_vendor_id": None, "cancellation": None})
    known = read.model_copy(update={"cancellation": CancellationKind.PERIOD_END})
    assert intake.combined(bare, known).subscription_vendor_id == "sub_1"
    assert intake.combined(bare, known).cancellation is CancellationKind.PERIOD_END


async def test_a_finished_event_is_not_processed_again(db: Database) -> None:
    door = Intake(db, Reads(failed()))
    event_id = await door.accept(notice("invoice.payment_failed"))
    before = await door.process(event_id)
    assert await door.process(event_id) == before
    assert len(cast("Reads", door.platform).asked) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("transaction", [1, 2], ids=["claiming", "absorbing"])
async def test_an_event_and_its_consequences_are_one_transaction(db: Database, database_url: str, transaction: int, moment: str) -> None:
    """A worker may die around each of its transactions: an event that is done has had its effect, and the next worker does the rest."""
    mortal = MortalDatabase(database_url)
    await mortal.open()
    try:
        event_id = await Intake(db, Reads(failed())).accept(notice("invoice.payment_failed"))
        mortal.dies_at = (transaction, moment)
        with pytest.raises(Killed):
            await intake.run(Intake(mortal, Reads(failed())).services, event_id)
    finally:
        await mortal.close()
    door = Intake(db, Reads(failed()))
    async with db.read() as session:
        left = await inbox.get(session, event_id)
    assert (left.status is EventStatus.PROCESSED) is (len(await door.world.episodes()) == 1)
    event = await door.process(event_id)
    assert (event.status, event.case_id) == (EventStatus.PROCESSED, (await door.world.case()).id)
    assert len(await door.world.episodes()) == 1


async def test_an_unknown_type_is_kept_and_ignored_with_its_reason(db: Database) -> None:
    door = Intake(db, Reads(failed()))
    event = await door.process(await door.accept(notice("moon.full")))
    assert (event.status, event.reason) == (EventStatus.IGNORED, "unknown type moon.full")


async def test_what_cannot_be_understood_is_dead_at_once_with_its_reason(db: Database) -> None:
    door = Intake(db, Reads(failed()))
    event = await door.process(await door.accept('{"id": "evt_1"}'))
    assert (event.status, event.attempts) == (EventStatus.DEAD, 1)
    assert event.reason is not None
    assert event.reason.startswith("Malformed: ")


async def test_a_platform_that_is_away_is_asked_again_until_it_answers(db: Database) -> None:
    platform = Reads(BillingUnavailable("sandbox", "answered 503"))
    door = Intake(db, platform)
    event_id = await door.accept(notice("invoice.payment_failed"))
    waiting = await door.process(event_id, times=3)
    assert (waiting.status, waiting.attempts) == (EventStatus.ACCEPTED, 3)
    assert waiting.last_error == "BillingUnavailable: sandbox: answered 503"
    platform.answer = failed()
    assert (await door.process(event_id)).status is EventStatus.PROCESSED
    assert (await door.world.case()).status is CaseStatus.OPEN


async def test_after_its_last_try_it_is_dead_and_can_be_replayed(db: Database) -> None:
    platform = Reads(BillingUnavailable("sandbox", "answered 503"))
    door = Intake(db, platform)
    event_id = await door.accept(notice("invoice.payment_failed"))
    dead = await door.process(event_id, times=intake.MOST_TRIES)
    assert dead.status is EventStatus.DEAD
    assert dead.reason == f"given up after {intake.MOST_TRIES} tries: BillingUnavailable: sandbox: answered 503"
    assert dead.finished_at is not None
    platform.answer = failed()
    async with db.write() as tx:
        await inbox.replay(tx, event_id, actor="grace", at=NOW)
    assert (await door.process(event_id)).status is EventStatus.PROCESSED


async def test_an_unexpected_error_is_kept_by_its_type_without_its_words(db: Database) -> None:
    door = Intake(db, Reads(RuntimeError("ada@customer.example does not parse")))
    event = await door.process(await door.accept(notice("invoice.payment_failed")))
    assert (event.status, event.last_error) == (EventStatus.ACCEPTED, "RuntimeError")


async def test_an_event_that_only_points_at_an_object_dies_where_nothing_can_fetch_it(db: Database) -> None:
    recurly = make_connection(name="recurly", platform=Platform.RECURLY)
    door = Intake(db, EventsOnly("recurly"), recurly)
    thin = {
        "id": "evt_1",
        "object_type": "charge_invoice",
        "site_id": "site",
        "event_type": "past_due",
        "event_time": READ_AT,
        "invoice_number": "1001",
    }
    event = await door.process(await door.accept(json.dumps(thin)), times=intake.MOST_TRIES)
    assert event.status is EventStatus.DEAD
    assert "nothing here can fetch" in (event.reason or "")


async def test_the_result_of_our_own_action_enters_here_and_reads_the_invoice(db: Database) -> None:
    door = Intake(db, Reads(failed()))
    await door.process(await door.accept(notice("invoice.payment_failed")))
    door.platform = platform = cast("Reads", door.platform)
    platform.answer = paid()
    result = json.dumps({"action_id": "act_1", "invoice_vendor_id": "in_1"})
    event = await door.process(await door.accept(result, name="act_1:1", event_type="recoup.action_result"))
    assert (event.status, event.kind) == (EventStatus.PROCESSED, EventKind.ACTION_RESULT)
    assert (await door.world.case()).status is CaseStatus.RECOVERED


async def test_a_dispute_told_before_its_charge_is_read_again_when_the_charge_is_known(db: Database) -> None:
    """Each platform's own clock and queue: the dispute's event may overtake the payment's."""
    door = Intake(db, EventsOnly("sandbox"))
    dispute = Reading(kind=EventKind.DISPUTE_OPENED, event_type="dispute", occurred_at=later(days=5), charge_vendor_id="ch_part")
    event_id = await door.accept("{}")
    async with db.write() as tx:
        claimed = await inbox.claim(tx, event_id, wall_now(), 10.0)
        assert claimed is not None
        absorbed = await intake.absorb(tx, door.connection, door.world.policy, dispute, NOW, event_id=event_id)
        assert absorbed.waits_for == ("ch_part",)
        await inbox.finish(tx, claimed, inbox.Outcome(status=EventStatus.PROCESSED), wall_now())
        await tx.run("DELETE FROM procrastinate_jobs")
    await door.world.tell(failed(), paid("ch_other", amount=900))
    assert await door.jobs() == []
    part = paid("ch_part", later(days=2), amount=2000, before=900)
    await door.world.tell(part.model_copy(update={"attempts": (attempt("ch_part", AttemptStatus.SUCCEEDED, later(days=2)),)}))
    assert await door.jobs() == [("intake", event_id)]
    async with db.read() as session:
        assert (await inbox.get(session, event_id)).status is EventStatus.ACCEPTED


async def test_a_connection_that_was_taken_out_of_the_settings_is_named(db: Database) -> None:
    door = Intake(db, Reads(failed()))
    event_id = await door.accept(notice("invoice.payment_failed"))
    async with db.write() as tx:
        await tx.run("UPDATE inbox SET connection = 'gone'")
    event = await door.process(event_id)
    assert event.last_error is not None
    assert "connection gone is not in recoup.toml" in event.last_error
