"""A shop whose Stripe double tells Recoup, in process over a real database, only what a test lets through."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, LiteralString

import httpx

from api.app import create_app
from api.drift import Drift, drift_of
from api.jobs import intake, reconcile
from graph.bootstrap import Services
from memory.database import Database
from memory.facts import DatabaseFacts
from recoup.clock import FixedClock, wall_now
from recoup.settings import Connection
from tests.contract.stripe_bench import billing as stripe_billing
from tests.contract.stripe_bench import connection_on
from tests.deciding import rows
from tests.fakes import make_services
from tests.scenes import change
from tests.vendors.chassis_courier import Parcel
from tests.vendors.stripe_stage import Stage, stage
from tests.vendors.stripe_state import Invoice, Version

DOOR = "http://recoup.test"
MINUTES = timedelta(minutes=1)


@dataclass
class Shop:
    """Recoup and a double of Stripe, connected both ways; both clocks show the same."""

    services: Services
    connection: Connection
    stripe: Stage
    client: httpx.AsyncClient

    async def restart(self) -> None:
        """As if Recoup had just been connected."""
        await change(self.services.db, "DELETE FROM reconciliations")
        await reconcile.begin(self.services)
        await self.reconcile()
        await self.take_in()

    @property
    def name(self) -> str:
        return self.connection.name

    async def pass_time(self, by: timedelta) -> None:
        """Time passes, and the platform does what is due; nothing is delivered by that."""
        self.stripe.double.advance(by)
        clock = self.services.clock
        assert isinstance(clock, FixedClock)
        clock.at = self.stripe.double.clock.now()

    async def hear(self, *, times: int = 1) -> None:
        """The webhooks that wait are delivered, newest first, and everything in the inbox is processed."""
        for parcel in reversed(self.lose() * times):
            await self.post(parcel)
        await self.take_in()

    async def post(self, parcel: Parcel) -> None:
        """One webhook comes. The platform's clock is ahead of the machine's, by which signatures grow old."""
        headers = {"content-type": "application/json", **parcel.sign(parcel.body, wall_now())}
        answer = await self.client.post(parcel.url, content=parcel.body, headers=headers)
        assert answer.status_code == 202, answer.text

    def lose(self) -> list[Parcel]:
        """What the platform wanted to tell never comes."""
        return self.stripe.double.courier.drop()

    async def take_in(self) -> None:
        """Every event that waits is processed, its pauses cut short."""
        for _ in range(intake.MOST_TRIES):
            for (event_id,) in await rows(self.services.db, "SELECT id FROM inbox WHERE status = 'accepted' ORDER BY id"):
                await intake.run(self.services, event_id)
            await change(self.services.db, "UPDATE inbox SET lease_until = NULL WHERE status = 'accepted'")

    async def reconcile(self) -> None:
        """One run of the job, its pause cut short."""
        await change(self.services.db, "UPDATE reconciliations SET lease_until = NULL")
        await reconcile.run(self.services, self.name)

    async def catch_up(self) -> None:
        """A quarter of an hour later the platform is asked, and what is found is taken in."""
        await self.pass_time(15 * MINUTES)
        await self.reconcile()
        await self.take_in()

    def pages(self) -> int:
        """How often the platform was asked what changed."""
        asked = self.stripe.double.exchanges("GET", "/v1/events")
        return sum("invoice.voided" in exchange.request.query for exchange in asked)

    async def drift(self) -> Drift:
        return await drift_of(self.services.db, self.services.connections, self.name)

    async def missed(self) -> dict[str, int]:
        """How many of each kind of object nothing but asking has told."""
        return {line.kind: line.missed for line in (await self.drift()).kinds if line.missed}

    async def ours(self) -> list[tuple[Any, ...]]:
        """The events by which something entered that no webhook told."""
        return await rows(self.services.db, "SELECT vendor_event_id, status FROM inbox WHERE event_type = 'recoup.reconciliation'")

    async def cases(self) -> list[tuple[str, str]]:
        """Invoice and status of every case."""
        return await rows(
            self.services.db, "SELECT i.vendor_id, c.status FROM cases c JOIN invoices i ON i.id = c.invoice_id ORDER BY c.id"
        )

    async def standing(self, invoice: Invoice) -> tuple[str, int] | None:
        """Its status and what remains, by our rows."""
        sql: LiteralString = "SELECT status, remaining_minor FROM invoices WHERE vendor_id = %s"
        found = await rows(self.services.db, sql, invoice.id)
        return (found[0][0], found[0][1]) if found else None


@asynccontextmanager
async def open_shop(db: Database, version: Version) -> AsyncGenerator[Shop]:
    """Connected yesterday: the platform's history before that is over, and all is quiet."""
    start = wall_now().replace(microsecond=0) - timedelta(minutes=1)
    with stage(version, start=start) as served:
        endpoint = served.double.add_endpoint(f"{DOOR}/webhooks/stripe-eu")
        connection = connection_on(served, webhook_secrets=(endpoint.secrets[0],))
        platform = stripe_billing(served)
        made = make_services(db, billing=platform, clock=FixedClock(served.double.clock.now()))
        connections, billing = {connection.name: connection}, {connection.name: platform}
        services = replace(made, connections=connections, billing=billing, facts=DatabaseFacts(db, connections, billing))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=create_app(services)), base_url=DOOR) as client:
            opened = Shop(services, connection, served, client)
            await reconcile.begin(services)
            while (await opened.drift()).looked_at is None:
                await opened.reconcile()
            yield opened
        await platform.aclose()
