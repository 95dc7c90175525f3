"""Timers: what will wake which case, and when."""

from fastapi import APIRouter

from api.auth import Reader, ServicesDep
from api.paging import Cursor, Limit, Page, page_of
from memory import timers
from memory.timers import TimerRow, TimerState

router = APIRouter(prefix="/timers", tags=["timers"])


@router.get("")
async def list_timers(
    services: ServicesDep,
    _: Reader,
    case_id: str | None = None,
    state: TimerState | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[TimerRow]:
    """By due time, earliest first."""
    async with services.db.read() as session:
        rows = await timers.page(session, case_id=case_id, state=state, after=cursor, limit=limit + 1)
    return page_of(rows, limit)
