"""Decisions: what was known, proposed and answered, immutable."""

from fastapi import APIRouter

from api.auth import Reader, ServicesDep
from api.paging import Cursor, Limit, Page, page_of
from memory import decisions
from memory.decisions import DecisionRow, DecisionState

router = APIRouter(prefix="/decisions", tags=["decisions"])


@router.get("")
async def list_decisions(
    services: ServicesDep,
    _: Reader,
    case_id: str | None = None,
    state: DecisionState | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[DecisionRow]:
    """Newest first."""
    async with services.db.read() as session:
        rows = await decisions.page(session, case_id=case_id, state=state, before=cursor, limit=limit + 1)
    return page_of(rows, limit)


@router.get("/{decision_id}")
async def get_decision(services: ServicesDep, _: Reader, decision_id: str) -> DecisionRow:
    """One decision with its facts, proposals, verdicts and trace."""
    async with services.db.read() as session:
        return await decisions.get(session, decision_id)
