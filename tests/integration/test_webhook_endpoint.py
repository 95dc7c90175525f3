"""The webhooks' door over the real application and database: what is believed, what is kept, and what each refusal says."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from api.app import create_app
from memory.database import Database
from recoup.settings import Connection, Platform
from tests.factories import make_connection
from tests.fakes import make_services
from tests.stripe_samples import INVOICE, event
from tools.billing.signatures import sign_recurly, sign_stripe

STRIPE = make_connection(
    name="stripe-eu", platform=Platform.STRIPE, livemode=True, simulated=False, webhook_secrets=("whsec_new", "whsec_old")
)
RECURLY = make_connection(name="recurly", platform=Platform.RECURLY, webhook_secrets=("rsec",), basic_auth=("recurly:secret",))
SANDBOX = make_connection()
BASIC = "Basic " + base64.b64encode(b"recurly:secret").decode()
XML = '<?xml version="1.0"?><new_account_notification><account><account_code>1</account_code></account></new_account_notification>'
THIN = {"id": "p1", "object_type": "payment", "event_type": "failed", "event_time": "2026-01-02T03:04:05Z"}
JSON_TYPE, XML_TYPE = {"Content-Type": "application/json"}, {"Content-Type": "application/xml; charset=utf-8"}
CARD = "4242 4242 4242 4242"


def client_of(db: Database, *, backlog_limit: int = 1000, **changes: Connection) -> httpx.AsyncClient:
    """A client of the application; errors of its own come out as a 500, as they would over the wire."""
    services = make_services(db)
    connections = {link.name: link for link in (STRIPE, RECURLY, SANDBOX)} | changes
    settings = services.settings.model_copy(update={"backlog_limit": backlog_limit})
    app = create_app(replace(services, connections=connections, settings=settings))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://recoup.test")


@pytest.fixture
async def client(db: Database) -> AsyncGenerator[httpx.AsyncClient]:
    async with client_of(db) as opened:
        yield opened


def signed(body: str | bytes, secret: str = "whsec_new", age_seconds: int = 0) -> dict[str, Any]:
    """A request as Stripe sends it."""
    raw = body.encode() if isinstance(body, str) else body
    signature = sign_stripe(raw, secret, int(time.time()) - age_seconds)
    return {"content": raw, "headers": JSON_TYPE | {"Stripe-Signature": signature}}


async def inbox_rows(db: Database) -> list[dict[str, Any]]:
    async with db.read() as session:
        return await session.dicts("SELECT * FROM inbox ORDER BY id")


async def jobs(db: Database) -> list[dict[str, Any]]:
    async with db.read() as session:
        return await session.dicts("SELECT task_name, queueing_lock, args, status::text FROM procrastinate_jobs")


async def assert_refused(db: Database, response: httpx.Response, status: int, slug: str) -> None:
    """A problem document, and nothing stored."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["type"] == f"urn:recoup:problem:{slug}"
    assert problem["title"]
    assert problem["detail"]
    assert await inbox_rows(db) == []


async def test_an_event_is_kept_with_its_wake_up_before_the_answer(db: Database, client: httpx.AsyncClient) -> None:
    response = await client.post("/webhooks/stripe-eu", **signed(event("invoice.payment_failed")))
    assert response.status_code == 202
    (row,) = await inbox_rows(db)
    assert response.json() == {"event_id": row["id"], "status": "accepted"}
    assert (row["connection"], row["vendor_event_id"], row["event_type"]) == ("stripe-eu", "evt_1", "invoice.payment_failed")
    assert (row["status"], row["content_type"], row["payload"]) == ("accepted", "application/json", event("invoice.payment_failed"))
    (job,) = await jobs(db)
    assert job == {"task_name": "intake", "queueing_lock": f"intake:{row['id']}", "args": {"row_id": row["id"]}, "status": "todo"}


async def test_the_same_event_again_is_a_duplicate_under_the_first_id(db: Database, client: httpx.AsyncClient) -> None:
    body = event("invoice.paid")
    first = (await client.post("/webhooks/stripe-eu", **signed(body))).json()
    again = (await client.post("/webhooks/stripe-eu", **signed(body, "whsec_old"))).json()
    assert again == {"event_id": first["event_id"], "status": "duplicate"}
    (row,) = await inbox_rows(db)
    assert row["duplicates"] == 1
    assert len(await jobs(db)) == 1


async def test_of_twenty_deliveries_at_once_one_is_accepted(db: Database, client: httpx.AsyncClient) -> None:
    body = event("invoice.paid")
    responses = await asyncio.gather(*(client.post("/webhooks/stripe-eu", **signed(body)) for _ in range(20)))
    assert sorted(response.json()["status"] for response in responses) == ["accepted"] + ["duplicate"] * 19
    assert len({response.json()["event_id"] for response in responses}) == 1
    (row,) = await inbox_rows(db)
    assert row["duplicates"] == 19
    assert len(await jobs(db)) == 1


async def test_a_replay_under_a_new_id_and_the_same_id_elsewhere_are_events_of_their_own(db: Database, client: httpx.AsyncClient) -> None:
    for body in (event("invoice.paid"), event("invoice.paid", id="evt_2")):
        assert (await client.post("/webhooks/stripe-eu", **signed(body))).json()["status"] == "accepted"
    sandbox = json.dumps(
        {"id": "evt_1", "type": "invoice.paid", "created": "2026-01-02T03:04:05Z", "data": {"invoice": "i", "customer": "c"}}
    )
    headers = JSON_TYPE | {"Sandbox-Signature": sign_stripe(sandbox.encode(), "whsec_test", int(time.time()))}
    assert (await client.post("/webhooks/sandbox", content=sandbox, headers=headers)).json()["status"] == "accepted"
    assert len(await inbox_rows(db)) == 3


async def test_recurlys_thin_json_is_signed_and_its_xml_has_a_password(db: Database, client: httpx.AsyncClient) -> None:
    body = json.dumps(THIN).encode()
    headers = JSON_TYPE | {"recurly-signature": sign_recurly(body, "rsec", int(time.time() * 1000))}
    assert (await client.post("/webhooks/recurly", content=body, headers=headers)).status_code == 202
    assert (await client.post("/webhooks/recurly", content=XML, headers=XML_TYPE | {"Authorization": BASIC})).status_code == 202
    assert [row["event_type"] for row in await inbox_rows(db)] == ["payment.failed", "new_account_notification"]


@pytest.mark.parametrize(
    ("headers", "slug"),
    [
        ({}, "signature-missing"),
        ({"Stripe-Signature": "t=1,v1=00"}, "signature-wrong"),
        ({"Stripe-Signature": "nonsense"}, "signature-wrong"),
        (signed(event("invoice.paid"), "whsec_test")["headers"], "signature-wrong"),
        (signed(event("invoice.paid") + " ")["headers"], "signature-wrong"),
        (signed(event("invoice.paid"), age_seconds=301)["headers"], "signature-too-old"),
        # A day ahead, since these are signed when the tests are collected, which may be long before this one runs.
        (signed(event("invoice.paid"), age_seconds=-86_400)["headers"], "signature-too-old"),
    ],
)
async def test_without_a_signature_that_holds_nothing_is_stored(
    db: Database, client: httpx.AsyncClient, headers: dict[str, str], slug: str
) -> None:
    response = await client.post("/webhooks/stripe-eu", content=event("invoice.paid"), headers=JSON_TYPE | headers)
    await assert_refused(db, response, 401, slug)


async def test_xml_without_the_password_is_asked_for_it(db: Database, client: httpx.AsyncClient) -> None:
    for authorization, slug in ((None, "signature-missing"), ("Basic eDp5", "signature-wrong")):
        headers = XML_TYPE | ({"Authorization": authorization} if authorization else {})
        response = await client.post("/webhooks/recurly", content=XML, headers=headers)
        await assert_refused(db, response, 401, slug)
        assert response.headers["WWW-Authenticate"].startswith("Basic realm=")


async def test_a_signature_does_not_stand_in_for_the_password_of_xml(db: Database, client: httpx.AsyncClient) -> None:
    headers = XML_TYPE | {"recurly-signature": sign_recurly(XML.encode(), "rsec", int(time.time() * 1000))}
    await assert_refused(db, await client.post("/webhooks/recurly", content=XML, headers=headers), 401, "signature-missing")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b"",
        b'{"id": "\xff"}',
        b'{"id": "evt_1"}',
        b'{"id": 1, "type": "invoice.paid"}',
        b'{"id": "evt_1", "type": "invoice.paid", "n": NaN}',
        b'{"id": "evt_1", "type": "a", "type": "b"}',
        b'{"id": "\\u0000", "type": "invoice.paid"}',
        b'{"id": "' + b"x" * 300 + b'", "type": "invoice.paid"}',
        b'{"id": "evt_1", "type": "invoice.paid", "a": "\x00"}',
        b'{"a":' * 60_000 + b"1" + b"}" * 60_000,
    ],
)
async def test_what_is_no_event_is_malformed(db: Database, client: httpx.AsyncClient, body: bytes) -> None:
    await assert_refused(db, await client.post("/webhooks/stripe-eu", **signed(body)), 400, "bad-request")


async def test_xml_with_a_document_type_is_malformed(db: Database, client: httpx.AsyncClient) -> None:
    body = '<!DOCTYPE x [<!ENTITY e "boom">]><new_account_notification>&e;</new_account_notification>'
    response = await client.post("/webhooks/recurly", content=body, headers=XML_TYPE | {"Authorization": BASIC})
    await assert_refused(db, response, 400, "bad-request")


async def test_an_unknown_connection_is_not_found(db: Database, client: httpx.AsyncClient) -> None:
    await assert_refused(db, await client.post("/webhooks/nobody", **signed("{}")), 404, "not-found")
    assert (await client.get("/webhooks/stripe-eu")).status_code == 405


@pytest.mark.parametrize("declared", [True, False])
async def test_over_a_mebibyte_is_too_large_whether_declared_or_not(db: Database, client: httpx.AsyncClient, declared: bool) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b" " * 65_536

    headers = JSON_TYPE | {"Stripe-Signature": "t=1,v1=00"}
    content: Any = b" " * (1024 * 1024 + 1) if declared else chunks()
    response = await client.post("/webhooks/stripe-eu", content=content, headers=headers)
    assert ("content-length" in response.request.headers) is declared
    await assert_refused(db, response, 413, "request-entity-too-large")


async def test_exactly_a_mebibyte_is_not_too_large(db: Database, client: httpx.AsyncClient) -> None:
    body = event("invoice.paid", INVOICE | {"description": ""})
    body = event("invoice.paid", INVOICE | {"description": "x" * (1024 * 1024 - len(body))})
    assert (await client.post("/webhooks/stripe-eu", **signed(body))).status_code == 202
    (row,) = await inbox_rows(db)
    assert row["payload"] == body


@pytest.mark.parametrize(
    ("connection", "content_type"),
    [
        ("stripe-eu", "application/xml"),
        ("stripe-eu", "text/plain"),
        ("stripe-eu", "application/json; charset=iso-8859-1"),
        ("stripe-eu", None),
        ("recurly", "application/x-www-form-urlencoded"),
    ],
)
async def test_another_content_type_is_not_supported(
    db: Database, client: httpx.AsyncClient, connection: str, content_type: str | None
) -> None:
    request = signed(event("invoice.paid"))
    headers = {name: value for name, value in request["headers"].items() if name != "Content-Type"}
    headers |= {"Content-Type": content_type} if content_type else {}
    response = await client.post(f"/webhooks/{connection}", content=request["content"], headers=headers)
    await assert_refused(db, response, 415, "unsupported-media-type")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", 'application/json;charset="UTF-8"'])
async def test_a_content_type_may_be_spelled_in_many_ways(client: httpx.AsyncClient, content_type: str) -> None:
    request = signed(event("invoice.paid"))
    response = await client.post(
        "/webhooks/stripe-eu", content=request["content"], headers=request["headers"] | {"Content-Type": content_type}
    )
    assert response.status_code == 202


async def test_live_and_test_never_mix(db: Database, client: httpx.AsyncClient) -> None:
    response = await client.post("/webhooks/stripe-eu", **signed(event("invoice.paid", livemode=False)))
    await assert_refused(db, response, 422, "unprocessable-entity")


async def test_over_the_backlogs_limit_the_sender_is_asked_to_come_again(db: Database) -> None:
    async with client_of(db, backlog_limit=2) as one:
        for number in range(2):
            assert (await one.post("/webhooks/stripe-eu", **signed(event("invoice.paid", id=f"evt_{number}")))).status_code == 202
    async with client_of(db, backlog_limit=2) as another:
        response = await another.post("/webhooks/stripe-eu", **signed(event("invoice.paid", id="evt_9")))
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert len(await inbox_rows(db)) == 2


async def test_with_the_database_away_the_sender_is_asked_to_come_again() -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/none", min_size=0)
    await away.pool.open(wait=False)
    away.pool.timeout = 0.2
    try:
        async with client_of(away) as client:
            response = await client.post("/webhooks/stripe-eu", **signed(event("invoice.paid")))
            forged = await client.post("/webhooks/stripe-eu", **signed(event("invoice.paid"), "whsec_wrong"))
    finally:
        await away.close()
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert response.headers["content-type"] == "application/problem+json"
    assert forged.status_code == 401


async def test_a_card_number_that_strayed_into_an_event_is_masked_at_rest(db: Database, client: httpx.AsyncClient) -> None:
    stray = INVOICE | {"description": f"my card is {CARD}", "metadata": {"pan": 4242424242424242, "b64": "NDI0MjQyNDI0MjQyNDI0Mg=="}}
    assert (await client.post("/webhooks/stripe-eu", **signed(event("invoice.paid", stray)))).status_code == 202
    (row,) = await inbox_rows(db)
    kept = json.loads(row["payload"])["data"]["object"]
    assert kept["description"] == "my card is **** **** **** 4242"
    assert kept["metadata"] == {"pan": "************4242", "b64": base64.b64encode(b"************4242").decode()}
    assert kept | {"description": "", "metadata": {}} == INVOICE | {"description": "", "metadata": {}}


async def test_an_escaped_nul_in_a_text_is_kept_as_it_came(db: Database, client: httpx.AsyncClient) -> None:
    body = event("invoice.paid", INVOICE | {"customer_name": "A\x00da \ud83d\ude00 \ud800"})
    assert (await client.post("/webhooks/stripe-eu", **signed(body))).status_code == 202
    (row,) = await inbox_rows(db)
    assert row["payload"] == body
