"""Keeps the keyword index in step with the collection it was filled from, other processes' writing included."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from memory.ticket_ranking import Hit
from memory.ticket_shelf import Allows, ChunkRow, Shelf, written_since
from recoup.clock import wall_now

if TYPE_CHECKING:
    from memory.ticket_keywords import KeywordIndex

REFRESH = timedelta(seconds=5)  # so much later than here others' tickets are found by their words
CLOCKS_DIFFER = timedelta(seconds=30)


class TicketWords:
    """Filled by the first search and then by every write. ``is_shared``: others write there too, so that it is looked after them.

    What others remove stays in it until it is filled anew, but is not found: a search reads its rows from the collection."""

    def __init__(self, *, is_shared: bool, refresh: timedelta = REFRESH) -> None:
        self._is_shared, self._refresh = is_shared, refresh
        self._using = threading.Lock()
        self._index: KeywordIndex | None = None
        self._of: str | None = None
        self._seen_at: datetime | None = None

    def search(self, shelf: Shelf, query: str, allows: Allows, limit: int) -> tuple[list[Hit], bool]:
        """The best chunks by their words, and whether one of these is a code that is known."""
        with self._using:
            index = self._filled(shelf)
            return [Hit(*found) for found in index.search(query, allows, limit)], index.knows_code(query)

    def put(self, shelf: Shelf, rows: Sequence[ChunkRow]) -> None:
        """Tells of chunks that were written here."""
        with self._using:
            if self._index is not None and self._of == shelf.name:
                for row in rows:
                    self._index.put(row.chunk_id, row.owner, row.text)

    def remove(self, shelf: Shelf, ids: Sequence[str]) -> None:
        """Tells of chunks that were removed here."""
        with self._using:
            if self._index is not None and self._of == shelf.name:
                for chunk_id in ids:
                    self._index.remove(chunk_id)

    def _filled(self, shelf: Shelf) -> "KeywordIndex":
        from memory.ticket_keywords import KeywordIndex  # with numpy, by the first search

        now = wall_now()
        index, since = self._index, self._seen_at
        if index is None or since is None or self._of != shelf.name:
            index, since = KeywordIndex(), None
        if since is None or (self._is_shared and now - since >= self._refresh):
            for rows in shelf.pages(written_since(since - CLOCKS_DIFFER) if since else None):
                for row in rows:
                    index.put(row.chunk_id, row.owner, row.text)
            self._index, self._of, self._seen_at = index, shelf.name, now
        return index
