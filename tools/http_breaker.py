"""Stops calling a platform that does not answer: a little longer after every try that fails as well."""

OPENS_AFTER = 5
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0


class Breaker:
    """Closed while all is well. After ``opens_after`` failures in a row it refuses for a while, then lets a single request try."""

    def __init__(
        self,
        opens_after: int = OPENS_AFTER,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
        longest_pause_seconds: float = LONGEST_PAUSE_SECONDS,
    ) -> None:
        self._opens_after, self._first, self._longest = opens_after, first_pause_seconds, longest_pause_seconds
        self._failures = 0
        self._pause = 0.0
        self._refuses_until = 0.0
        self._trying = False

    @property
    def is_closed(self) -> bool:
        """Whether requests pass freely."""
        return self._failures < self._opens_after

    def refuses(self, now: float) -> bool:
        """Whether a request would be refused now."""
        return not self.is_closed and (self._trying or now < self._refuses_until)

    def enter(self, now: float) -> bool:
        """Lets a request pass, or not. One that passed ends in ``succeeded``, ``failed`` or ``left``."""
        if self.refuses(now):
            return False
        self._trying = not self.is_closed
        return True

    def succeeded(self) -> None:
        """The platform answered, be it with a refusal."""
        self._failures, self._trying = 0, False

    def failed(self, now: float) -> None:
        """It did not answer, or with an error of its own."""
        if self.is_closed:
            self._failures += 1
            if not self.is_closed:
                self._open(self._first, now)
        elif self._trying:
            self._open(min(self._pause * 2, self._longest), now)
        # Else it was sent before all this, together with those that failed first, and tells nothing new.

    def _open(self, pause_seconds: float, now: float) -> None:
        self._pause, self._refuses_until, self._trying = pause_seconds, now + pause_seconds, False

    def left(self) -> None:
        """The request ended without telling anything about the platform."""
        self._trying = False
