"""The steps of a re-index: every chunk is embedded anew into the next collection, which takes the place of the old one when it is complete.

While it lasts the old collection is marked, and nobody writes. One that dies leaves the mark, so that nothing that it would lose is
written; the next one begins anew. Each step blocks.
"""

from collections.abc import Sequence

from memory.ticket_embedding import Embedder
from memory.ticket_shelf import Shelf
from memory.ticket_shelves import Shelves


def prepare(shelves: Shelves, model: str) -> tuple[Shelf, Shelf] | None:
    """Marks the current collection and makes the next one, empty; None where there is nothing to re-index."""
    old = shelves.current() if shelves.has_any() else None
    if old is None:
        return None
    for shelf in shelves.all():
        if shelf.number != old.number:  # of one that died
            shelves.drop(shelf)
    old.set_state("moving")
    return old, shelves.next(old, model)


def left_to_copy(old: Shelf, new: Shelf) -> list[str]:
    """Which chunks are still to be copied. Asked again at the end: another process may have written or removed some in the moment before
    it saw the mark. What it removed is removed here."""
    there, here = set(old.ids()), set(new.ids())
    new.remove(sorted(here - there))
    return sorted(there - here)


def copy(old: Shelf, new: Shelf, ids: Sequence[str], embedder: Embedder) -> int:
    """Embeds these chunks; how many there were."""
    rows = old.rows(ids)
    if rows:
        new.put(rows, embedder.embed([row.text for row in rows]))
    return len(rows)


def finish(shelves: Shelves, old: Shelf, new: Shelf) -> None:
    """Puts the new collection in the old one's place. Dying in between leaves two, of which the newer counts."""
    new.set_state("current")
    shelves.drop(old)
