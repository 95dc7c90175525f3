"""A served Stripe double and a plain client of it; at the end everything that went over the wire is held against Stripe's specification."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.vendors.contract import Contract, Vendor
from tests.vendors.stripe import StripeDouble
from tests.vendors.stripe_bank import Card
from tests.vendors.stripe_state import Event, Invoice, Version

SPECIFICATIONS: dict[Version, Vendor] = {Version.OLD: "stripe", Version.NEW: "stripe-2026"}
# Requests that get these answers are wrong on purpose; only the answer is held against the specification.
WRONG_REQUESTS = frozenset({400, 404})


@dataclass
class Stage:
    """``client`` has the key that may do everything."""

    double: StripeDouble
    client: httpx.Client
    version: Version

    def get(self, path: str, **query: Any) -> Any:
        """A GET that must succeed; brackets in names are spelled as in ``{"expand[]": ...}``."""
        response = self.client.get(f"/v1/{path}", params=query)
        assert response.is_success, response.text
        return response.json()

    def post(self, path: str, key: str | None = None, **form: Any) -> httpx.Response:
        """A POST, under an idempotency key if given."""
        return self.client.post(f"/v1/{path}", data=form, headers={"Idempotency-Key": key} if key else {})

    def pay(self, invoice: Invoice, card: Card, key: str | None = None, **form: Any) -> httpx.Response:
        """An attempt by the merchant."""
        return self.post(f"invoices/{invoice.id}/pay", key, payment_method=card.id, **form)

    def outcomes(self, invoice: Invoice) -> list[tuple[str, str]]:
        """Who tried, and what came of it."""
        return [(a.initiator, a.outcome) for a in self.double.ledger() if a.invoice == invoice.id]


@contextmanager
def stage(version: Version = Version.NEW, **options: Any) -> Generator[Stage]:
    """Serves a double while the block lasts."""
    double = StripeDouble(account_version=version, **options)
    headers = {"Authorization": f"Bearer {double.secret_key}", "Stripe-Version": version.value}
    with double.serve() as base_url, httpx.Client(base_url=base_url, headers=headers, timeout=10) as client:
        yield Stage(double, client, version)
    contract = Contract.load(SPECIFICATIONS[version])
    if contract is None:
        return
    for event in double.world.all(Event):
        for told_in, body in event.bodies.items():
            Contract.required(SPECIFICATIONS[told_in]).check_event(body)
    for exchange in double.log:
        status = exchange.answer.status if exchange.answer else None
        if exchange.request.path != "/v1/nothing":
            contract.check_exchange(exchange, answer_only=status in WRONG_REQUESTS)


def error_of(response: httpx.Response, status: int) -> dict[str, Any]:
    """The error of an answer that must have that status."""
    assert response.status_code == status, response.text
    return response.json()["error"]
