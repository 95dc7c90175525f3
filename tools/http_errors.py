"""What a failed exchange means: surely nothing happened, or it may have. Nothing of a request or an answer gets into the words."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

import httpx

from recoup.errors import BillingUnavailable, Defect, Misconfigured, NotFound, OutcomeUnknown, RecoupError
from recoup.record import Record

REQUEST_ID_HEADERS = ("request-id", "x-request-id")
LONGEST_REQUEST_ID = 128
# A platform may ask for a pause, not for the end of all work.
LONGEST_SILENCE_SECONDS = 3600.0


class NotSent(httpx.TransportError):
    """Refused on our side: surely no byte left."""


class Crowded(NotSent):
    """The connection's own limits leave no room."""


class CircuitOpen(NotSent):
    """The platform did not answer lately, and is left alone for a while."""


class TooLate(NotSent):
    """Whoever wanted it sent may not be the one who may send it any more."""


class EgressRefused(NotSent):
    """Not an address that this connection may call."""


class Redirected(httpx.TransportError):
    """The answer sends us elsewhere, and we do not go."""


class TooLong(httpx.TransportError):
    """The answer is longer than any that is expected."""


class Call(Record):
    """What was tried, for the words of an error. ``what`` names ids at most, such as ``GET /v1/invoices/in_1``; ``is_effect``: it was
    to change something there."""

    connection: str
    what: str
    is_effect: bool = False


def failure(call: Call, error: Exception) -> RecoupError:
    """The error of ours that stands for an exchange without an answer. ``error`` may be a library's that wraps the transport's."""
    match _transport_error(error):
        case RecoupError() as ours:
            return ours
        case EgressRefused() as refused:
            return Misconfigured(f"connections.{call.connection}: {refused}")
        case NotSent() as kept_back:
            return BillingUnavailable(call.connection, f"{kept_back}, so {call.what} was not sent")
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout() | httpx.UnsupportedProtocol():
            return BillingUnavailable(call.connection, f"no connection, so {call.what} was not sent")
        case other if call.is_effect:
            return OutcomeUnknown(f"{call.connection}: the answer to {call.what} was lost ({type(other).__name__})")
        case Redirected():
            return Misconfigured(f"connections.{call.connection}.api_base answers with a redirect; write the address that it leads to")
        case httpx.RequestError() as lost:
            return BillingUnavailable(call.connection, f"no usable answer to {call.what} ({type(lost).__name__})")
        case other:
            return Defect(f"{call.connection}: {call.what} failed in a way nobody thought of ({type(other).__name__})")


def refusal(call: Call, status: int, request_id: str | None = None) -> RecoupError | None:
    """The error that a status stands for at every platform; None for success and for what only the vendor's own words explain."""
    named = request_named(request_id)
    if status in {401, 403}:
        why = "refuses the api_key" if status == 401 else f"does not let the api_key do {call.what}"
        return Misconfigured(f"connections.{call.connection}: the platform {why}; see recoup connections check {call.connection}{named}")
    if status == 404:
        return NotFound(f"{call.connection}: {call.what}: there is no such thing{named}")
    if status == 429:
        return BillingUnavailable(call.connection, f"too many requests, so {call.what} was not done", request_id)
    if status >= 500 or status == 408:
        if call.is_effect:
            return OutcomeUnknown(f"{call.connection}: answered {status} to {call.what}{named}")
        return BillingUnavailable(call.connection, f"answered {status} to {call.what}", request_id)
    return None


def json_object(call: Call, response: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer. Raises OutcomeUnknown or BillingUnavailable where it is something else, such as a page of HTML."""
    try:
        document: object = response.json()
    except ValueError:
        document = None
    if isinstance(document, dict):
        return cast("dict[str, Any]", document)
    request_id = request_id_of(response.headers)
    if call.is_effect:
        raise OutcomeUnknown(f"{call.connection}: the answer to {call.what} is not a JSON object{request_named(request_id)}")
    raise BillingUnavailable(call.connection, f"the answer to {call.what} is not a JSON object", request_id)


def request_id_of(headers: httpx.Headers) -> str | None:
    """The platform's name for the exchange, by which its support finds it."""
    found = next((headers[name] for name in REQUEST_ID_HEADERS if name in headers), None)
    return found[:LONGEST_REQUEST_ID] if found else None


def request_named(request_id: str | None) -> str:
    """The end of a sentence about an exchange: its name, where the platform gave it one."""
    return f" (request {request_id})" if request_id else ""


def silence_seconds(headers: httpx.Headers) -> float | None:
    """How long a platform asks to be left alone: Retry-After, else X-RateLimit-Reset against the answer's own Date."""
    told, answered_at = headers.get("retry-after", "").strip(), _date(headers.get("date"))
    if told.isdecimal():
        return _bounded(float(told))
    if answered_at is None:
        return None
    if until := _date(told):
        return _bounded((until - answered_at).total_seconds())
    reset = headers.get("x-ratelimit-reset", "")
    return _bounded(float(reset) - answered_at.timestamp()) if reset.isdecimal() else None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_SILENCE_SECONDS)


def _date(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found


def _transport_error(error: BaseException) -> BaseException:
    """The innermost error of ours or of the transport that the given one was made of, or the given one."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, RecoupError | httpx.RequestError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return error
