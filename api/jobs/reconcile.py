"""The reconcile job: asks one platform what changed since it was last asked, and lets what our rows do not have enter by the inbox.

Webhooks get lost: a platform gives up after some days, a receiver is away for longer. Every object that the platform names is read and
compared; what is news becomes an event of ours, which only says which object to look at. It waits behind people and webhooks.
"""

import asyncio
import logging
import time
from datetime import datetime, timedelta

from api.jobs.intake import describe
from api.jobs.unheard import unheard
from graph.bootstrap import Services
from memory import drift, inbox, queue, reconciliations
from memory.database import Write
from memory.drift import Found, Missed
from memory.inbox import EventStatus
from memory.reconciliations import Reconciliation, WaitingRef
from recoup.clock import wall_now
from recoup.digest import canonical_json, digest
from recoup.errors import Busy, Malformed, Misconfigured, NotFetchable, NotFound, Retryable
from recoup.events import RECONCILED, EventIdentity, ObjectRef, Reading
from recoup.settings import Connection
from tools.http_limits import in_backfill

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=15)
# One run leaves room for other work after so many pages, objects or seconds, and is then woken anew.
MOST_PAGES, MOST_OBJECTS, MOST_SECONDS = 20, 200, 20.0
# After so many failures in a row it is asked whether the platform fails, or one object.
MOST_FAILURES = 8
# Shorter than the lease: what hangs is an outage.
PATIENCE_SECONDS = 30.0
# An event that has waited for this long is behind others: they go first.
PROMPT_SECONDS, GIVES_WAY_SECONDS = 1.0, 2.0
# Enough to tell two states of one object apart, and too short to be taken for the number of a card.
SAID_CHARACTERS = 12
# When something was read is no news; all else that a reading tells is what it says.
TIMES = {
    "occurred_at": True,
    "account": {"observed_at"},
    "invoice": {"observed_at", "revision"},
    "attempts": {"__all__": {"observed_at"}},
}


async def begin(services: Services) -> None:
    """Sees to it that every connection that can be read is reconciled."""
    readable = [name for name, platform in services.billing.items() if "read" in platform.capabilities]
    now = await services.clock.now()
    async with services.db.write() as tx:
        await reconciliations.begin(tx, readable, now, wall_now())


async def run(services: Services, name: str) -> None:
    """Goes on from where the connection's cursor is; a no-op where it is not due or another worker has it."""
    now = await services.clock.now()
    async with services.db.write() as tx:
        held = await reconciliations.claim(tx, name, now, wall_now())
    if held is None:
        return
    connection = services.connections.get(name)
    if connection is None or "read" not in services.billing[name].capabilities:
        await _rest(services, held, now, looked_at=None, why=f"connection {name} is not in recoup.toml, or cannot be read any more")
        return
    if await _others_wait(services, held):
        return
    try:
        with in_backfill():
            await _go_on(services, connection, held, now)
    except Busy as exc:
        log.info("the reconciliation of %s is tried again: %s", name, exc)
        await _fail(services, held, exc)
    except NotFetchable as exc:
        await _rest(services, held, now, looked_at=None, why=describe(exc))
    except Exception as exc:  # noqa: BLE001 - whatever it was stands on the row, and it goes on from the same place after a pause
        await _fail(services, held, exc)


async def _others_wait(services: Services, held: Reconciliation) -> bool:
    """Whether webhooks are waiting for their intake. They may tell what would else seem to be missing."""
    wall = wall_now()
    async with services.db.write() as tx:
        if not await inbox.has_untried(tx, held.id, wall - timedelta(seconds=PROMPT_SECONDS), but=RECONCILED):
            return False
        await reconciliations.pause(tx, held, GIVES_WAY_SECONDS, wall)
    return True


async def _go_on(services: Services, connection: Connection, held: Reconciliation, now: datetime) -> None:
    """What waits is looked at before the next page is read, so that a run can stop anywhere and lose nothing."""
    ends = time.monotonic() + MOST_SECONDS
    objects = pages = 0
    while True:
        async with services.db.read() as session:
            waiting = await reconciliations.waiting(session, held.id, MOST_OBJECTS)
        for ref in waiting:
            if objects >= MOST_OBJECTS or time.monotonic() >= ends:
                await _soon(services, held)
                return
            await _look(services, connection, held, ref, now)
            objects += 1
        if waiting:
            continue
        if not held.has_more:
            await _rest(services, held, now, looked_at=now, why=None)
            return
        if pages >= MOST_PAGES or time.monotonic() >= ends:
            await _soon(services, held)
            return
        held = await _turn(services, held)
        pages += 1


async def _turn(services: Services, held: Reconciliation) -> Reconciliation:
    """Reads one page and keeps what it names; gives the row as it then is."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        page = await services.billing[held.id].changed_since(held.cursor)
    if page.begins is not None and held.cursor is not None:
        log.warning("%s tells only what changed since %s; recoup connections backfill fills in the rest", held.id, page.begins)
    async with services.db.write() as tx:
        return await reconciliations.keep_page(tx, held, page, wall_now())


async def _look(services: Services, connection: Connection, held: Reconciliation, waiting: WaitingRef, now: datetime) -> None:
    """Reads one object and tells what is news of it, once; what the platform does not have any more, or cannot show, is no news."""
    compared_at = wall_now()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            reading = await services.billing[held.id].fetch(waiting.ref)
        missed = await unheard(services, connection, reading, now)
    except (NotFound, NotFetchable) as exc:
        log.info("%s names %s %s as changed, which is passed over: %s", held.id, waiting.kind, waiting.vendor_id, describe(exc))
        async with services.db.write() as tx:
            await reconciliations.looked(tx, held, waiting, wall_now())
        return
    except (Retryable, Misconfigured, TimeoutError):
        async with services.db.write() as tx:
            await reconciliations.put_back(tx, held, waiting, wall_now())
        if held.failures < MOST_FAILURES:
            raise
        await _leave(services, held, waiting)
        return
    except Exception as exc:  # noqa: BLE001 - one object that nobody can understand must not keep all others waiting
        log.warning("%s %s of %s cannot be compared: %s", waiting.kind, waiting.vendor_id, held.id, describe(exc))
        await _leave(services, held, waiting)
        return
    async with services.db.write() as tx:
        await reconciliations.looked(tx, held, waiting, wall_now())
        # Whatever an event of ours is on its way for is read again with it.
        told = [await drift.on_its_way(tx, held.id, one, compared_at) for one in missed]
        news = tuple(one for one, is_told in zip(missed, told, strict=True) if not is_told)
        if news:
            await _tell(tx, held, waiting.ref, reading, news, now)


async def _leave(services: Services, held: Reconciliation, waiting: WaitingRef) -> None:
    """Leaves an object that cannot be compared to its intake, where it is tried on its own and ends ``dead`` and listed if need be.

    Raises what the platform raises where it is the platform that fails, and not this one object."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await services.billing[held.id].changed_since(held.cursor)
    async with services.db.write() as tx:
        await reconciliations.looked(tx, held, waiting, wall_now())
        identity = await _identity(tx, held.id, f"reconciliation:{waiting.kind}:{waiting.vendor_id}:unread")
        if identity is not None:
            payload = canonical_json(waiting.ref.model_dump(mode="json"))
            await inbox.accept(tx, held.id, identity, "application/json", payload, wall_now(), priority=queue.BACKGROUND)


async def _tell(tx: Write, held: Reconciliation, ref: ObjectRef, reading: Reading, missed: tuple[Missed, ...], now: datetime) -> None:
    """An event of ours, unless one that says the same is on its way or could not be processed."""
    about = ObjectRef(kind="invoice", vendor_id=reading.invoice.vendor_id) if reading.invoice else ref
    said = digest(reading.model_dump(mode="json", exclude=TIMES))[:SAID_CHARACTERS]
    identity = await _identity(tx, held.id, f"reconciliation:{about.kind}:{about.vendor_id}:{said}")
    if identity is None:
        return
    wall = wall_now()
    payload = canonical_json(about.model_dump(mode="json"))
    accepted = await inbox.accept(tx, held.id, identity, "application/json", payload, wall, priority=queue.BACKGROUND)
    found = Found(
        connection=held.id,
        event_id=accepted.event_id,
        looked_at=held.looked_at or held.told_from or now,
        read_at=reading.occurred_at,
        found_at=now,
        wall=wall,
    )
    await drift.add(tx, found, missed)


async def _identity(tx: Write, connection: str, said: str) -> EventIdentity | None:
    """The first name of what is said that no event bears; None where one is still on its way, or dead and for a person to replay.

    What was told and became untrue may become true again: a card that is made the default, another, and the first again."""
    number = 1
    while (status := await inbox.status_of(tx, connection, f"{said}:{number}")) is not None:
        if status in {EventStatus.ACCEPTED, EventStatus.DEAD}:
            return None
        number += 1
    return EventIdentity(vendor_event_id=f"{said}:{number}", event_type=RECONCILED, livemode=None)


async def _soon(services: Services, held: Reconciliation) -> None:
    """There is more: others may go first, then it goes on."""
    async with services.db.write() as tx:
        await reconciliations.pause(tx, held, 0, wall_now())
        await queue.wake(tx, "reconcile", held.id)


async def _rest(services: Services, held: Reconciliation, now: datetime, *, looked_at: datetime | None, why: str | None) -> None:
    if why is not None and why != held.last_error:
        log.info("%s is not reconciled: %s", held.id, why)
    async with services.db.write() as tx:
        await reconciliations.rest(tx, held, due_at=now + EVERY, looked_at=looked_at, why=why, wall=wall_now())


async def _fail(services: Services, held: Reconciliation, error: Exception) -> None:
    told = describe(error)
    try:
        async with services.db.write() as tx:
            pause = await reconciliations.fail(tx, held, told, wall_now(), start_over=isinstance(error, Malformed))
    except Busy:
        log.info("the reconciliation of %s was taken over by another worker", held.id)
        return
    log.warning("the reconciliation of %s failed and goes on in %s s: %s", held.id, pause, told)
