"""What the sandbox platform shows of itself: an invoice with everything around it, and its full ledger."""

import json
from datetime import datetime

from recoup.errors import Malformed
from tools.sandbox.bank import attempts_of
from tools.sandbox.behaviour import Doing
from tools.sandbox.causes import Code
from tools.sandbox.people import CURRENCY
from tools.sandbox.rows import AttemptRow, CustomerRow, EffectRow, InvoiceRow, MethodRow
from tools.sandbox.simulation import Simulation

Json = dict[str, object]


def invoice_document(sim: Simulation, invoice_id: str) -> Json:
    """One invoice as it stands, with account, attempts and methods; raises NotFound."""
    invoice = sim.invoice(invoice_id)
    now = sim.now.isoformat()
    return {
        "read_at": now,
        "invoice": _invoice(sim, invoice),
        "customer": _customer(sim.person(invoice.customer)),
        "subscription": _subscription(sim, invoice),
        "attempts": [_attempt(attempt) for attempt in attempts_of(sim, invoice_id)],
        "methods": [_method(row) for row in sim.methods(invoice.customer)],
    }


def invoices_page(sim: Simulation, since: datetime, after: str | None, limit: int) -> Json:
    """Documents of the invoices issued since then, newest first, from behind the invoice ``after``; raises Malformed for no such one."""
    issued_at = "datetime(json_extract(bill, '$.charged_at'))"
    place = sim.store.value(f"SELECT {issued_at} FROM invoices WHERE id = ?", (after,))  # noqa: S608 - a constant
    if after is not None and place is None:
        raise Malformed(f"there is no invoice {after} to go on from")
    rows = sim.store.all(
        InvoiceRow,
        f"SELECT * FROM invoices WHERE status <> 'draft' AND {issued_at} >= datetime(?)"  # noqa: S608 - a constant
        f" AND (? IS NULL OR ({issued_at}, id) < (?, ?)) ORDER BY {issued_at} DESC, id DESC LIMIT ?",
        (since.isoformat(), after, place, after, limit + 1),
    )
    return {"invoices": [invoice_document(sim, row.id) for row in rows[:limit]], "has_more": len(rows) > limit}


def newest_invoice_of(sim: Simulation, *, customer: str | None = None, subscription: str | None = None) -> str | None:
    """The invoice that stands for a customer or subscription: an open one before others."""
    return sim.store.value(
        "SELECT id FROM invoices WHERE customer = ? OR subscription = ? ORDER BY status <> 'open', id LIMIT 1", (customer, subscription)
    )


def ledger(sim: Simulation) -> Json:
    """Everything that ever happened: what a checker compares with Recoup's own books."""
    attempts = sim.store.all(AttemptRow, "SELECT * FROM attempts ORDER BY n")
    effects = sim.store.all(EffectRow, "SELECT key, name, invoice, at, state, detail, vendor_ref FROM effects ORDER BY n")
    invoices = sim.store.all(InvoiceRow, "SELECT * FROM invoices ORDER BY id")
    return {
        "now": sim.now.isoformat(),
        "attempts": [_ledger_attempt(attempt) for attempt in attempts],
        "effects": [effect.model_dump(mode="json") for effect in effects],
        "invoices": [
            {"vendor_id": row.id, "status": row.status, "remaining_minor": row.remaining_minor, "paid_minor": row.paid_minor}
            for row in invoices
        ],
        "events": sim.store.value("SELECT count(*) FROM events"),
        "contacts": sim.store.value("SELECT count(*) FROM contacts"),
    }


def _invoice(sim: Simulation, row: InvoiceRow) -> Json:
    return {
        "id": row.id,
        "customer": row.customer,
        "subscription": row.subscription,
        "status": row.status,
        "revision": row.revision,
        "currency": CURRENCY,
        "total": row.total_minor,
        "tax": row.bill.tax_minor,
        "paid": row.paid_minor,
        "remaining": row.remaining_minor,
        "credited": row.credited_minor,
        "refunded": row.refunded_minor,
        "collection_method": row.bill.collection_method,
        "billing_reason": row.bill.billing_reason,
        "next_attempt_at": _next_attempt_at(sim, row),
        "payment_link": f"https://pay.sandbox.example/{row.id}",
        "issued_at": row.bill.charged_at.isoformat(),
    }


def _next_attempt_at(sim: Simulation, row: InvoiceRow) -> str | None:
    if row.collector != "platform" or row.status != "open":
        return None
    at = sim.store.value("SELECT min(at) FROM agenda WHERE NOT done AND invoice = ? AND doing = ?", (row.id, Doing.PLATFORM_RETRY))
    return datetime.fromisoformat(at).isoformat() if at else None


def _customer(row: CustomerRow) -> Json:
    person = row.person
    return {"id": row.id, **person.contact.model_dump(), **person.place.model_dump(), "plan_tier": person.tier, "segment": person.segment}


def _subscription(sim: Simulation, invoice: InvoiceRow) -> Json | None:
    row = sim.subscription(invoice)
    return None if row is None else row.model_dump(mode="json", exclude={"customer"})


def _method(row: MethodRow) -> Json:
    method = row.method
    shown = method.model_dump(include={"rail", "brand", "funding", "country", "last4", "expires"})
    return {"id": row.id, "fingerprint": method.card.fingerprint, "slot": row.slot, "usable": row.usable, **shown}


def _attempt(row: AttemptRow) -> Json:
    return {
        "id": row.id,
        "at": row.at.isoformat(),
        "status": row.status,
        "amount": row.amount_minor,
        "method": row.method,
        "initiator": row.initiator,
        "customer_present": row.customer_present,
        "key": row.key,
        "decline": json.loads(row.code) if row.code else None,
    }


def _ledger_attempt(row: AttemptRow) -> Json:
    shown = row.model_dump(
        mode="json", include={"id", "invoice", "at", "status", "amount_minor", "fingerprint", "brand", "initiator", "key"}
    )
    return {**shown, "currency": CURRENCY, "code": Code.model_validate_json(row.code).decline if row.code else None}
