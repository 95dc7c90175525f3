"""Recoup's own planner as a policy of a backtest, bound by its house rules besides the absolute ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import cast

import numpy as np

from agents.planner.from_facts import WEEKDAYS
from agents.planner.hours import fit_hours
from agents.planner.model import Model
from agents.planner.plan import make_plan
from agents.planner.terms import Terms
from evals.backtest.baselines import NEEDS
from evals.backtest.rollout import Move, Seen
from evals.backtest.situations import offset_hours, situation_of
from recoup.category import Category
from recoup.network import Denied, NotBefore
from recoup.policy import Policy as House
from tools.sandbox.protocol import COSTS, WINDOW, Channel, FailedInvoice

DAY = 86_400.0


@dataclass(frozen=True)
class Recoup:
    """The planner with one model under one policy."""

    model: Model
    house: House = field(default_factory=House)
    name: str = "recoup"

    def acquainted(self, invoices: Sequence[FailedInvoice]) -> "Recoup":
        """Having read the merchant's records as they were before the first of these failures: at which hours charges go through."""
        before = min((invoice.failed_at for invoice in invoices), default=None)
        hours, approved, seen = list[float](), list[float](), set[tuple[str, str]]()
        for invoice in invoices:
            for one in invoice.history:
                key = (invoice.account, one.invoice)
                if before is not None and one.at < before and key not in seen:
                    seen.add(key)
                    hours.append((one.at.timestamp() / 3600 + offset_hours(invoice.timezone, one.at)) % 24)
                    approved.append(float(one.decline is None))
        return replace(self, model=replace(self.model, hours=fit_hours(np.array(hours), np.array(approved))))

    def next(self, seen: Seen) -> Move | None:
        """See ``rollout.Policy``."""
        situation = situation_of(seen)
        plan = make_plan(situation, self.model, self._terms(seen))
        step = plan.next
        if step is None:
            return None
        at = max(datetime.fromtimestamp(step.at, UTC), seen.now)
        if step.kind == "write":
            return Move(at, "message", channel=cast("Channel", step.channel or "email"), about=NEEDS.get(seen.category, "reminder"))
        return Move(at, "attempt", expected=step.chance)

    def _terms(self, seen: Seen) -> Terms:
        failed_at, rules = seen.invoice.failed_at.timestamp(), self.house.house
        answer = seen.standing.permit(seen.now)
        charge_from = answer.at.timestamp() if isinstance(answer, NotBefore) else seen.now.timestamp()
        if not seen.is_fresh:
            last = seen.tried[-1].at if seen.tried else seen.invoice.failed_at
            rest = rules.technical_hours_between_attempts if seen.category is Category.TECHNICAL else rules.hours_between_attempts
            charge_from = max(charge_from, last.timestamp() + rest * 3600)
        left = 0 if isinstance(answer, Denied) else rules.attempts_per_case - len(seen.tried)
        most = seen.standing.treatment.most
        if most is not None and not seen.is_fresh:
            left = min(left, most.count - len(seen.tried))
        country = seen.invoice.country or ""
        hours = rules.contact_hours_by_country.get(country, rules.contact_hours)
        write_from = max((s.at.timestamp() + DAY for s in seen.sent), default=failed_at)
        return Terms(
            end=failed_at + WINDOW.total_seconds() - 3600,
            window_end=failed_at + WINDOW.total_seconds(),
            charge_from=charge_from,
            write_from=write_from,
            attempts_left=left,
            messages_most=len(self.house.steps.message_days),
            contact_from_hour=hours.start.hour + hours.start.minute / 60,
            contact_until_hour=hours.end.hour + hours.end.minute / 60,
            closed_weekdays=frozenset(WEEKDAYS.index(day) for day in self.house.plan.no_retry_weekdays.get(country, ())),
            attempt_minor=COSTS.attempt_minor,
            attempt_share=self.house.plan.attempt_share,
            message_minor=COSTS.message_minor,
            customer_worth_invoices=self.house.plan.customer_worth_invoices,
            lost_per_day=self.house.plan.lost_per_day,
        )
