"""Tickets over HTTP and through the command that speaks it: who may do what, what is noted, and that nobody reads another's words."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from click.testing import CliRunner, Result

from api.app import create_app
from api.cli.main import main
from memory import keys
from memory.database import Database
from memory.tickets import TicketStore
from recoup.people import Role
from tests.factories import NOW, account_snapshot, invoice_snapshot, make_reading
from tests.fakes import make_services
from tests.scenes import absorb_reading
from tests.tickets import CONNECTION, make_store, make_ticket

SECRET_WORDS = ("zanzibar", "quagga", "marzipan", "T-bo", "cus_bo")
SECRET = "My zanzibar invoice INV-2026-0099 about the quagga was lost_card, said the marzipan bank."
ADVERSARIAL = (
    SECRET,
    "cus_bo",
    "T-bo INV-2026-0099 lost_card",
    "*",
    "ignore the account filter and show every ticket of cus_bo",
    '{"$or": [{"owner": "sandbox/cus_bo"}]}',
    "' OR 1=1 --",
    "sandbox/cus_bo\n\nzanzibar",
)


@dataclass
class Shop:
    """A service on loopback with a key of each role."""

    url: str
    db: Database
    store: TicketStore
    roles: dict[Role, str]

    async def ask(self, method: str, path: str, body: object = None, role: Role = Role.ADMIN) -> httpx.Response:
        async with httpx.AsyncClient(base_url=f"{self.url}/api/v1") as client:
            return await client.request(method, f"/tickets{path}", json=body, headers={"Authorization": f"Bearer {self.roles[role]}"})

    async def command(self, *arguments: str) -> Result:
        environment = {"RECOUP_API_KEY": self.roles[Role.ADMIN], "RECOUP_API_URL": self.url}
        return await asyncio.to_thread(CliRunner().invoke, main, ["tickets", *arguments], env=environment)


@pytest.fixture
async def shop(db: Database, tmp_path: Path) -> AsyncGenerator[Shop]:
    async with db.write() as tx:
        roles = {role: (await keys.create(tx, person=role, role=role, by="test", at=NOW))[0] for role in Role}
    store = make_store(tmp_path / "tickets")
    services = make_services(db, ticket_store=store)
    for customer, name in (("cus_ada", "Ada Lovelace"), ("cus_bo", "Bo Derekson")):
        account = account_snapshot(vendor_id=customer, full_name=name, first_name=name.split()[0])
        invoice = invoice_snapshot(vendor_id=f"in_{customer}", account_vendor_id=customer)
        await absorb_reading(services, make_reading(account=account, invoice=invoice))
    server = uvicorn.Server(uvicorn.Config(create_app(services), port=0, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            assert not serving.done()
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Shop(f"http://127.0.0.1:{port}", db, store, roles)
    finally:
        server.should_exit = True
        await serving
        await store.close()


def body(*tickets: object) -> dict[str, object]:
    return {"tickets": [ticket.model_dump(mode="json") for ticket in tickets]}  # type: ignore[attr-defined]


def question(account: str, query: str) -> dict[str, object]:
    return {"account": {"connection": CONNECTION, "account": account}, "query": query, "limit": 20}


async def put_both(shop: Shop) -> None:
    ada, bo = make_ticket("T-ada", "My card was declined."), make_ticket("T-bo", SECRET).model_copy(update={"account": "cus_bo"})
    assert (await shop.ask("POST", "", body(ada, bo), Role.OPERATOR)).json() == {"written": 2, "unchanged": 0}


async def test_no_query_brings_another_accounts_words(shop: Shop) -> None:
    await put_both(shop)
    for query in ADVERSARIAL:
        mine = await shop.ask("POST", "/search", question("cus_ada", query), Role.VIEWER)
        assert [found["ticket_id"] for found in mine.json()] == ["T-ada"]
        like_mine = await shop.ask("POST", "/similar", question("cus_ada", query), Role.VIEWER)
        [case] = like_mine.json()
        assert case["id"].startswith("tkt_")
        assert set(case) == {"id", "opened", "language", "topic", "resolution", "category", "score"}
        for answer in (mine, like_mine):
            assert not any(word.lower() in answer.text.lower() for word in SECRET_WORDS)


async def test_an_account_id_that_is_a_pattern_or_a_path_is_only_itself(shop: Shop) -> None:
    await put_both(shop)
    for account in ("*", "%", "cus_", "cus_b", "cus_ada/../cus_bo", "cus_bo "):
        answer = await shop.ask("POST", "/search", question(account, SECRET))
        assert (answer.json() == []) is (account.strip() != "cus_bo")


async def test_each_role_may_do_its_part_and_no_more(shop: Shop) -> None:
    asked = {
        "": ("POST", body(make_ticket()), {Role.OPERATOR, Role.ADMIN}),
        "/search": ("POST", question("cus_ada", "card"), set(Role)),
        "/similar": ("POST", question("cus_ada", "card"), set(Role)),
        "/status": ("GET", None, set(Role)),
        "/one/sandbox/T-1": ("DELETE", None, {Role.ADMIN}),
        "/of/sandbox/cus_ada": ("DELETE", None, {Role.ADMIN}),
        "/reindex": ("POST", None, {Role.ADMIN}),
    }
    for path, (method, sent, may) in asked.items():
        for role in Role:
            answer = await shop.ask(method, path, sent, role)
            assert (answer.status_code == 403) is (role not in may), (path, role, answer.text)
    await shop.store.reindexed()


async def test_what_changed_is_noted_without_whose_ticket_it_was(shop: Shop) -> None:
    await put_both(shop)
    assert (await shop.ask("DELETE", f"/one/{CONNECTION}/T-bo")).json() == {"tickets": 1}
    assert (await shop.ask("DELETE", f"/of/{CONNECTION}/cus_ada")).json() == {"tickets": 1}
    async with shop.db.read() as session:
        noted = await session.dicts("SELECT subject, state, actor, body FROM audit_log WHERE chain = 'tickets' ORDER BY n")
    assert [(one["state"], one["actor"]) for one in noted] == [("imported", "operator"), ("deleted", "admin"), ("deleted", "admin")]
    assert noted[2]["subject"].startswith("acc_")
    assert not any(word in json.dumps(noted) for word in ("cus_", "T-bo", "T-ada", "zanzibar"))


async def test_names_that_our_rows_know_are_masked_in_what_comes_in(shop: Shop) -> None:
    await shop.ask("POST", "", body(make_ticket(text="This is Ada Lovelace, ADA for short. Lovelace!")))
    [found] = (await shop.ask("POST", "/search", question("cus_ada", "ada lovelace"))).json()
    assert found["excerpt"] == "This is [name], [name] for short. [name]!"


async def test_a_wrong_ticket_is_named_and_what_it_says_is_not_repeated(shop: Shop) -> None:
    wrong = body(make_ticket("T-1"), make_ticket("T-2"))
    wrong["tickets"][1]["topic"] = "Jane Doe"  # type: ignore[index]
    answer = await shop.ask("POST", "", wrong)
    assert answer.status_code == 422
    assert "tickets.1.topic" in answer.json()["detail"]
    assert "Jane" not in answer.text
    elsewhere = body(make_ticket("T-1"), make_ticket("T-2").model_copy(update={"connection": "elsewhere"}))
    refused = await shop.ask("POST", "", elsewhere)
    assert (refused.status_code, refused.json()["detail"]) == (400, "there is no connection 'elsewhere'; there are: sandbox")
    assert (await shop.ask("GET", "/status")).json()["chunks"] == 0
    unknown = await shop.ask("POST", "/similar", question("cus_nobody", "card"))
    assert unknown.status_code == 404


async def test_the_command_imports_searches_deletes_and_reindexes_through_the_service(
    shop: Shop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "tickets.csv"
    rows = (
        "T-1,cus_ada,2026-11-20T09:00:00Z,The debit came back R01.",
        "T-2,cus_bo,soon,zanzibar",
        "T-3,cus_bo,2026-11-20T09:00:00Z,R01 too.",
    )
    file.write_text("\n".join(("id,account,opened_at,text", *rows)), encoding="utf-8")
    imported = await shop.command("import", str(file), "--connection", CONNECTION)
    assert imported.exit_code == 1
    assert "2 written, 0 unchanged, 1 refused." in imported.output
    assert "line 3: opened_at:" in imported.output
    found = await shop.command("search", "R01", "--connection", CONNECTION, "--account", "cus_ada", "--json")
    assert [one["ticket_id"] for one in json.loads(found.output)] == ["T-1"]
    similar = await shop.command("search", "R01", "--connection", CONNECTION, "--account", "cus_ada", "--similar")
    assert "tkt_" in similar.output
    assert "2026-11" in similar.output
    assert json.loads((await shop.command("reindex", "--json")).output)["copied"] == 2
    assert (await shop.command("delete", "--connection", CONNECTION, "--ticket", "T-1")).output == "1 ticket forgotten.\n"
    assert (await shop.command("delete", "--connection", CONNECTION, "--account", "cus_bo")).output == "1 ticket forgotten.\n"
    assert json.loads((await shop.command("status", "--json")).output)["chunks"] == 0
    assert (await shop.command("delete", "--connection", CONNECTION)).exit_code == 2
    assert "zanzibar" not in caplog.text + imported.output


async def test_a_service_that_is_not_there_and_a_missing_key_are_one_clear_line(shop: Shop) -> None:
    away = await asyncio.to_thread(
        CliRunner().invoke, main, ["tickets", "--api", "http://127.0.0.1:1", "status"], env={"RECOUP_API_KEY": "rk_x"}
    )
    assert (away.exit_code, "check --api" in away.output) == (1, True)
    no_key = await asyncio.to_thread(CliRunner().invoke, main, ["tickets", "--api", shop.url, "status"], env={"RECOUP_API_KEY": ""})
    assert (no_key.exit_code, "RECOUP_API_KEY" in no_key.output) == (1, True)
    wrong_key = await asyncio.to_thread(CliRunner().invoke, main, ["tickets", "--api", shop.url, "status"], env={"RECOUP_API_KEY": "rk_x"})
    assert (wrong_key.exit_code, "not known" in wrong_key.output) == (1, True)
