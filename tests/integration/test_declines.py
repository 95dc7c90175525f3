"""``/api/v1/declines``: one decline explained as the command explains it, and the codes that nobody knows."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from click.testing import CliRunner

from api.app import create_app
from api.cli.explain_decline import command
from memory import keys, unknown_codes
from memory.database import Database
from recoup.invoice import AttemptStatus, DeclineCodes
from recoup.people import Role
from tests.factories import FAILED_AT, NOW, attempt_snapshot, invoice_snapshot, make_reading
from tests.fakes import make_services
from tests.integration.world import World, failed, later, paid

Parameters = dict[str, str | list[str]]
QUESTIONS: tuple[tuple[str, str, Parameters], ...] = (
    ("stripe", "insufficient_funds", {}),
    ("stripe", "insufficient_funds", {"network": "Visa", "network_code": "51", "at": "2026-11-20"}),
    ("stripe", "do_not_honor", {"network": "mc", "advice": ["02", "try_again_later"]}),
    ("stripe", "do_not_honor", {"country": "in"}),
    ("iso8583", "57", {"network": "visa", "at": "2026-10-24"}),
    ("iso8583", "57", {"network": "visa", "at": "2026-10-25"}),
    ("sepa", "AM04", {}),
    ("zuora", "R01", {}),
    ("stripe", "nobody/knows\x1b[31m this", {"network": "jcb"}),
)


@pytest.fixture
async def client(db: Database) -> AsyncGenerator[httpx.AsyncClient]:
    """A client that may only read."""
    async with db.write() as tx:
        key, _ = await keys.create(tx, person="ada", role=Role.VIEWER, by="test", at=NOW)
    transport = httpx.ASGITransport(app=create_app(make_services(db)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://recoup.test", headers={"Authorization": f"Bearer {key}"}) as opened:
        yield opened


async def explained(client: httpx.AsyncClient, processor: str, code: str, **parameters: str | list[str]) -> httpx.Response:
    return await client.get(f"/api/v1/declines/{processor}/{quote(code, safe='')}", params=parameters)


def options(parameters: Parameters) -> list[str]:
    """The parameters as the command takes them."""
    pairs = [(name, value) for name, given in parameters.items() for value in (given if isinstance(given, list) else [given])]
    return [word for name, value in pairs for word in (f"--{name.replace('_', '-')}", value)]


@pytest.mark.parametrize(("processor", "code", "parameters"), QUESTIONS)
async def test_the_api_and_the_command_say_the_same(client: httpx.AsyncClient, processor: str, code: str, parameters: Parameters) -> None:
    answer = await explained(client, processor, code, **parameters)
    assert answer.status_code == 200, answer.text
    said = CliRunner().invoke(command, [processor, code, *options(parameters), "--json"])
    assert answer.json() == json.loads(said.output)
    assert answer.text == json.dumps(json.loads(said.output), separators=(",", ":"), ensure_ascii=False)


async def test_a_code_that_no_table_has_is_an_answer(client: httpx.AsyncClient) -> None:
    told = (await explained(client, "stripe", "x" * 3000)).json()
    assert (told["known"], told["reason"], told["category"], told["retry"]) == (False, "unknown", "generic", "allowed")


@pytest.mark.parametrize(
    ("processor", "parameters", "mend"),
    [
        ("paypal", {}, "give one of stripe, recurly, braintree"),
        ("stripe", {"network": "vsia"}, "give one of visa, mastercard"),
        ("stripe", {"country": "IND"}, "two letters of ISO 3166"),
        ("stripe", {"at": "2026-02-30"}, "a UTC day such as"),
        ("stripe", {"at": "20261120"}, "a UTC day such as"),
        ("stripe", {"at": ""}, "a UTC day such as"),
        ("stripe", {"advice": ["01"] * 11}, "at most 10"),
    ],
)
async def test_what_is_no_question_is_refused_with_what_to_give(
    client: httpx.AsyncClient, processor: str, parameters: Parameters, mend: str
) -> None:
    answer = await explained(client, processor, "do_not_honor", **parameters)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code in (400, 422)
    assert mend in answer.json()["detail"]


async def test_only_who_may_read_is_answered(client: httpx.AsyncClient) -> None:
    for path in ("stripe/do_not_honor", "unknown"):
        assert (await client.get(f"/api/v1/declines/{path}", headers={"Authorization": "Bearer rk_nobody"})).status_code == 401


async def tell_unknown_codes(db: Database) -> None:
    """Two new words of Stripe's, one of them twice; a known one; a payment; a failure that names no code."""
    world = World(db)
    await world.tell(
        failed("ch_1", code="brand_new"),
        failed("ch_2", later(hours=1), code="brand_new"),
        failed("ch_3", later(hours=2), code="insufficient_funds"),
        failed("ch_4", later(hours=3), code="card 4242 4242 4242 4242 " + "x" * 300),
        paid(),
    )
    silent = attempt_snapshot(vendor_key="ch_5", charge_vendor_id="ch_5", codes=DeclineCodes(processor="stripe"))
    refused = attempt_snapshot(
        vendor_key="ch_6",
        charge_vendor_id="ch_6",
        status=AttemptStatus.FAILED,
        codes=DeclineCodes(processor="stripe", network_decline_code="\x1bQQ", network_advice_code="99", advice_code="oh"),
    )
    await world.tell(make_reading(invoice=invoice_snapshot(), attempts=(silent, refused)))


async def test_codes_that_nobody_knows_are_listed_by_how_often_they_came(client: httpx.AsyncClient, db: Database) -> None:
    await tell_unknown_codes(db)
    page = (await client.get("/api/v1/declines/unknown")).json()
    first, *others = page["items"]
    assert page["next_cursor"] is None
    assert first == {
        "processor": "stripe",
        "code": "brand_new",
        "network_code": None,
        "advice": [],
        "attempts": 2,
        "first_seen": FAILED_AT.isoformat().replace("+00:00", "Z"),
        "last_seen": later(hours=1).isoformat().replace("+00:00", "Z"),
    }
    assert [(row["network_code"], row["advice"]) for row in others] == [(None, []), ("\ufffdQQ", ["99", "oh"])]
    assert len((await client.get("/api/v1/declines/unknown", params={"limit": 1})).json()["items"]) == 1


async def test_no_card_number_and_no_letter_is_shown_in_place_of_a_code(db: Database) -> None:
    await tell_unknown_codes(db)
    async with db.read() as session:
        (hostile,) = [row.code for row in await unknown_codes.seen(session, 10) if row.code and row.code != "brand_new"]
    assert "4242 4242 4242" not in hostile
    assert "4242 xxx" in hostile
    assert len(hostile) == 64


async def test_the_metrics_count_attempts_with_unknown_codes(client: httpx.AsyncClient, db: Database) -> None:
    await tell_unknown_codes(db)
    assert "recoup_unknown_decline_codes 4.0" in (await client.get("/metrics")).text


async def test_the_command_lists_what_the_api_lists(client: httpx.AsyncClient, db: Database, database_url: str, tmp_path: Path) -> None:
    await tell_unknown_codes(db)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api.cli", "rules", "unknown", "--json"),
        env=os.environ | {"RECOUP_DATABASE_URL": database_url, "RECOUP_HOME": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert json.loads(out) == (await client.get("/api/v1/declines/unknown")).json()["items"]
