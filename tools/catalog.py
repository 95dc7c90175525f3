"""The tools that a model may use: they only read, take no arguments, know one case, and show a few rows with names to cite."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from recoup.citations import Citations, citations_of
from recoup.digest import canonical_json
from recoup.errors import Misconfigured, TicketsUnavailable
from recoup.model_port import ToolSpec
from recoup.record import Record
from recoup.tickets import OwnTicket, SimilarCase
from tools.case_rows import Row, attempt_rows, contact_rows, payment_rows, plan_rows, policy_rows, subscription_rows, text_rows
from tools.case_view import CaseView

MOST_ROWS = 12
MOST_TICKETS = 5
MOST_CHARS = 4_000

Rows = Callable[[], Awaitable[Sequence[Row]]]


class NoArguments(Record):
    """Takes none: which case it is about is not a model's to say."""


class Catalog:
    """The tools of one case. ``citations`` grows by what a search has shown: only what was shown can be cited."""

    def __init__(self, view: CaseView) -> None:
        self._view = view
        self.citations: Citations = citations_of(view.facts)

    def specs(self) -> tuple[ToolSpec, ...]:
        """All of them, as the model port takes them."""
        return tuple(
            ToolSpec(name=name, description=description, args=NoArguments, run=_running(rows))
            for name, (description, rows) in self._tools().items()
        )

    def _tools(self) -> dict[str, tuple[str, Rows]]:
        view, cite = self._view, self.citations
        return {
            "payment_history": ("Payments and failures of this account's other invoices.", _now(lambda: payment_rows(view, cite))),
            "attempt_ledger": ("Every try on this invoice, what the answer means and permits.", _now(lambda: attempt_rows(view, cite))),
            "plan": ("What the rules plan next, why, and what they left out.", _now(lambda: plan_rows(view, cite))),
            "subscription": ("The invoice, the service's standing, other open invoices.", _now(lambda: subscription_rows(view, cite))),
            "contact_history": ("Messages so far and what the customer consents to.", _now(lambda: contact_rows(view, cite))),
            "texts": ("What the reader found in replies, notes and tickets: closed words only.", _now(lambda: text_rows(view, cite))),
            "similar_tickets": (
                "This account's earlier tickets, and how similar cases of others ended.",
                self._tickets,
            ),
            "policy": ("The mode, limits and offers in force for this case.", _now(lambda: policy_rows(view))),
            "incidents": ("Systemic failures that are open now.", self._incidents),
        }

    async def _tickets(self) -> Sequence[Row]:
        memory, facts = self._view.tickets, self._view.facts
        if memory is None:
            return [{"note": "there is no memory of tickets"}]
        query = _query(self._view)
        try:
            own = await memory.own(facts.account.id, query, now=facts.now, limit=MOST_TICKETS)
            others = await memory.similar(facts.account.id, query, now=facts.now, limit=MOST_TICKETS)
        except (TicketsUnavailable, Misconfigured):
            return [{"note": "the memory of tickets cannot be asked now"}]
        self.citations = self.citations.with_rows("ticket", (t.id for t in own)).with_rows("similar", (t.id for t in others))
        return [_ticket(ticket, self.citations) for ticket in (*own, *others)]

    async def _incidents(self) -> Sequence[Row]:
        source = self._view.incidents
        found = await source.open_incidents(self._view.facts.connection.name) if source else ()
        return [{"kind": one.kind, "since": f"{one.since:%Y-%m-%d %H:%M}"} for one in found]


def shown(rows: Sequence[Row]) -> str:
    """Rows as a model sees them; how many were left out is said. Never more than MOST_CHARS."""
    kept = list(rows[:MOST_ROWS])
    while True:
        text = canonical_json({"rows": kept, "left_out": len(rows) - len(kept)})
        if len(text) <= MOST_CHARS:
            return text
        kept.pop()


def _running(rows: Rows) -> Callable[[Any], Awaitable[str]]:
    async def run(_: Any) -> str:
        return shown(await rows())

    return run


def _now(rows: Callable[[], Sequence[Row]]) -> Rows:
    async def told() -> Sequence[Row]:
        return rows()

    return told


def _query(view: CaseView) -> str:
    """Closed words of the case, so that a search carries nothing that a stranger wrote."""
    facts = view.facts
    intents = [text.reading.intent.replace("_", " ") for text in facts.texts if text.reading]
    return " ".join(dict.fromkeys(["failed payment", facts.category.replace("_", " "), *intents]))


def _ticket(ticket: OwnTicket | SimilarCase, citations: Citations) -> Row:
    """Closed words of a ticket. An own ticket's excerpt is for the reader and for people."""
    opened = f"{ticket.opened_at:%Y-%m-%d}" if isinstance(ticket, OwnTicket) else ticket.opened
    return {
        "cite": citations.name_of(ticket.id),
        "opened": opened,
        "topic": ticket.topic,
        "resolution": ticket.resolution,
        "category": ticket.category,
    }
