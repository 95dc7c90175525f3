"""Events: every webhook that was accepted, and how it ended."""

from fastapi import APIRouter

from api.auth import Operator, Reader, ServicesDep
from api.paging import Cursor, Limit, Page, page_of
from memory import inbox
from memory.inbox import EventRow, EventStatus

router = APIRouter(prefix="/events", tags=["events"])


@router.get("")
async def list_events(
    services: ServicesDep,
    _: Reader,
    status: EventStatus | None = None,
    connection: str | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[EventRow]:
    """Newest first, without their payload."""
    async with services.db.read() as session:
        rows = await inbox.page(session, status=status, connection=connection, before=cursor, limit=limit + 1)
    return page_of(rows, limit)


@router.get("/{event_id}")
async def get_event(services: ServicesDep, _: Reader, event_id: str) -> EventRow:
    """One event, without its payload."""
    async with services.db.read() as session:
        return await inbox.get(session, event_id)


@router.post("/{event_id}/replay", status_code=202)
async def replay_event(services: ServicesDep, person: Operator, event_id: str) -> EventRow:
    """Processes a dead event once more."""
    now = await services.clock.now()
    async with services.db.write() as tx:
        await inbox.replay(tx, event_id, actor=person.name, at=now)
        return await inbox.get(tx, event_id)
