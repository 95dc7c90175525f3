"""Reads the past of a connection into the rows: invoices with their attempts, payment methods and accounts, page by page.

History is absorbed by the same code as news, with one difference: it must not start writing to people. It opens a case only for what
is owed and failed first within the days that a case lasts (``steps.last_day``), where no mode of the policy writes or charges
without asking; everything older, and everything under hybrid or auto, is left to the platform until an event tells of it again.
"""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

from api.jobs.absorb import absorb
from api.jobs.lifecycle import read_invoice
from graph.bootstrap import Services
from memory import backfills
from memory.backfills import BackfillRow, Tally
from memory.database import Write
from recoup.debt import debt_of
from recoup.errors import Busy, Malformed, Misconfigured, NotFound, Refused
from recoup.events import Reading
from recoup.policy import Mode, Policy
from recoup.ports import HistoryPage, Unread
from recoup.record import Record
from recoup.settings import Connection
from tools.http_limits import in_backfill

ASKS_FIRST = frozenset({Mode.SHADOW, Mode.APPROVE})
NEVER = datetime.max.replace(tzinfo=UTC)
# Somebody else is just writing the same account: a webhook takes milliseconds.
PAUSES_SECONDS = (0.05, 0.2, 1.0, 5.0)


class Step(Record):
    """One page further. ``unread``: the invoices of this page that could not be read or kept, and why."""

    backfill: BackfillRow
    unread: tuple[Unread, ...] = ()


async def backfill(services: Services, name: str, since: datetime) -> AsyncGenerator[Step]:
    """Goes back to what was issued at ``since``, newest first, and tells after every page how far it is; first where it begins.

    An interrupted one is gone on with. Any number of times with the same end. Raises NotFound where there is no such connection,
    Misconfigured where it cannot be read, Refused where nothing of the time is past, BillingUnavailable, and Conflict where two do the
    same.
    """
    connection = services.connections.get(name)
    if connection is None:
        raise NotFound(f"there is no connection {name!r}; there are: {', '.join(services.connections) or 'none'}")
    _must_have_a_past(services, name, since, await services.clock.now())
    async with services.db.write() as tx:
        row = await backfills.begin(tx, name, since, await services.clock.now())
    yield Step(backfill=row)
    while row.finished_at is None:
        with in_backfill():
            page = await services.billing[name].history(row.since, row.cursor)
        step = await _keep(services, connection, row, page)
        row = step.backfill
        yield step


def _must_have_a_past(services: Services, name: str, since: datetime, now: datetime) -> None:
    if "read" not in services.billing[name].capabilities:
        raise Misconfigured(f"connections.{name} has no api_key: only its webhooks are heard, and its past cannot be read; give it one")
    if since >= now:
        raise Refused(f"{since:%Y-%m-%d %H:%M} UTC is not in the past")


def opens_since(policy: Policy, now: datetime) -> datetime:
    """What failed first before then opens no case when history tells it."""
    modes = {policy.mode, *(cohort.mode for cohort in policy.cohorts)}
    return now - timedelta(days=policy.steps.last_day) if modes <= ASKS_FIRST else NEVER


async def _keep(services: Services, connection: Connection, row: BackfillRow, page: HistoryPage) -> Step:
    tally, unread = Tally(unread=len(page.unread)), list(page.unread)
    for reading in page.readings:
        try:
            tally += await _absorb(services, connection, reading)
        except Malformed as exc:
            unread.append(Unread(invoice_vendor_id=reading.invoice.vendor_id if reading.invoice else "", why=str(exc)))
            tally += Tally(unread=1)
    now = await services.clock.now()
    async with services.db.write() as tx:
        finished_at = None if page.has_more else now
        after = await backfills.advance(tx, row, tally, cursor=page.cursor, reached=page.reached, finished_at=finished_at)
    return Step(backfill=after, unread=tuple(unread))


async def _absorb(services: Services, connection: Connection, reading: Reading) -> Tally:
    """One invoice in a transaction of its own, so that no webhook waits for a whole page."""
    for pause in PAUSES_SECONDS:
        try:
            return await _absorb_once(services, connection, reading)
        except Busy:
            await asyncio.sleep(pause)
    return await _absorb_once(services, connection, reading)


async def _absorb_once(services: Services, connection: Connection, reading: Reading) -> Tally:
    now = await services.clock.now()
    _, policy = await services.policies.current()
    vendor_id = reading.invoice.vendor_id if reading.invoice else ""
    async with services.db.write() as tx:
        before = await backfills.cases_of(tx, connection.name, vendor_id)
        absorbed = await absorb(tx, connection, policy, reading, now, opens_since=opens_since(policy, now))
        if absorbed.case_ids:
            return Tally(invoices=1, opened=await backfills.cases_of(tx, connection.name, vendor_id) - before)
        is_left = absorbed.invoice_id is not None and await _is_overdue(tx, absorbed.invoice_id, policy)
    return Tally(invoices=1, left_alone=int(is_left))


async def _is_overdue(tx: Write, invoice_id: str, policy: Policy) -> bool:
    """Whether news of it would open a case."""
    invoice = await read_invoice(tx, invoice_id)
    cancellation = invoice.row.cancellation
    is_cancelled = cancellation is not None and policy.voids_debt.get(cancellation, False)
    debt = debt_of(invoice.row.snapshot, invoice.attempts, is_cancelled=is_cancelled)
    return debt.is_owed and debt.is_dunnable and debt.has_failed_attempt
