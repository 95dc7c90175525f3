"""Recurly's API over HTTP: the version, the key, its lists, and what an answer says about whether anything was done."""

import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Literal
from urllib.parse import parse_qsl, quote, urlsplit

import httpx

from recoup.clock import wall_now
from recoup.errors import BillingUnavailable, Defect, Malformed, Misconfigured, NotFound, OutcomeUnknown, Refused
from recoup.settings import API_VERSIONS, Connection, Platform
from tools.billing.json_part import Part
from tools.http import TIMEOUT, GuardedTransport
from tools.http_egress import api_base_of
from tools.http_errors import Call, failure, json_object, refusal, request_id_of, request_named

[VERSION] = API_VERSIONS[Platform.RECURLY]
EU_HOST = "v3.eu.recurly.com"
PAGE = 200
MOST_PAGES = 500
PREFIXED = re.compile(r"(code|number|uuid|subdomain)-.+", re.DOTALL)
PLAIN_ID = re.compile(r"[a-z0-9]{1,32}")

Query = Mapping[str, str | int]


@dataclass(frozen=True)
class Answer:
    """A document, and the platform's time at which it was true."""

    document: Part
    at: datetime


@dataclass(frozen=True)
class Said:
    """What an effect was answered: ``document`` is the changed object, or the error where Recurly understood and did not do it.
    ``request_id``: what Recurly's support finds the exchange by."""

    is_done: bool
    document: Part
    request_id: str | None


class FeatureMissing(Refused):
    """The site has not switched on what was asked for."""


class RecurlyHttp:
    """One client for one connection; close it when the process ends. ``transport`` is for tests."""

    def __init__(self, connection: Connection, transport: httpx.AsyncBaseTransport | None = None) -> None:
        if not connection.api_key:
            raise Misconfigured(f"connections.{connection.name} needs an api_key to reach Recurly")
        self.name = connection.name
        self._client = httpx.AsyncClient(
            base_url=api_base_of(connection),
            auth=httpx.BasicAuth(connection.api_key, ""),
            headers={"Accept": f"application/vnd.recurly.{VERSION}"},
            timeout=TIMEOUT,
            transport=transport or GuardedTransport(connection),
        )

    @property
    def hosted_domain(self) -> str:
        """Where the site's own pages are, below its name: a site of the EU has them there."""
        return "eu.recurly.com" if self._client.base_url.host == EU_HOST else "recurly.com"

    async def aclose(self) -> None:
        """Closes the client's connections."""
        await self._client.aclose()

    async def get(self, path: str, query: Query | None = None) -> Answer:
        """One object. Raises NotFound, Misconfigured, BillingUnavailable, FeatureMissing, or Malformed where the question is wrong."""
        call = Call(connection=self.name, what=f"GET {shown(path)}")
        try:
            response = await self._client.get(path, params=query)
        except httpx.RequestError as exc:
            raise failure(call, exc) from exc
        self._check(call, response)
        if not response.is_success:
            kind, named = _error(Part(json_object(call, response), "")).text("type"), request_named(request_id_of(response.headers))
            if kind == "missing_feature":
                raise FeatureMissing(f"{self.name}: the site lacks the feature that {call.what} belongs to{named}")
            raise Malformed(f"{self.name}: {call.what} was answered {response.status_code} {kind}{named}")
        return Answer(Part(json_object(call, response), ""), answered_at(response.headers))

    async def pages(self, path: str, query: Query | None = None) -> AsyncGenerator[Answer]:
        """All pages of a list, one after the other. Recurly tells where the next one is; only its query is taken from there."""
        asked = query
        for _ in range(MOST_PAGES):
            page = await self.get(path, asked)
            yield page
            following = next_query(page.document)
            if following is None:
                return
            asked = following
        raise BillingUnavailable(self.name, f"the list {shown(path)} does not end")

    async def send(
        self, method: Literal["PUT", "POST", "DELETE"], path: str, key: str, body: object = None, query: Query | None = None
    ) -> Said:
        """An effect under its key. Raises BillingUnavailable or Misconfigured (surely nothing was done), NotFound, or OutcomeUnknown."""
        call = Call(connection=self.name, what=f"{method} {shown(path)}", is_effect=True)
        try:
            response = await self._client.request(method, path, json=body, params=query, headers={"Idempotency-Key": key})
        except httpx.RequestError as exc:
            raise failure(call, exc) from exc
        self._check(call, response)
        document, request_id = Part(json_object(call, response), ""), request_id_of(response.headers)
        if response.is_success:
            return Said(is_done=True, document=document, request_id=request_id)
        error, named = _error(document), request_named(request_id)
        if response.status_code == HTTPStatus.CONFLICT or error.text("type") == "simultaneous_request":
            # Most likely our own first request under this key, still under way.
            raise OutcomeUnknown(f"{self.name}: a request like {call.what} is still under way{named}")
        if response.status_code == HTTPStatus.BAD_REQUEST:
            raise Defect(f"{self.name}: Recurly does not understand {call.what} ({error.text('type')}){named}")
        return Said(is_done=False, document=error, request_id=request_id)

    def _check(self, call: Call, response: httpx.Response) -> None:
        request_id = request_id_of(response.headers)
        if response.status_code == HTTPStatus.NOT_ACCEPTABLE:
            named = request_named(request_id)
            raise Misconfigured(f"{self.name}: the API no longer speaks version {VERSION}; upgrade Recoup{named}")
        error = refusal(call, response.status_code, request_id)
        if error is not None:
            raise error


def next_query(page: Part) -> dict[str, str] | None:
    """The query of the next page of a list; None where this was the last."""
    following = page.text("next") if page.flag("has_more") else None
    return dict(parse_qsl(urlsplit(following).query)) if following else None


def answered_at(headers: httpx.Headers) -> datetime:
    """The platform's time of an answer, in whole seconds; ours where it tells none."""
    told = headers.get("date")
    try:
        return parsedate_to_datetime(told).astimezone(UTC) if told else wall_now()
    except ValueError:
        return wall_now()


def segment(told: str) -> str:
    """An id, or ``code-``, ``number-``, ``uuid-`` and a name, as part of a path. Raises NotFound for what can be neither."""
    if not (PLAIN_ID.fullmatch(told) or PREFIXED.fullmatch(told)):
        raise NotFound("Recurly gives no such ids")
    return quote(told, safe="")


def shown(path: str) -> str:
    """A path without the names in it: an account's code is often somebody's e-mail address."""
    return "/".join(part.split("-")[0] + "-..." if PREFIXED.fullmatch(part) else part for part in path.split("/"))


def _error(document: Part) -> Part:
    return document.part("error") or document
