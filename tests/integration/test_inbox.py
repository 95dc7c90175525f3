"""The inbox's rows: one worker at a time, pauses that grow, one terminal state, and a person's replay."""

from datetime import timedelta

import pytest

from memory import inbox
from memory.database import Database
from memory.inbox import ClaimedEvent, EventStatus, Outcome
from recoup.clock import wall_now
from recoup.errors import Busy, Conflict, NotFound
from recoup.events import EventIdentity
from tests.factories import NOW

PROCESSED = Outcome(status=EventStatus.PROCESSED, kind="payment_failed", occurred_at=NOW)


async def kept(db: Database, name: str = "evt_1") -> str:
    async with db.statement() as tx:
        accepted = await inbox.accept(tx, "sandbox", EventIdentity(name, "invoice.paid", None), "application/json", "{}", wall_now())
    return accepted.event_id


async def claimed(db: Database, event_id: str, seconds_from_now: float = 0) -> ClaimedEvent | None:
    async with db.write() as tx:
        return await inbox.claim(tx, event_id, wall_now() + timedelta(seconds=seconds_from_now), 10)


async def status_of(db: Database, event_id: str) -> EventStatus:
    async with db.read() as session:
        return (await inbox.get(session, event_id)).status


async def test_a_new_event_nudges_the_workers_and_a_duplicate_nobody(db: Database) -> None:
    for status, woken in (("accepted", {"intake"}), ("duplicate", set[str]())):
        async with db.statement() as tx:
            identity = EventIdentity("evt_1", "invoice.paid", None)
            accepted = await inbox.accept(tx, "sandbox", identity, "application/json", "{}", wall_now())
            assert (accepted.status, tx.woken) == (status, woken)
        async with db.read() as session:
            assert [row.id for row in await inbox.page(session)] == [accepted.event_id]


async def test_only_one_worker_has_an_event_until_its_lease_ends(db: Database) -> None:
    event_id = await kept(db)
    first = await claimed(db, event_id)
    assert first is not None
    assert first.attempts == 1
    assert await claimed(db, event_id) is None
    second = await claimed(db, event_id, seconds_from_now=11)
    assert second is not None
    assert second.attempts == 2


async def test_who_lost_the_lease_can_neither_finish_nor_pause(db: Database) -> None:
    event_id = await kept(db)
    stale, holder = await claimed(db, event_id), await claimed(db, event_id, seconds_from_now=11)
    assert stale is not None
    assert holder is not None
    with pytest.raises(Busy):
        async with db.write() as tx:
            await inbox.finish(tx, stale, PROCESSED, wall_now())
    with pytest.raises(Busy):
        async with db.write() as tx:
            await inbox.retry_later(tx, stale, "late", wall_now())
    async with db.write() as tx:
        await inbox.finish(tx, holder, PROCESSED, wall_now())
    assert await status_of(db, event_id) is EventStatus.PROCESSED


async def test_a_finished_event_is_never_claimed_again_and_tells_what_it_came_to(db: Database) -> None:
    event_id = await kept(db)
    event = await claimed(db, event_id)
    assert event is not None
    async with db.write() as tx:
        await inbox.finish(tx, event, PROCESSED, wall_now())
    assert await claimed(db, event_id, seconds_from_now=1000) is None
    async with db.read() as session:
        row = await inbox.get(session, event_id)
    assert (row.status, row.kind, row.occurred_at) == (EventStatus.PROCESSED, "payment_failed", NOW)
    assert row.finished_at is not None


async def test_the_pauses_after_failures_grow_and_keep_the_error(db: Database) -> None:
    event_id = await kept(db)
    pauses: list[float] = []
    later = 0.0
    for _ in range(3):
        event = await claimed(db, event_id, later)
        assert event is not None
        async with db.write() as tx:
            pauses.append(await inbox.retry_later(tx, event, "the platform is away", wall_now() + timedelta(seconds=later)))
        assert await claimed(db, event_id, later) is None
        later += pauses[-1] + 1
    assert pauses == [1, 2, 4]
    async with db.read() as session:
        assert (await inbox.get(session, event_id)).last_error == "the platform is away"


async def test_a_dead_event_is_listed_and_replayed_by_a_person_once(db: Database) -> None:
    event_id = await kept(db)
    event = await claimed(db, event_id)
    assert event is not None
    async with db.write() as tx:
        await inbox.bury(tx, event, "data.object.id is missing", wall_now())
        await tx.run("DELETE FROM procrastinate_jobs")
    async with db.read() as session:
        [dead] = await inbox.page(session, status="dead")
    assert (dead.reason, dead.finished_at is not None) == ("data.object.id is missing", True)
    async with db.write() as tx:
        await inbox.replay(tx, event_id, actor="grace", at=NOW)
    async with db.read() as session:
        jobs = await session.dicts("SELECT task_name, args FROM procrastinate_jobs")
        replayed = await inbox.get(session, event_id)
    assert jobs == [{"task_name": "intake", "args": {"row_id": event_id}}]
    assert (replayed.status, replayed.reason, replayed.last_error, replayed.finished_at) == (EventStatus.ACCEPTED, None, None, None)
    again = await claimed(db, event_id)
    assert again is not None
    assert again.attempts == 1
    with pytest.raises(Conflict, match=f"event {event_id} is accepted; only a dead one can be replayed"):
        async with db.write() as tx:
            await inbox.replay(tx, event_id, actor="grace", at=NOW)
    async with db.read() as session:
        entries = await session.dicts("SELECT chain, kind, actor, state FROM audit_log WHERE subject = %s", (event_id,))
    assert entries == [{"chain": "events", "kind": "event", "actor": "grace", "state": "accepted"}]


async def test_the_list_is_newest_first_by_pages_and_filters(db: Database) -> None:
    ids = [await kept(db, f"evt_{number}") for number in range(3)]
    async with db.read() as session:
        first = await inbox.page(session, limit=2)
        rest = await inbox.page(session, before=first[-1].id, limit=2)
        assert {row.id for row in (*first, *rest)} == set(ids)
        assert [row.id for row in (*first, *rest)] == sorted(ids, reverse=True)
        assert await inbox.page(session, status="dead") == []
        assert len(await inbox.page(session, connection="sandbox")) == 3
        assert await inbox.page(session, connection="other") == []
        assert await inbox.backlog(session, 10) == 3
        assert await inbox.backlog(session, 2) == 2


async def test_an_event_that_is_not_there_is_not_found(db: Database) -> None:
    async with db.read() as session:
        with pytest.raises(NotFound):
            await inbox.get(session, "evt_none")
