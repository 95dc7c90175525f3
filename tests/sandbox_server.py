"""A sandbox platform over real HTTP inside the test process, for tests that do not need to kill it."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from api.demo.processes import free_port
from tools.sandbox.population import DEFAULT_START
from tools.sandbox.server import Options, create_sandbox

API_KEY, WEBHOOK_SECRET = "sk_sandbox_test", "whsec_sandbox_test"
HEADERS = {"Authorization": f"Bearer {API_KEY}"}


def sandbox_options(home: Path, **changes: Any) -> Options:
    """A small world on ``home``."""
    return replace(Options(home=home, api_key=API_KEY, webhook_secret=WEBHOOK_SECRET, seed=7, cases=30, days=30), **changes)


@contextmanager
def running_sandbox(options: Options) -> Generator[str]:
    """Serves it while the block lasts and gives its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(create_sandbox(options), host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the sandbox did not start"
            time.sleep(0.005)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def client_of(address: str) -> httpx.Client:
    """A client with the API key."""
    return httpx.Client(base_url=address, headers=HEADERS, timeout=10)


def advance(client: httpx.Client, days: float) -> dict[str, Any]:
    """Moves the clock to that many days after the start."""
    return post(client, "/control/advance", {"to": (DEFAULT_START + timedelta(days=days)).isoformat()})


def post(client: httpx.Client, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    """A POST that must succeed."""
    response = client.post(path, json=body, headers=headers)
    assert response.is_success, response.text
    return response.json()


def ledger(client: httpx.Client) -> dict[str, Any]:
    """The platform's own books."""
    return client.get("/control/ledger").raise_for_status().json()


def owed_invoices(client: httpx.Client) -> list[dict[str, Any]]:
    """Documents of all invoices that are open after a failure and have a card that can be charged, in the order of their ids."""
    ids = [row["vendor_id"] for row in ledger(client)["invoices"] if row["status"] == "open"]
    documents = [client.get(f"/v1/invoices/{invoice}").raise_for_status().json() for invoice in ids]
    return [d for d in documents if d["attempts"] and d["attempts"][-1]["status"] == "failed" and d["methods"][0]["rail"] == "card"]


def charge_order(document: dict[str, Any]) -> dict[str, Any]:
    """The order for a retry of what remains on an invoice."""
    args = {"credential": document["methods"][0]["id"], "amount_minor": document["invoice"]["remaining"]}
    return {"name": "retry_payment", "invoice": document["invoice"]["id"], "args": args}


def sandbox_time(text: str) -> datetime:
    """An instant of the sandbox's JSON."""
    return datetime.fromisoformat(text)
