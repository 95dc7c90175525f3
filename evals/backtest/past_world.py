"""One case of a merchant's history as a world: it answers what the history answers, and says where nobody can know."""

from datetime import datetime, timedelta
from typing import Literal

from evals.backtest.past_cases import Past, PastCase
from recoup.errors import Defect
from tools.sandbox.protocol import WINDOW, AttemptResult, Channel, ContactKind, FailedInvoice, OracleBound, WorldEvent

# Why nobody can know: the policy tries when the history did not; it still tries where a charge it did not make had been approved; it has
# stopped before the charge that was approved.
Unknown = Literal["tried_when_history_did_not", "went_on_after_its_success", "stopped_before_its_success"]


class NobodyKnowsError(Exception):
    """The history cannot answer this charge."""

    def __init__(self, why: Unknown) -> None:
        super().__init__(why)
        self.why: Unknown = why


class PastWorld:
    """See ``protocol.World``. Messages change nothing: customers act as they did."""

    def __init__(self, case: PastCase, tolerance: timedelta) -> None:
        self._case, self._tolerance, self._ending = case, tolerance, case.ending
        self._charged_at = self._heard_at = case.invoice.failed_at

    def open(self, count: int, seed: int) -> list[FailedInvoice]:  # noqa: ARG002 - there is one case and one past
        """The case."""
        return [self._case.invoice]

    def attempt(self, case: str, at: datetime, credential: str) -> AttemptResult:  # noqa: ARG002 - what was charged then
        """What the history's own charge near that time was answered; raises NobodyKnowsError where there is none."""
        if at > self._case.invoice.failed_at + WINDOW:
            # Whatever comes so late recovers nothing.
            return AttemptResult(approved=False, decline=self._case.invoice.decline)
        found = self._charge_near(at)
        if found is None:
            has_ended = self._ending is not None and self._ending.at < at
            raise NobodyKnowsError("went_on_after_its_success" if has_ended else "tried_when_history_did_not")
        self._charged_at = found.at
        return AttemptResult(found.approved, found.decline)

    def contact(self, case: str, at: datetime, channel: Channel, kind: ContactKind) -> None:
        """Nobody knows what it would have moved them to; nothing, is assumed."""

    def advance(self, case: str, until: datetime) -> list[WorldEvent]:  # noqa: ARG002 - there is one case
        """What customers and banks did by themselves, up to what settled the invoice."""
        begin, self._heard_at = self._heard_at, until
        last = until if self._ending is None else min(until, self._ending.at)
        return [
            WorldEvent(past.at, past.kind, past.credential)
            for past in self._case.course
            if past.kind != "charge" and begin < past.at <= last
        ]

    def oracle(self, case: str) -> OracleBound:
        """There is none."""
        raise Defect(f"nobody knows what was behind case {case}: a history has no oracle")

    def _charge_near(self, at: datetime) -> Past | None:
        """The history's charge that stands for one at that time; each stands for one, so it lies after the one before."""
        charges = (past for past in self._case.course if past.kind == "charge" and past.at > self._charged_at)
        near = [past for past in charges if abs(past.at - at) <= self._tolerance and not self._changed_between(past.at, at)]
        return min(near, key=lambda past: abs(past.at - at), default=None)

    def _changed_between(self, one: datetime, other: datetime) -> bool:
        begin, end = sorted((one, other))
        return any(begin < past.at < end for past in self._case.course if past.kind != "charge")
