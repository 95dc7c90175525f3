"""What tests of the planner say over and over: a case in plain numbers, the terms of its plan, and days of it by name.

The default case: 49.00 owed since noon of a Wednesday, March 11, 2026, the first charge declined for funds, an address to write to.
"""

from datetime import UTC, datetime
from typing import Any

from agents.planner.model import Model, cold_model
from agents.planner.plan import make_plan
from agents.planner.situation import DAY, Past, Situation, Tried
from agents.planner.terms import Plan, Terms
from recoup.category import Category

FAILED_AT = datetime(2026, 3, 11, 12, tzinfo=UTC).timestamp()
COLD = cold_model()


def on(day: float) -> float:
    """That many days after the failure."""
    return FAILED_AT + day * DAY


def when(iso: str) -> float:
    """An instant in UTC."""
    return datetime.fromisoformat(iso).replace(tzinfo=UTC).timestamp()


def situation(category: Category = Category.FUNDS, *, failed: tuple[float, ...] = (0.0,), **changes: Any) -> Situation:
    """A case whose charges were declined for ``category`` on the days ``failed``, seen on the last of them."""
    values: dict[str, Any] = {
        "now": on(failed[-1]),
        "failed_at": FAILED_AT,
        "amount_minor": 4900.0,
        "category": category,
        "tries": tuple(Tried(on(day), category) for day in failed),
        "channels": ("email",),
    }
    return Situation(**(values | changes))


def terms(**changes: Any) -> Terms:
    """Four weeks at the prices of a backtest."""
    values: dict[str, Any] = {"end": on(28) - 3600, "window_end": on(28), "attempt_share": 0.03, "message_minor": {"email": 0.1}}
    return Terms(**(values | changes))


def plan(case: Situation | None = None, within: Terms | None = None, model: Model = COLD) -> Plan:
    """Of the default case, where a test names no other."""
    return make_plan(case or situation(), model, within or terms())


def paid_on(*days: str) -> tuple[Past, ...]:
    """Charges that went through at noon of these days."""
    return tuple(Past(when(f"{day}T12:00"), approved=True, is_retry=False) for day in days)


def charges(planned: Plan) -> list[float]:
    """The days of the planned charges, after the failure."""
    return [(step.at - FAILED_AT) / DAY for step in planned.steps if step.kind == "retry"]


def messages(planned: Plan) -> list[float]:
    """The days of the planned messages."""
    return [(step.at - FAILED_AT) / DAY for step in planned.steps if step.kind == "write"]
