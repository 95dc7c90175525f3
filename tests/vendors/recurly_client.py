"""A bare client of the Recurly double, whose every exchange is checked against the vendor's specification where that is at hand."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.vendors.contract import Contract
from tests.vendors.recurly import RecurlyDouble, headers_for
from tests.vendors.recurly_records import Invoice


@contextmanager
def checked_client(recurly: RecurlyDouble) -> Generator[httpx.Client]:
    """Serves the double while the block lasts; afterwards raises ContractBroken for what the specification does not allow.

    Of requests that were refused only the answer is checked: they are wrong on purpose."""
    with recurly.serve() as url, httpx.Client(base_url=url, headers=headers_for()) as client:
        yield client
    contract = Contract.load("recurly")
    if contract:
        for exchange in recurly.log:
            contract.check_exchange(exchange, answer_only=exchange.answer is not None and exchange.answer.status >= 400)


def declined(recurly: RecurlyDouble, *later: str, **told: Any) -> Invoice:
    """A past due invoice; ``later`` is what its bank says to the next attempts."""
    return recurly.invoice(recurly.account(recurly.card("insufficient_funds", *(later or ("insufficient_funds",)))), **told)


def collect(api: httpx.Client, invoice: Invoice, key: str | None = None, **body: str) -> httpx.Response:
    """The merchant's own attempt."""
    return api.put(f"/invoices/{invoice.id}/collect", json=body or None, headers={"Idempotency-Key": key} if key else {})


def outcomes(recurly: RecurlyDouble) -> list[tuple[str, str]]:
    """Who tried, and what came of it."""
    return [(attempt.initiator, attempt.outcome) for attempt in recurly.ledger()]


def error_of(response: httpx.Response) -> tuple[int, str, list[str]]:
    """Status, type and named parameters of a refusal."""
    error = response.json()["error"]
    return response.status_code, error["type"], [entry["param"] for entry in error["params"]]
