"""Recoup's own planner as a policy of a backtest, bound by its house rules besides the absolute ones."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from agents.planner.model import Model
from agents.planner.plan import make_plan
from agents.planner.terms import Terms
from evals.backtest.baselines import NEEDS
from evals.backtest.rollout import Move, Seen
from evals.backtest.situations import situation_of
from recoup.category import Category
from recoup.network import Denied, NotBefore
from recoup.policy import Policy as House
from tools.sandbox.protocol import COSTS, WINDOW

DAY = 86_400.0


@dataclass(frozen=True)
class Recoup:
    """The planner with one model under one policy."""

    model: Model
    house: House = field(default_factory=House)
    name: str = "recoup"
    attempt_share: float = 0.03
    worth: float = 1.5
    lost: float = 0.015

    def next(self, seen: Seen) -> Move | None:
        """See ``rollout.Policy``."""
        situation = situation_of(seen)
        plan = make_plan(situation, self.model, self._terms(seen))
        step = plan.next
        if step is None:
            return None
        at = max(datetime.fromtimestamp(step.at, UTC), seen.now)
        if step.kind == "write":
            return Move(at, "message", channel=step.channel or "email", about=NEEDS.get(seen.category, "reminder"))
        return Move(at, "attempt", expected=step.chance)

    def _terms(self, seen: Seen) -> Terms:
        failed_at, rules = seen.invoice.failed_at.timestamp(), self.house.house
        answer = seen.standing.permit(seen.now)
        charge_from = answer.at.timestamp() if isinstance(answer, NotBefore) else seen.now.timestamp()
        if not seen.is_fresh:
            last = seen.tried[-1].at if seen.tried else seen.invoice.failed_at
            hours = rules.technical_hours_between_attempts if seen.category is Category.TECHNICAL else rules.hours_between_attempts
            charge_from = max(charge_from, last.timestamp() + hours * 3600)
        left = 0 if isinstance(answer, Denied) else rules.attempts_per_case - len(seen.tried)
        most = seen.standing.treatment.most
        if most is not None and not seen.is_fresh:
            left = min(left, most.count - len(seen.tried))
        write_from = max((s.at.timestamp() + DAY for s in seen.sent), default=failed_at)
        return Terms(
            end=failed_at + WINDOW.total_seconds() - 3600,
            window_end=failed_at + WINDOW.total_seconds(),
            charge_from=charge_from,
            write_from=write_from,
            attempts_left=left,
            attempt_minor=COSTS.attempt_minor,
            attempt_share=self.attempt_share,
            message_minor=COSTS.message_minor,
            customer_worth_invoices=self.worth,
            lost_per_day=self.lost,
        )
