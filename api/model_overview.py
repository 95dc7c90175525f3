"""What there is to tell of language models: which are asked, whether they answer, what their budgets have left, and what was spent."""

from datetime import timedelta

from agents.model_prices import price_of, price_table
from graph.bootstrap import Services
from memory import model_spend
from memory.model_spend import FailureCount, Spent
from recoup.clock import wall_now
from recoup.model_budget import MICRO, Budget, Spend
from recoup.record import Record
from recoup.settings import ModelSettings

ALL_OTHERS = "all others"


class ModelLine(Record):
    """One model. ``price``: US dollars for a million tokens of input and of output, with the grade of the source."""

    model: str
    asked_by: tuple[str, ...]
    breaker: str
    in_flight: int
    price: str


class BudgetLine(Record):
    """One budget of today: what is used or reserved of what is allowed."""

    scope: str
    calls: str
    tokens: str
    usd: str


class ModelOverview(Record):
    """Everything. ``models`` is empty where rules decide alone."""

    base_url: str | None
    models: tuple[ModelLine, ...]
    today: tuple[BudgetLine, ...]
    spent: tuple[Spent, ...]
    failures: tuple[FailureCount, ...]


async def overview(services: Services, days: int) -> ModelOverview:
    """What is configured, and what the rows tell of the last days."""
    settings, wall = services.settings.models, wall_now()
    _, policy = await services.policies.current()
    today, since = f"{wall:%Y-%m-%d}", wall - timedelta(days=days)
    async with services.db.read() as session:
        states = {state.model: state for state in await model_spend.states(session, wall)}
        spends = await model_spend.of_day(session, today)
        spent, failures = await model_spend.spent(session, since), await model_spend.failures(session, since)
    models = [
        ModelLine(
            model=name,
            asked_by=_asked_by(settings, name),
            breaker=states[name].health.state(wall) if name in states else "closed",
            in_flight=states[name].in_flight if name in states else 0,
            price=_price(name),
        )
        for name in settings.names
    ]
    named = [(spend.key.rpartition("/")[2] if spend.scope == "agent" else "the day", spend) for spend in spends]
    budgets = [_budget_line(name, spend, policy.models.of(spend.scope, name)) for name, spend in named]
    return ModelOverview(
        base_url=settings.base_url, models=tuple(models), today=tuple(budgets), spent=tuple(spent), failures=tuple(failures)
    )


def _asked_by(settings: ModelSettings, name: str) -> tuple[str, ...]:
    chains = {**settings.by_agent, ALL_OTHERS: settings.chain}
    return tuple(agent if chain[0] == name else f"{agent} as fallback" for agent, chain in sorted(chains.items()) if name in chain)


def _price(name: str) -> str:
    price = price_of(name)
    if price is None:
        return "not known: its money is not limited"
    source = price_table().sources[price.source]
    return f"{price.input_usd} / {price.output_usd} (grade {source.grade}, read {source.reviewed})"


def _budget_line(name: str, spend: Spend, budget: Budget) -> BudgetLine:
    return BudgetLine(
        scope=name,
        calls=f"{spend.calls} of {budget.calls}",
        tokens=f"{spend.tokens} of {budget.tokens}",
        usd=f"{spend.cost_usd_micro / MICRO:.4f} of {budget.usd}",
    )
