"""Errors as RFC 9457 problem documents: what happened, and what to do, in ``detail``."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from recoup.errors import (
    Conflict,
    Expired,
    Forbidden,
    Malformed,
    Misconfigured,
    NotFound,
    RecoupError,
    Refused,
    Retryable,
    SignatureRefused,
)
from tools.billing.webhook import proves_by_header

logger = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5


class Problem(BaseModel):
    """A problem document of RFC 9457."""

    type: str
    title: str
    status: int
    detail: str


# For the description of every address: whatever is no success is a problem document.
RESPONSES: dict[int | str, dict[str, object]] = {
    "default": {"description": "A problem document", "content": {PROBLEM_TYPE: {"schema": Problem.model_json_schema()}}}
}


class Unauthorized(Refused):
    """No API key, or one that is not known."""


class ModeMismatch(Refused):
    """A test event came to a live connection, or the other way round."""


class TooLarge(Refused):
    """The body is over the limit."""


class UnsupportedMediaType(Refused):
    """The connection's platform does not send this content type."""


# The first class that fits gives the status; subclasses come before their base.
STATUSES: tuple[tuple[type[RecoupError], HTTPStatus], ...] = (
    (SignatureRefused, HTTPStatus.UNAUTHORIZED),
    (Unauthorized, HTTPStatus.UNAUTHORIZED),
    (Malformed, HTTPStatus.BAD_REQUEST),
    (Misconfigured, HTTPStatus.BAD_REQUEST),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Expired, HTTPStatus.GONE),
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (UnsupportedMediaType, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (ModeMismatch, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Refused, HTTPStatus.CONFLICT),
    (Retryable, HTTPStatus.SERVICE_UNAVAILABLE),
)


def install(app: FastAPI) -> None:
    """Makes every error of the application a problem document."""
    app.add_exception_handler(RecoupError, _recoup_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _defect)


def problem(status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None, slug: str | None = None) -> JSONResponse:
    """One problem document."""
    kind = f"urn:recoup:problem:{slug or status.name.lower().replace('_', '-')}"
    body = Problem(type=kind, title=status.phrase, status=status.value, detail=detail)
    return JSONResponse(body.model_dump(), status.value, headers, PROBLEM_TYPE)


async def _recoup_error(request: Request, error: Exception) -> JSONResponse:
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    headers: dict[str, str] = {}
    slug = None
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if isinstance(error, SignatureRefused):
        slug = f"signature-{error.why.replace(' ', '-')}"
    if status is HTTPStatus.UNAUTHORIZED:
        # A signature cannot be asked for: only the password of Recurly's XML, and an API key.
        if not isinstance(error, SignatureRefused):
            headers["WWW-Authenticate"] = "Bearer"
        elif proves_by_header(request.headers.get("content-type", "").partition(";")[0].strip().lower()):
            headers["WWW-Authenticate"] = 'Basic realm="recoup"'
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("a request failed", extra={"path": request.url.path, "error": type(error).__name__})
        return problem(status, "Recoup made a mistake; nothing was lost. The log names it.", headers)
    return problem(status, str(error), headers, slug)


async def _invalid_request(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    # What was sent is not repeated: it may be personal.
    problems = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
    is_malformed = any(part["type"] == "json_invalid" for part in error.errors())
    return problem(HTTPStatus.BAD_REQUEST if is_malformed else HTTPStatus.UNPROCESSABLE_ENTITY, problems)


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    return problem(HTTPStatus(error.status_code), str(error.detail), error.headers)


async def _defect(request: Request, error: Exception) -> JSONResponse:
    logger.error("a request failed", exc_info=error, extra={"path": request.url.path})
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Recoup made a mistake; nothing was lost. The log names it.")
