"""The memory of tickets: put in, searched, forgotten."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api import ticket_changes, ticket_search
from api.auth import Admin, Operator, Reader, ServicesDep
from memory.tickets import MAX_QUERY_CHARS, TicketsStatus
from recoup.tickets import MAX_FOUND, PAGE_TICKETS, AccountRef, Imported, OwnTicket, SimilarCase, Ticket

router = APIRouter(prefix="/tickets", tags=["tickets"])


class NewTickets(BaseModel):
    """Some tickets; one of them that is wrong refuses them all, and is named by its place."""

    tickets: Annotated[list[Ticket], Field(min_length=1, max_length=PAGE_TICKETS)]


class Question(BaseModel):
    """What to look for, and for which account. In a body, since an address would be logged on its way."""

    account: AccountRef
    query: str = Field(min_length=1, max_length=MAX_QUERY_CHARS)
    limit: int = Field(default=5, ge=1, le=MAX_FOUND)


class Deleted(BaseModel):
    """How many tickets were forgotten."""

    tickets: int


@router.post("")
async def put_tickets(services: ServicesDep, person: Operator, new: NewTickets) -> Imported:
    """Stores tickets, each in place of what was there under its id. Personal data is masked first; the same again changes nothing."""
    return await ticket_changes.put_tickets(services, person, new.tickets)


@router.post("/search")
async def search_own(services: ServicesDep, _: Reader, question: Question) -> list[OwnTicket]:
    """The account's own tickets that answer best, best first."""
    return await ticket_search.search_own(services, question.account, question.query, question.limit)


@router.post("/similar")
async def search_similar(services: ServicesDep, _: Reader, question: Question) -> list[SimilarCase]:
    """Cases of others that are most alike, without a word of them: what an agent would be told."""
    return await ticket_search.search_similar(services, question.account, question.query, question.limit)


@router.get("/status")
async def get_status(services: ServicesDep, _: Reader) -> TicketsStatus:
    """How much there is, which model it is indexed with, and how far a re-index is."""
    return await services.ticket_store.status()


@router.post("/reindex", status_code=202)
async def reindex(services: ServicesDep, person: Admin) -> TicketsStatus:
    """Begins to embed everything anew with the model that is set. Imports and deletions are refused until it is done."""
    return await (await ticket_changes.begin_reindex(services, person)).status()


# An id of a vendor may hold a slash.
@router.delete("/of/{connection}/{account:path}")
async def delete_account(services: ServicesDep, person: Admin, connection: str, account: str) -> Deleted:
    """Forgets everything of an account."""
    return Deleted(tickets=await ticket_changes.delete_account(services, person, AccountRef(connection=connection, account=account)))


@router.delete("/one/{connection}/{ticket_id:path}")
async def delete_ticket(services: ServicesDep, person: Admin, connection: str, ticket_id: str) -> Deleted:
    """Forgets one ticket."""
    return Deleted(tickets=await ticket_changes.delete_ticket(services, person, connection, ticket_id))
