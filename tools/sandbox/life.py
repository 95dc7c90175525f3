"""What happens in the world as its clock moves: first charges, the platform's own retries, and people living their lives."""

from datetime import datetime, timedelta
from typing import assert_never

from recoup.errors import Malformed
from tools.sandbox import bank
from tools.sandbox.behaviour import Doing, Move, move_after_message
from tools.sandbox.causes import REISSUED, Cause
from tools.sandbox.customers import Heard
from tools.sandbox.paydays import DAY, HOUR
from tools.sandbox.population import Role, on_grid
from tools.sandbox.protocol import Channel, ContactKind
from tools.sandbox.rows import AgendaRow, InvoiceRow
from tools.sandbox.simulation import Simulation
from tools.sandbox.store import stamp

PERIOD_ENDS_DAYS = 10
DISPUTES_WON = 0.5


def advance(sim: Simulation, to: datetime) -> int:
    """Moves the clock to ``to`` and plays everything due on the way, in order. Gives the number of things that happened."""
    if to < sim.now:
        raise Malformed(f"the clock stands at {sim.now.isoformat()} and does not go back to {to.isoformat()}")
    played = 0
    while due := sim.store.one(
        AgendaRow, "SELECT key, at, doing, invoice, attempt FROM agenda WHERE NOT done AND at <= ? ORDER BY at, key LIMIT 1", (stamp(to),)
    ):
        sim.set_clock(max(sim.now, due.at))
        sim.store.run("UPDATE agenda SET done = 1 WHERE key = ?", (due.key,))
        _play(sim, Doing(due.doing), sim.invoice(due.invoice), due.attempt)
        played += 1
    sim.set_clock(to)
    return played


def hear(sim: Simulation, customer: str, key: str, at: datetime, channel: Channel = "email", kind: ContactKind | None = None) -> None:
    """A message has reached a customer; the same ``key`` is heard once. Whether it moves them depends on those that came before."""
    if sim.store.value("SELECT 1 FROM contacts WHERE key = ?", (key,)):
        return
    ordinal, last = sim.contacts(customer)
    sim.store.run("INSERT INTO contacts (key, customer, ordinal, at) VALUES (?, ?, ?, ?)", (key, customer, ordinal, stamp(at)))
    row = sim.person(customer)
    owed = _newest_owed(sim, customer)
    if owed is None or owed.failed_at is None or row.opted_out:
        return
    method = sim.default_method(customer)
    cause = method.method.card.cause if method else Cause.DEAD
    read_at = max(at, sim.now)
    after_days = (read_at - owed.failed_at).total_seconds() / DAY
    hours_since = (at - last).total_seconds() / HOUR if last else None
    move = move_after_message(
        sim.world.customers, row.person, cause, Heard(read_at.timestamp(), ordinal, after_days, hours_since, channel, kind)
    )
    if move is not None:
        sim.plan(owed.id, move, f"message {ordinal}")


def _newest_owed(sim: Simulation, customer: str) -> InvoiceRow | None:
    return sim.store.one(
        InvoiceRow,
        "SELECT * FROM invoices WHERE customer = ? AND status = 'open' AND failed_at IS NOT NULL ORDER BY id LIMIT 1",
        (customer,),
    )


def _play(sim: Simulation, doing: Doing, invoice: InvoiceRow, attempt: str | None) -> None:  # noqa: C901 - one flat case each
    match doing:
        case Doing.FIRST_CHARGE:
            _first_charge(sim, invoice)
        case Doing.PLATFORM_RETRY:
            _platform_retry(sim, invoice)
        case Doing.SETTLE:
            bank.settle(sim, bank.attempt_of(sim, attempt or ""))
        case Doing.RETURN_DEBIT:
            bank.reverse(sim, bank.attempt_of(sim, attempt or ""), "invoice.payment_reversed")
        case Doing.REPLACE_CARD:
            _replace_card(sim, invoice)
        case Doing.UPDATE_METHOD:
            _update_method(sim, invoice)
        case Doing.PAY_LINK | Doing.PAY_PART:
            _pay(sim, invoice, is_part=doing is Doing.PAY_PART)
        case Doing.CANCEL_NOW | Doing.CANCEL_AT_PERIOD_END | Doing.PERIOD_ENDS:
            _cancel(sim, doing, invoice)
        case Doing.OPT_OUT:
            sim.store.run("UPDATE customers SET opted_out = 1, changed_at = ? WHERE id = ?", (stamp(sim.now), invoice.customer))
            sim.tell("customer.opted_out", invoice, channel=None)
        case Doing.DISPUTE:
            sim.tell("dispute.opened", invoice, charge=attempt)
        case Doing.CLOSE_DISPUTE:
            _close_dispute(sim, invoice, attempt or "")
        case _:
            assert_never(doing)


def _first_charge(sim: Simulation, invoice: InvoiceRow) -> None:
    invoice = sim.change_invoice(invoice.id, status="open")
    sim.tell("invoice.created", invoice)
    method = sim.default_method(invoice.customer)
    if method is None or invoice.bill.collection_method == "send_invoice":
        return
    if sim.person(invoice.customer).person.role is Role.HEALTHY:
        bank.charge(sim, invoice, method, invoice.remaining_minor, "platform")
    else:
        # That it fails is what the simulation is about; what the card does later is its truth.
        bank.fail(sim, invoice, method, invoice.remaining_minor, "platform")


def _platform_retry(sim: Simulation, invoice: InvoiceRow) -> None:
    method, subscription = sim.default_method(invoice.customer), sim.subscription(invoice)
    is_running = subscription is None or subscription.status != "cancelled"
    if method is not None and is_running and invoice.collector == "platform" and bank.is_collectible(sim, invoice):
        bank.charge(sim, invoice, method, invoice.remaining_minor, "platform")


def _replace_card(sim: Simulation, invoice: InvoiceRow) -> None:
    """The network's account updater: the same method, with a new card behind it."""
    row = sim.default_method(invoice.customer)
    if row is None or row.method.card.cause not in REISSUED:
        return
    place = sim.person(invoice.customer).person.place
    method = sim.world.cards.method(row.id, place, sim.world.cards.of_cause(f"{row.id}:replaced", place, Cause.GOOD))
    sim.store.run("UPDATE methods SET method = ? WHERE id = ?", (method.model_dump_json(), row.id))
    sim.tell("payment_method.updated", invoice, method=row.id)


def _update_method(sim: Simulation, invoice: InvoiceRow) -> None:
    """The customer puts another card on file in place of the one that failed."""
    if _has_left(sim, invoice):
        return
    old = sim.default_method(invoice.customer)
    place = sim.person(invoice.customer).person.place
    method_id = f"pm_{invoice.customer.removeprefix('cus_')}_u{len(sim.methods(invoice.customer))}"
    method = sim.world.cards.method(method_id, place, sim.world.cards.of_cause(method_id, place, Cause.GOOD))
    if old is not None:
        sim.store.run("UPDATE methods SET usable = 0 WHERE id = ?", (old.id,))
    sim.add_method(invoice.customer, method, "subscription")
    sim.tell("payment_method.updated", invoice, method=method_id)


def _pay(sim: Simulation, invoice: InvoiceRow, *, is_part: bool) -> None:
    if bank.is_collectible(sim, invoice) and not _has_left(sim, invoice):
        bank.pay_by_link(sim, invoice, invoice.remaining_minor // 2 if is_part else invoice.remaining_minor)
    elif invoice.status == "paid" and sim.person(invoice.customer).person.role is Role.PAYS_TWICE:
        # The page was open before the charge went through: the two payments cross.
        bank.pay_by_link(sim, invoice, invoice.total_minor)


def _cancel(sim: Simulation, doing: Doing, invoice: InvoiceRow) -> None:
    subscription = sim.subscription(invoice)
    if subscription is None or subscription.status == "cancelled":
        return
    if doing is Doing.CANCEL_AT_PERIOD_END:
        sim.store.run("UPDATE subscriptions SET status = 'ending' WHERE id = ?", (subscription.id,))
        sim.plan(invoice.id, Move(doing=Doing.PERIOD_ENDS, at=on_grid(sim.now + timedelta(days=PERIOD_ENDS_DAYS))), "cancelled")
        sim.tell("subscription.updated", invoice)
        return
    sim.store.run("UPDATE subscriptions SET status = 'cancelled' WHERE id = ?", (subscription.id,))
    sim.tell("subscription.cancelled", invoice, cancellation="immediate" if doing is Doing.CANCEL_NOW else "period_end")


def _close_dispute(sim: Simulation, invoice: InvoiceRow, attempt_id: str) -> None:
    if sim.dice.happens(DISPUTES_WON, attempt_id, "dispute won"):
        sim.tell("dispute.closed", invoice, charge=attempt_id, won=True)
    else:
        bank.reverse(sim, bank.attempt_of(sim, attempt_id), "dispute.closed", won=False)


def _has_left(sim: Simulation, invoice: InvoiceRow) -> bool:
    subscription = sim.subscription(invoice)
    return subscription is not None and subscription.status == "cancelled"
