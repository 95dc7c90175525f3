"""Money on the sandbox platform: charges, payments by link, settlements, reversals and refunds of one invoice."""

from datetime import timedelta
from typing import Literal

from recoup.errors import NotFound, Refused
from tools.sandbox.behaviour import SETTLEMENT_DAYS, Doing, Move, moves_after_failure, moves_after_payment
from tools.sandbox.causes import Card, Code
from tools.sandbox.population import on_grid
from tools.sandbox.rows import AttemptRow, InvoiceRow, MethodRow
from tools.sandbox.simulation import Simulation
from tools.sandbox.store import stamp

Initiator = Literal["recoup", "platform", "customer"]
Status = Literal["processing", "succeeded", "failed", "reversed"]


def attempts_of(sim: Simulation, invoice_id: str) -> list[AttemptRow]:
    """All tries to collect an invoice, oldest first."""
    return sim.store.all(AttemptRow, "SELECT * FROM attempts WHERE invoice = ? ORDER BY n", (invoice_id,))


def attempt_of(sim: Simulation, attempt_id: str) -> AttemptRow:
    """One attempt; raises NotFound."""
    row = sim.store.one(AttemptRow, "SELECT * FROM attempts WHERE id = ?", (attempt_id,))
    if row is None:
        raise NotFound(f"there is no {attempt_id}")
    return row


def is_collectible(sim: Simulation, invoice: InvoiceRow) -> bool:
    """Open, with something left, and nothing on its way."""
    in_flight = any(attempt.status == "processing" for attempt in attempts_of(sim, invoice.id))
    return invoice.status == "open" and invoice.remaining_minor > 0 and not in_flight


def charge(
    sim: Simulation, invoice: InvoiceRow, row: MethodRow, amount_minor: int, initiator: Initiator, key: str | None = None
) -> AttemptRow:
    """Tries a method on file; raises Refused where the invoice cannot be collected now."""
    if not is_collectible(sim, invoice):
        raise Refused(f"{invoice.id} is {invoice.status} or has a payment on its way; nothing was charged")
    if amount_minor > invoice.remaining_minor:
        raise Refused(f"{invoice.id} has {invoice.remaining_minor} left, {amount_minor} is more; nothing was charged")
    if row.method.rail == "ach":
        attempt = _record(sim, invoice, row, amount_minor, "processing", initiator, key)
        sim.plan(invoice.id, Move(doing=Doing.SETTLE, at=on_grid(sim.now + timedelta(days=SETTLEMENT_DAYS))), attempt.id, attempt.id)
        sim.tell("invoice.payment_processing", sim.change_invoice(invoice.id), charge=attempt.id)
        return attempt
    if not sim.world.banks.approves(row.method.card, sim.now.timestamp(), _tried(sim, row.method.card)):
        return fail(sim, invoice, row, amount_minor, initiator, key)
    attempt = _record(sim, invoice, row, amount_minor, "succeeded", initiator, key)
    credit(sim, attempt)
    return attempt


def fail(
    sim: Simulation, invoice: InvoiceRow, row: MethodRow, amount_minor: int, initiator: Initiator, key: str | None = None
) -> AttemptRow:
    """A decline, with the code that the issuer answers."""
    card = row.method.card
    code = sim.world.banks.says(card, sim.now.timestamp()) if row.method.rail == "card" else card.code
    attempt = _record(sim, invoice, row, amount_minor, "failed", initiator, key, code)
    is_first = invoice.failed_at is None
    changes: dict[str, object] = {"failed_at": stamp(sim.now)} if is_first else {}
    invoice = sim.change_invoice(invoice.id, **changes)
    sim.tell("invoice.payment_failed", invoice, charge=attempt.id)
    if is_first and invoice.bill.collection_method == "charge_automatically":
        for move in moves_after_failure(sim.world.customers, sim.person(invoice.customer).person, invoice.bill, sim.now):
            sim.plan(invoice.id, move, "failed")
    return attempt


def pay_by_link(sim: Simulation, invoice: InvoiceRow, amount_minor: int) -> AttemptRow:
    """The customer pays on the hosted page, with a card that is not on file; it always goes through."""
    attempt = _record(sim, invoice, None, amount_minor, "succeeded", "customer", None)
    credit(sim, attempt)
    return attempt


def credit(sim: Simulation, attempt: AttemptRow) -> None:
    """Counts a payment, which may be more than was left, and starts what follows from it."""
    invoice = sim.invoice(attempt.invoice)
    paid = invoice.paid_minor + attempt.amount_minor
    is_part = paid < invoice.total_minor - invoice.credited_minor
    status = invoice.status if is_part else "paid"
    invoice = sim.change_invoice(invoice.id, paid_minor=paid, status=status)
    sim.tell("invoice.payment_received" if is_part else "invoice.paid", invoice, charge=attempt.id)
    by_customer = attempt.initiator == "customer"
    person = sim.person(invoice.customer).person
    for move in moves_after_payment(sim.dice, person, invoice.bill, sim.now, by_customer=by_customer, is_part=is_part):
        sim.plan(invoice.id, move, attempt.id, attempt.id)


def settle(sim: Simulation, attempt: AttemptRow) -> None:
    """A debit that was on its way has arrived."""
    _set_status(sim, attempt, "succeeded")
    credit(sim, attempt)


def reverse(sim: Simulation, attempt: AttemptRow, event_type: str, **data: object) -> None:
    """A payment is taken back: the invoice is owed again."""
    _set_status(sim, attempt, "reversed")
    invoice = sim.invoice(attempt.invoice)
    invoice = sim.change_invoice(invoice.id, paid_minor=invoice.paid_minor - attempt.amount_minor, status="open")
    sim.tell(event_type, invoice, charge=attempt.id, **data)


def refund(sim: Simulation, attempt: AttemptRow, amount_minor: int) -> None:
    """Gives back part or all of one payment; raises Refused where it holds less than that."""
    left = attempt.amount_minor - attempt.refunded_minor
    if attempt.status != "succeeded" or amount_minor > left:
        raise Refused(f"{attempt.id} is {attempt.status} and has {left} to give back, not {amount_minor}")
    sim.store.run("UPDATE attempts SET refunded_minor = refunded_minor + ? WHERE id = ?", (amount_minor, attempt.id))
    invoice = sim.invoice(attempt.invoice)
    invoice = sim.change_invoice(invoice.id, refunded_minor=invoice.refunded_minor + amount_minor)
    sim.tell("charge.refunded", invoice, charge=attempt.id)


def _set_status(sim: Simulation, attempt: AttemptRow, status: Status) -> None:
    sim.store.run("UPDATE attempts SET status = ? WHERE id = ?", (status, attempt.id))


def _tried(sim: Simulation, card: Card) -> list[float]:
    """When a card was tried before, by whomever."""
    rows = sim.store.all(AttemptRow, "SELECT * FROM attempts WHERE fingerprint = ? ORDER BY at, n", (card.fingerprint,))
    return [row.at.timestamp() for row in rows]


def _record(
    sim: Simulation,
    invoice: InvoiceRow,
    row: MethodRow | None,
    amount_minor: int,
    status: Status,
    initiator: Initiator,
    key: str | None,
    code: Code | None = None,
) -> AttemptRow:
    attempt_id = f"ch_{invoice.id.removeprefix('in_')}_{len(attempts_of(sim, invoice.id))}"
    fingerprint = row.method.card.fingerprint if row else f"fp_link_{invoice.customer}"
    sim.store.run(
        "INSERT INTO attempts (id, invoice, at, status, amount_minor, method, fingerprint, brand, initiator, customer_present, key, code) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(attempt_id, invoice.id, stamp(sim.now), status, amount_minor),
            *(row.id if row else None, fingerprint, row.method.brand if row else None),
            *(initiator, initiator == "customer", key, code.model_dump_json() if code else None),
        ),
    )
    return attempt_of(sim, attempt_id)
