"""The simulated platform over its store: where its clock stands, what is on the agenda, what it tells by webhook."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from recoup.errors import Malformed, Misconfigured, NotFound
from tools.sandbox.behaviour import Doing, Move
from tools.sandbox.cards import Method
from tools.sandbox.population import DEFAULT_START, GRID, Person, Population, on_grid
from tools.sandbox.rows import CustomerRow, InvoiceRow, MethodRow, NoteRow, SubscriptionRow
from tools.sandbox.store import RowT, Store, stamp

LATE_STEPS = (1, 4)  # a late webhook comes this many steps of the grid later


@dataclass(frozen=True)
class Channel:
    """How badly webhooks travel: the shares that come late, twice, and out of order."""

    late_share: float = 0.1
    twice_share: float = 0.2
    shuffled_share: float = 0.2


class Simulation:
    """Reads and writes inside the caller's transaction. Draws are keyed by what they are about, never by when they are made."""

    def __init__(self, store: Store, world: Population, channel: Channel) -> None:
        self.store, self.world, self.dice, self.channel = store, world, world.dice, channel

    def settle_in(self) -> None:
        """Moves the population in, once; raises Misconfigured where the store holds the world of another seed."""
        identity = json.dumps([self.world.seed, self.world.cases, self.world.days])
        held = self.store.value("SELECT value FROM meta WHERE name = 'world'")
        if held is None:
            self.store.run("INSERT INTO meta (name, value) VALUES ('world', ?), ('now', ?)", (identity, stamp(DEFAULT_START)))
            for person in self.world.people():
                self._move_in(person)
        elif held != identity:
            raise Misconfigured(f"this home holds another world (seed, cases, days: {held}); choose another --home")

    def _move_in(self, person: Person) -> None:
        now = stamp(DEFAULT_START)
        self.store.run("INSERT INTO customers (id, person, changed_at) VALUES (?, ?, ?)", (person.id, person.model_dump_json(), now))
        self.add_method(person.id, person.method, "subscription")
        if person.backup is not None:
            self.add_method(person.id, person.backup, "backup")
        for bill in person.bills:
            if bill.subscription:
                self.store.run("INSERT INTO subscriptions (id, customer) VALUES (?, ?)", (bill.subscription, person.id))
            self.store.run(
                "INSERT INTO invoices (id, customer, subscription, bill, status, revision, total_minor) VALUES (?, ?, ?, ?, 'draft', 1, ?)",
                (bill.id, person.id, bill.subscription, bill.model_dump_json(), bill.total_minor),
            )
            self.plan(bill.id, Move(doing=Doing.FIRST_CHARGE, at=bill.charged_at), "")

    @property
    def now(self) -> datetime:
        """The platform's clock."""
        return datetime.fromisoformat(self.store.value("SELECT value FROM meta WHERE name = 'now'"))

    def set_clock(self, at: datetime) -> None:
        """Moves the clock; raises Malformed where that would be backwards."""
        if at < self.now:
            raise Malformed(f"the clock stands at {self.now.isoformat()} and does not go back to {at.isoformat()}")
        self.store.run("UPDATE meta SET value = ? WHERE name = 'now'", (stamp(at),))

    def next_at(self) -> datetime | None:
        """The next instant at which anything happens or a webhook is due; None where nothing is left."""
        at = self.store.value(
            "SELECT min(at) FROM (SELECT min(at) AS at FROM agenda WHERE NOT done UNION ALL "
            "SELECT min(due_at) FROM deliveries WHERE NOT delivered AND due_at > ?)",
            (stamp(self.now),),
        )
        return datetime.fromisoformat(at) if at else None

    def plan(self, invoice: str, move: Move, occasion: str, attempt: str | None = None) -> None:
        """Puts a move on the agenda; the same occasion puts the same move there once."""
        self.store.run(
            "INSERT OR IGNORE INTO agenda (key, at, doing, invoice, attempt) VALUES (?, ?, ?, ?, ?)",
            (f"{invoice}/{occasion}/{move.doing}/{stamp(move.at)}", stamp(move.at), move.doing, invoice, attempt),
        )

    def invoice(self, invoice_id: str) -> InvoiceRow:
        """One invoice; raises NotFound."""
        return _must(self.store.one(InvoiceRow, "SELECT * FROM invoices WHERE id = ?", (invoice_id,)), invoice_id)

    def person(self, customer_id: str) -> CustomerRow:
        """One customer; raises NotFound."""
        return _must(self.store.one(CustomerRow, "SELECT * FROM customers WHERE id = ?", (customer_id,)), customer_id)

    def subscription(self, invoice: InvoiceRow) -> SubscriptionRow | None:
        """The subscription that the invoice bills."""
        return self.store.one(SubscriptionRow, "SELECT * FROM subscriptions WHERE id = ?", (invoice.subscription,))

    def methods(self, customer_id: str) -> list[MethodRow]:
        """All methods that a customer ever had on file, oldest first."""
        return self.store.all(MethodRow, "SELECT * FROM methods WHERE customer = ? ORDER BY rowid", (customer_id,))

    def default_method(self, customer_id: str) -> MethodRow | None:
        """The one that the platform charges."""
        return next((row for row in reversed(self.methods(customer_id)) if row.usable and row.slot == "subscription"), None)

    def add_method(self, customer_id: str, method: Method, slot: Literal["subscription", "backup"]) -> None:
        """Puts a method on file."""
        self.store.run(
            "INSERT INTO methods (id, customer, method, slot) VALUES (?, ?, ?, ?)", (method.id, customer_id, method.model_dump_json(), slot)
        )

    def contacts(self, customer_id: str) -> tuple[int, datetime | None]:
        """How many messages have reached a customer, and when the last of them did."""
        last = self.store.value("SELECT max(at) FROM contacts WHERE customer = ?", (customer_id,))
        count = self.store.value("SELECT count(*) FROM contacts WHERE customer = ?", (customer_id,))
        return count, datetime.fromisoformat(last) if last else None

    def change_invoice(self, invoice_id: str, **changes: object) -> InvoiceRow:
        """Writes columns and a new revision."""
        columns = "".join(f", {column} = ?" for column in changes)
        self.store.run(f"UPDATE invoices SET revision = revision + 1{columns} WHERE id = ?", (*changes.values(), invoice_id))  # noqa: S608
        return self.invoice(invoice_id)

    def note(self, invoice_id: str, text: str) -> None:
        """Keeps a line about an invoice."""
        self.store.run("INSERT INTO notes (invoice, at, text) VALUES (?, ?, ?)", (invoice_id, stamp(self.now), text))

    def note_once(self, invoice_id: str, text: str) -> None:
        """The same, unless the newest line says it already."""
        if self.notes(invoice_id)[-1:] != [text]:
            self.note(invoice_id, text)

    def notes(self, invoice_id: str) -> list[str]:
        """The lines about an invoice, oldest first."""
        return [row.text for row in self.store.all(NoteRow, "SELECT text FROM notes WHERE invoice = ? ORDER BY n", (invoice_id,))]

    def tell(self, event_type: str, invoice: InvoiceRow, **data: object) -> None:
        """Emits a webhook about the invoice: once or twice, in time or late, in order or not."""
        before = self.store.value("SELECT count(*) FROM events WHERE type = ? AND id LIKE ?", (event_type, f"evt_{invoice.id}_%"))
        event, now = f"evt_{invoice.id}_{event_type.replace('.', '_')}_{before}", self.now
        body = _envelope(event, event_type, invoice, now, data)
        self.store.run("INSERT INTO events (id, type, at, body) VALUES (?, ?, ?, ?)", (event, event_type, stamp(now), body))
        for copy in range(2 if self.dice.happens(self.channel.twice_share, event, "twice") else 1):
            is_late = self.dice.happens(self.channel.late_share, event, "late", copy)
            late = GRID * self.dice.whole(*LATE_STEPS, event, "late by", copy)
            self.store.run(
                "INSERT INTO deliveries (event, copy, due_at, place) VALUES (?, ?, ?, ?)",
                (event, copy, stamp(on_grid(now + late) if is_late else now), self._place(event, copy)),
            )

    def _place(self, event: str, copy: int) -> float:
        """Where in the queue of one instant it stands: behind those before it, unless it is one of the shuffled."""
        count = float(self.store.value("SELECT count(*) FROM events"))
        is_shuffled = self.dice.happens(self.channel.shuffled_share, event, "shuffled", copy)
        return count + (self.dice.draw(event, "place", copy) - 0.5) * 20 if is_shuffled else count


def _must(row: RowT | None, row_id: str) -> RowT:
    if row is None:
        raise NotFound(f"there is no {row_id}")
    return row


def _envelope(event: str, event_type: str, invoice: InvoiceRow, at: datetime, data: Mapping[str, object]) -> str:
    about = {"invoice": invoice.id, "customer": invoice.customer, "subscription": invoice.subscription, "revision": invoice.revision}
    return json.dumps({"id": event, "type": event_type, "livemode": False, "created": at.isoformat(), "data": {**about, **data}})
