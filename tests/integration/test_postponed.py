"""Messages decided or approved at night: asked and committed then, sent once when the customer's day begins, and never after a payment."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from api.answers import override_rule
from api.case_file import read_case_file
from api.cli.case_text import case_text
from api.jobs import decide, execute, resume, tick
from graph.bootstrap import Services
from memory.database import Database
from memory.outbox import ActionRow, ActionState
from recoup.clock import FixedClock
from tests.deciding import ADA, actions_of, audit_agrees, give, question, rows, set_policy
from tests.factories import account_snapshot, attempt_snapshot, invoice_snapshot, make_reading
from tests.fakes import FakeBilling, FakeMessenger, make_services
from tests.integration.test_execute import history, paid
from tests.scenes import absorb_reading, action_of, change

# In New York, where it is UTC-4 by then.
NIGHT = datetime(2026, 3, 11, 4, 0, tzinfo=UTC)
MORNING = datetime(2026, 3, 11, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NIGHT)


@pytest.fixture
def messenger() -> FakeMessenger:
    return FakeMessenger()


@pytest.fixture
async def services(db: Database, clock: FixedClock, messenger: FakeMessenger) -> Services:
    return make_services(db, clock=clock, messenger=messenger)


async def committed_at_night(services: Services, mode: str) -> ActionRow:
    """The first message of a case that opened at night, let run by the mode or by a person; what it left in the rows."""
    await set_policy(services, f'mode = "{mode}"')
    case_id = await absorb_reading(services)
    assert case_id is not None
    await decide.run(services, case_id)
    if mode == "approve":
        approval = await question(services.db, case_id)
        assert "it goes out at 08:00 local time" in approval.request.action_requests[0].description
        await give(services, approval)
        await resume.run(services, approval.decision_id)
    [action] = await actions_of(services.db, case_id)
    return action


async def jobs(db: Database) -> list[str]:
    """The actions that workers are told to execute."""
    found = await rows(db, "SELECT args ->> 'row_id' FROM procrastinate_jobs WHERE task_name = 'execute' AND status = 'todo'")
    return [action_id for (action_id,) in found]


async def timer(db: Database) -> list[tuple[object, ...]]:
    """The timers that wake actions, oldest first."""
    return await rows(db, "SELECT action_id, due_at, state FROM timers WHERE kind = 'execute' ORDER BY id")


async def work(services: Services, workers: int = 1) -> None:
    """So many workers tick, then each does what it is told, and everything else too."""
    await asyncio.gather(*(tick.tick(services) for _ in range(workers)))
    told = [action_id for (action_id,) in await rows(services.db, "SELECT id FROM actions")]
    await asyncio.gather(*(execute.run(services, action_id) for action_id in told for _ in range(workers)))


@pytest.mark.parametrize("mode", ["approve", "auto"])
@pytest.mark.parametrize("workers", [1, 2])
async def test_what_is_let_run_at_night_is_sent_once_in_the_morning(
    services: Services, clock: FixedClock, messenger: FakeMessenger, mode: str, workers: int
) -> None:
    db = services.db
    action = await committed_at_night(services, mode)
    assert (action.state, action.hold_until, action.verdict.postponed_until) == (ActionState.READY, MORNING, MORNING)
    assert action.verdict.rules[-1].rule == "contact-hours"
    assert await timer(db) == [(action.id, MORNING, "pending")]
    assert await rows(db, "SELECT state, at FROM reservations") == [("reserved", MORNING)]

    clock.at = MORNING - SECOND
    await change(db, "UPDATE actions SET woken_at = now() - interval '1 minute'")
    await work(services, workers)
    assert (await jobs(db), messenger.accepted) == ([], []), "nobody touches it before"

    clock.at = MORNING
    await asyncio.gather(*(tick.tick(services) for _ in range(workers)))
    assert await jobs(db) == [action.id]
    await work(services, workers)
    assert [message.action_id for message in messenger.accepted] == [action.id]
    assert await timer(db) == [(action.id, MORNING, "fired")]
    assert await rows(db, "SELECT state, at FROM reservations") == [("confirmed", MORNING)]
    assert (await history(db, action.id))[-3:] == ["ready", "started", "done"]
    await audit_agrees(db)


async def test_a_payment_in_the_night_voids_what_waits_for_the_morning(
    services: Services, clock: FixedClock, messenger: FakeMessenger
) -> None:
    action = await committed_at_night(services, "approve")
    await absorb_reading(services, paid())
    assert (await action_of(services.db, action.id)).state is ActionState.VOID
    assert await timer(services.db) == [(action.id, MORNING, "cancelled")]
    assert await rows(services.db, "SELECT state FROM reservations") == [("released",)]

    clock.at = MORNING
    await work(services)
    assert messenger.accepted == []
    await audit_agrees(services.db)


async def test_a_payment_that_is_read_in_the_morning_voids_it_too(db: Database, clock: FixedClock, messenger: FakeMessenger) -> None:
    billing = FakeBilling()
    services = make_services(db, clock=clock, messenger=messenger, billing=billing)
    action = await committed_at_night(services, "auto")
    billing.reading = paid()
    clock.at = MORNING
    await work(services)
    assert messenger.accepted == []
    assert (await action_of(db, action.id)).state is ActionState.VOID


@pytest.mark.parametrize("workers", [1, 2])
async def test_whoever_comes_too_late_postpones_it_anew(
    services: Services, clock: FixedClock, messenger: FakeMessenger, workers: int
) -> None:
    action = await committed_at_night(services, "auto")
    clock.at = NIGHT + timedelta(days=3)
    await work(services, workers)
    held = await action_of(services.db, action.id)
    later = MORNING + timedelta(days=3)
    assert (held.state, held.hold_until, messenger.accepted) == (ActionState.READY, later, [])
    assert await timer(services.db) == [(action.id, MORNING, "fired"), (action.id, later, "pending")]
    assert await rows(services.db, "SELECT state, at FROM reservations") == [("reserved", later)]

    clock.at = later
    await work(services, workers)
    assert [message.action_id for message in messenger.accepted] == [action.id]
    await audit_agrees(services.db)


async def test_a_message_that_waits_for_the_morning_fills_that_day(services: Services, clock: FixedClock, messenger: FakeMessenger) -> None:
    """Another invoice of the same customer fails the next evening: the message of the morning counts until the morning after."""
    await committed_at_night(services, "auto")
    clock.at = MORNING
    await work(services)
    clock.at = MORNING + timedelta(hours=13)
    second = await absorb_reading(services, another_failure())
    assert second is not None
    await decide.run(services, second)
    [denied] = await actions_of(services.db, second)
    assert (denied.state, denied.verdict.not_before) == (ActionState.DENIED, MORNING + timedelta(days=1))
    assert len(messenger.accepted) == 1


@pytest.mark.parametrize("first", ["the new case", "the late message"])
async def test_the_clock_may_jump_over_a_day_that_another_case_wants(
    services: Services, clock: FixedClock, messenger: FakeMessenger, first: str
) -> None:
    """The first message never went out on its day. Whichever case is looked at first then, the customer gets one a day."""
    await committed_at_night(services, "auto")
    clock.at = NIGHT + timedelta(days=2)
    second = await absorb_reading(services, another_failure())
    assert second is not None
    if first == "the late message":
        await work(services)
    await decide.run(services, second)
    assert [a.state for a in await actions_of(services.db, second)] in ([], [ActionState.DENIED])
    await work(services)
    clock.at = MORNING + timedelta(days=2)
    await work(services)
    assert len(messenger.accepted) == 1


async def test_lifting_the_hours_lets_go_what_waits(services: Services, clock: FixedClock, messenger: FakeMessenger) -> None:
    action = await committed_at_night(services, "auto")
    await override_rule(services, ADA, action.case_id, "contact-hours", "the customer asked for it")
    assert await timer(services.db) == [(action.id, MORNING, "cancelled")]
    assert await jobs(services.db) == [action.id]
    await execute.run(services, action.id)
    assert [message.action_id for message in messenger.accepted] == [action.id]
    await audit_agrees(services.db)


NIGHTS_OF_CHANGE = [
    ("spring: 08:00 is EDT", datetime(2026, 3, 8, 5, 0, tzinfo=UTC), datetime(2026, 3, 8, 12, 0, tzinfo=UTC)),
    ("autumn: 08:00 is EST", datetime(2026, 11, 1, 4, 0, tzinfo=UTC), datetime(2026, 11, 1, 13, 0, tzinfo=UTC)),
]


@pytest.mark.parametrize(("why", "night", "morning"), NIGHTS_OF_CHANGE, ids=[row[0] for row in NIGHTS_OF_CHANGE])
async def test_the_morning_after_the_clocks_change(
    services: Services, clock: FixedClock, messenger: FakeMessenger, why: str, night: datetime, morning: datetime
) -> None:
    clock.at = night
    action = await committed_at_night(services, "auto")
    assert action.hold_until == morning
    clock.at = morning - SECOND
    await work(services)
    assert messenger.accepted == []
    clock.at = morning
    await work(services)
    assert len(messenger.accepted) == 1


async def test_where_nobody_told_the_zone_email_goes_out_at_night(db: Database, clock: FixedClock, messenger: FakeMessenger) -> None:
    nowhere = make_reading(account=account_snapshot(timezone=None, timezone_source=None))
    services = make_services(db, clock=clock, messenger=messenger, billing=FakeBilling(nowhere))
    await set_policy(services, 'mode = "auto"')
    case_id = await absorb_reading(services, nowhere)
    assert case_id is not None
    await decide.run(services, case_id)
    assert await timer(db) == []
    await work(services)
    assert len(messenger.accepted) == 1


async def test_a_zone_that_is_told_only_when_the_invoice_is_read_still_counts(
    services: Services, clock: FixedClock, messenger: FakeMessenger
) -> None:
    await set_policy(services, 'mode = "auto"')
    case_id = await absorb_reading(services, make_reading(account=account_snapshot(timezone=None, timezone_source=None)))
    assert case_id is not None
    await decide.run(services, case_id)
    await work(services)
    [action] = await actions_of(services.db, case_id)
    assert (action.hold_until, messenger.accepted) == (MORNING, [])


async def test_the_case_tells_in_plain_words_when_it_goes_out(services: Services) -> None:
    action = await committed_at_night(services, "approve")
    text = "\n".join(case_text(await read_case_file(services, action.case_id)))
    assert "send_message: ready (it goes out at 08:00 local time" in text
    assert "2026-03-11 12:00  execute: it goes out at 08:00 local time" in text.partition("What comes next")[2]
    assert "approve mode asks before this contact; it goes out at 08:00 local time" in text


def another_failure():
    """A second invoice of Ada, which was not there when the first message was written."""
    return make_reading(
        invoice=invoice_snapshot(vendor_id="in_2", subscription_vendor_id="sub_2"),
        attempts=(attempt_snapshot(vendor_key="ch_2", charge_vendor_id="ch_2"),),
        subscription_vendor_id="sub_2",
    )
