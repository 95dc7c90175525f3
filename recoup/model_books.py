"""What stands between an agent's question and the wire: who may call now, what it may cost, and what was paid for already."""

from typing import Any, Protocol

from recoup.model_port import Failure
from recoup.record import Record


class Want(Record):
    """A call that is about to go out, at its dearest. ``question``: the digest of all that is asked. ``seconds``: the longest that it may
    be under way; after that it counts as lost. ``cost_at_most_usd_micro`` is None where the model's price is not known."""

    model: str
    agent: str
    case_id: str
    decision_id: str
    question: str
    tokens_at_most: int
    cost_at_most_usd_micro: int | None
    seconds: float


class Granted(Record):
    """Call, then settle. What is never settled counts at its dearest."""

    call_id: str


class Replayed(Record):
    """This very question was answered and paid for, and a crash or a race lost what came of it."""

    model: str
    answer: dict[str, Any]


class NotNow(Record):
    """Others use all the room there is; ask again after so many seconds."""

    wait_seconds: float
    why: str


class Denied(Record):
    """Not to be asked again for this question and this model. ``failure`` is BUDGET or BREAKER_OPEN."""

    failure: Failure
    why: str


Admission = Granted | Replayed | NotNow | Denied


class Ending(Record):
    """How a call ended. ``answer`` is what is replayed after a crash. Tokens are None where the server does not tell: what was reserved
    stands. ``is_outage``: the other side, or the way there, failed, whatever was asked. ``silent_seconds``: the silence it asked for."""

    answer: dict[str, Any] | None = None
    failure: Failure | None = None
    detail: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd_micro: int | None = None
    is_outage: bool = False
    silent_seconds: float = 0.0


class Books(Protocol):
    """Keeps account of calls for all processes at once. Raises DatabaseUnavailable."""

    async def admit(self, want: Want) -> Admission:
        """Reserves the call at its dearest, or says why not."""
        ...

    async def settle(self, call_id: str, ending: Ending) -> None:
        """Puts what was used in place of what was reserved."""
        ...


class OpenBooks:
    """Grants everything and keeps each call's end in order; for offline runs that touch no database."""

    def __init__(self) -> None:
        self.calls: list[tuple[Want, Ending | None]] = []

    async def admit(self, want: Want) -> Admission:
        self.calls.append((want, None))
        return Granted(call_id=str(len(self.calls) - 1))

    async def settle(self, call_id: str, ending: Ending) -> None:
        want, _ = self.calls[int(call_id)]
        self.calls[int(call_id)] = (want, ending)
