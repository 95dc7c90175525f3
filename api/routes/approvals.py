"""Approvals: what waits for a person, exactly as it is shown, and the person's answer."""

from fastapi import APIRouter

from api.answers import ApprovalAnswer, answer_approval
from api.auth import Approver, Reader, ServicesDep
from api.paging import Cursor, Limit, Page, page_of
from memory import approvals
from memory.approvals import ApprovalRow, ApprovalStatus

router = APIRouter(prefix="/approvals", tags=["approvals"])


@router.get("")
async def list_approvals(
    services: ServicesDep,
    _: Reader,
    status: ApprovalStatus | None = None,
    case_id: str | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[ApprovalRow]:
    """Newest first."""
    async with services.db.read() as session:
        rows = await approvals.page(session, status=status, case_id=case_id, before=cursor, limit=limit + 1)
    return page_of(rows, limit)


@router.get("/{approval_id}")
async def get_approval(services: ServicesDep, _: Reader, approval_id: str) -> ApprovalRow:
    """One approval with its digest and the actions it asks about."""
    async with services.db.read() as session:
        return await approvals.get(session, approval_id)


@router.post("/{approval_id}/decisions", status_code=202)
async def answer(services: ServicesDep, person: Approver, approval_id: str, given: ApprovalAnswer) -> ApprovalRow:
    """Answers it once, one decision per action in order. 409: decided, superseded or shown differently; 410: expired; 403: not allowed."""
    await answer_approval(services, person, approval_id, given.digest, given.decisions, given.note)
    async with services.db.read() as session:
        return await approvals.get(session, approval_id)
