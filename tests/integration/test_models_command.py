"""``recoup models`` and ``recoup doctor`` as a person uses them: who is asked, who answers, what it cost, what is left."""

from dataclasses import replace
from pathlib import Path

import pytest

from api.model_overview import overview
from graph.offline import FilePolicy
from memory.database import Database
from memory.model_calls import ModelCalls, ModelLimits
from recoup.policy import Policy
from recoup.settings import ModelSettings
from tests.command import Said, run_recoup
from tests.fakes import make_services
from tests.models import models_on, question
from tests.vendors.model_server import ModelServer, Status, answers, one_by_one


class Recoup:
    """The command on the test's database, with settings of models."""

    def __init__(self, database_url: str, home: Path) -> None:
        self._environment = {"RECOUP_DATABASE_URL": database_url, "RECOUP_HOME": str(home), "COLUMNS": "250"}

    async def __call__(self, *arguments: str, **settings: str) -> Said:
        return await run_recoup(self._environment | settings, *arguments)


@pytest.fixture
def recoup(database_url: str, tmp_path: Path) -> Recoup:
    return Recoup(database_url, tmp_path)


async def test_without_a_model_rules_decide_alone(db: Database, recoup: Recoup) -> None:
    said = await recoup("models")
    assert said.code == 0
    assert "Rules decide alone" in said.out


async def test_a_models_spend_failures_breaker_and_price_are_told(db: Database, recoup: Recoup) -> None:
    books = ModelCalls(db, FilePolicy(Policy()), ModelLimits(in_flight=10, tokens_a_minute=10**6))
    town = {"name": "Ulm", "souls": 126_000}
    with ModelServer(one_by_one(answers(town, usage=(1_000, 100)), Status(500))).running() as server:
        models = models_on(server, books)
        for n in range(6):
            await models.ask(question(case_id=f"case_{n}"))

    asked = ModelSettings(chain=("gpt-4o-mini", "our-llama"), by_agent={"reader": ()}, base_url=server.base_url)
    services = make_services(db)
    services = replace(services, settings=services.settings.model_copy(update={"models": asked}))
    told = await overview(services, days=7)
    first, second = told.models
    assert (first.model, first.breaker, first.asked_by) == ("gpt-4o-mini", "open", ("all others",))
    assert "0.15 / 0.6" in first.price
    assert (second.asked_by, second.breaker) == (("all others as fallback",), "closed")
    assert "not known" in second.price
    assert [(line.scope, line.calls, line.usd) for line in told.today] == [
        ("the day", "6 of 20000", "0.0002 of 50"),
        ("communication", "6 of 10000", "0.0002 of 25"),
    ]
    [spent] = told.spent
    assert (spent.calls, spent.failed, spent.tokens, spent.cost_usd_micro) == (6, 5, 1_100, 210)
    assert [(failed.failure, failed.calls) for failed in told.failures] == [("unavailable", 5)]

    settings = {"RECOUP_MODEL": "openai:gpt-4o-mini,openai:our-llama", "OPENAI_BASE_URL": server.base_url}
    table = (await recoup("models", **settings)).out
    for part in ("gpt-4o-mini", "our-llama", "6 of 20000", "unavailable", server.base_url, "open"):
        assert part in table
    doctor = (await recoup("doctor", **settings)).out
    assert "gpt-4o-mini failed again and again" in doctor
    assert "the price of our-llama is not known" in doctor
