"""Where notes are slow, refused or lost: they are tried again or given up with their reason, and nothing waits for them."""

import asyncio
from typing import Any

import pytest

from api.jobs import decide, execute, mirror
from memory.database import Database
from memory.mirror import MAX_TRIES
from memory.outbox import ActionState
from memory.switches import set_kill_switch
from recoup.mirror import MirrorNote
from tests.deciding import actions_of, audit_agrees, failure_of, rows, set_policy
from tests.factories import NOW
from tests.fakes import FakeBilling
from tests.integration.test_execute import paid
from tests.integration.test_worker import is_in, until, working
from tests.mirroring import AUTO, charged, commit_retry, decided, decided_again, mirroring, newest, shown, told
from tests.scenes import absorb_reading, change


class SlowToNote(FakeBilling):
    """A platform that leaves whoever writes a note waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.has_begun, self.may_end = asyncio.Event(), asyncio.Event()

    async def mirror(self, note: MirrorNote) -> None:
        self.has_begun.set()
        await self.may_end.wait()
        await super().mirror(note)


@pytest.fixture
def billing() -> FakeBilling:
    return FakeBilling()


async def test_a_worker_writes_it_by_itself(db: Database, billing: FakeBilling) -> None:
    services = mirroring(db, billing)
    await decided(services)
    await change(db, "UPDATE mirrors SET next_try_at = now()")
    async with working(services):

        async def is_written() -> bool:
            return await told(db) == [("settled", 0, None)]

        await until(is_written)
    assert len(billing.notes) == 1


async def test_notes_that_nobody_takes_for_long_hold_no_other_work_up(db: Database) -> None:
    billing = SlowToNote()
    services = mirroring(db, billing)
    await set_policy(services, AUTO)
    found = [await absorb_reading(services, failure_of(customer)) for customer in range(12)]
    case_ids = [case_id for case_id in found if case_id is not None]
    for case_id in case_ids:
        await decide.run(services, case_id)
    await change(db, "UPDATE mirrors SET next_try_at = now()")
    async with working(services):
        await billing.has_begun.wait()
        action_id = await commit_retry(services, case_ids[0])
        await until(is_in(db, action_id, ActionState.DONE))
        assert billing.notes == []
        billing.may_end.set()


# Where it fails


async def test_a_refusal_is_dead_with_its_reason_and_everything_else_goes_on(db: Database, billing: FakeBilling) -> None:
    services = mirroring(db, billing)
    billing.behaviours_of_notes.append("refuse")
    case_id = await decided(services, AUTO)
    await shown(services, case_id)
    [(state, attempts, error)] = await told(db)
    assert (state, attempts) == ("dead", 1)
    assert "the api_key lacks the permission rak_invoice_write" in error
    for action in await actions_of(db, case_id):
        await execute.run(services, action.id)
    await absorb_reading(services, paid())
    [(status,)] = await rows(db, "SELECT status FROM cases")
    assert status == "recovered"
    await shown(services, case_id)
    assert (await newest(billing)).status.startswith("recovered"), "the next change of the case is tried anew"
    assert await told(db) == [("settled", 0, None)]
    await audit_agrees(db)


async def test_an_outage_is_waited_out_by_all_notes_of_the_connection(db: Database, billing: FakeBilling) -> None:
    services = mirroring(db, billing)
    case_id = await decided(services)
    await change(db, "UPDATE mirrors SET next_try_at = now()")
    billing.behaviours_of_notes.append("unavailable")
    await mirror.run(services, case_id)
    assert await told(db) == [("pending", 1, "BillingUnavailable: fake: answers 503")]
    await decided_again(services, case_id)
    await mirror.run(services, case_id)
    assert billing.note_calls == 1, "news do not end the pause"
    await shown(services, case_id)
    assert (billing.note_calls, len(billing.notes)) == (2, 1)


async def test_the_pause_grows_whichever_note_is_tried(db: Database, billing: FakeBilling) -> None:
    services = mirroring(db, billing)
    billing.behaviours_of_notes.extend(["unavailable", "unavailable", "unavailable"])
    pauses: list[int] = []
    for customer in range(3):
        case_id = await absorb_reading(services, failure_of(customer))
        assert case_id
        await decide.run(services, case_id)
        await shown(services, case_id)
        [(seconds,)] = await rows(db, "SELECT round(extract(epoch FROM max(next_try_at) - clock_timestamp())) FROM mirrors")
        pauses.append(int(seconds))
    assert pauses == sorted(set(pauses)), "each is longer than the one before"


@pytest.mark.parametrize("trouble", ["unavailable", "lose the request"])
async def test_what_is_never_answered_is_dead_in_the_end(db: Database, billing: FakeBilling, trouble: Any) -> None:
    services = mirroring(db, billing)
    case_id = await decided(services)
    billing.behaviours_of_notes += [trouble] * MAX_TRIES
    for _ in range(MAX_TRIES + 3):
        await shown(services, case_id)
    assert billing.note_calls == MAX_TRIES
    assert [state for state, _, _ in await told(db)] == ["dead"]


async def test_nothing_is_written_while_an_action_of_the_case_is_on_the_wire(db: Database, billing: FakeBilling) -> None:
    services = mirroring(db, billing)

    async def try_to_write() -> None:
        [(case_id,)] = await rows(db, "SELECT id FROM cases")
        await shown(services, case_id)
        assert billing.note_calls == 0

    billing.while_performing = try_to_write
    await shown(services, await charged(services))
    assert billing.note_calls == 1


async def test_the_kill_switch_keeps_notes_back_as_well(db: Database, billing: FakeBilling) -> None:
    services = mirroring(db, billing)
    case_id = await decided(services)
    async with db.write() as tx:
        await set_kill_switch(tx, True, by="Ada", at=NOW)
    await shown(services, case_id)
    assert billing.note_calls == 0
    async with db.write() as tx:
        await set_kill_switch(tx, False, by="Ada", at=NOW)
    await shown(services, case_id)
    assert billing.note_calls == 1
