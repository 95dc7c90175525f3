"""Recurly's lost webhooks are found by its list of changed invoices; a worker does it by itself, and the command tells what was missed."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import LiteralString

import pytest
from click.testing import CliRunner

from api.cli.main import main
from api.drift import drift_of
from api.jobs import intake, reconcile
from api.worker import run_worker
from graph.bootstrap import Services
from memory.database import Database
from memory.facts import DatabaseFacts
from recoup.case import CaseStatus
from recoup.clock import FixedClock, wall_now
from recoup.events import ObjectRef
from recoup.ports import FIRST_LOOK_BACK
from tests.contract.recurly_bench import RecurlyBench, recurly_bench
from tests.deciding import rows
from tests.factories import make_connection
from tests.fakes import FakeBilling, make_services
from tests.scenes import change
from tools.billing.sandbox import SandboxBilling

QUARTER = timedelta(minutes=15)


@pytest.fixture
async def recurly(db: Database) -> AsyncGenerator[tuple[Services, RecurlyBench]]:
    with recurly_bench(wall_now().replace(microsecond=0) - timedelta(days=1)) as bench:
        connection, platform = bench.connection(), bench.billing()
        made = make_services(db, billing=platform, clock=FixedClock(bench.double.clock.now()))
        connections, billing = {connection.name: connection}, {connection.name: platform}
        yield replace(made, connections=connections, billing=billing, facts=DatabaseFacts(db, connections, billing)), bench
        await platform.aclose()


@pytest.fixture
async def services_of_sandbox(db: Database) -> AsyncGenerator[Services]:
    async with SandboxBilling(make_connection(api_base="http://127.0.0.1:9", api_key="sk_test")) as platform:
        yield make_services(db, billing=platform)


async def catch_up(services: Services, bench: RecurlyBench) -> None:
    """A quarter of an hour later the platform is asked, and what is found is taken in."""
    bench.double.advance(QUARTER)
    clock = services.clock
    assert isinstance(clock, FixedClock)
    clock.at = bench.double.clock.now()
    await reconcile.run(services, "recurly")
    for (event_id,) in await rows(services.db, "SELECT id FROM inbox WHERE status = 'accepted' ORDER BY id"):
        await intake.run(services, event_id)


async def until_there_are(db: Database, sql: LiteralString) -> None:
    """Waits for rows."""
    async with asyncio.timeout(30):
        while not await rows(db, sql):  # noqa: ASYNC110 - what is awaited is a row
            await asyncio.sleep(0.05)


async def test_what_recurly_told_nobody_is_found_and_told_once(recurly: tuple[Services, RecurlyBench]) -> None:
    services, bench = recurly
    await reconcile.begin(services)
    await catch_up(services, bench)
    assert await rows(services.db, "SELECT id FROM inbox") == []
    invoice = bench.owing("ok")
    await catch_up(services, bench)
    cases = "SELECT i.vendor_id, c.status FROM cases c JOIN invoices i ON i.id = c.invoice_id"
    assert await rows(services.db, cases) == [(invoice.id, CaseStatus.OPEN)]
    bench.double.customer_pays(invoice)
    await catch_up(services, bench)
    assert await rows(services.db, cases) == [(invoice.id, CaseStatus.RECOVERED)]
    told = await rows(services.db, "SELECT vendor_event_id, status FROM inbox ORDER BY id")
    assert {status for _, status in told} == {"processed"}
    await catch_up(services, bench)
    await catch_up(services, bench)
    assert await rows(services.db, "SELECT vendor_event_id, status FROM inbox ORDER BY id") == told
    report = await drift_of(services.db, services.connections, "recurly")
    assert {line.kind: line.missed for line in report.kinds}["attempt"] == 2
    assert all(line.longest_late_seconds <= QUARTER.total_seconds() + 60 for line in report.kinds)


async def test_an_outage_longer_than_recurly_delivers_again_loses_nothing(recurly: tuple[Services, RecurlyBench]) -> None:
    services, bench = recurly
    endpoint = bench.double.send_webhooks_to("http://recoup.test/webhooks/recurly", "secret")
    assert endpoint
    await reconcile.begin(services)
    known = bench.owing("ok")
    await catch_up(services, bench)
    lost = [bench.owing("insufficient_funds") for _ in range(2)]
    payment = bench.double.customer_pays(known)
    bench.double.close(bench.double.store.accounts[lost[0].account_id])
    bench.double.advance(timedelta(days=5))
    bench.double.customer_disputes(payment)
    # What nobody takes for two days is given up.
    assert bench.double.courier.drop()
    await catch_up(services, bench)
    standing = dict(await rows(services.db, "SELECT vendor_id, status FROM invoices"))
    assert standing == {known.id: "paid"} | {invoice.id: "open" for invoice in lost}
    made = await rows(services.db, "SELECT vendor_key, status FROM attempts")
    assert {key for key, _ in made} == {attempt.id for attempt in bench.double.ledger()}
    assert dict(made)[payment.id] == "reversed"
    told = {line.kind: line for line in (await drift_of(services.db, services.connections, "recurly")).kinds}
    assert (told["invoice"].unknown, told["account"].unknown) == (3, 3)
    assert told["cancellation"].missed >= 1
    assert told["attempt"].longest_late_seconds >= timedelta(days=4).total_seconds()


async def test_the_first_time_recurly_is_asked_for_what_webhooks_could_still_tell(recurly: tuple[Services, RecurlyBench]) -> None:
    services, bench = recurly
    old = bench.double.invoice(bench.double.account(bench.double.card()))
    bench.double.advance(FIRST_LOOK_BACK)
    lost = bench.owing()
    bench.double.advance(timedelta(hours=1))
    await reconcile.begin(services)
    await catch_up(services, bench)
    cases = "SELECT i.vendor_id FROM cases c JOIN invoices i ON i.id = c.invoice_id"
    assert await rows(services.db, cases) == [(lost.id,)]
    assert (old.id,) not in await rows(services.db, "SELECT vendor_id FROM invoices")


async def test_the_sandbox_loses_nothing_and_the_report_says_so(services_of_sandbox: Services) -> None:
    await reconcile.begin(services_of_sandbox)
    await reconcile.run(services_of_sandbox, "sandbox")
    report = await drift_of(services_of_sandbox.db, services_of_sandbox.connections, "sandbox")
    assert report.last_error is not None
    assert "nothing is lost, because the sandbox platform delivers every webhook until it is taken" in report.last_error


async def test_a_worker_asks_by_itself_and_takes_in_what_it_finds(db: Database) -> None:
    billing = FakeBilling()
    services = make_services(db, billing=billing)
    stop = asyncio.Event()
    async with services.app.open_async(), asyncio.TaskGroup() as group:
        group.create_task(run_worker(services, stop))
        await until_there_are(db, "SELECT FROM reconciliations WHERE looked_at IS NOT NULL")
        billing.changed = (ObjectRef(kind="invoice", vendor_id="in_1"),)
        await change(db, "UPDATE reconciliations SET due_at = looked_at, woken_at = woken_at - interval '1 minute'")
        await until_there_are(db, "SELECT FROM cases")
        stop.set()
    assert await rows(db, "SELECT event_type, kind FROM inbox") == [("recoup.reconciliation", "reconciliation")]
    assert await rows(db, "SELECT status FROM cases") == [(CaseStatus.OPEN,)]


async def test_the_command_tells_what_was_missed(
    recurly: tuple[Services, RecurlyBench], database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, bench = recurly
    bench.double.advance(timedelta(hours=1))
    await reconcile.begin(services)
    await catch_up(services, bench)
    bench.owing()
    await catch_up(services, bench)
    config = tmp_path / "recoup.toml"
    config.write_text(f'[connections.recurly]\nplatform = "recurly"\napi_key = "env:KEY"\napi_base = "{bench.url}"\n', encoding="utf-8")
    for name, value in {"HOME": tmp_path, "CONFIG": config, "DATABASE_URL": database_url}.items():
        monkeypatch.setenv(f"RECOUP_{name}", str(value))
    monkeypatch.setenv("KEY", "secret")

    def recoup(*arguments: str) -> str:
        result = CliRunner().invoke(main, ["connections", "drift", *arguments])
        assert result.exit_code == 0, result.output
        return result.stdout

    report = json.loads(await asyncio.to_thread(recoup, "recurly", "--json"))
    assert {line["kind"]: line["missed"] for line in report["kinds"]} == {"invoice": 1, "attempt": 1, "account": 1, "payment_method": 1}
    [same] = json.loads(await asyncio.to_thread(recoup, "--json"))
    assert same == report
    shown = await asyncio.to_thread(recoup)
    assert "payment_method" in shown
    assert "longest late seconds" in shown
