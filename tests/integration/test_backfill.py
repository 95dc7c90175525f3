"""The past of a platform in real rows: complete, gone on with after an interruption, the same after any number of times, and silent."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from api.jobs import decide
from api.jobs.absorb import absorb
from api.jobs.backfill import Step, backfill
from graph.bootstrap import Services
from memory.backfills import BackfillRow
from memory.database import Database
from recoup.clock import FixedClock
from recoup.errors import BillingUnavailable, Conflict, Misconfigured, NotFound
from recoup.events import EventKind, Reading
from recoup.invoice import AttemptStatus, InvoiceStatus
from recoup.ports import BillingPlatform, HistoryPage, Unread
from recoup.settings import Connection
from tests.contract.stripe_bench import billing, connection_on
from tests.deciding import rows, set_policy
from tests.factories import NOW, account_snapshot, attempt_snapshot, credential_snapshot, invoice_snapshot, make_connection, make_reading
from tests.fakes import FakeBilling, make_services
from tests.refusing import refusing_inserts
from tests.sandbox_server import API_KEY, advance, client_of, ledger, running_sandbox, sandbox_options
from tests.vendors.stripe_stage import stage
from tests.vendors.stripe_state import Invoice
from tools.billing.events_only import EventsOnly
from tools.billing.sandbox import SandboxBilling
from tools.http_limits import Lane, current_lane

DAY = timedelta(days=1)
SINCE = NOW - 90 * DAY
SHADOW, ASKING, HYBRID, AUTO = (f'mode = "{mode}"' for mode in ("shadow", "approve", "hybrid", "auto"))
A_HYBRID_COHORT = '[[cohorts]]\nname = "x"\nmode = "hybrid"\n[cohorts.match]\ncurrencies = ["JPY"]'


def invoice_of(number: int, failed_days_ago: float = 5, *, is_paid: bool = False) -> Reading:
    """One invoice of the past as it stands now: still owed, or paid a day after its failure."""
    name, at = f"{number:03}", NOW - failed_days_ago * DAY
    failure = attempt_snapshot(vendor_key=f"ch_{name}", charge_vendor_id=f"ch_{name}", credential_vendor_id=f"pm_{name}", occurred_at=at)
    paid = {"status": InvoiceStatus.PAID, "paid_minor": 4900, "remaining_minor": 0} if is_paid else {}
    success = failure.model_copy(
        update={
            "vendor_key": f"ch_{name}_paid",
            "charge_vendor_id": f"ch_{name}_paid",
            "status": AttemptStatus.SUCCEEDED,
            "codes": None,
            "occurred_at": at + DAY,
        }
    )
    told = {"vendor_id": f"in_{name}", "account_vendor_id": f"cus_{name}", "observed_at": NOW, "issued_at": at, **paid}
    return make_reading(
        kind=EventKind.INVOICE_CHANGED,
        event_type="invoice.read",
        occurred_at=NOW,
        account=account_snapshot(vendor_id=f"cus_{name}"),
        invoice=invoice_snapshot(**told),
        attempts=(failure, success) if is_paid else (failure,),
        credentials=(credential_snapshot(vendor_id=f"pm_{name}", fingerprint=f"fp_{name}"),),
        subscription_vendor_id="sub_1",
    )


@dataclass
class PastPlatform(FakeBilling):
    """Has a past in pages of two; ``fails_at`` is the page that it does not answer, once."""

    past: Sequence[Reading] = ()
    fails_at: int | None = None
    lost: tuple[Unread, ...] = ()
    asked: list[str | None] = field(default_factory=list[str | None])
    lanes: set[Lane] = field(default_factory=set[Lane])

    def __post_init__(self) -> None:
        super().__init__()

    async def history(self, since: datetime, cursor: str | None) -> HistoryPage:
        self.asked.append(cursor)
        self.lanes.add(current_lane())
        begins = int(cursor or 0)
        if self.fails_at == begins // 2:
            self.fails_at = None
            raise BillingUnavailable("sandbox", "answers 503")
        shown = self.past[begins : begins + 2]
        oldest = shown[-1].invoice if shown else None
        return HistoryPage(
            readings=tuple(shown),
            unread=() if begins else self.lost,
            cursor=str(begins + len(shown)),
            has_more=begins + 2 < len(self.past),
            reached=oldest.issued_at if oldest else None,
        )


def having(db: Database, *past: Reading, at: datetime = NOW, **told: object) -> tuple[Services, PastPlatform]:
    platform = PastPlatform(past=past, **told)  # pyright: ignore[reportArgumentType] - fields of it
    return make_services(db, billing=platform, clock=FixedClock(at)), platform


async def filled(services: Services, name: str = "sandbox", since: datetime = SINCE) -> BackfillRow:
    return (await steps(services, name, since))[-1].backfill


async def steps(services: Services, name: str = "sandbox", since: datetime = SINCE) -> list[Step]:
    return [step async for step in backfill(services, name, since)]


async def everything(db: Database) -> list[list[tuple[object, ...]]]:
    """Every row that a backfill could write, but for the times of reading."""
    return [
        await rows(db, "SELECT id, vendor_id, status, remaining_minor, paid_minor, account_id FROM invoices ORDER BY id"),
        await rows(db, "SELECT id, invoice_id, vendor_key, status, ledger_key, category FROM attempts ORDER BY id"),
        await rows(db, "SELECT id, account_id, vendor_id, ledger_key, slot, changed_at FROM credentials ORDER BY id"),
        await rows(db, "SELECT id, invoice_id, version, status, opened_at, woken_at FROM cases ORDER BY id"),
        await rows(db, "SELECT chain, n, hash FROM audit_log ORDER BY chain, n"),
        await rows(db, "SELECT id, state FROM timers ORDER BY id"),
    ]


async def cases(db: Database) -> list[str]:
    """The vendor ids of the invoices that have a case."""
    return [str(v) for (v,) in await rows(db, "SELECT i.vendor_id FROM cases c JOIN invoices i ON i.id = c.invoice_id ORDER BY 1")]


# Filling


async def test_invoices_attempts_and_credentials_are_filled(db: Database) -> None:
    services, platform = having(db, *(invoice_of(n, is_paid=n % 2 == 0) for n in range(5)))
    row = await filled(services)
    assert (row.invoices, row.unread, row.reached) == (5, 0, NOW - 5 * DAY)
    assert row.finished_at == NOW
    assert platform.asked == [None, "2", "4"]
    assert await rows(
        db, "SELECT count(*) FROM invoices UNION ALL SELECT count(*) FROM attempts UNION ALL SELECT count(*) FROM credentials"
    ) == [
        (5,),
        (8,),
        (5,),
    ]
    assert await rows(db, "SELECT DISTINCT category, code_known FROM attempts WHERE status = 'failed'") == [("funds", True)]


async def test_at_its_end_the_database_has_counted_what_it_was_given(db: Database) -> None:
    services, _ = having(db, *(invoice_of(n) for n in range(5)))
    await filled(services)
    counted = await rows(db, "SELECT relname, reltuples FROM pg_class WHERE relname = ANY(ARRAY['invoices', 'attempts', 'credentials'])")
    assert dict(counted) == dict.fromkeys(("invoices", "attempts", "credentials"), 5)


async def test_it_waits_behind_webhooks_and_people(db: Database) -> None:
    services, platform = having(db, invoice_of(1))
    await filled(services)
    assert platform.lanes == {Lane.BACKFILL}
    assert current_lane() is Lane.PROMPT


async def test_a_second_time_changes_nothing(db: Database) -> None:
    services, _ = having(db, *(invoice_of(n, n * 9, is_paid=n % 2 == 0) for n in range(6)))
    await filled(services)
    before = await everything(db)
    again = await filled(services)
    assert await everything(db) == before
    assert (again.invoices, again.opened) == (6, 0)


async def test_an_interrupted_one_goes_on_where_it_stopped(db: Database) -> None:
    services, platform = having(db, *(invoice_of(n) for n in range(6)), fails_at=2)
    with pytest.raises(BillingUnavailable):
        await filled(services)
    assert await rows(db, "SELECT cursor, invoices, finished_at FROM backfills") == [("4", 4, None)]
    row = await filled(services, since=SINCE + DAY)
    assert platform.asked == [None, "2", "4", "4"]
    assert (row.invoices, row.since, row.finished_at) == (6, SINCE, NOW)


async def test_a_page_that_is_kept_in_part_is_read_again(db: Database, owner_url: str) -> None:
    services, platform = having(db, *(invoice_of(n) for n in range(6)))
    with refusing_inserts(owner_url, "invoices", "in_003"), pytest.raises(psycopg.errors.RaiseException):
        await filled(services)
    row = await filled(services)
    assert platform.asked == [None, "2", "2", "4"]
    assert len(await rows(db, "SELECT 1 FROM invoices")) == row.invoices == 6


async def test_further_back_begins_anew(db: Database) -> None:
    services, platform = having(db, *(invoice_of(n) for n in range(6)), fails_at=1)
    with pytest.raises(BillingUnavailable):
        await filled(services)
    assert (await filled(services, since=SINCE - DAY)).invoices == 6
    assert platform.asked == [None, "2", None, "2", "4"]


async def test_two_at_once_are_noticed(db: Database) -> None:
    services, _ = having(db, *(invoice_of(n) for n in range(6)))
    first, second = backfill(services, "sandbox", SINCE), backfill(services, "sandbox", SINCE)
    for told in (first, second, first):
        await anext(told)
    with pytest.raises(Conflict):
        await anext(second)
    await first.aclose()
    assert (await filled(services)).invoices == 6


async def test_what_cannot_be_read_is_named_and_the_rest_is_kept(db: Database) -> None:
    broken = invoice_of(2).model_copy(update={"event_type": "invoice.read"})
    assert broken.account
    broken = broken.model_copy(update={"account": broken.account.model_copy(update={"full_name": "Ada\x00"})})
    lost = Unread(invoice_vendor_id="in_9", why="status is missing")
    services, _ = having(db, invoice_of(1), broken, invoice_of(3), lost=(lost,))
    told = await steps(services)
    assert [one.invoice_vendor_id for step in told for one in step.unread] == ["in_9", "in_002"]
    assert (told[-1].backfill.invoices, told[-1].backfill.unread) == (2, 2)


async def test_a_platform_without_a_past_and_a_name_without_a_connection_are_refused(db: Database) -> None:
    services = make_services(db, billing=EventsOnly("sandbox"))
    with pytest.raises(Misconfigured, match="only its webhooks are heard"):
        await filled(services)
    with pytest.raises(NotFound, match="sandbox"):
        await filled(services, "stripe-eu")
    assert await rows(db, "SELECT * FROM backfills") == []


# Silence


@pytest.mark.parametrize("policy", [SHADOW, ASKING])
async def test_only_what_is_in_its_dunning_window_gets_a_case(db: Database, policy: str) -> None:
    services, _ = having(db, invoice_of(1, 3), invoice_of(2, 27.9), invoice_of(3, 28.1), invoice_of(4, 80), invoice_of(5, 3, is_paid=True))
    await set_policy(services, policy)
    row = await filled(services)
    assert await cases(db) == ["in_001", "in_002"]
    assert (row.opened, row.left_alone) == (2, 2)


@pytest.mark.parametrize("policy", [HYBRID, AUTO, A_HYBRID_COHORT])
async def test_where_anything_is_written_without_asking_history_opens_nothing(db: Database, policy: str) -> None:
    services, _ = having(db, invoice_of(1, 0), invoice_of(2, 3))
    await set_policy(services, policy)
    row = await filled(services)
    assert (row.opened, row.left_alone) == (0, 2)
    assert await rows(db, "SELECT 1 FROM cases UNION ALL SELECT 1 FROM procrastinate_jobs") == []


@pytest.mark.parametrize("policy", [SHADOW, ASKING, HYBRID, AUTO])
async def test_nothing_is_sent_for_what_history_told(db: Database, policy: str) -> None:
    services, platform = having(db, *(invoice_of(n, n) for n in range(1, 6)))
    await set_policy(services, policy)
    await filled(services)
    for (case_id,) in await rows(db, "SELECT id FROM cases"):
        await decide.run(services, case_id)
    assert await rows(db, "SELECT 1 FROM messages WHERE state = 'sent' UNION ALL SELECT 1 FROM actions WHERE state = 'ready'") == []
    assert platform.calls == []


@pytest.mark.parametrize("failed_days_ago", [1, 80])
async def test_the_event_of_a_failure_opens_the_case_that_history_did_not(db: Database, failed_days_ago: float) -> None:
    services, _ = having(db, invoice_of(1, failed_days_ago))
    await set_policy(services, AUTO)
    await filled(services)
    assert await cases(db) == []
    # The webhook of the very same attempt, which came while the past was read.
    news = invoice_of(1, failed_days_ago).model_copy(update={"kind": EventKind.PAYMENT_FAILED})
    for _ in range(2):
        await tell(services, news)
        assert await cases(db) == ["in_001"]


async def test_after_the_policy_became_careful_the_same_past_opens_cases(db: Database) -> None:
    services, _ = having(db, invoice_of(1, 3), invoice_of(2, 50))
    await set_policy(services, HYBRID)
    await filled(services)
    await set_policy(services, SHADOW)
    assert (await filled(services)).opened == 1
    assert await cases(db) == ["in_001"]


async def test_a_case_that_is_open_hears_of_the_payment_that_no_webhook_told(db: Database) -> None:
    services, _ = having(db, invoice_of(1, 3, is_paid=True))
    await tell(services, invoice_of(1, 3).model_copy(update={"kind": EventKind.PAYMENT_FAILED, "occurred_at": NOW - 3 * DAY}))
    await filled(services)
    assert await rows(db, "SELECT status, attribution FROM cases") == [("recovered", "platform")]


async def tell(services: Services, reading: Reading) -> None:
    _, policy = await services.policies.current()
    async with services.db.write() as tx:
        await absorb(tx, services.connections["sandbox"], policy, reading, await services.clock.now())


# Real adapters


def connected(db: Database, connection: Connection, platform: BillingPlatform, at: datetime) -> Services:
    """Services with one connection to a platform over HTTP."""
    services = make_services(db, billing=platform, clock=FixedClock(at))
    return replace(services, connections={connection.name: connection}, billing={connection.name: platform})


async def test_the_past_at_stripe_comes_into_the_rows(db: Database) -> None:
    with stage() as here:
        here.double.owed_invoice(*["do_not_honor"] * 9)
        here.double.advance(40 * DAY)
        for number in range(24):
            here.double.owed_invoice("do_not_honor" if number % 2 else "ok")
        at = here.double.clock.now()
        books = {invoice.id: str(invoice.status) for invoice in here.double.world.all(Invoice)}
        async with billing(here) as platform:
            services = connected(db, connection_on(here), platform, at)
            await set_policy(services, SHADOW)
            row = await filled(services, "stripe-eu", at - 90 * DAY)
            asked = len(here.double.exchanges("GET"))
            before = await everything(db)
            await filled(services, "stripe-eu", at - 90 * DAY)
    assert await everything(db) == before
    assert asked < 3 * len(books), "what is settled is read from lists"
    assert dict(await rows(db, "SELECT vendor_id, status FROM invoices")) == books
    assert len(await rows(db, "SELECT 1 FROM attempts")) == len(here.double.ledger())
    assert (row.invoices, row.opened) == (len(books), 12)


async def test_the_past_of_the_sandbox_comes_into_the_rows(db: Database, tmp_path: Path) -> None:
    with running_sandbox(sandbox_options(tmp_path, cases=120)) as address, client_of(address) as control:
        at = datetime.fromisoformat(advance(control, 12)["now"])
        books = ledger(control)
        connection = make_connection(api_base=address, api_key=API_KEY)
        async with SandboxBilling(connection) as platform:
            services = connected(db, connection, platform, at)
            row = await filled(services, "sandbox", at - 30 * DAY)
    billed = {i["vendor_id"]: i["status"] for i in books["invoices"] if i["status"] != "draft"}
    assert row.invoices == len(billed) > 100
    assert dict(await rows(db, "SELECT vendor_id, status FROM invoices")) == billed
    assert await rows(db, "SELECT count(*) FROM attempts") == [(len(books["attempts"]),)]
    assert await rows(db, "SELECT count(*) FROM cases") == [(row.opened,)]
    assert 0 < row.opened < len(billed)
