"""A circuit breaker for each model, as a function of what happened: who fails again and again is left alone, longer each time. Pure."""

from datetime import datetime, timedelta

from recoup.model_books import Ending
from recoup.record import Record

# So many outages in a row open it; from then on one call at a time tries whether the model is back.
OUTAGES_TO_OPEN = 5
FIRST_REST_SECONDS = 15.0
LONGEST_REST_SECONDS = 600.0
# A silence that a server asks for is kept, but for no longer than this.
LONGEST_SILENCE_SECONDS = 600.0


class Health(Record):
    """What is known of a model, wall time. ``outages``: in a row. ``rests_until``: nobody asks before. ``probe_until``: somebody tries
    whether it is back, and has so long for it."""

    outages: int = 0
    rests_until: datetime | None = None
    probe_until: datetime | None = None

    def state(self, wall: datetime) -> str:
        """``closed``: it is asked; ``open``: it is not; ``half-open``: one call tries."""
        if self.rests_until is not None and wall < self.rests_until:
            return "open"
        return "half-open" if self.outages >= OUTAGES_TO_OPEN else "closed"


def refusal(health: Health, wall: datetime) -> str | None:
    """Why the model is not asked now; None where it may be."""
    state = health.state(wall)
    if state == "open":
        return f"it is left alone until {health.rests_until:%H:%M:%S} UTC, after {health.outages} failures in a row"
    if state == "half-open" and health.probe_until is not None and wall < health.probe_until:
        return "another call is trying whether it is back"
    return None


def asked(health: Health, wall: datetime, seconds: float) -> Health:
    """A call goes out that may take so long."""
    return health.model_copy(update={"probe_until": wall + timedelta(seconds=seconds)}) if health.state(wall) == "half-open" else health


def ended(health: Health, ending: Ending, wall: datetime) -> Health:
    """A call has ended. Whatever was answered, an answer shows that the model is there."""
    if not ending.is_outage:
        return Health()
    outages = health.outages + 1
    rest = min(LONGEST_SILENCE_SECONDS, ending.silent_seconds)
    if outages >= OUTAGES_TO_OPEN:
        rest = max(rest, min(LONGEST_REST_SECONDS, FIRST_REST_SECONDS * 2.0 ** min(20, outages - OUTAGES_TO_OPEN)))
    until = max(filter(None, (health.rests_until, wall + timedelta(seconds=rest) if rest else None)), default=None)
    return Health(outages=outages, rests_until=until)
