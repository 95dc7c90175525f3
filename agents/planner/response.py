"""What a message does: how likely it moves the customer to pay or to put another card on file, and how likely it loses them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from agents.planner.paydays import Floats
from agents.planner.prior import published
from agents.planner.situation import DAY, HOUR


@dataclass(frozen=True)
class Response:
    """``moves``: by days since the failure (``days``), for a first e-mail to somebody whose card may still work. ``needed_times``: so much
    more where only the customer can mend it. ``delay_days``: until they act, on average. ``annoyed``: leave because of a first message."""

    days: tuple[float, ...]
    moves: tuple[float, ...]
    tired_times: float
    needed_times: float
    other_channel_times: Mapping[str, float]
    delay_days: float
    annoyed: float
    annoyed_other_times: Mapping[str, float]
    annoyed_more_times: float
    annoyed_soon_times: float
    soon_hours: float

    def moved(self, at: Floats, failed_at: float, ordinal: int, channel: str, *, needs_customer: bool) -> Floats:
        """How likely a message at each time (POSIX seconds), the ``ordinal``-th from 0, makes them pay."""
        share = np.interp((at - failed_at) / DAY, self.days, self.moves) * self.tired_times**ordinal
        return share * self.other_channel_times.get(channel, 1.0) * (self.needed_times if needs_customer else 1.0)

    def lost(self, at: Floats, last: float | None, ordinal: int, channel: str) -> Floats:
        """How likely it makes them leave; ``last``: when the message before it came."""
        share = self.annoyed * self.annoyed_more_times**ordinal * self.annoyed_other_times.get(channel, 1.0)
        if last is None:
            return np.full(len(at), share)
        return np.where(np.abs(at - last) < self.soon_hours * HOUR, share * self.annoyed_soon_times, share)

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


@lru_cache(maxsize=1)
def published_response() -> Response:
    """Of the published figures."""
    numbers = dict(published().numbers["messages"])
    return Response(days=tuple(numbers.pop("days")), moves=tuple(numbers.pop("moves")), **numbers)
