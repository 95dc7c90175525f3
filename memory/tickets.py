"""The memory of tickets: put in, found again by meaning and by words, forgotten on request. Blocking work is done in threads.

Nothing is loaded before it is needed: a service that has no tickets never imports Chroma, torch or the model.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from memory.ticket_chunks import chunks
from memory.ticket_embedding import Embedder
from memory.ticket_ranking import WEIGHTS, Hit, Weights, fused
from memory.ticket_reindex import copy, finish, left_to_copy, prepare
from memory.ticket_shelf import Allows, ChunkRow, Shelf, Where, cited_as, owners_are, owners_are_not, ticket_is, translated
from memory.ticket_shelves import Shelves
from memory.ticket_words import TicketWords
from recoup.clock import wall_now
from recoup.digest import digest
from recoup.errors import Misconfigured, TicketsUnavailable
from recoup.personal_data import mask_personal
from recoup.record import Record
from recoup.tickets import AccountRef, Imported, Ticket

CANDIDATES = 60
MAX_QUERY_CHARS = 2_000
CITE_CHARS = 20
COPIED_AT_ONCE = 200

ResultT = TypeVar("ResultT")
Known = Mapping[AccountRef, Sequence[str]]


@dataclass(frozen=True)
class Scope:
    """Whose tickets may be found, said twice: to Chroma, and to us who look at every row that it gave."""

    where: Where
    allows: Allows

    @classmethod
    def own(cls, owners: Sequence[AccountRef]) -> "Scope":
        """Those of these accounts and of nobody else."""
        return cls(owners_are(owners), frozenset(owners).__contains__)

    @classmethod
    def others(cls, owners: Sequence[AccountRef], connections: Sequence[str]) -> "Scope":
        """Those of everybody on these connections but these accounts."""
        own, reach = frozenset(owners), frozenset(connections)
        return cls(owners_are_not(owners, connections), lambda owner: owner not in own and owner.connection in reach)


class Found(NamedTuple):
    """A ticket by its best chunk."""

    row: ChunkRow
    score: float


class TicketsStatus(Record):
    """What is there. ``model`` is what the tickets are indexed with, ``wanted_model`` what is set; where they differ, a re-index is due.
    ``is_moving``: a re-index is under way, here (``is_copying``) or elsewhere, or has died. ``copied``: chunks that the one here has done;
    ``problem``: why the last one here ended early."""

    place: str
    chunks: int
    model: str | None
    wanted_model: str
    is_moving: bool
    is_copying: bool = False
    copied: int | None = None
    problem: str | None = None


class TicketStore:
    """All tickets of an installation. Raises TicketsUnavailable where they cannot be reached, Misconfigured where a re-index is due."""

    def __init__(self, shelves: Shelves, embedder: Embedder) -> None:
        self._shelves, self._embedder = shelves, embedder
        self._words = TicketWords(is_shared=shelves.is_shared)
        self._writing = asyncio.Lock()
        self._moving: asyncio.Task[None] | None = None
        self._copied: int | None = None
        self._problem: str | None = None
        self._is_closing = False

    async def put(self, tickets: Sequence[Ticket], known: Known | None = None) -> Imported:
        """Stores tickets, each in place of what was there under its id. ``known``: more names and addresses of their accounts."""
        async with self._writing:
            return await _in_thread(lambda: self._put(tickets, known or {}))

    async def search(
        self, query: str, scope: Scope, *, now: datetime, limit: int, known: Sequence[str] = (), weights: Weights = WEIGHTS
    ) -> list[Found]:
        """The best tickets of the scope. The query is masked as the tickets were, ``known`` being the names that may be in it."""
        if not self._shelves.has_any():
            return []
        return await _in_thread(lambda: self._search(mask_personal(query[:MAX_QUERY_CHARS], known), scope, now, limit, weights))

    async def delete_ticket(self, connection: str, ticket_id: str) -> int:
        """Forgets a ticket; how many there were, 0 or 1."""
        return await self._delete(ticket_is(connection, ticket_id))

    async def delete_account(self, owner: AccountRef) -> int:
        """Forgets everything of an account; how many tickets that was."""
        return await self._delete(owners_are([owner]))

    def start_reindex(self) -> None:
        """Begins to embed everything anew with the model that is set, and returns; ``status`` tells how far it is. Searches go on with
        the old index where the model is the same; imports and deletions are refused meanwhile. One that died is begun from the start.

        Raises TicketsUnavailable where one is under way here."""
        if self._moving is not None and not self._moving.done():
            raise TicketsUnavailable("a re-index is under way; recoup tickets status tells how far it is")
        self._copied, self._problem = 0, None
        self._moving = asyncio.create_task(self._reindex())
        self._moving.add_done_callback(self._reindexed)

    async def reindexed(self) -> None:
        """Waits for the re-index that was begun here; raises what ended it early."""
        if self._moving is not None:
            await asyncio.shield(self._moving)

    async def status(self) -> TicketsStatus:
        """What is there; asks the store, but loads no model."""
        shelf = await _in_thread(self._shelves.current) if self._shelves.has_any() else None
        return TicketsStatus(
            place=self._shelves.place,
            chunks=await _in_thread(shelf.count) if shelf else 0,
            model=shelf.model if shelf else None,
            wanted_model=self._embedder.name,
            is_moving=shelf is not None and shelf.state == "moving",
            is_copying=self._moving is not None and not self._moving.done(),
            copied=self._copied,
            problem=self._problem,
        )

    async def close(self) -> None:
        """Ends what is under way, and lets others have the folder."""
        self._is_closing = True
        if self._moving is not None:
            await asyncio.wait([self._moving])  # a batch at most: its thread could not be stopped
        async with self._writing:
            await asyncio.to_thread(self._shelves.close)

    def _put(self, tickets: Sequence[Ticket], known: Known) -> Imported:
        shelf = self._shelves.current() or self._shelves.first(self._embedder.name)
        _must_fit(shelf, self._embedder.name)
        _must_stand_still(shelf)
        at = wall_now()
        made = {_cite(shelf, ticket.connection, ticket.id): ticket for ticket in tickets}  # the last one of an id stands
        rows = [row for cite, ticket in made.items() for row in _rows(cite, ticket, known.get(ticket.owner, ()), at)]
        digests = {row.cite: row.digest for row in rows}
        before = {row.cite: row.digest for row in shelf.rows([f"{cite}.0" for cite in made])}
        kept = {cite for cite, made_from in before.items() if made_from == digests[cite]}
        # A ticket's first chunk is written last, and removed first: while it is there with its digest, all of the ticket is there and
        # nothing of an older text. What dies in between is put in by the same import once more.
        fresh = sorted((row for row in rows if row.cite not in kept), key=lambda row: row.chunk_id.endswith(".0"))
        vectors = self._embedder.embed([row.text for row in fresh]) if fresh else []
        if replaced := sorted(digests.keys() - kept):
            old = shelf.ids(cited_as(replaced))
            self._forget(shelf, sorted(old, key=lambda chunk_id: not chunk_id.endswith(".0")))
        shelf.put(fresh, vectors)
        self._words.put(shelf, fresh)
        return Imported(written=len(made) - len(kept), unchanged=len(kept))

    def _search(self, query: str, scope: Scope, now: datetime, limit: int, weights: Weights) -> list[Found]:
        shelf = self._shelves.current()
        if shelf is None or shelf.count() == 0:
            return []
        _must_fit(shelf, self._embedder.name)
        keywords, has_code = self._words.search(shelf, query, scope.allows, CANDIDATES)
        weight = weights.for_codes if has_code else weights.dense
        dense = shelf.nearest(self._embedder.embed([query])[0], scope.where, CANDIDATES)
        rows = {row.chunk_id: row for row in shelf.rows(sorted({hit.chunk_id for hit in [*dense, *keywords]})) if scope.allows(row.owner)}
        ages = {chunk_id: (now - row.opened_at) / timedelta(days=1) for chunk_id, row in rows.items()}
        best: dict[str, Found] = {}
        for chunk_id, score in fused(_there(dense, rows), _there(keywords, rows), ages, weight, weights):
            best.setdefault(rows[chunk_id].cite, Found(rows[chunk_id], score))
        return list(best.values())[:limit]

    async def _delete(self, where: Where) -> int:
        if not self._shelves.has_any():
            return 0
        async with self._writing:
            return await _in_thread(lambda: self._delete_now(where))

    def _delete_now(self, where: Where) -> int:
        shelf = self._shelves.current()
        if shelf is None:
            return 0
        _must_stand_still(shelf)
        ids = shelf.ids(where)
        self._forget(shelf, ids)
        return len({chunk_id.rpartition(".")[0] for chunk_id in ids})

    def _forget(self, shelf: Shelf, ids: Sequence[str]) -> None:
        shelf.remove(ids)
        self._words.remove(shelf, ids)

    async def _reindex(self) -> None:
        async with self._writing:
            prepared = await _in_thread(lambda: prepare(self._shelves, self._embedder.name))
        if prepared is None:
            return
        old, new = prepared
        while todo := await _in_thread(lambda: left_to_copy(old, new)):
            for at in range(0, len(todo), COPIED_AT_ONCE):
                if self._is_closing:
                    raise TicketsUnavailable("the process ended; begin it again")
                batch = todo[at : at + COPIED_AT_ONCE]
                self._copied = (self._copied or 0) + await _in_thread(lambda batch=batch: copy(old, new, batch, self._embedder))
        async with self._writing:
            await _in_thread(lambda: finish(self._shelves, old, new))

    def _reindexed(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        self._problem = str(error) if error else None


async def _in_thread(call: Callable[[], ResultT]) -> ResultT:
    return await asyncio.to_thread(translated(call))


def _there(hits: Sequence[Hit], rows: Mapping[str, ChunkRow]) -> list[Hit]:
    return [hit for hit in hits if hit.chunk_id in rows]


def _must_fit(shelf: Shelf, model: str) -> None:
    if shelf.model != model:
        raise Misconfigured(f"tickets are indexed with {shelf.model!r} and RECOUP_EMBEDDING_MODEL is {model!r}: run recoup tickets reindex")


def _must_stand_still(shelf: Shelf) -> None:
    if shelf.state == "moving":
        raise TicketsUnavailable(
            "tickets are being re-indexed; try again when it is done. Where it died, begin it again: recoup tickets reindex"
        )


def _cite(shelf: Shelf, connection: str, ticket_id: str) -> str:
    # Keyed: from a plain hash of "4711" anybody could find out which ticket it is.
    return "tkt_" + hmac.new(shelf.salt.encode(), f"{connection}\n{ticket_id}".encode(), hashlib.sha256).hexdigest()[:CITE_CHARS]


def _rows(cite: str, ticket: Ticket, known: Sequence[str], at: datetime) -> list[ChunkRow]:
    names = (*ticket.known, *known)
    subject, text = mask_personal(ticket.subject, names), mask_personal(ticket.text, names)
    plain = ticket.model_copy(update={"subject": subject, "text": text, "known": ()})
    made_from = digest(plain.model_dump(mode="json"))
    return [
        ChunkRow(
            chunk_id=f"{cite}.{number}",
            cite=cite,
            owner=ticket.owner,
            ticket_id=ticket.id,
            opened_at=ticket.opened_at,
            written_at=at,
            topic=ticket.topic,
            resolution=ticket.resolution,
            category=ticket.category,
            locale=ticket.locale,
            digest=made_from,
            text=chunk,
        )
        for number, chunk in enumerate(chunks(subject, text))
    ]
