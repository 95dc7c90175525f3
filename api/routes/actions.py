"""Actions: every effect that was proposed, and what became of it."""

from fastapi import APIRouter
from pydantic import BaseModel

from api.auth import Operator, Reader, ServicesDep
from api.jobs.outcome import resolve_unknown
from api.paging import Cursor, Limit, Page, page_of
from memory import outbox
from memory.outbox import ActionRow, ActionState
from recoup.actions import ActionName

router = APIRouter(prefix="/actions", tags=["actions"])


class Resolution(BaseModel):
    """What a person found out about an action whose outcome was unknown."""

    happened: bool


@router.get("")
async def list_actions(
    services: ServicesDep,
    _: Reader,
    case_id: str | None = None,
    state: ActionState | None = None,
    name: ActionName | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[ActionRow]:
    """Newest first."""
    async with services.db.read() as session:
        rows = await outbox.page(session, case_id=case_id, state=state, name=name, before=cursor, limit=limit + 1)
    return page_of(rows, limit)


@router.get("/{action_id}")
async def get_action(services: ServicesDep, _: Reader, action_id: str) -> ActionRow:
    """One action with the gate's verdict on it and its result."""
    async with services.db.read() as session:
        return await outbox.get(session, action_id)


@router.post("/{action_id}/resolve")
async def resolve(services: ServicesDep, person: Operator, action_id: str, answer: Resolution) -> ActionRow:
    """Settles an action in state ``unknown``: a person has looked whether it happened."""
    await resolve_unknown(services, person, action_id, happened=answer.happened)
    async with services.db.read() as session:
        return await outbox.get(session, action_id)
