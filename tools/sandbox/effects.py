"""What the sandbox platform does for a client that asks: one function for each charge and account action."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from recoup.errors import Malformed, NotFound, Refused
from recoup.record import Record
from tools.sandbox import bank
from tools.sandbox.behaviour import move_after_suspension
from tools.sandbox.causes import Code
from tools.sandbox.rows import EffectRow, InvoiceRow
from tools.sandbox.simulation import Simulation
from tools.sandbox.store import stamp


class Order(Record):
    """What a client asks for, once per ``key``."""

    key: Annotated[str, Field(min_length=1, max_length=200)]
    name: str
    invoice: str
    args: dict[str, object]


class _Charge(Record):
    credential: str
    amount_minor: Annotated[int, Field(gt=0)]


class _Refund(Record):
    attempt: str
    amount_minor: Annotated[int, Field(gt=0)]


class _WriteOff(Record):
    amount_minor: Annotated[int, Field(gt=0)]


class _Discount(Record):
    percent: Annotated[int, Field(ge=1, le=100)]


class _Grace(Record):
    until: datetime


class _Cancellation(Record):
    at: Literal["now", "period_end"]


class _Nothing(Record):
    pass


def perform(sim: Simulation, order: Order) -> EffectRow:
    """Does it and books it; a refusal is booked too. Raises Malformed for an order that cannot be read, NotFound for its invoice."""
    act = ACTS.get(order.name)
    if act is None:
        raise Malformed(f"there is no {order.name}; one of {', '.join(ACTS)}")
    invoice = sim.invoice(order.invoice)
    try:
        detail, reference = act(sim, invoice, order)
        state = "done"
    except (Refused, ValidationError) as refusal:
        if isinstance(refusal, ValidationError):
            raise Malformed(f"args of {order.name}: {refusal.errors(include_url=False, include_context=False)}") from refusal
        detail, reference, state = str(refusal), None, "refused"
    row = EffectRow(key=order.key, name=order.name, invoice=order.invoice, at=sim.now, state=state, detail=detail, vendor_ref=reference)
    sim.store.run(
        "INSERT INTO effects (key, name, invoice, at, state, detail, vendor_ref) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (row.key, row.name, row.invoice, stamp(row.at), row.state, row.detail, row.vendor_ref),
    )
    return row


def effects_of(sim: Simulation, key: str) -> list[EffectRow]:
    """What was done under a key, forever."""
    return sim.store.all(
        EffectRow, "SELECT key, name, invoice, at, state, detail, vendor_ref FROM effects WHERE key = ? ORDER BY n", (key,)
    )


Done = tuple[str, str | None]


def _charge(sim: Simulation, invoice: InvoiceRow, order: Order) -> Done:
    args = _Charge.model_validate(order.args)
    method = next((row for row in sim.methods(invoice.customer) if row.id == args.credential and row.usable), None)
    if method is None:
        raise Refused(f"{args.credential} is not a usable method of {invoice.customer}")
    attempt = bank.charge(sim, invoice, method, args.amount_minor, "recoup", order.key)
    declined = Code.model_validate_json(attempt.code).decline if attempt.code else None
    return (f"declined: {declined}" if declined else attempt.status), attempt.id


def _refund(sim: Simulation, invoice: InvoiceRow, order: Order) -> Done:
    args = _Refund.model_validate(order.args)
    attempt = bank.attempt_of(sim, args.attempt)
    if attempt.invoice != invoice.id:
        raise NotFound(f"{args.attempt} is not an attempt on {invoice.id}")
    bank.refund(sim, attempt, args.amount_minor)
    return f"refunded {args.amount_minor}", attempt.id


def _collector(collector: Literal["platform", "recoup"]) -> Callable[[Simulation, InvoiceRow, Order], Done]:
    def hand(sim: Simulation, invoice: InvoiceRow, order: Order) -> Done:
        _Nothing.model_validate(order.args)
        sim.tell("invoice.updated", sim.change_invoice(invoice.id, collector=collector))
        return f"{collector} retries this invoice now", None

    return hand


def _grace(sim: Simulation, invoice: InvoiceRow, order: Order) -> Done:
    until = _Grace.model_validate(order.args).until
    _change_subscription(sim, invoice, "grace_until", stamp(until))
    return f"grace until {until.isoformat()}", invoice.subscription


def _suspend(sim: Simulation, invoice: InvoiceRow, order: Order) -> Done:
    _Nothing.model_validate(order.args)
    _change_subscription(sim, invoice, "suspended", 1)
    move = move_after_suspension(sim.dice, invoice.bill, sim.now)
    if move is not None:
        sim.plan(invoice.id, move, "suspended")
    return "service suspended", invoice.subscription


def _reinstate(sim: Simulation, invoice: InvoiceRow, order: Order) -> Done:
    _Nothing.model_validate(order.args)
    _change_subscription(sim, invoice, "suspended", 0)
    return "service reinstated", invoice.subscription


def _cancel(sim: Simulation, invoice: InvoiceRow, order: Order) -> Done:
    at = _Cancellation.model_validate(order.args).at
    _change_subscription(sim, invoice, "status", "cancelled" if at == "now" else "ending")
    if at == "now":
        sim.tell("subscription.cancelled", invoice, cancellation="non_payment")
    return f"cancelled, {at}", invoice.subscription


def _change_subscription(
    sim: Simulation, invoice: InvoiceRow, column: Literal["grace_until", "suspended", "status"], value: object
) -> None:
    subscription = sim.subscription(invoice)
    if subscription is None or subscription.status == "cancelled":
        raise Refused(f"{invoice.id} has no running subscription")
    sim.store.run(f"UPDATE subscriptions SET {column} = ? WHERE id = ?", (value, subscription.id))  # noqa: S608 - a closed set of columns
    sim.tell("subscription.updated", sim.change_invoice(invoice.id))


def _discount(sim: Simulation, invoice: InvoiceRow, order: Order) -> Done:
    percent = _Discount.model_validate(order.args).percent
    if invoice.status != "open":
        raise Refused(f"{invoice.id} is {invoice.status}")
    credited = invoice.credited_minor + invoice.remaining_minor * percent // 100
    sim.tell("invoice.credited", sim.change_invoice(invoice.id, credited_minor=credited))
    return f"credited {credited - invoice.credited_minor}", None


def _write_off(sim: Simulation, invoice: InvoiceRow, order: Order) -> Done:
    amount_minor = _WriteOff.model_validate(order.args).amount_minor
    if invoice.status != "open" or amount_minor < invoice.remaining_minor:
        raise Refused(
            f"{invoice.id} is {invoice.status} with {invoice.remaining_minor} left: only an open debt, and all of it, is written off"
        )
    sim.tell("invoice.marked_uncollectible", sim.change_invoice(invoice.id, status="uncollectible"))
    return "marked uncollectible", None


def _noted(sim: Simulation, invoice: InvoiceRow, order: Order) -> Done:
    """Plans and agencies are agreements outside the platform: it keeps a note."""
    sim.note(invoice.id, f"{order.name} {sorted(order.args.items())}")
    return "noted", None


ACTS: dict[str, Callable[[Simulation, InvoiceRow, Order], Done]] = {
    "retry_payment": _charge,
    "use_backup_method": _charge,
    "refund_duplicate": _refund,
    "take_over_collection": _collector("recoup"),
    "hand_back_collection": _collector("platform"),
    "extend_grace": _grace,
    "suspend_service": _suspend,
    "reinstate_service": _reinstate,
    "cancel_subscription": _cancel,
    "offer_discount": _discount,
    "write_off": _write_off,
    "offer_payment_plan": _noted,
    "refer_to_agency": _noted,
}
