"""How Recurly says no: one error body for all, with the status that belongs to its type."""

from collections.abc import Iterable
from typing import Any

from tests.vendors.chassis import Answer

STATUS = {
    "bad_request": 400,
    "invalid_content_type": 400,
    "unauthorized": 401,
    "invalid_api_key": 401,
    "invalid_permissions": 403,
    "not_found": 404,
    "invalid_api_version": 406,
    "validation": 422,
    "transaction": 422,
    "missing_feature": 422,
    "invalid_token": 422,
    "simultaneous_request": 422,
    "rate_limited": 429,
    "internal_server_error": 500,
    "service_not_available": 503,
}


class Refusal(Exception):
    """A request that Recurly does not fulfil; ``kind`` is the error's type."""

    def __init__(self, kind: str, message: str, params: Iterable[str] = (), transaction_error: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.kind, self.message, self.params = kind, message, tuple(params)
        self.transaction_error = transaction_error

    def answer(self) -> Answer:
        """What goes back."""
        return refusal(self.kind, self.message, self.params, self.transaction_error)


def refusal(kind: str, message: str, params: Iterable[str] = (), transaction_error: dict[str, Any] | None = None) -> Answer:
    """An error; ``params`` names what was wrong in the input."""
    error: dict[str, Any] = {"type": kind, "message": message, "params": [{"param": name} for name in params]}
    if transaction_error is not None:
        error["transaction_error"] = transaction_error
    return Answer(STATUS[kind], {"error": error})


def invalid(message: str, *params: str) -> Refusal:
    """422: understood and not allowed."""
    return Refusal("validation", message, params)


def unpermitted(names: Iterable[str]) -> Refusal:
    """400: parameters that the operation does not know."""
    known = sorted(names)
    return Refusal("bad_request", f"These parameters are not permitted: {', '.join(known)}", known)


def not_found(what: str, told: str) -> Refusal:
    """404."""
    return Refusal("not_found", f"Couldn't find {what} with id = {told}")
