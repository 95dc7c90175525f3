"""What failed exchanges and refusals mean for what may be done next."""

import httpx
import pytest

from recoup.errors import BillingUnavailable, Defect, Misconfigured, NotFound, OutcomeUnknown, RecoupError
from tools.http_errors import (
    LONGEST_SILENCE_SECONDS,
    Call,
    CircuitOpen,
    Crowded,
    EgressRefused,
    Redirected,
    TooLong,
    failure,
    refusal,
    request_id_of,
    silence_seconds,
)

READ = Call(connection="recurly-us", what="GET /invoices/in_1")
EFFECT = Call(connection="recurly-us", what="act_1", is_effect=True)
NOON = "Mon, 02 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("error", "of_a_read", "of_an_effect"),
    [
        (httpx.ConnectError("refused"), BillingUnavailable, BillingUnavailable),
        (httpx.ConnectTimeout("slow"), BillingUnavailable, BillingUnavailable),
        (httpx.PoolTimeout("full"), BillingUnavailable, BillingUnavailable),
        (Crowded("full"), BillingUnavailable, BillingUnavailable),
        (CircuitOpen("away"), BillingUnavailable, BillingUnavailable),
        (EgressRefused("no"), Misconfigured, Misconfigured),
        (Redirected("302"), Misconfigured, OutcomeUnknown),
        (TooLong("much"), BillingUnavailable, OutcomeUnknown),
        (httpx.ReadTimeout("slow"), BillingUnavailable, OutcomeUnknown),
        (httpx.ReadError("reset"), BillingUnavailable, OutcomeUnknown),
        (httpx.WriteError("reset"), BillingUnavailable, OutcomeUnknown),
        (httpx.WriteTimeout("slow"), BillingUnavailable, OutcomeUnknown),
        (httpx.RemoteProtocolError("cut"), BillingUnavailable, OutcomeUnknown),
        (httpx.DecodingError("not gzip"), BillingUnavailable, OutcomeUnknown),
        (KeyError("id"), Defect, OutcomeUnknown),
        (NotFound("gone"), NotFound, NotFound),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_an_error_means(error: Exception, of_a_read: type[RecoupError], of_an_effect: type[RecoupError]) -> None:
    assert type(failure(READ, error)) is of_a_read
    assert type(failure(EFFECT, error)) is of_an_effect


def test_an_error_that_a_library_has_wrapped_means_the_same() -> None:
    wrapped = RuntimeError("could not reach the platform with key sk_live_1")
    wrapped.__cause__ = httpx.ConnectError("refused")
    error = failure(EFFECT, wrapped)
    assert isinstance(error, BillingUnavailable)
    assert "sk_live_1" not in str(error)


@pytest.mark.parametrize(
    ("status", "of_a_read", "of_an_effect"),
    [
        (200, None, None),
        (402, None, None),
        (409, None, None),
        (422, None, None),
        (401, Misconfigured, Misconfigured),
        (403, Misconfigured, Misconfigured),
        (404, NotFound, NotFound),
        (408, BillingUnavailable, OutcomeUnknown),
        (429, BillingUnavailable, BillingUnavailable),
        (500, BillingUnavailable, OutcomeUnknown),
        (503, BillingUnavailable, OutcomeUnknown),
        (504, BillingUnavailable, OutcomeUnknown),
    ],
)
def test_what_a_status_means(status: int, of_a_read: type[RecoupError] | None, of_an_effect: type[RecoupError] | None) -> None:
    for call, meant in ((READ, of_a_read), (EFFECT, of_an_effect)):
        error = refusal(call, status, "req_7")
        assert (type(error) if error else None) is meant
        if error:
            assert "req_7" in str(error)
            assert "recurly-us" in str(error)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 7 "}, 7.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-7"}, None),
        ({"Retry-After": "9" * 400}, LONGEST_SILENCE_SECONDS),
        ({"Retry-After": "Mon, 02 Nov 2026 12:00:30 GMT", "Date": NOON}, 30.0),
        ({"Retry-After": "Mon, 02 Nov 2026 12:00:30 -0000", "Date": NOON}, 30.0),
        ({"Retry-After": "Mon, 02 Nov 2026 11:00:00 GMT", "Date": NOON}, 0.0),
        ({"Retry-After": "Mon, 02 Nov 2026 12:00:30 GMT"}, None),
        ({"X-RateLimit-Reset": "1793620860", "Date": NOON}, 60.0),
        ({"X-RateLimit-Reset": "1793620860"}, None),
        ({"X-RateLimit-Reset": "1793620860", "Date": "yesterday"}, None),
        ({"Retry-After": "7", "X-RateLimit-Reset": "1793620860", "Date": NOON}, 7.0),
    ],
)
def test_how_long_a_platform_asks_for_silence(headers: dict[str, str], seconds: float | None) -> None:
    assert silence_seconds(httpx.Headers(headers)) == seconds


def test_the_request_id_is_that_of_either_vendor() -> None:
    assert request_id_of(httpx.Headers({"Request-Id": "req_1"})) == "req_1"
    assert request_id_of(httpx.Headers({"X-Request-Id": "8a7f"})) == "8a7f"
    assert request_id_of(httpx.Headers({"X-Request-Id": "x" * 9000})) == "x" * 128
    assert request_id_of(httpx.Headers()) is None
