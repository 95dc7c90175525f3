"""Delivers webhooks as vendors do: signed, in no certain order, again and again until somebody answers 2xx."""

import asyncio
import time
from contextlib import suppress

import httpx

from tools.billing.signatures import sign_stripe
from tools.sandbox.rows import DeliveryRow
from tools.sandbox.simulation import Simulation
from tools.sandbox.store import stamp

SIGNATURE_HEADER = "Sandbox-Signature"
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.1, 2.0
TIMEOUT_SECONDS = 10.0
AT_ONCE = 8

PENDING = """
SELECT d.event, d.copy AS copy_number, e.body, d.tries FROM deliveries d JOIN events e ON e.id = d.event
WHERE NOT d.delivered AND d.due_at <= ? AND d.try_wall <= ? ORDER BY d.due_at, d.place, d.event, d.copy LIMIT ?
"""


class Courier:
    """Sends what is due to one address. What is not delivered yet stands in the store, so a killed sandbox forgets nothing."""

    def __init__(self, sim: Simulation, url: str, secret: str) -> None:
        self._sim, self._url, self._secret = sim, url, secret
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There may be something new."""
        self._news.set()

    async def run(self) -> None:
        """Delivers until cancelled."""
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
            while True:
                self._news.clear()
                batch = self._sim.store.all(DeliveryRow, PENDING, (stamp(self._sim.now), time.time(), AT_ONCE))
                if batch:
                    await asyncio.gather(*(self._deliver(client, delivery) for delivery in batch))
                else:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), FIRST_WAIT_SECONDS)

    async def _deliver(self, client: httpx.AsyncClient, delivery: DeliveryRow) -> None:
        body = delivery.body.encode()
        headers = {"Content-Type": "application/json", SIGNATURE_HEADER: sign_stripe(body, self._secret, int(time.time()))}
        try:
            response = await client.post(self._url, content=body, headers=headers)
            arrived = response.is_success
        except httpx.HTTPError:
            arrived = False
        wait_seconds = 0.0 if arrived else min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**delivery.tries)
        with self._sim.store.transaction():
            self._sim.store.run(
                "UPDATE deliveries SET delivered = ?, tries = tries + 1, try_wall = ? WHERE event = ? AND copy = ?",
                (arrived, time.time() + wait_seconds, delivery.event, delivery.copy_number),
            )


def undelivered(sim: Simulation) -> int:
    """How many webhooks are due and not delivered."""
    return sim.store.value("SELECT count(*) FROM deliveries WHERE NOT delivered AND due_at <= ?", (stamp(sim.now),))
