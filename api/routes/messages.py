"""Messages to customers: which step, to which account, and the text as it was sent."""

from fastapi import APIRouter

from api.auth import Reader, ServicesDep
from api.paging import Cursor, Limit, Page, page_of
from memory import messages
from memory.messages import MessageRow, MessageText

router = APIRouter(prefix="/messages", tags=["messages"])


@router.get("")
async def list_messages(
    services: ServicesDep,
    _: Reader,
    case_id: str | None = None,
    account_id: str | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[MessageRow]:
    """Newest first, without their text."""
    async with services.db.read() as session:
        rows = await messages.page(session, case_id=case_id, account_id=account_id, before=cursor, limit=limit + 1)
    return page_of(rows, limit)


@router.get("/{message_id}/text")
async def get_text(services: ServicesDep, _: Reader, message_id: str) -> MessageText:
    """Recipient, subject and body as sent: personal data."""
    async with services.db.read() as session:
        return await messages.text(session, message_id)
