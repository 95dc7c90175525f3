"""Tickets to store and a small model to store them with, for whatever does not turn on the real one."""

import math
import zlib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from memory.ticket_keywords import words
from memory.ticket_shelves import Shelves
from memory.tickets import Found, Scope, TicketStore
from recoup.tickets import AccountRef, Ticket
from tests.factories import NOW

CONNECTION = "sandbox"
ADA, BO = AccountRef(connection=CONNECTION, account="cus_ada"), AccountRef(connection=CONNECTION, account="cus_bo")
DIMENSIONS = 256


class WordsEmbedder:
    """Texts are near each other that share words; ``asked`` are all that it was given."""

    def __init__(self, name: str = "words-1") -> None:
        self.name = name
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked += texts
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> list[float]:
        vector = [1e-3] * DIMENSIONS
        for word in words(text):
            vector[zlib.crc32(f"{self.name} {word}".encode()) % DIMENSIONS] += 1.0
        length = math.hypot(*vector)
        return [value / length for value in vector]


def make_ticket(id_: str = "T-1", text: str = "My card was declined.", owner: AccountRef = ADA, **fields: Any) -> Ticket:
    values: dict[str, Any] = {"opened_at": NOW - timedelta(days=3)} | fields
    return Ticket(connection=owner.connection, account=owner.account, id=id_, text=text, **values)


def make_store(folder: Path, embedder: WordsEmbedder | None = None, url: str | None = None) -> TicketStore:
    return TicketStore(Shelves(folder, url), embedder or WordsEmbedder())


async def own(store: TicketStore, query: str, owner: AccountRef = ADA, limit: int = 5) -> list[Found]:
    return await store.search(query, Scope.own([owner]), now=NOW, limit=limit)


async def others(store: TicketStore, query: str, owner: AccountRef = ADA, limit: int = 5) -> list[Found]:
    return await store.search(query, Scope.others([owner], [CONNECTION]), now=NOW, limit=limit)
