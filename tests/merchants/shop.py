"""What a merchant's platform is to the stage, whichever it is."""

from typing import Literal, Protocol

import httpx

from evals.ledgers import PlatformLedger
from recoup.ports import BillingPlatform
from recoup.settings import Connection
from tests.vendors.chassis import Exchange, Site

Kind = Literal["stripe", "recurly"]
STATUSES = {"succeeded": "succeeded", "failed": "failed", "requires_action": "failed", "pending": "processing"}
INITIATORS = {"platform": "platform", "customer": "customer", "merchant": "merchant"}
# What tells that an answer is that of an earlier request with the same key.
REPLAYED = ("Idempotent-Replayed", "Idempotency-Prior")
# Requests that get these answers are wrong on purpose; only the answer is held against the specification.
WRONG_REQUESTS = frozenset({400, 404})


class Adapter(BillingPlatform, Protocol):
    """What every adapter can besides."""

    async def aclose(self) -> None:
        """Closes its connections."""
        ...


class Shop(Protocol):
    """A double with what belongs to it in Recoup. ``double`` is served while the stage stands."""

    @property
    def double(self) -> Site:
        """The platform."""
        ...

    def connection(self, name: str, api_base: str, webhook_url: str) -> Connection:
        """Points the platform's webhooks at the URL, and gives the connection that recoup.toml would have."""
        ...

    def billing(self, connection: Connection, transport: httpx.AsyncBaseTransport) -> Adapter:
        """The real adapter on that way out."""
        ...

    def ledger(self) -> PlatformLedger:
        """The double's own books."""
        ...

    def hold_against_specification(self) -> None:
        """Raises ContractBroken for what went over the wire and should not have; nothing where no specification is at hand."""
        ...


def initiator_of(told: str, key: str | None) -> str:
    """Whose an attempt is. What came with an idempotency key over the API is ours."""
    return "recoup" if told == "merchant" and key is not None else INITIATORS[told]


def is_first_answer(exchange: Exchange) -> bool:
    """Whether an effect was done in this very exchange, and said so."""
    answer = exchange.answer
    return answer is not None and 200 <= answer.status < 300 and not any(name in answer.headers for name in REPLAYED)
