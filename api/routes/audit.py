"""The audit log, and its verification."""

from fastapi import APIRouter

from api.auth import Reader, ServicesDep
from api.paging import Cursor, Limit, Page, page_of
from memory import audit_log
from memory.audit_log import EntryRow, Verification

router = APIRouter(prefix="/audit", tags=["audit"])


@router.get("")
async def list_entries(
    services: ServicesDep,
    _: Reader,
    chain: str | None = None,
    subject: str | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[EntryRow]:
    """By chain and position. ``chain`` is a case id, or ``policy``, ``keys``, ``switches``."""
    async with services.db.read() as session:
        rows = await audit_log.page(session, chain=chain, subject=subject, after=cursor, limit=limit + 1)
    return page_of(rows, limit)


@router.get("/verify")
async def verify(services: ServicesDep, _: Reader) -> Verification:
    """Recomputes every hash."""
    async with services.db.read() as session:
        return await audit_log.verify(session)
