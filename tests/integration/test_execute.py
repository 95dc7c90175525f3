"""Executing a committed action: what starts, what must not, and what is written about it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import pytest

from api.case_file import read_case_file
from api.cli.case_text import case_text
from api.jobs import execute
from memory import policies, switches
from memory.database import Database
from memory.outbox import ActionState
from recoup.actions import ActionName, ExtendGraceArgs, NoArgs, TagArgs, TaskArgs, WriteOffArgs, make_action
from recoup.clock import FixedClock
from recoup.events import EventKind, Reading
from recoup.invoice import AttemptStatus, InvoiceStatus
from tests.factories import NOW, attempt_snapshot, invoice_snapshot, make_note, make_reading
from tests.fakes import FakeBilling, FakeMessenger, make_services
from tests.scenes import a_message, a_retry, absorb_reading, action_of, change, commit, committed, open_case


def paid() -> Reading:
    """The invoice after the customer has paid it."""
    later = NOW - timedelta(minutes=1)
    return make_reading(
        kind=EventKind.PAYMENT_SUCCEEDED,
        event_type="invoice.paid",
        occurred_at=later,
        invoice=invoice_snapshot(observed_at=later, status=InvoiceStatus.PAID, paid_minor=4900, remaining_minor=0),
        attempts=(
            attempt_snapshot(),
            attempt_snapshot(
                vendor_key="ch_2", charge_vendor_id="ch_2", occurred_at=later, observed_at=later, status=AttemptStatus.SUCCEEDED, codes=None
            ),
        ),
    )


def partly_paid() -> Reading:
    """The invoice after somebody has paid 9.00 of it."""
    later = NOW - timedelta(minutes=1)
    return make_reading(
        kind=EventKind.INVOICE_CHANGED, occurred_at=later, invoice=invoice_snapshot(observed_at=later, paid_minor=900, remaining_minor=4000)
    )


async def states(db: Database, table: str) -> list[str]:
    """The states of all rows of a small table, oldest first."""
    queries: dict[str, LiteralString] = {
        "reservations": "SELECT state FROM reservations ORDER BY id",
        "messages": "SELECT state FROM messages ORDER BY id",
        "tasks": "SELECT state FROM tasks ORDER BY id",
    }
    async with db.read() as session:
        return [row["state"] for row in await session.dicts(queries[table])]


async def history(db: Database, action_id: str) -> list[str]:
    """The states that the audit log saw the action in."""
    async with db.read() as session:
        return [row["state"] for row in await session.dicts("SELECT state FROM audit_log WHERE subject = %s ORDER BY n", (action_id,))]


async def wants_decision(db: Database) -> str | None:
    """Why the only case wants a decision, None where it wants none."""
    async with db.read() as session:
        return await session.value("SELECT wanted_because FROM cases WHERE needs_decision")


@pytest.fixture
def billing() -> FakeBilling:
    return FakeBilling()


@pytest.fixture
def messenger() -> FakeMessenger:
    return FakeMessenger()


# What is done


async def test_a_charge_is_made_once_under_the_actions_id(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    await execute.run(services, action_id)
    await execute.run(services, action_id)
    assert billing.calls == [action_id]
    effect = billing.effects[action_id]
    assert (effect.invoice_vendor_id, effect.args["credential_vendor_id"], effect.args["amount_minor"]) == ("in_1", "pm_1", 4900)
    action = await action_of(db, action_id)
    assert (action.state, action.started_at, action.read_at, action.attempts) == (ActionState.DONE, NOW, NOW, 1)
    assert await history(db, action_id) == ["ready", "started", "done"]
    assert await states(db, "reservations") == ["confirmed"]


async def test_the_result_of_a_charge_enters_through_the_inbox(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    await execute.run(services, action_id)
    async with db.read() as session:
        [event] = await session.dicts("SELECT event_type, vendor_event_id, payload, status FROM inbox")
    assert (event["event_type"], event["vendor_event_id"], event["status"]) == ("recoup.action_result", f"{action_id}:1", "accepted")
    assert '"invoice_vendor_id":"in_1"' in event["payload"].replace(" ", "")


async def test_what_the_platform_calls_the_exchange_is_kept_told_and_shown(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    facts = await open_case(services)
    done = await commit(services, facts, make_action(ActionName.EXTEND_GRACE, ExtendGraceArgs(until=NOW + timedelta(days=5))))
    await execute.run(services, done)
    billing.behaviours.append("refuse")
    refused = await commit(services, facts, make_action(ActionName.SUSPEND_SERVICE, NoArgs()))
    await execute.run(services, refused)
    async with db.read() as session:
        told = await session.dicts(
            "SELECT subject, body::jsonb -> 'data' -> 'result' ->> 'request_id' AS id FROM audit_log WHERE state IN ('done', 'failed')"
            " AND kind = 'action' ORDER BY n"
        )
        asked = await session.value("SELECT body FROM tasks")
    assert [(row["subject"], row["id"]) for row in told] == [(done, "req_1"), (refused, "req_2")]
    assert "req_2" in asked
    shown = "\n".join(case_text(await read_case_file(services, facts.case.id)))
    assert "extend_grace: done (accepted; request req_1)" in shown
    assert "suspend_service: failed (the platform does not do this now; request req_2)" in shown


async def test_a_message_says_what_is_true_when_it_is_sent(db: Database, messenger: FakeMessenger) -> None:
    services = make_services(db, messenger=messenger)
    facts = await open_case(services)
    action_id = await commit(services, facts, a_message(facts))
    await execute.run(services, action_id)
    [message] = messenger.accepted
    assert (message.action_id, message.to) == (action_id, "ada@customer.example")
    assert "Hi Ada" in message.body
    assert "$49.00" in message.body
    assert "A-0001" in message.body
    assert "https://pay.example/in_1" in message.body
    assert "The Shop" in message.subject
    async with db.read() as session:
        [sent] = await session.dicts(
            "SELECT m.state, m.sent_at, t.recipient, t.body FROM messages m JOIN message_texts t ON t.message_id = m.id"
        )
    assert (sent["state"], sent["sent_at"], sent["recipient"], sent["body"]) == ("sent", NOW, message.to, message.body)


async def test_no_personal_data_stays_with_the_action_or_in_the_audit_log(db: Database, messenger: FakeMessenger) -> None:
    services = make_services(db, messenger=messenger)
    facts = await open_case(services)
    await execute.run(services, await commit(services, facts, a_message(facts)))
    async with db.read() as session:
        told = await session.value("SELECT string_agg(a::text, ' ') || (SELECT string_agg(body, ' ') FROM audit_log) FROM actions a")
    assert "ada@" not in told
    assert "Ada" not in told


@pytest.mark.parametrize(
    ("action", "kind", "title"),
    [
        (make_note("Called twice."), "note", "Note"),
        (make_action(ActionName.CREATE_TASK, TaskArgs(queue="fraud", title="Look", body="Please.")), "task", "Look"),  # pyright: ignore[reportArgumentType]
        (make_action(ActionName.CREATE_TICKET, TaskArgs(queue="legal", title="Read", body="Please.")), "ticket", "Read"),  # pyright: ignore[reportArgumentType]
    ],
)
async def test_work_for_people_becomes_a_row(db: Database, action: object, kind: str, title: str) -> None:
    services = make_services(db)
    action_id = await committed(services, action)  # pyright: ignore[reportArgumentType]
    await execute.run(services, action_id)
    async with db.read() as session:
        rows = await session.dicts("SELECT kind, title, action_id FROM tasks")
    assert rows == [{"kind": kind, "title": title, "action_id": action_id}]
    assert await history(db, action_id) == ["ready", "done"]


async def test_a_tag_is_put_on_the_account_once(db: Database) -> None:
    services = make_services(db)
    facts = await open_case(services)
    for _ in range(2):
        await execute.run(services, await commit(services, facts, make_action(ActionName.TAG_ACCOUNT, TagArgs(tag="vip"))))
    async with db.read() as session:
        assert await session.value("SELECT tags FROM accounts") == ["vip"]


async def test_what_the_platform_did_to_the_service_stands_on_the_case(db: Database) -> None:
    services = make_services(db)
    facts = await open_case(services)
    until = datetime(2026, 3, 20, tzinfo=UTC)
    for action in (make_action(ActionName.EXTEND_GRACE, ExtendGraceArgs(until=until)), make_action(ActionName.SUSPEND_SERVICE, NoArgs())):
        await execute.run(services, await commit(services, facts, action))
    after = await services.facts.load(facts.case.id, NOW)
    assert (after.case.grace_until, after.case.suspended) == (until, True)
    assert after.case.version > facts.case.version
    async with db.read() as session:
        assert await session.value("SELECT due_at FROM timers WHERE kind = 'end_grace' AND state = 'pending'") == until
    await execute.run(services, await commit(services, after, make_action(ActionName.REINSTATE_SERVICE, NoArgs())))
    assert not (await services.facts.load(facts.case.id, NOW)).case.suspended


async def test_a_debt_written_off_ends_the_case(db: Database) -> None:
    services = make_services(db)
    action_id = await committed(services, make_action(ActionName.WRITE_OFF, WriteOffArgs(amount_minor=4900, currency="USD")))
    await execute.run(services, action_id)
    async with db.read() as session:
        assert await session.value("SELECT status FROM cases") == "written_off"


async def test_a_refusal_frees_what_was_reserved_and_tells_people(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    billing.behaviours.append("refuse")
    await execute.run(services, action_id)
    action = await action_of(db, action_id)
    assert (action.state, action.state_reason) == (ActionState.FAILED, "the platform does not do this now")
    assert await states(db, "reservations") == ["released"]
    assert await states(db, "tasks") == ["open"]


# What must not start


async def test_payment_committed_between_gate_and_execute_nothing_starts(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    await absorb_reading(services, paid())
    await execute.run(services, action_id)
    assert billing.calls == []
    assert await history(db, action_id) == ["ready", "void"]
    assert await states(db, "reservations") == ["released"]


async def test_payment_that_only_the_reading_shows_stops_the_charge_and_ends_the_case(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    billing.reading = paid()
    await execute.run(services, action_id)
    assert billing.calls == []
    assert (await action_of(db, action_id)).state is ActionState.VOID
    async with db.read() as session:
        assert await session.value("SELECT status FROM cases") == "recovered"


async def test_payment_committed_while_the_invoice_was_being_read_stops_the_charge(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)

    async def pays() -> None:
        billing.while_reading = None
        await absorb_reading(services, paid())

    billing.while_reading = pays
    await execute.run(services, action_id)
    assert billing.calls == []
    assert (await action_of(db, action_id)).state is ActionState.VOID


async def test_an_amount_that_changed_voids_the_charge_and_wants_a_decision(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    billing.reading = partly_paid()
    await execute.run(services, action_id)
    assert billing.calls == []
    assert (await action_of(db, action_id)).state is ActionState.VOID
    assert await wants_decision(db) is not None


async def test_the_kill_switch_holds_everything_and_lets_it_go_again(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    await switch(db, on=True)
    await execute.run(services, action_id)
    assert billing.calls == []
    assert (await action_of(db, action_id)).state is ActionState.READY
    await switch(db, on=False)
    await change(db, "UPDATE actions SET next_try_at = now()")
    await execute.run(services, action_id)
    assert billing.calls == [action_id]


async def test_a_reading_that_grew_old_before_the_start_is_taken_again(db: Database, billing: FakeBilling) -> None:
    clock = FixedClock(NOW)
    services = make_services(db, billing=billing, clock=clock)
    action_id = await committed(services)

    async def time_passes() -> None:
        billing.while_reading = None
        clock.at += timedelta(minutes=6)

    billing.while_reading = time_passes
    await execute.run(services, action_id)
    assert billing.calls == []
    await execute.run(services, action_id)
    assert billing.calls == [action_id]
    assert (await action_of(db, action_id)).read_at == NOW + timedelta(minutes=6)


async def test_where_nothing_can_be_read_charges_are_denied_and_messages_rest_on_the_newest_event(
    db: Database, messenger: FakeMessenger
) -> None:
    billing = FakeBilling(capabilities=frozenset())
    services = make_services(db, billing=billing, messenger=messenger)
    facts = await open_case(services)
    charge = await commit(services, facts, a_retry(facts))
    await execute.run(services, charge)
    denied = await action_of(db, charge)
    assert (denied.state, billing.calls, billing.reads) == (ActionState.VOID, [], 0)
    assert denied.state_reason is not None
    assert "(rule capability-missing; Recoup: what it promises)" in denied.state_reason
    message = await commit(services, facts, a_message(facts))
    await execute.run(services, message)
    assert [sent.action_id for sent in messenger.accepted] == [message]


async def test_a_message_that_missed_the_customers_evening_goes_out_in_the_morning(db: Database, messenger: FakeMessenger) -> None:
    clock = FixedClock(NOW)
    services = make_services(db, messenger=messenger, clock=clock)
    facts = await open_case(services)
    action_id = await commit(services, facts, a_message(facts))
    clock.at = NOW.replace(hour=3) + timedelta(days=1)
    await execute.run(services, action_id)
    assert messenger.accepted == []
    held = await action_of(db, action_id)
    assert (held.state, held.hold_until) == (ActionState.READY, NOW.replace(hour=12) + timedelta(days=1))
    clock.at += timedelta(hours=9)
    await execute.run(services, action_id)
    assert [message.action_id for message in messenger.accepted] == [action_id]


async def test_a_hold_committed_before_the_start_stops_the_charge(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    await change(db, "UPDATE cases SET holds = '{person}'")
    await execute.run(services, action_id)
    assert billing.calls == []
    assert (await action_of(db, action_id)).state is ActionState.VOID


async def test_an_opt_out_committed_before_the_start_stops_the_message(db: Database, messenger: FakeMessenger) -> None:
    services = make_services(db, messenger=messenger)
    facts = await open_case(services)
    action_id = await commit(services, facts, a_message(facts))
    await change(db, "INSERT INTO suppressions SELECT id, 'email', 'asked us', %s FROM accounts", NOW)
    await execute.run(services, action_id)
    assert messenger.accepted == []
    assert (await action_of(db, action_id)).state is ActionState.VOID


async def test_a_message_that_cannot_be_written_is_given_up_and_told(db: Database, messenger: FakeMessenger) -> None:
    services = make_services(db, messenger=messenger)
    facts = await open_case(services)
    action_id = await commit(services, facts, a_message(facts))
    await change(db, "UPDATE invoices SET snapshot = jsonb_set(snapshot, '{payment_link}', 'null')")
    billing = services.billing["sandbox"]
    assert isinstance(billing, FakeBilling)
    billing.reading = make_reading(invoice=invoice_snapshot(payment_link=None))
    await change(db, "UPDATE invoices SET stamps = stamps - 'payment_link'")
    await execute.run(services, action_id)
    assert messenger.accepted == []
    assert (await action_of(db, action_id)).state is ActionState.DEAD
    assert await states(db, "tasks") == ["open"]


# Several workers


async def test_two_workers_on_one_action_have_one_effect(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    await asyncio.gather(*(execute.run(services, action_id) for _ in range(4)))
    assert billing.calls == [action_id]
    assert await history(db, action_id) == ["ready", "started", "done"]


async def test_two_internal_runs_write_one_row(db: Database) -> None:
    services = make_services(db)
    action_id = await committed(services, make_note())
    await asyncio.gather(*(execute.run(services, action_id) for _ in range(4)))
    assert await states(db, "tasks") == ["done"]


async def test_an_action_of_a_row_that_does_not_exist_is_nothing(db: Database) -> None:
    await execute.run(make_services(db), "act_none")


async def switch(db: Database, *, on: bool) -> None:
    async with db.write() as tx:
        await switches.set_kill_switch(tx, on, by="ada", at=NOW)


async def test_nothing_starts_once_the_policy_says_shadow(db: Database) -> None:
    billing = FakeBilling()
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    async with db.write() as tx:
        await policies.save(tx, 'mode = "shadow"', by="Ada", note="only watch", at=NOW)
    await execute.run(services, action_id)
    assert (await action_of(db, action_id)).state is ActionState.VOID
    assert billing.calls == []
