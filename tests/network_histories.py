"""Histories of a card for the checker of network rules: attempts of ours, of the platform, of the customer, at times after one start."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from evals.network_checker import Card, Try, breaches

START = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
VISA, MASTERCARD, AMEX, NOVA = (Card("card", brand) for brand in ("visa", "mastercard", "amex", "nova"))
ACH, SEPA = Card("ach"), Card("sepa")


def tried(after: timedelta, code: str | None = "processing_error", **changes: Any) -> Try:
    """A failed attempt of ours, that long after the start."""
    one = Try("act_1", START + after, 4900, "USD", is_ours=True, by_customer_surely=False, status="failed", processor="stripe", code=code)
    return replace(one, **changes)


def elses(after: timedelta, code: str | None = "processing_error", **changes: Any) -> Try:
    """A failed attempt of the platform."""
    return tried(after, code, subject="ch_1", is_ours=False, **changes)


def paid(after: timedelta, **changes: Any) -> Try:
    """The customer paid."""
    return elses(after, None, status="succeeded", by_customer_surely=True, **changes)


def series(number: int, every: timedelta, make: Callable[..., Try] = elses, **changes: Any) -> list[Try]:
    """That many attempts from the start on."""
    return [make(n * every, **changes) for n in range(number)]


def found(card: Card, *tries: Try) -> list[str]:
    """What is held against us."""
    return [breach.problem for breach in breaches(card, tries)]
