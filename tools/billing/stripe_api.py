"""Stripe's official SDK over our own transport: its version pinned, its retries and telemetry off, its errors told in our words."""

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import NamedTuple, TypeVar, cast
from urllib.parse import urlsplit

import httpx
import stripe
from stripe import StripeResponse

from recoup.clock import wall_now
from recoup.errors import BillingUnavailable, Defect, Misconfigured, NotFound, OutcomeUnknown, RecoupError
from recoup.masking import redact_text
from recoup.settings import API_VERSIONS, Connection, Platform
from tools.billing.json_part import Part
from tools.http import GuardedTransport
from tools.http_egress import api_base_of
from tools.http_errors import LONGEST_REQUEST_ID, Call, failure, refusal, request_id_of, request_named

# From this version on invoices name their subscription in ``parent`` and are paid by InvoicePayments.
INVOICE_PAYMENTS_SINCE = "2025-03-31"
PAGE_SIZE = 100
MOST_PAGES = 20
# With these Stripe's own words say what is wrong; with others nothing is known but the status.
EXPLAINED = frozenset({400, 401, 402, 403, 404, 409})
PERMISSION = re.compile(r"'(rak_\w+)'")

Answered = stripe.StripeObject | StripeResponse
ParamsT = TypeVar("ParamsT", bound=Mapping[str, object])

# The SDK would tell Stripe about this machine and keep an id of it in the home directory.
stripe.enable_telemetry = False


class Answer(NamedTuple):
    """One object, and Stripe's own time of telling it."""

    body: Part
    at: datetime


class Listing(NamedTuple):
    """The objects of a list, newest first. ``is_complete``: there are no more than these."""

    items: list[Part]
    at: datetime
    is_complete: bool


class StripeHttp(stripe.HTTPClient):
    """Carries the SDK's requests; what no words of Stripe's explain is raised as an error of ours."""

    name = "httpx"

    def __init__(self, connection: str, transport: httpx.AsyncBaseTransport) -> None:
        super().__init__()
        self._connection = connection
        self._client = httpx.AsyncClient(transport=transport)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """One exchange, never repeated here. Raises BillingUnavailable, OutcomeUnknown, Misconfigured."""
        call = Call(connection=self._connection, what=f"{method.upper()} {urlsplit(url).path}", is_effect=method != "get")
        try:
            response = await self._client.request(method, url, headers=headers, content=post_data)
        except httpx.RequestError as exc:
            raise failure(call, exc) from exc
        request_id = request_id_of(response.headers)
        said = None if response.status_code in EXPLAINED else refusal(call, response.status_code, request_id)
        if said is not None:
            raise said
        if "json" not in response.headers.get("content-type", "") or not response.content.startswith(b"{"):
            raise _unreadable(call, request_id)
        return response.content, response.status_code, response.headers

    async def close_async(self) -> None:
        """Closes the connections."""
        await self._client.aclose()


class StripeApi:
    """The SDK's client of one connection. ``v1`` has its services; ``ask`` and ``all_of`` give what they answer. ``transport`` is for
    tests."""

    def __init__(self, connection: Connection, transport: httpx.AsyncBaseTransport | None = None) -> None:
        if not connection.api_key:
            raise Misconfigured(f"connections.{connection.name} needs an api_key to reach Stripe")
        version = connection.api_version or API_VERSIONS[Platform.STRIPE][0]
        self.connection = connection
        self.has_invoice_payments = version >= INVOICE_PAYMENTS_SINCE
        self._http = StripeHttp(connection.name, transport or GuardedTransport(connection))
        self._client = stripe.StripeClient(
            connection.api_key,
            stripe_version=version,
            base_addresses={"api": api_base_of(connection)},
            http_client=self._http,
            max_network_retries=0,
        )
        self.v1 = self._client.v1

    async def aclose(self) -> None:
        """Closes its connections."""
        await self._http.close_async()

    def listing(self, path: str, params: Mapping[str, object]) -> Awaitable[StripeResponse]:
        """Asks for a long list, for ``ask`` and ``all_of``. The SDK would make objects of its own of every part of it, which nobody needs
        and which takes longer than everything else about it."""
        return self._client.raw_request_async("get", path, **params)

    async def ask(self, request: Awaitable[Answered]) -> Answer:
        """What Stripe answers to a request. Raises NotFound, Misconfigured, BillingUnavailable, OutcomeUnknown or Defect."""
        try:
            return answer_of(await request)
        except stripe.StripeError as exc:
            raise self.translated(exc) from exc

    async def all_of(self, page: Callable[[str | None], Awaitable[Answered]], most_pages: int = MOST_PAGES) -> Listing:
        """A whole list. ``page`` asks for what comes after an id; no more than ``most_pages`` are read."""
        body, at = await self.ask(page(None))
        items = body.parts("data")
        for _ in range(most_pages - 1):
            if not body.flag("has_more"):
                break
            body, at = await self.ask(page(items[-1].need_text("id")))
            items += body.parts("data")
        return Listing(items, at, is_complete=not body.flag("has_more"))

    def translated(self, error: stripe.StripeError, *, is_effect: bool = False) -> RecoupError:
        """The error of ours for what Stripe said in words of its own. ``is_effect``: it answers what was to change something."""
        name, code = self.connection.name, error.code or ""
        named = request_named(error.request_id)
        if isinstance(error, stripe.IdempotencyError):
            return Defect(f"{name}: an idempotency key was used with other parameters{named}")
        if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
            lacking = permission_named(error)
            why = f"the api_key lacks the permission {lacking}" if lacking else "Stripe refuses the api_key"
            return Misconfigured(f"connections.{name}: {why}; see recoup connections check {name}{named}")
        if error.http_status == HTTPStatus.CONFLICT:
            return OutcomeUnknown(f"{name}: another request with the same idempotency key is still under way{named}")
        if error.http_status == HTTPStatus.NOT_FOUND or code == "resource_missing":
            return NotFound(redact_text(f"{name}: {error.user_message or 'there is no such thing'}{named}"))
        if isinstance(error, stripe.RateLimitError):
            return BillingUnavailable(name, "too many requests, so nothing was done", error.request_id)
        if isinstance(error, stripe.InvalidRequestError | stripe.CardError):
            return Defect(redact_text(f"{name}: Stripe refuses what was asked: {error.user_message}{named}"))
        why = f"an answer that cannot be read ({type(error).__name__})"
        # Nothing in it says that nothing was done.
        return OutcomeUnknown(f"{name}: {why}{named}") if is_effect else BillingUnavailable(name, why, error.request_id)


def answer_of(answered: Answered) -> Answer:
    """The raw object behind the SDK's, in whatever version it was told."""
    response = answered.last_response if isinstance(answered, stripe.StripeObject) else answered
    if response is None or not isinstance(response.data, dict):
        raise Defect("the SDK gave an object that came from no answer")
    return Answer(Part(cast("dict[str, object]", response.data), ""), time_of(response.headers))


def request_of(told: stripe.StripeObject | stripe.StripeError) -> str | None:
    """Stripe's name for the exchange that had the effect; an answer that is given again names the one in which it was first given."""
    headers = told.headers if isinstance(told, stripe.StripeError) else told.last_response.headers if told.last_response else None
    found = (headers.get("original-request") or headers.get("request-id")) if headers else None
    return found[:LONGEST_REQUEST_ID] if found else None


def permission_named(error: stripe.StripeError) -> str | None:
    """The permission that Stripe says a restricted key would need."""
    found = PERMISSION.search(error.user_message or "")
    return found[1] if found else None


def next_page(wanted: ParamsT, after: str | None) -> ParamsT:
    """The parameters of a list that ask for what comes after an id."""
    return cast("ParamsT", {**wanted, "starting_after": after}) if after else wanted


def time_of(headers: Mapping[str, str]) -> datetime:
    """When the answer was given, by the clock of whoever gave it; ours where it does not tell."""
    with suppress(ValueError):
        return parsedate_to_datetime(headers.get("date", "")).astimezone(UTC)
    return wall_now()


def _unreadable(call: Call, request_id: str | None) -> RecoupError:
    why = f"the answer to {call.what} is not JSON"
    if call.is_effect:
        return OutcomeUnknown(f"{call.connection}: {why}{request_named(request_id)}")
    return BillingUnavailable(call.connection, why, request_id)
