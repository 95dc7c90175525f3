"""What a double can be told to do wrong, and to which calls."""

import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Trouble(StrEnum):
    """What a double can be told to do wrong."""

    RATE_LIMITED = "rate_limited"  # 429 with Retry-After of ``seconds``; nothing processed
    SERVER_ERROR = "server_error"  # 500; nothing processed, nothing kept under the key
    STORED_SERVER_ERROR = "stored_server_error"  # processed, answered 500, and that 500 is kept under the key
    LOST_SERVER_ERROR = "lost_server_error"  # not processed, answered 500, and that 500 is kept under the key
    RESET_BEFORE = "reset_before"  # the connection breaks before anything is processed
    RESET_AFTER = "reset_after"  # processed and kept under the key, then the connection breaks
    HELD = "held"  # processed only ``seconds`` later, or when ``until`` is set; meanwhile its key is in use
    SLOW_BODY = "slow_body"  # processed; headers at once, the body ``seconds`` later
    WRONG_CONTENT_TYPE = "wrong_content_type"  # processed; the answer is a page of HTML
    REVOKED_KEY = "revoked_key"  # 401
    UNAVAILABLE = "unavailable"  # 503, with Retry-After if ``seconds``; an outage of a part when ``times`` is None


NOT_PROCESSED = frozenset({Trouble.RATE_LIMITED, Trouble.SERVER_ERROR, Trouble.LOST_SERVER_ERROR, Trouble.REVOKED_KEY, Trouble.UNAVAILABLE})
KEPT_ERRORS = frozenset({Trouble.STORED_SERVER_ERROR, Trouble.LOST_SERVER_ERROR})


@dataclass
class Misbehaviour:
    """The next ``times`` (None: all) calls of ``method`` ("" is any) below ``path_prefix`` get ``trouble``, after ``skip`` good ones."""

    trouble: Trouble
    method: str = ""
    path_prefix: str = "/"
    times: int | None = 1
    skip: int = 0
    seconds: float = 0.0
    until: threading.Event | None = None

    def matches(self, method: str, path: str) -> bool:
        """Whether a call is meant."""
        return self.method in {"", method} and path.startswith(self.path_prefix) and self.times != 0


class Misbehaviours:
    """The troubles that are still to come; the first that matches a call is used."""

    def __init__(self) -> None:
        self._queue: list[Misbehaviour] = []

    def add(self, trouble: Trouble, method: str = "", path_prefix: str = "/", **how: Any) -> Misbehaviour:
        """Orders a trouble; the returned order can be given to ``lift``."""
        order = Misbehaviour(trouble, method, path_prefix, **how)
        self._queue.append(order)
        return order

    def lift(self, order: Misbehaviour) -> None:
        """Ends a trouble, as when an outage is over."""
        self._queue.remove(order)

    @property
    def pending(self) -> tuple[Misbehaviour, ...]:
        """What is still ordered."""
        return tuple(order for order in self._queue if order.times != 0)

    def take(self, method: str, path: str) -> Misbehaviour | None:
        """The trouble of this call, used up."""
        for order in self._queue:
            if not order.matches(method, path):
                continue
            if order.skip:
                order.skip -= 1
                continue
            if order.times is not None:
                order.times -= 1
            return order
        return None
