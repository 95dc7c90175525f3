"""Whether an effect may still begin to leave: its worker may have been paused for longer than it was allowed to."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

_holds: ContextVar[Callable[[], bool] | None] = ContextVar("holds", default=None)


@contextmanager
def started_only_while(holds: Callable[[], bool]) -> Generator[None]:
    """In the block, and in tasks started in it, nothing that changes something begins to be sent where ``holds`` says no by then."""
    token = _holds.set(holds)
    try:
        yield
    finally:
        _holds.reset(token)


def may_start() -> bool:
    """To be asked last, when nothing is left to wait for but the sending itself."""
    holds = _holds.get()
    return holds is None or holds()
