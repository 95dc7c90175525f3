"""Idempotency as vendors do it: what was answered under a key is answered again, an error too, until the key is forgotten."""

import json
from enum import StrEnum

from recoup.digest import digest
from recoup.errors import Conflict
from recoup.record import Record
from tools.sandbox.effects import Order, perform
from tools.sandbox.rows import AnswerRow
from tools.sandbox.simulation import Simulation


class Fault(StrEnum):
    """How a request can go wrong on its way: an error or a lost connection, before or after the work was done."""

    UNAVAILABLE = "unavailable"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"


class Answer(Record):
    """What goes back: status and JSON; ``drops`` closes the connection instead."""

    status: int
    body: str
    replayed: bool = False
    drops: bool = False


ERROR = Answer(status=500, body='{"error": "internal"}')
UNAVAILABLE = Answer(status=503, body='{"error": "unavailable"}')


def answer(sim: Simulation, order: Order, *, wall: float, key_valid_seconds: float, fault: Fault | None = None) -> Answer:
    """Performs the order once while its key is remembered; raises Conflict where the key came with another order before.

    ``wall`` is the machine's time in seconds. A key that was forgotten does it again: that is the danger being simulated.
    """
    sim.store.run("DELETE FROM answers WHERE until_wall <= ?", (wall,))
    request = digest([order.name, order.invoice, order.args])
    known = sim.store.one(AnswerRow, "SELECT request, status, body FROM answers WHERE key = ?", (order.key,))
    if known is not None:
        if known.request != request:
            raise Conflict(f"idempotency key {order.key} was used with other parameters")
        return Answer(status=known.status, body=known.body, replayed=True)
    match fault:
        case Fault.UNAVAILABLE:
            return UNAVAILABLE
        case Fault.DROP_BEFORE:
            return Answer(status=0, body="", drops=True)
        case Fault.ERROR_BEFORE:
            given = ERROR
        case Fault.ERROR_AFTER:
            perform(sim, order)
            given = ERROR
        case Fault.DROP_AFTER | None:
            given = Answer(status=200, body=json.dumps(perform(sim, order).model_dump(mode="json")), drops=fault is not None)
    sim.store.run(
        "INSERT INTO answers (key, request, status, body, until_wall) VALUES (?, ?, ?, ?, ?)",
        (order.key, request, given.status, given.body, wall + key_valid_seconds),
    )
    return given


def drawn_fault(sim: Simulation, order: Order, share: float) -> Fault | None:
    """The fault of this try of this order, if any: drawn by key and number of the try."""
    if not share:
        return None
    sim.store.run("INSERT INTO fault_draws (key, times) VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET times = times + 1", (order.key,))
    times = sim.store.value("SELECT times FROM fault_draws WHERE key = ?", (order.key,))
    if not sim.dice.happens(share, order.key, "fault", times):
        return None
    return sim.dice.choose([(fault, 1.0) for fault in Fault], order.key, "which fault", times)
