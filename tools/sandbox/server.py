"""The sandbox platform as an HTTP server: a vendor's double with a clock that can be moved."""

import asyncio
import hmac
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Query, Request, params
from fastapi.responses import JSONResponse, Response
from pydantic import AwareDatetime, BaseModel, Field
from starlette.types import Receive, Scope, Send

from recoup.errors import Conflict, Malformed, NotFound
from tools.sandbox import life, protocol, views
from tools.sandbox.answers import Answer, answer, drawn_fault
from tools.sandbox.courier import Courier, undelivered
from tools.sandbox.effects import Order, effects_of
from tools.sandbox.exchanges import NamedExchanges
from tools.sandbox.population import Population
from tools.sandbox.simulation import Channel, Simulation
from tools.sandbox.store import Store

DATABASE_FILE = "sandbox.sqlite3"
DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class Options:
    """How one sandbox runs. Without ``webhook_url`` nothing is delivered, and everything stays pending."""

    home: Path
    api_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    webhook_url: str | None = None
    seed: int = 1
    cases: int = 60
    days: float = 30
    key_valid_seconds: float = DAY_SECONDS
    latency_ms: float = 0
    fault_share: float = 0
    channel: Channel = field(default_factory=Channel)


class EffectBody(BaseModel):
    """The body of ``POST /v1/effects``; its key is the ``Idempotency-Key`` header."""

    name: str
    invoice: str
    args: dict[str, object] = {}


class Advance(BaseModel):
    """Where the clock goes."""

    to: AwareDatetime


class Note(BaseModel):
    """A line about an invoice, for people."""

    text: Annotated[str, Field(min_length=1, max_length=500)]


class Contact(BaseModel):
    """A message that reached a customer; ``key`` is heard once. ``kind``: what it asks for; None where that fits what is needed."""

    account: str
    at: AwareDatetime
    key: str
    channel: protocol.Channel = "email"
    kind: protocol.ContactKind | None = None


def create_sandbox(options: Options) -> FastAPI:
    """The application. Everything it knows is in one SQLite file under ``options.home``."""
    store = Store(options.home / DATABASE_FILE)
    sim = Simulation(store, Population(seed=options.seed, cases=options.cases, days=options.days), options.channel)
    with store.transaction():
        sim.settle_in()
    courier = Courier(sim, options.webhook_url, options.webhook_secret) if options.webhook_url else None

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        running = asyncio.create_task(courier.run()) if courier else None
        yield
        if running:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
        store.close()

    app = FastAPI(title="Recoup sandbox platform", lifespan=lifespan, dependencies=[Depends(_key_check(options.api_key))])
    app.add_middleware(NamedExchanges)
    _translate_errors(app)
    _vendor_routes(app, sim, options, courier)
    _control_routes(app, sim, courier)
    return app


def _vendor_routes(app: FastAPI, sim: Simulation, options: Options, courier: Courier | None) -> None:
    async def take_time() -> None:
        if options.latency_ms:
            await asyncio.sleep(options.latency_ms / 1000)

    slow = [Depends(take_time)]
    _reading_routes(app, sim, slow)

    @app.get("/v1/effects/{key}", dependencies=slow)
    async def get_effect(key: str) -> views.Json:
        found = effects_of(sim, key)
        if not found:
            raise NotFound(f"nothing was done under {key}")
        return found[0].model_dump(mode="json")

    @app.post("/v1/invoices/{invoice_id}/notes", dependencies=slow)
    async def post_note(invoice_id: str, note: Note) -> views.Json:
        with sim.store.transaction():
            sim.note_once(sim.invoice(invoice_id).id, note.text)
        return {"notes": sim.notes(invoice_id)}

    @app.post("/v1/effects", dependencies=slow)
    async def post_effect(wanted: EffectBody, idempotency_key: Annotated[str, Header(min_length=1, max_length=200)]) -> Response:
        order = Order(key=idempotency_key, name=wanted.name, invoice=wanted.invoice, args=wanted.args)
        with sim.store.transaction():
            fault = drawn_fault(sim, order, options.fault_share)
            given = answer(sim, order, wall=time.time(), key_valid_seconds=options.key_valid_seconds, fault=fault)
        if courier:
            courier.wake()
        return _Broken() if given.drops else _response(given)


def _reading_routes(app: FastAPI, sim: Simulation, slow: list[params.Depends]) -> None:
    @app.get("/v1/invoices", dependencies=slow)
    async def get_invoices(since: AwareDatetime, limit: Annotated[int, Query(ge=1, le=100)] = 100, after: str | None = None) -> views.Json:
        return views.invoices_page(sim, since, after, limit)

    @app.get("/v1/invoices/{invoice_id}", dependencies=slow)
    async def get_invoice(invoice_id: str) -> views.Json:
        return views.invoice_document(sim, invoice_id)

    @app.get("/v1/invoices/{invoice_id}/notes", dependencies=slow)
    async def get_notes(invoice_id: str) -> views.Json:
        return {"notes": sim.notes(invoice_id)}

    @app.get("/v1/customers/{customer_id}/invoice", dependencies=slow)
    async def get_invoice_of_customer(customer_id: str) -> views.Json:
        return views.invoice_document(sim, views.newest_invoice_of(sim, customer=customer_id) or customer_id)

    @app.get("/v1/subscriptions/{subscription_id}/invoice", dependencies=slow)
    async def get_invoice_of_subscription(subscription_id: str) -> views.Json:
        return views.invoice_document(sim, views.newest_invoice_of(sim, subscription=subscription_id) or subscription_id)


def _control_routes(app: FastAPI, sim: Simulation, courier: Courier | None) -> None:
    @app.post("/control/advance")
    async def advance(wanted: Advance) -> views.Json:
        with sim.store.transaction():
            played = life.advance(sim, wanted.to)
        if courier:
            courier.wake()
        return {"now": sim.now.isoformat(), "played": played, "pending": undelivered(sim)}

    @app.post("/control/contact")
    async def contact(reached: Contact) -> views.Json:
        with sim.store.transaction():
            life.hear(sim, reached.account, reached.key, reached.at, reached.channel, reached.kind)
        return {"heard": reached.key}

    @app.get("/control/next")
    async def next_at() -> views.Json:
        at = sim.next_at()
        return {"now": sim.now.isoformat(), "next": at.isoformat() if at else None}

    @app.get("/control/pending")
    async def pending() -> views.Json:
        return {"pending": undelivered(sim)}

    @app.get("/control/ledger")
    async def ledger() -> views.Json:
        return views.ledger(sim)


class _Broken(Response):
    """Promises more bytes than it sends, so that the client sees the connection break after its request was taken."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})


def _response(given: Answer) -> Response:
    headers = {"Idempotent-Replayed": "true"} if given.replayed else {}
    return Response(given.body, given.status, headers, "application/json")


def _key_check(api_key: str):
    async def check(authorization: Annotated[str, Header()] = "") -> None:
        if not hmac.compare_digest(authorization.encode(), f"Bearer {api_key}".encode()):
            raise _Unauthorized

    return check


class _Unauthorized(Exception):
    """The API key is missing or wrong."""


def _translate_errors(app: FastAPI) -> None:
    statuses: dict[type[Exception], int] = {_Unauthorized: 401, NotFound: 404, Conflict: 409, Malformed: 400}

    def handler(status: int):
        async def handle(_: Request, error: Exception) -> JSONResponse:
            return JSONResponse({"error": str(error) or "the API key is missing or wrong"}, status)

        return handle

    for kind, status in statuses.items():
        app.add_exception_handler(kind, handler(status))
