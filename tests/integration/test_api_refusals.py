"""What /api/v1 says no to, and that it says so as a problem document, with nothing changed."""

from collections.abc import AsyncGenerator

import httpx
import pytest

from api.app import create_app
from memory import keys
from memory.database import Database
from recoup.people import Role
from tests.factories import NOW
from tests.fakes import make_services

LISTS = ("cases", "decisions", "approvals", "actions", "messages", "timers", "tasks", "events")
STATES = {
    "cases": "status",
    "decisions": "state",
    "approvals": "status",
    "actions": "state",
    "timers": "state",
    "tasks": "state",
    "events": "status",
}


@pytest.fixture
async def client(db: Database) -> AsyncGenerator[httpx.AsyncClient]:
    """An administrator's client; errors of the application's own come out as a 500, as they would over the wire."""
    async with db.write() as tx:
        key, _ = await keys.create(tx, person="ada", role=Role.ADMIN, by="test", at=NOW)
    transport = httpx.ASGITransport(app=create_app(make_services(db)), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://recoup.test/api/v1", headers=headers) as opened:
        yield opened


def assert_problem(response: httpx.Response, status: int) -> None:
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json"), response.text
    assert response.json()["status"] == status


@pytest.mark.parametrize("resource", LISTS)
async def test_a_nul_character_is_the_callers_mistake(client: httpx.AsyncClient, resource: str) -> None:
    assert_problem(await client.get(f"/{resource}", params={"cursor": "\x00"}), 400)


@pytest.mark.parametrize(("escape", "status"), [("\\u0000", 400), ("\\ud800", 422)])
async def test_text_that_cannot_be_stored_is_the_callers_mistake(client: httpx.AsyncClient, escape: str, status: int) -> None:
    body = f'{{"person": "a{escape}b", "role": "viewer"}}'
    assert_problem(await client.post("/keys", content=body, headers={"Content-Type": "application/json"}), status)


async def test_a_place_in_the_audit_log_is_a_chain_and_a_number(client: httpx.AsyncClient) -> None:
    for cursor in ("x/y", "x/" + "9" * 30):
        assert_problem(await client.get("/audit", params={"cursor": cursor}), 400)


@pytest.mark.parametrize("resource", STATES)
async def test_a_state_that_does_not_exist_is_no_filter(client: httpx.AsyncClient, resource: str) -> None:
    assert_problem(await client.get(f"/{resource}", params={STATES[resource]: "bogus"}), 422)


async def test_no_decision_is_asked_for_a_case_that_does_not_exist(client: httpx.AsyncClient, db: Database) -> None:
    assert_problem(await client.post("/cases/case_nope/decide"), 404)
    async with db.read() as session:
        assert await session.value("SELECT count(*) FROM procrastinate_jobs") == 0


async def test_every_address_documents_its_errors_as_problems(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            errors = {status: answer for status, answer in operation["responses"].items() if not status.startswith("2")}
            assert errors, f"{method} {path}"
            assert all("application/problem+json" in answer["content"] for answer in errors.values()), f"{method} {path}"
