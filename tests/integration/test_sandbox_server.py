"""The sandbox platform keeps its word like a vendor: keys, webhooks and books survive whatever happens to its process."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response

from api.demo.processes import Program, free_port
from tests.sandbox_server import (
    API_KEY,
    HEADERS,
    WEBHOOK_SECRET,
    advance,
    charge_order,
    client_of,
    ledger,
    owed_invoices,
    post,
    running_sandbox,
    sandbox_options,
)
from tools.billing.signatures import verify_stripe
from tools.sandbox import bank, life
from tools.sandbox.answers import Fault, answer
from tools.sandbox.banks import Banks
from tools.sandbox.effects import Order
from tools.sandbox.parameters import parameters_of
from tools.sandbox.population import DEFAULT_START, Population
from tools.sandbox.rows import InvoiceRow
from tools.sandbox.simulation import Channel, Simulation
from tools.sandbox.store import Store

PATIENCE_SECONDS = 20.0


@pytest.fixture
def client(tmp_path: Path) -> Generator[httpx.Client]:
    with running_sandbox(sandbox_options(tmp_path)) as address, client_of(address) as client:
        advance(client, 6)
        yield client


def effects_under(client: httpx.Client, key: str) -> int:
    return sum(effect["key"] == key for effect in ledger(client)["effects"])


def test_without_the_key_nothing_answers(client: httpx.Client) -> None:
    assert httpx.get(f"{client.base_url}/control/ledger").status_code == 401
    assert httpx.get(f"{client.base_url}/v1/invoices/in_000000_0", headers={"Authorization": "Bearer no"}).status_code == 401


def test_one_key_is_one_effect_and_one_answer(client: httpx.Client) -> None:
    order = charge_order(owed_invoices(client)[0])
    first = client.post("/v1/effects", json=order, headers={"Idempotency-Key": "act_1"})
    second = client.post("/v1/effects", json=order, headers={"Idempotency-Key": "act_1"})
    assert first.json() == second.json()
    assert (first.headers.get("Idempotent-Replayed"), second.headers.get("Idempotent-Replayed")) == (None, "true")
    assert effects_under(client, "act_1") == 1


def test_a_key_with_another_order_is_refused(client: httpx.Client) -> None:
    one, other = map(charge_order, owed_invoices(client)[:2])
    post(client, "/v1/effects", one, **{"Idempotency-Key": "act_1"})
    assert client.post("/v1/effects", json=other, headers={"Idempotency-Key": "act_1"}).status_code == 409


def test_a_forgotten_key_protects_no_longer_but_its_effect_can_still_be_found(tmp_path: Path) -> None:
    with running_sandbox(sandbox_options(tmp_path, key_valid_seconds=0)) as address, client_of(address) as client:
        advance(client, 6)
        order: dict[str, Any] = {"name": "suspend_service", "invoice": owed_invoices(client)[0]["invoice"]["id"], "args": {}}
        for _ in range(2):
            post(client, "/v1/effects", order, **{"Idempotency-Key": "act_1"})
        assert effects_under(client, "act_1") == 2
        assert client.get("/v1/effects/act_1").json()["state"] == "done"


@pytest.mark.parametrize(
    ("fault", "status", "done"),
    [(Fault.ERROR_BEFORE, 500, 0), (Fault.ERROR_AFTER, 500, 1), (Fault.UNAVAILABLE, 503, 0), (Fault.DROP_AFTER, 200, 1)],
)
def test_what_went_wrong_under_a_key_is_answered_again(tmp_path: Path, fault: Fault, status: int, done: int) -> None:
    store = Store(tmp_path / "sandbox.sqlite3")
    sim = Simulation(store, Population(seed=7, cases=3, days=30), Channel())
    sim.settle_in()
    invoice = store.value("SELECT id FROM invoices WHERE subscription IS NOT NULL")
    order = Order(key="act_1", name="suspend_service", invoice=invoice, args={})
    given = answer(sim, order, wall=1000.0, key_valid_seconds=60, fault=fault)
    again = answer(sim, order, wall=1001.0, key_valid_seconds=60)
    assert given.status == status
    # Only 503 promises that nothing was stored: the next try is a first one.
    assert again.status == (200 if fault is Fault.UNAVAILABLE else status)
    assert store.value("SELECT count(*) FROM effects") == (1 if fault is Fault.UNAVAILABLE else done)
    store.close()


def test_a_dropped_connection_looks_like_one(tmp_path: Path) -> None:
    with running_sandbox(sandbox_options(tmp_path, fault_share=1.0)) as address, client_of(address) as client:
        advance(client, 6)
        order: dict[str, Any] = {"name": "suspend_service", "invoice": owed_invoices(client)[0]["invoice"]["id"], "args": {}}
        outcomes: Counter[str] = Counter()
        for n in range(40):
            try:
                outcomes[str(client.post("/v1/effects", json=order, headers={"Idempotency-Key": f"act_{n}"}).status_code)] += 1
            except httpx.RemoteProtocolError:
                outcomes["dropped"] += 1
        assert set(outcomes) == {"500", "503", "dropped"}


def test_the_clock_does_not_go_back(client: httpx.Client) -> None:
    response = client.post("/control/advance", json={"to": DEFAULT_START.isoformat()})
    assert response.status_code == 400


def test_one_step_or_many_end_in_the_same_books(tmp_path: Path) -> None:
    def books(name: str, days: list[float]) -> dict[str, Any]:
        with running_sandbox(sandbox_options(tmp_path / name)) as address, client_of(address) as client:
            for day in days:
                advance(client, day)
            return ledger(client)

    assert books("one", [20]) == books("many", [n / 4 for n in range(1, 81)])


def test_a_message_is_heard_once(client: httpx.Client) -> None:
    customer = owed_invoices(client)[0]["customer"]["id"]
    message = {"account": customer, "at": DEFAULT_START.isoformat(), "key": "act_1"}
    for _ in range(2):
        post(client, "/control/contact", message)
    assert ledger(client)["contacts"] == 1
    post(client, "/control/contact", {**message, "key": "act_2", "channel": "sms", "kind": "update_method"})
    assert ledger(client)["contacts"] == 2
    assert client.post("/control/contact", json={**message, "key": "act_3", "channel": "pigeon"}).status_code == 422


def test_a_bank_remembers_who_tried_a_card_before(tmp_path: Path) -> None:
    population = Population(seed=7, cases=120, days=30)
    unforgiving = parameters_of(7).but(issuer={"punishing_share": 1.0, "punished_times": 0.0, "recent_days": 30.0})
    population.banks = Banks(population.dice, unforgiving)
    store = Store(tmp_path / "sandbox.sqlite3")
    sim = Simulation(store, population, Channel())
    sim.settle_in()
    approved: list[list[bool]] = [[], []]
    for hours in (150, 160):
        life.advance(sim, DEFAULT_START + timedelta(hours=hours))
        for invoice in store.all(InvoiceRow, "SELECT * FROM invoices WHERE failed_at IS NOT NULL"):
            method = sim.default_method(invoice.customer)
            if method is not None and method.method.rail == "card" and bank.is_collectible(sim, invoice):
                card = method.method.card.fingerprint
                tries = store.value("SELECT count(*) FROM attempts WHERE fingerprint = ?", (card,))
                attempt = bank.charge(sim, invoice, method, invoice.remaining_minor, "recoup")
                approved[tries > 1].append(attempt.status == "succeeded")
    first, later = approved
    assert any(first)
    assert later
    assert not any(later)
    store.close()


def test_invoices_end_paid_overpaid_reversed_and_partly_paid(client: httpx.Client) -> None:
    for day in range(7, 30):
        for document in owed_invoices(client):
            client.post("/v1/effects", json=charge_order(document), headers={"Idempotency-Key": f"{document['invoice']['id']}-{day}"})
        advance(client, day)
    books = ledger(client)
    documents = [client.get(f"/v1/invoices/{row['vendor_id']}").json()["invoice"] for row in books["invoices"]]
    assert any(d["status"] == "paid" and d["paid"] > d["total"] for d in documents)
    assert {attempt["status"] for attempt in books["attempts"]} >= {"succeeded", "failed", "reversed"}
    assert {attempt["initiator"] for attempt in books["attempts"]} == {"recoup", "platform", "customer"}
    assert all(d["remaining"] == max(0, d["total"] - d["paid"] - d["credited"]) for d in documents)


# With a receiver and a process of its own


class Receiver:
    """A webhook endpoint that refuses the first delivery of each event."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.deliveries: Counter[str] = Counter()
        self.accepted: list[str] = []
        self.app = FastAPI()
        self.app.add_api_route("/webhooks/sandbox", self.receive, methods=["POST"])

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        verify_stripe(body, request.headers.get("sandbox-signature"), [self.secret], time.time())
        event = (await request.json())["id"]
        self.deliveries[event] += 1
        if self.deliveries[event] == 1:
            return Response(status_code=503)
        self.accepted.append(event)
        return Response(status_code=202)


@asynccontextmanager
async def receiving(receiver: Receiver) -> AsyncGenerator[str]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(receiver.app, host="127.0.0.1", port=port, log_level="error"))
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}/webhooks/sandbox"
    finally:
        server.should_exit = True
        await serving


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110 - the server offers no event
            await asyncio.sleep(0.02)


async def test_a_killed_sandbox_goes_on_where_it_stood_and_loses_no_webhook(tmp_path: Path) -> None:
    receiver = Receiver(WEBHOOK_SECRET)
    async with receiving(receiver) as url:
        port = free_port()
        program = Program(
            "sandbox",
            ("sandbox", "--home", str(tmp_path), "--port", str(port), "--cases", "12", "--seed", "7", "--webhook-url", url),
            {"RECOUP_SANDBOX_API_KEY": API_KEY, "RECOUP_SANDBOX_WEBHOOK_SECRET": WEBHOOK_SECRET},
            tmp_path / "sandbox.log",
        )
        address = f"http://127.0.0.1:{port}"
        try:
            program.start()
            await program.wait_ready(f"{address}/control/next", HEADERS)
            async with httpx.AsyncClient(base_url=address, headers=HEADERS, timeout=10) as client:
                moved = await client.post("/control/advance", json={"to": DEFAULT_START.replace(day=11).isoformat()})
                assert moved.json()["pending"] > 0
                before = (await client.get("/control/ledger")).json()
            program.kill()
            program.start()
            await program.wait_ready(f"{address}/control/next", HEADERS)
            async with httpx.AsyncClient(base_url=address, headers=HEADERS, timeout=10) as client:
                assert (await client.get("/control/ledger")).json() == before
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while (await client.get("/control/pending")).json()["pending"]:  # noqa: ASYNC110 - it is another process
                        await asyncio.sleep(0.05)
        finally:
            program.kill()
    assert set(receiver.accepted) == set(receiver.deliveries)
    assert len(receiver.deliveries) <= before["events"]
    assert max(receiver.deliveries.values()) > 1


async def test_a_home_keeps_its_world(tmp_path: Path) -> None:
    with running_sandbox(sandbox_options(tmp_path)):
        pass
    program = Program(
        "sandbox", ("sandbox", "--home", str(tmp_path), "--port", str(free_port()), "--seed", "8"), {}, tmp_path / "sandbox.log"
    )
    program.start()
    await eventually(lambda: not program.is_running)
    assert "holds another world" in program.last_words()
