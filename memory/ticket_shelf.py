"""One collection of Chroma, typed: chunks of tickets with what must be known to find, show and forget them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from memory.ticket_embedding import EXTRA_MISSING
from memory.ticket_ranking import Hit
from recoup.category import Category
from recoup.errors import Misconfigured, TicketsUnavailable
from recoup.record import Record
from recoup.tickets import AccountRef, Resolution, Topic

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

PREFIX = "recoup-tickets-"
BATCH_ROWS = 500  # Chroma refuses more than some thousands at once
PAGE_ROWS = 2_000

Where = dict[str, Any]
Allows = Callable[[AccountRef], bool]
P = ParamSpec("P")
ResultT = TypeVar("ResultT")


class ChunkRow(Record):
    """One chunk as it is stored. ``cite``: the ticket's public id. ``written_at``: wall time. ``digest``: of everything that the ticket's
    rows were made from, so that the same ticket is not embedded twice."""

    chunk_id: str
    cite: str
    owner: AccountRef
    ticket_id: str
    opened_at: datetime
    written_at: datetime
    topic: Topic
    resolution: Resolution
    category: Category | None
    locale: str | None
    digest: str
    text: str


def owners_are(owners: Sequence[AccountRef]) -> Where:
    """Chunks of these accounts."""
    return {"owner": {"$in": [_key(owner) for owner in owners]}}


def owners_are_not(owners: Sequence[AccountRef], connections: Sequence[str]) -> Where:
    """Chunks of anybody else on these connections."""
    return {"$and": [{"connection": {"$in": list(connections)}}, {"owner": {"$nin": [_key(owner) for owner in owners]}}]}


def ticket_is(connection: str, ticket_id: str) -> Where:
    """Chunks of one ticket of the ticket system."""
    return {"$and": [{"connection": connection}, {"ticket": ticket_id}]}


def cited_as(cites: Sequence[str]) -> Where:
    """Chunks of the tickets with these public ids."""
    return {"cite": {"$in": list(cites)}}


def written_since(at: datetime) -> Where:
    """Chunks that were written then or later."""
    return {"written": {"$gte": at.timestamp()}}


def translated(call: Callable[P, ResultT]) -> Callable[P, ResultT]:
    """Makes Chroma's failures ours: one that is away, or an answer of a server that it does not understand itself."""

    @wraps(call)
    def translating(*args: P.args, **kwargs: P.kwargs) -> ResultT:
        try:
            from chromadb.errors import ChromaError
            from httpx import HTTPError
        except ImportError as exc:
            raise Misconfigured(EXTRA_MISSING) from exc
        try:
            return call(*args, **kwargs)
        except (ChromaError, HTTPError, OSError) as exc:
            raise TicketsUnavailable(f"the store of tickets failed: {type(exc).__name__}; it is asked again next time") from exc

    return translating


class Shelf:
    """All chunks in one model's space. Blocks: call it in a thread. ``number`` counts up with each re-index; the ``salt`` makes public ids
    unguessable and outlives every re-index. Raises TicketsUnavailable."""

    def __init__(self, collection: "Collection") -> None:
        self._collection = collection
        self.name = collection.name
        self.number = int(self.name.removeprefix(PREFIX))
        found: dict[str, Any] = dict(collection.metadata)
        self.model, self.salt, self.state = str(found["model"]), str(found["salt"]), str(found["state"])

    @classmethod
    def made(cls, client: "ClientAPI", number: int, *, model: str, salt: str, state: str) -> "Shelf":
        """A new collection; where somebody else has made it a moment before, that one, with its own salt."""
        collection = client.get_or_create_collection(
            f"{PREFIX}{number}",
            embedding_function=None,  # Chroma's own default would download a model
            metadata={"model": model, "salt": salt, "state": state},
            configuration={"hnsw": {"space": "cosine"}},
        )
        return cls(collection)

    def set_state(self, state: str) -> None:
        """``current``, ``moving`` while its chunks are copied into the next one, ``building`` for that one."""
        self._collection.modify(metadata={"model": self.model, "salt": self.salt, "state": state})
        self.state = state

    def count(self) -> int:
        """How many chunks there are."""
        return self._collection.count()

    def put(self, rows: Sequence[ChunkRow], vectors: Sequence[Sequence[float]]) -> None:
        """Adds or replaces chunks."""
        for at in range(0, len(rows), BATCH_ROWS):
            batch = rows[at : at + BATCH_ROWS]
            self._collection.upsert(
                ids=[row.chunk_id for row in batch],
                embeddings=[list(vector) for vector in vectors[at : at + BATCH_ROWS]],
                documents=[row.text for row in batch],
                metadatas=[_metadata(row) for row in batch],
            )

    def nearest(self, vector: Sequence[float], where: Where, limit: int) -> list[Hit]:
        """The chunks closest in meaning, with the cosine of the angle: 1 for the same."""
        found: Any = self._collection.query(query_embeddings=[list(vector)], n_results=limit, where=where, include=["distances"])
        return [Hit(chunk_id, 1.0 - float(far)) for chunk_id, far in zip(found["ids"][0], found["distances"][0], strict=True)]

    def rows(self, ids: Sequence[str]) -> list[ChunkRow]:
        """The chunks of these ids that are there."""
        return [row for at in range(0, len(ids), BATCH_ROWS) for row in self._get(ids=list(ids[at : at + BATCH_ROWS]))]

    def ids(self, where: Where | None = None) -> list[str]:
        """Which chunks there are."""
        found: Any = self._collection.get(where=where, include=[])
        return list(found["ids"])

    def remove(self, ids: Sequence[str]) -> None:
        """Forgets chunks."""
        for at in range(0, len(ids), BATCH_ROWS):
            self._collection.delete(ids=list(ids[at : at + BATCH_ROWS]))

    def pages(self, where: Where | None = None) -> Iterator[list[ChunkRow]]:
        """All chunks, page by page; one that is written or removed meanwhile may be missed."""
        ids = self.ids(where)
        for at in range(0, len(ids), PAGE_ROWS):
            yield self.rows(ids[at : at + PAGE_ROWS])

    def _get(self, **asked: Any) -> list[ChunkRow]:
        found: Any = self._collection.get(**asked, include=["documents", "metadatas"])
        return [_row(*one) for one in zip(found["ids"], found["documents"], found["metadatas"], strict=True)]


def _key(owner: AccountRef) -> str:
    return f"{owner.connection}/{owner.account}"  # a connection's name has no slash


def _metadata(row: ChunkRow) -> dict[str, str | float]:
    # Chroma keeps no nulls: what is not known is left out.
    known = {"category": row.category, "locale": row.locale}
    return {
        "cite": row.cite,
        "connection": row.owner.connection,
        "owner": _key(row.owner),
        "account": row.owner.account,
        "ticket": row.ticket_id,
        "opened": row.opened_at.timestamp(),
        "written": row.written_at.timestamp(),
        "topic": row.topic.value,
        "resolution": row.resolution.value,
        "digest": row.digest,
        **{name: str(value) for name, value in known.items() if value is not None},
    }


def _row(chunk_id: str, text: str, metadata: Mapping[str, Any]) -> ChunkRow:
    return ChunkRow(
        chunk_id=chunk_id,
        cite=metadata["cite"],
        owner=AccountRef(connection=metadata["connection"], account=metadata["account"]),
        ticket_id=metadata["ticket"],
        opened_at=datetime.fromtimestamp(metadata["opened"], UTC),
        written_at=datetime.fromtimestamp(metadata["written"], UTC),
        topic=Topic(metadata["topic"]),
        resolution=Resolution(metadata["resolution"]),
        category=Category(metadata["category"]) if "category" in metadata else None,
        locale=metadata.get("locale"),
        digest=metadata["digest"],
        text=text,
    )
