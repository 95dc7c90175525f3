"""Tells the lifecycle what happened to one invoice, and moves its newest case, or opens one, accordingly."""

import hashlib
from datetime import datetime

from api.jobs.rows import SavedInvoice
from memory import attempts, cases, invoices
from memory.cases import Opening
from memory.database import Write
from memory.invoices import InvoiceRow
from recoup.case import CaseStatus, Fact, FactKind, Transition, next_state
from recoup.category import Category
from recoup.debt import debt_of
from recoup.events import Reading
from recoup.invoice import AttemptSnapshot, AttemptStatus
from recoup.news import concerned_attempt, facts_of, news_all_the_same
from recoup.policy import Policy
from recoup.priority import priority
from recoup.record import Record
from recoup.settings import Connection


class Invoice(Record):
    """An invoice with its attempts, as they stand now."""

    row: InvoiceRow
    attempts: tuple[AttemptSnapshot, ...]


class Told(Record):
    """What is told, and how: ``methods_changed``: it changed a payment method of the account. ``opens_since``: it is history, and what
    failed first before then opens no case; None: it is news."""

    reading: Reading
    methods_changed: bool = False
    opens_since: datetime | None = None


async def read_invoice(tx: Write, invoice_id: str) -> Invoice:
    """The invoice under its account's lock."""
    rows = await attempts.of_invoice(tx, invoice_id)
    return Invoice(row=await invoices.get(tx, invoice_id), attempts=tuple(row.snapshot for row in rows))


async def move_case(tx: Write, connection: Connection, policy: Policy, told: Told, saved: SavedInvoice, now: datetime) -> str | None:
    """Gives the id of the invoice's newest case, once everything that the reading tells has been drawn from it; None without one."""
    reading, invoice = told.reading, await read_invoice(tx, saved.id)
    facts = facts_of(reading, saved.change, saved.attempts, invoice.attempts, policy)
    if not facts and await cases.newest(tx, saved.id) is None:
        # History may have told it before and opened no case: it is news once its event comes.
        facts = news_all_the_same(reading, is_history=told.opens_since is not None)
    relevant = [fact for fact in facts if not _is_stale(fact, reading, invoice, methods_changed=told.methods_changed)]
    if any(fact.kind is FactKind.SUBSCRIPTION_CANCELLED for fact in relevant) and reading.cancellation is not None:
        await invoices.mark_cancelled(tx, saved.id, reading.cancellation)
        invoice = await read_invoice(tx, saved.id)
    debt = debt_of(invoice.row.snapshot, invoice.attempts)
    if invoice.row.snapshot.remaining_minor is not None:
        await invoices.set_remaining(tx, saved.id, debt.remaining_minor)
    for fact in relevant:
        await _tell(tx, connection, policy, told, invoice, fact, now)
    case = await cases.newest(tx, saved.id)
    if case is None:
        return None
    if case.status is CaseStatus.OPEN:
        if saved.is_changed:
            await cases.bump(tx, case.id)
        await cases.set_priority(tx, case.id, _priority(invoice, policy))
    return case.id


async def _tell(tx: Write, connection: Connection, policy: Policy, told: Told, invoice: Invoice, fact: Fact, now: datetime) -> None:
    row = invoice.row
    case = await cases.newest(tx, row.id)
    is_cancelled = row.cancellation is not None and policy.voids_debt.get(row.cancellation, False)
    debt = debt_of(row.snapshot, invoice.attempts, is_cancelled=is_cancelled)
    transition = next_state(case.state if case else None, debt, fact)
    if transition.opens:
        await _open(tx, connection, policy, told, invoice, transition, fact, now)
    elif case is not None:
        await cases.apply(tx, case, transition, fact, now)


async def _open(
    tx: Write,
    connection: Connection,
    policy: Policy,
    told: Told,
    invoice: Invoice,
    transition: Transition,
    fact: Fact,
    now: datetime,
) -> None:
    account_id = invoice.row.account_id
    if account_id is None:
        # Nobody to write to and nothing to charge: it is kept, and opens once a reading says who owes it.
        return
    first_failed_at = _first_failed_at(told.reading, invoice, transition)
    if told.opens_since is not None and transition.episode == 1 and first_failed_at < told.opens_since:
        return
    opening = Opening(
        invoice_id=invoice.row.id,
        account_id=account_id,
        connection=connection.name,
        simulated=connection.simulated,
        first_failed_at=first_failed_at,
        priority=_priority(invoice, policy),
        last_day=policy.steps.last_day,
        is_holdout=_arm(account_id) < policy.holdout_share,
    )
    await cases.open_case(tx, opening, transition, fact, now)


def _is_stale(fact: Fact, reading: Reading, invoice: Invoice, *, methods_changed: bool) -> bool:
    """Whether newer news of the same thing is already in the rows."""
    match fact.kind:
        case FactKind.DISPUTE_OPENED:
            closed_at = invoice.row.dispute_closed_at
            attempt = concerned_attempt(reading, invoice.attempts)
            is_lost = attempt is not None and attempt.status is AttemptStatus.REVERSED
            return is_lost or (closed_at is not None and closed_at >= reading.occurred_at)
        case FactKind.SUBSCRIPTION_CANCELLED:
            issued_at = invoice.row.snapshot.issued_at
            return issued_at is not None and issued_at > reading.occurred_at
        case FactKind.METHOD_UPDATED:
            return bool(reading.credentials) and not methods_changed
        case _:
            return False


def _first_failed_at(reading: Reading, invoice: Invoice, transition: Transition) -> datetime:
    failed = [attempt.occurred_at for attempt in invoice.attempts if attempt.status in attempts.UNSUCCESSFUL]
    return min(failed) if failed and transition.episode == 1 else reading.occurred_at


def _priority(invoice: Invoice, policy: Policy) -> float:
    snapshot = invoice.row.snapshot
    debt = debt_of(snapshot, invoice.attempts)
    meanings = [attempts.meaning_of(attempt) for attempt in invoice.attempts]
    categories = [meaning.category for meaning in meanings if meaning]
    newest = categories[-1] if categories else Category.GENERIC
    return priority(debt.remaining_minor, snapshot.currency or "USD", newest, policy.escalations)


def _arm(account_id: str) -> float:
    """A stable place of the account between 0 and 1; those under the holdout's share are left to the platform alone."""
    return int.from_bytes(hashlib.sha256(f"holdout:{account_id}".encode()).digest()[:8]) / 2**64
