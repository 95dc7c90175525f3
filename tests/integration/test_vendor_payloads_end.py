"""Every vendor payload that we have goes through the real door and the real intake, and ends as its hand-written row says."""

import base64
import os
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from api.jobs import intake
from graph.bootstrap import Services
from memory import inbox
from memory.database import Database
from memory.inbox import EventRow
from recoup.settings import Platform
from tests.contract.vendor_rows import STRIPE, Row
from tests.contract.vendor_rows_recurly import RECURLY
from tests.factories import make_connection
from tests.fakes import make_services
from tools.billing.events_only import EventsOnly
from tools.billing.signatures import sign_recurly, sign_stripe

# Known by their webhooks alone: what can be read is read by other tests.
LINKS = (
    make_connection(name="stripe", platform=Platform.STRIPE, webhook_secrets=("whsec",), api_key=None),
    make_connection(name="recurly", platform=Platform.RECURLY, webhook_secrets=("rsec",), basic_auth=("recurly:secret",), api_key=None),
)


def headers_of(platform: str, file: str, body: bytes) -> dict[str, str]:
    """How the platform would prove that it sent this."""
    if file.endswith(".xml"):
        return {"Content-Type": "application/xml", "Authorization": "Basic " + base64.b64encode(b"recurly:secret").decode()}
    if platform == "stripe":
        return {"Content-Type": "application/json", "Stripe-Signature": sign_stripe(body, "whsec", int(time.time()))}
    return {"Content-Type": "application/json", "recurly-signature": sign_recurly(body, "rsec", int(time.time() * 1000))}


async def end_of(services: Services, event_id: str) -> EventRow:
    """The event once it has ended; pauses between tries are cut short."""
    for _ in range(intake.MOST_TRIES):
        await intake.run(services, event_id)
        async with services.db.write() as tx:
            await tx.run("UPDATE inbox SET lease_until = NULL WHERE id = %s", (event_id,))
        async with services.db.read() as session:
            row = await inbox.get(session, event_id)
        if row.status != "accepted":
            return row
    pytest.fail(f"{event_id} never ended")


@pytest.mark.parametrize(("platform", "rows"), [("stripe", STRIPE), ("recurly", RECURLY)])
async def test_every_payload_ends_as_its_row_says(db: Database, platform: str, rows: tuple[Row, ...]) -> None:
    folder = os.environ.get("RECOUP_VENDOR_DATA")
    if not folder:
        pytest.skip("RECOUP_VENDOR_DATA does not name the folder of vendor payloads")
    services = replace(
        make_services(db), connections={link.name: link for link in LINKS}, billing={link.name: EventsOnly(link.name) for link in LINKS}
    )
    transport = httpx.ASGITransport(app=create_app(services))
    seen: dict[str, str] = {}
    async with httpx.AsyncClient(transport=transport, base_url="http://recoup.test") as client:
        for row in rows:
            body = (Path(folder) / "webhooks" / platform / row.file).read_bytes()
            response = await client.post(f"/webhooks/{platform}", content=body, headers=headers_of(platform, row.file, body))
            assert response.status_code == 202, (row.file, response.text)
            answer = response.json()
            if answer["status"] == "duplicate":
                # The documentation shows one and the same notification under several names.
                assert answer["event_id"] in seen.values(), row.file
                continue
            seen[row.file] = answer["event_id"]
            ended = await end_of(services, answer["event_id"])
            assert (row.file, ended.status, ended.event_type) == (row.file, row.end, row.type), ended.reason
            assert row.because is None or row.because in (ended.reason or "")
            assert ended.kind == (None if row.end == "dead" else row.kind)
    assert len(seen) > 0.8 * len(rows)
