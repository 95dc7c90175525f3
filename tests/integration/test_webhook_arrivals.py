"""What webhooks that came, or were turned away at the door, tell the check of their connection."""

import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.arrivals import arrivals_of
from memory.database import Database
from recoup.clock import wall_now
from recoup.ports import CheckResult
from recoup.settings import Connection, Platform
from tests.factories import make_connection
from tests.fakes import make_services
from tests.stripe_samples import event
from tools.billing.recurly_types import NEEDED_WEBHOOKS
from tools.billing.signatures import sign_recurly, sign_stripe

SECRET = "whsec_test"
LINKS = {
    "stripe-eu": make_connection(name="stripe-eu", platform=Platform.STRIPE),
    "recurly": make_connection(name="recurly", platform=Platform.RECURLY),
}


@pytest.fixture
async def client(db: Database) -> AsyncGenerator[httpx.AsyncClient]:
    app = create_app(replace(make_services(db), connections=LINKS))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://recoup.test") as opened:
        yield opened


@pytest.fixture(params=list(LINKS))
def link(request: pytest.FixtureRequest) -> Connection:
    return LINKS[request.param]


async def told(db: Database, link: Connection) -> dict[str, CheckResult]:
    """What the check says of arrivals, by name."""
    async with db.read() as session:
        return {result.name: result for result in await arrivals_of(session, link)}


async def send(
    client: httpx.AsyncClient,
    link: Connection,
    event_type: str = "",
    *,
    secret: str | None = SECRET,
    age: float = 0.0,
    livemode: bool = False,
) -> int:
    """One webhook as the platform of the connection sends it, signed with the secret unless that is None."""
    at = wall_now().timestamp() - age
    if link.platform is Platform.STRIPE:
        subject = {"id": "cus_1", "object": "customer"}
        body = event(event_type or "customer.updated", subject, livemode=livemode)
        sign = {"Stripe-Signature": sign_stripe(body.encode(), secret, int(at))} if secret else {}
    else:
        kind, what = (event_type or "account.updated").split(".")
        when = datetime.fromtimestamp(at, UTC).isoformat()
        body = json.dumps({"id": f"{kind}1", "object_type": kind, "event_type": what, "event_time": when})
        sign = {"recurly-signature": sign_recurly(body.encode(), secret, int(at * 1000))} if secret else {}
    headers = {"Content-Type": "application/json", **sign}
    return (await client.post(f"/webhooks/{link.name}", content=body, headers=headers)).status_code


async def test_before_anything_came_nobody_can_tell(db: Database, link: Connection) -> None:
    result = (await told(db, link))["webhook arrival"]
    assert (result.ok, result.is_seen, result.found) == (True, False, "none has come in yet")
    assert f"/webhooks/{link.name}" in (result.fix or "")


async def test_what_came_shows_that_address_and_secret_are_right(db: Database, client: httpx.AsyncClient, link: Connection) -> None:
    assert await send(client, link) == 202
    result = (await told(db, link))["webhook arrival"]
    assert (result.ok, result.is_seen, result.fix) == (True, True, None)
    assert "updated" in result.found


@pytest.mark.parametrize(
    ("how", "found", "fix"),
    [
        ({"secret": "whsec_of_another_endpoint"}, "signature wrong", "webhook_secrets points"),
        ({"secret": None}, "signature missing", "let the platform sign"),
        ({"age": 900.0}, "signature too old", "clock"),
    ],
    ids=["another secret", "unsigned", "old"],
)
async def test_the_newest_that_was_turned_away_is_named_with_its_mend_until_one_comes_in(
    db: Database, client: httpx.AsyncClient, link: Connection, how: dict[str, Any], found: str, fix: str
) -> None:
    assert await send(client, link, **how) == 401
    result = (await told(db, link))["webhook arrival"]
    assert not result.ok
    assert found in result.found
    assert fix in (result.fix or "")
    assert "whsec" not in repr(result)
    assert await send(client, link) == 202
    assert (await told(db, link))["webhook arrival"].ok


async def test_an_event_of_the_other_mode_is_named(db: Database, client: httpx.AsyncClient) -> None:
    link = LINKS["stripe-eu"]
    assert await send(client, link, livemode=True) == 422
    result = (await told(db, link))["webhook arrival"]
    assert "this is a live event, and stripe-eu is a test connection" in result.found
    assert "connections.stripe-eu.livemode" in (result.fix or "")


async def test_what_is_turned_away_at_one_connection_is_no_fault_of_another(db: Database, client: httpx.AsyncClient) -> None:
    assert await send(client, LINKS["stripe-eu"], secret="whsec_of_another_endpoint") == 401
    assert (await told(db, LINKS["recurly"]))["webhook arrival"].ok


@pytest.mark.parametrize("missing", NEEDED_WEBHOOKS)
async def test_of_recurly_the_type_that_has_not_come_is_named_as_unseen(db: Database, client: httpx.AsyncClient, missing: str) -> None:
    link = LINKS["recurly"]
    for event_type in NEEDED_WEBHOOKS:
        if event_type != missing:
            assert await send(client, link, event_type) == 202
    result = (await told(db, link))["webhook events"]
    assert (result.ok, result.is_seen) == (True, False)
    assert result.found.endswith(f"not yet: {missing}")
    assert await send(client, link, missing) == 202
    assert (await told(db, link))["webhook events"].is_seen
