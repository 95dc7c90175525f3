"""Measures how well tickets are found: recall@5 and MRR for each locale, hybrid beside keywords alone and meaning alone.

The labelled set stands in evals/datasets/tickets; ``dev`` queries were looked at when the weights were chosen, ``test`` ones were not.
"""

import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from memory.ticket_embedding import Embedder, SentenceEmbedder
from memory.ticket_ranking import WEIGHTS, Weights
from memory.ticket_shelves import Shelves
from memory.tickets import Scope, TicketStore
from recoup.record import Record
from recoup.tickets import AccountRef, Resolution, Ticket, Topic

FOLDER = Path(__file__).parent / "datasets" / "tickets"
TICKETS, QUERIES = FOLDER / "tickets.v1.jsonl", FOLDER / "queries.v1.jsonl"
NOW = datetime(2026, 12, 1, tzinfo=UTC)
CONNECTION = "labelled"
ASKER = AccountRef(connection=CONNECTION, account="cus_asker")
RECALL_AT, DEPTH = 5, 20

Way = Literal["hybrid", "bm25", "dense"]
# Age counts in each as it does in earnest.
WAYS: dict[Way, Weights] = {
    "hybrid": WEIGHTS,
    "bm25": Weights(dense=0.0, for_codes=0.0),
    "dense": Weights(dense=1.0, for_codes=1.0),
}


class LabelledTicket(Record):
    """A ticket of the set."""

    id: str
    locale: str
    account: str
    opened_at: datetime
    subject: str
    text: str
    topic: Topic
    resolution: Resolution
    provenance: str


class LabelledQuery(Record):
    """A query and every ticket that answers it. ``meaning``: in other words than the ticket; ``code``: a code or id that stands in it."""

    id: str
    kind: Literal["meaning", "code"]
    locale: str
    split: Literal["dev", "test"]
    query: str
    relevant: tuple[str, ...]
    provenance: str


class Score(Record):
    """One line of the table: the share of a query's relevant tickets among the first five (of at most five), and 1 / the place of the
    first one, each as a mean over queries."""

    locale: str
    kind: str
    split: str
    way: Way
    queries: int
    recall: float
    mrr: float


class QualityReport(Record):
    """What was measured with which model."""

    model: str
    tickets: int
    scores: tuple[Score, ...]

    def of(self, way: Way, *, locale: str = "all", kind: str = "all", split: str = "all") -> Score:
        """One line."""
        return next(s for s in self.scores if (s.way, s.locale, s.kind, s.split) == (way, locale, kind, split))


def labelled_tickets() -> list[LabelledTicket]:
    """The tickets of the set."""
    return [LabelledTicket.model_validate_json(line) for line in TICKETS.read_text(encoding="utf-8").splitlines()]


def labelled_queries() -> list[LabelledQuery]:
    """The queries of the set."""
    return [LabelledQuery.model_validate_json(line) for line in QUERIES.read_text(encoding="utf-8").splitlines()]


async def measured(model: str) -> QualityReport:
    """Puts the set into a store of its own, asks everything each way, and throws the store away. Raises Misconfigured."""
    return await measured_with(SentenceEmbedder(model))


async def measured_with(embedder: Embedder) -> QualityReport:
    """The same with a model that may be loaded already."""
    tickets, queries = labelled_tickets(), labelled_queries()
    with tempfile.TemporaryDirectory() as folder:
        store = TicketStore(Shelves(Path(folder)), _Remembering(embedder))
        try:
            await store.put([_ticket(one) for one in tickets])
            found: dict[Way, list[list[str]]] = {}
            for way, weights in WAYS.items():
                found[way] = [await _found(store, query, weights) for query in queries]
        finally:
            await store.close()
    locales, kinds, splits = (["all", *sorted({getattr(q, field) for q in queries})] for field in ("locale", "kind", "split"))
    scores = [
        _score(way, locale, kind, split, zip(queries, ranked, strict=True))
        for way, ranked in found.items()
        for locale in locales
        for kind in kinds
        for split in splits
    ]
    return QualityReport(model=embedder.name, tickets=len(tickets), scores=tuple(scores))


def table(report: QualityReport, split: str = "all") -> str:
    """The report for people, and for a page in Markdown: a line a locale and kind, a column a way."""
    lines = [f"{report.tickets} tickets, {report.model}, {split} queries; recall@{RECALL_AT} / MRR", ""]
    lines += [f"| Locale | Kind | Queries | {' | '.join(WAYS)} |", "|---|---|---|" + "---|" * len(WAYS)]
    for locale in dict.fromkeys(score.locale for score in report.scores):
        for kind in ("meaning", "code", "all"):
            found = [report.of(way, locale=locale, kind=kind, split=split) for way in WAYS]
            cells = " | ".join(f"{score.recall:.2f} / {score.mrr:.2f}" for score in found)
            lines.append(f"| {locale} | {kind} | {found[0].queries} | {cells} |")
    return "\n".join(lines)


class _Remembering:
    """A model that is asked for each text once, since every query is put in three ways."""

    def __init__(self, embedder: Embedder) -> None:
        self.name, self._embedder = embedder.name, embedder
        self._vectors: dict[str, list[float]] = {}

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        new = [text for text in texts if text not in self._vectors]
        self._vectors |= zip(new, self._embedder.embed(new) if new else [], strict=True)
        return [self._vectors[text] for text in texts]


async def _found(store: TicketStore, query: LabelledQuery, weights: Weights) -> list[str]:
    scope = Scope.others([ASKER], [CONNECTION])
    return [found.row.ticket_id for found in await store.search(query.query, scope, now=NOW, limit=DEPTH, weights=weights)]


def _ticket(one: LabelledTicket) -> Ticket:
    return Ticket(
        connection=CONNECTION,
        account=one.account,
        id=one.id,
        opened_at=one.opened_at,
        subject=one.subject,
        text=one.text,
        locale=one.locale,
        topic=one.topic,
        resolution=one.resolution,
    )


def _score(way: Way, locale: str, kind: str, split: str, found: Iterable[tuple[LabelledQuery, Sequence[str]]]) -> Score:
    asked = [
        (query, ranked)
        for query, ranked in found
        if locale in {"all", query.locale} and kind in {"all", query.kind} and split in {"all", query.split}
    ]
    recalls = [len(set(ranked[:RECALL_AT]) & set(query.relevant)) / min(RECALL_AT, len(query.relevant)) for query, ranked in asked]
    firsts = [next((1 / place for place, one in enumerate(ranked, 1) if one in query.relevant), 0.0) for query, ranked in asked]
    count = len(asked)
    mean_recall, mean_first = (sum(values) / count if count else 0.0 for values in (recalls, firsts))
    return Score(locale=locale, kind=kind, split=split, way=way, queries=count, recall=mean_recall, mrr=mean_first)
