"""Where a command about tickets is carried out: here, with the folder or server open in this process, or by the service over HTTP."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, cast
from urllib.parse import quote

import httpx

from api import ticket_changes, ticket_search
from api.cli.session import person_here
from graph.bootstrap import Services, open_services
from memory.tickets import TicketsStatus
from recoup.errors import Forbidden, Malformed, Misconfigured, Refused, TicketsUnavailable
from recoup.settings import Settings
from recoup.tickets import AccountRef, Imported, OwnTicket, SimilarCase, Ticket

REINDEX_POLL_SECONDS = 0.5
TIMEOUT_SECONDS = 300.0  # a page of long tickets on a slow processor, and the loading of the model before it
KEY_VARIABLE = "RECOUP_API_KEY"


class TicketDesk(Protocol):
    """What can be done with the memory of tickets."""

    async def put(self, tickets: Sequence[Ticket]) -> Imported:
        """Stores tickets."""
        ...

    async def own(self, owner: AccountRef, query: str, limit: int) -> Sequence[OwnTicket]:
        """The account's own, best first."""
        ...

    async def similar(self, owner: AccountRef, query: str, limit: int) -> Sequence[SimilarCase]:
        """Others' cases, best first."""
        ...

    async def delete_ticket(self, connection: str, ticket_id: str) -> int:
        """Forgets one; how many there were."""
        ...

    async def delete_account(self, owner: AccountRef) -> int:
        """Forgets an account's; how many there were."""
        ...

    async def reindex(self) -> TicketsStatus:
        """Embeds everything anew, and waits for it."""
        ...

    async def status(self) -> TicketsStatus:
        """What is there."""
        ...


@asynccontextmanager
async def open_desk(settings: Settings, api: str | None, key: str | None) -> AsyncGenerator[TicketDesk]:
    """The service at ``api`` where one is named, else this process."""
    if api is None:
        async with open_services(settings) as services:
            yield DeskHere(services)
        return
    if not key:
        raise Misconfigured(f"--api needs an API key in {KEY_VARIABLE}; recoup keys create makes one")
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=f"{api.rstrip('/')}/api/v1", headers=headers, timeout=TIMEOUT_SECONDS) as client:
        yield DeskThere(client)


class DeskHere:
    """In this process."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def put(self, tickets: Sequence[Ticket]) -> Imported:
        return await ticket_changes.put_tickets(self._services, person_here(), tickets)

    async def own(self, owner: AccountRef, query: str, limit: int) -> Sequence[OwnTicket]:
        return await ticket_search.search_own(self._services, owner, query, limit)

    async def similar(self, owner: AccountRef, query: str, limit: int) -> Sequence[SimilarCase]:
        return await ticket_search.search_similar(self._services, owner, query, limit)

    async def delete_ticket(self, connection: str, ticket_id: str) -> int:
        return await ticket_changes.delete_ticket(self._services, person_here(), connection, ticket_id)

    async def delete_account(self, owner: AccountRef) -> int:
        return await ticket_changes.delete_account(self._services, person_here(), owner)

    async def reindex(self) -> TicketsStatus:
        store = await ticket_changes.begin_reindex(self._services, person_here())
        await store.reindexed()
        return await store.status()

    async def status(self) -> TicketsStatus:
        return await self._services.ticket_store.status()


class DeskThere:
    """By the service, which has the folder open."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def put(self, tickets: Sequence[Ticket]) -> Imported:
        return Imported.model_validate(await self._ask("POST", "", {"tickets": [ticket.model_dump(mode="json") for ticket in tickets]}))

    async def own(self, owner: AccountRef, query: str, limit: int) -> Sequence[OwnTicket]:
        return [OwnTicket.model_validate(one) for one in await self._ask("POST", "/search", _question(owner, query, limit))]

    async def similar(self, owner: AccountRef, query: str, limit: int) -> Sequence[SimilarCase]:
        return [SimilarCase.model_validate(one) for one in await self._ask("POST", "/similar", _question(owner, query, limit))]

    async def delete_ticket(self, connection: str, ticket_id: str) -> int:
        return int((await self._ask("DELETE", f"/one/{connection}/{quote(ticket_id, safe='')}"))["tickets"])

    async def delete_account(self, owner: AccountRef) -> int:
        return int((await self._ask("DELETE", f"/of/{owner.connection}/{quote(owner.account, safe='')}"))["tickets"])

    async def reindex(self) -> TicketsStatus:
        status = TicketsStatus.model_validate(await self._ask("POST", "/reindex"))
        while status.is_copying:
            await asyncio.sleep(REINDEX_POLL_SECONDS)
            status = await self.status()
        if status.problem:
            raise TicketsUnavailable(status.problem)
        return status

    async def status(self) -> TicketsStatus:
        return TicketsStatus.model_validate(await self._ask("GET", "/status"))

    async def _ask(self, method: str, path: str, body: object = None) -> Any:
        try:
            answer = await self._client.request(method, f"/tickets{path}", json=body)
            told: Any = answer.json()
        except httpx.InvalidURL as exc:
            raise Malformed(f"--api is no address: {exc}") from exc
        except (httpx.HTTPError, ValueError) as exc:
            raise TicketsUnavailable(f"the service at {self._client.base_url.host} does not answer as Recoup does; check --api") from exc
        if answer.is_success:
            return told
        problem = cast("dict[str, object]", told) if isinstance(told, dict) else {}
        detail = str(problem.get("detail", f"the service answered {answer.status_code}"))
        if answer.status_code in {401, 403}:
            raise Forbidden(detail)
        raise TicketsUnavailable(detail) if answer.status_code >= 500 else Refused(detail)


def _question(owner: AccountRef, query: str, limit: int) -> dict[str, object]:
    return {"account": owner.model_dump(), "query": query, "limit": limit}
