"""What the rules of retrying cost: reading all of them, and one answer on a long ledger. Pure code, so no database is touched."""

import asyncio
import random
import sys
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter

from evals.bench.figure import Figure
from evals.bench.server import Server
from recoup.decline import decline_of, treat
from recoup.facts import CredentialFacts, InvoiceFacts, LedgerEntry
from recoup.invoice import BillingReason, CollectionMethod, CredentialSlot, DeclineCodes, Initiator, InvoiceStatus, Rail
from recoup.ledger import Ledger
from recoup.network import permit

MOST_PERMIT_US, MOST_LOADING_MS = 100.0, 30.0
ATTEMPTS, QUESTIONS, REPEATS = 1000, 300, 7
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SOFT = ("insufficient_funds", "do_not_honor", "generic_decline", "processing_error", "try_again_later", "issuer_not_available")
LOADING = """
from time import perf_counter
from recoup.rule_data import load_rules
started = perf_counter()
load_rules()
print((perf_counter() - started) * 1e3)
"""


async def figures(postgres: Server, home: Path) -> AsyncGenerator[Figure]:  # noqa: ARG001 - every benchmark takes the same
    """Times against what was promised: the yardstick is a number, not another measure."""
    loading = [await _loading_ms() for _ in range(REPEATS)]
    yield _against("rules-loading", loading, MOST_LOADING_MS, "ms")
    card, invoice, entries = _card(), _invoice(), _entries()
    building: list[float] = []
    asking: list[float] = []
    for _ in range(REPEATS):
        started = perf_counter()
        ledger = Ledger(entries)
        permit(ledger, card, invoice, NOW)
        building.append((perf_counter() - started) * 1e6)
        asking.append(median(_asked(ledger, card, invoice)))
    yield _against("permit", asking, MOST_PERMIT_US, "us", first_answer_with_the_ledger_prepared_us=round(median(building)))


async def _loading_ms() -> float:
    """In a process of its own, where nothing is remembered yet."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", LOADING, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    return float(printed)


def _asked(ledger: Ledger, card: CredentialFacts, invoice: InvoiceFacts) -> list[float]:
    times: list[float] = []
    for question in range(QUESTIONS):
        at = NOW + timedelta(minutes=13 * question)
        started = perf_counter()
        permit(ledger, card, invoice, at)
        times.append((perf_counter() - started) * 1e6)
    return times


def _against(name: str, measured: list[float], most: float, unit: str, **extra: float) -> Figure:
    shares = [value / most for value in measured]
    told = {f"median_{unit}": round(median(measured), 2), **extra}
    return Figure(name=name, ratio=median(shares), spread=(min(shares), max(shares)), ceiling=1.0, extra=told)


def _entries() -> list[LedgerEntry]:
    """A thousand soft declines of two amounts over half a year, in no order."""
    draw = random.Random(3)
    entries: list[LedgerEntry] = []
    for number in range(ATTEMPTS):
        advice = draw.choice((None, "24", "25"))
        codes = DeclineCodes(processor="stripe", decline_code=draw.choice(SOFT), network_advice_code=advice)
        entries.append(
            LedgerEntry(
                id=f"att_{number}",
                at=NOW - timedelta(minutes=draw.randrange(180 * 24 * 60)),
                amount_minor=draw.choice((4900, 1900)),
                currency="USD",
                state="failed",
                initiator=Initiator.PLATFORM,
                customer_initiated=False,
                category=treat(decline_of(codes, "mastercard"), NOW).category,
                own_case=False,
                codes=codes,
            )
        )
    return entries


def _card() -> CredentialFacts:
    return CredentialFacts(
        id="crd_1",
        vendor_id="pm_1",
        rail=Rail.CARD,
        brand="mastercard",
        funding="debit",
        country="US",
        expires="2029-12",
        slot=CredentialSlot.SUBSCRIPTION,
        is_usable=True,
        changed_at=NOW - timedelta(days=400),
        has_fingerprint=True,
    )


def _invoice() -> InvoiceFacts:
    return InvoiceFacts(
        id="inv_1",
        vendor_id="in_1",
        status=InvoiceStatus.OPEN,
        currency="USD",
        total_minor=4900,
        paid_minor=0,
        remaining_minor=4900,
        credited_minor=0,
        refunded_minor=0,
        collection_method=CollectionMethod.CHARGE_AUTOMATICALLY,
        billing_reason=BillingReason.SUBSCRIPTION_CYCLE,
        subscription_vendor_id="sub_1",
        next_platform_attempt_at=None,
        payment_link=True,
        observed_at=NOW,
        read_at=NOW,
    )
