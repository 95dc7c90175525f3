"""Delivers a double's webhooks as badly as vendors do: late, twice, out of order and again after a failure, but by the test's seed."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import httpx


@dataclass(frozen=True)
class Parcel:
    """One notification for one address. ``sign`` gives the headers for a body sent at an instant: each delivery is signed anew."""

    event_id: str
    event_type: str
    url: str
    body: bytes
    sign: Callable[[bytes, datetime], Mapping[str, str]]


@dataclass(frozen=True)
class Delivery:
    """What came of one delivery; ``status`` is None if nobody answered."""

    parcel: Parcel
    status: int | None

    @property
    def accepted(self) -> bool:
        """Whether the receiver answered 2xx, so that it is not delivered again by itself."""
        return self.status is not None and 200 <= self.status < 300


class Courier:
    """Keeps parcels until the test lets them go. ``signs_at``: the clock of signing, the wall's for who checks the age by the wall."""

    def __init__(self, now: Callable[[], datetime], seed: int = 0) -> None:
        self.signs_at = now
        self._random = random.Random(seed)
        self.waiting: list[Parcel] = []
        self.delivered: list[Delivery] = []

    def send(self, parcel: Parcel) -> None:
        """Accepts a parcel; it leaves at a later ``deliver``."""
        self.waiting.append(parcel)

    async def deliver(self, client: httpx.AsyncClient, *, late: float = 0.0, twice: float = 0.0, shuffled: bool = False) -> list[Delivery]:
        """Delivers what waits: each parcel stays behind with probability ``late`` and is delivered again with probability ``twice``.

        What is not accepted waits for the next call, as vendors redeliver. ``client`` may stand on a network or on an ASGI app."""
        going, self.waiting = self.waiting, []
        stays = [self._random.random() < late for _ in going]
        self.waiting = [parcel for parcel, stay in zip(going, stays, strict=True) if stay]
        round_ = [parcel for parcel, stay in zip(going, stays, strict=True) if not stay]
        round_ += [parcel for parcel in round_ if self._random.random() < twice]
        if shuffled:
            self._random.shuffle(round_)
        done = [await self._deliver_one(client, parcel) for parcel in round_]
        accepted = {id(delivery.parcel) for delivery in done if delivery.accepted}
        refused = {id(delivery.parcel): delivery.parcel for delivery in done if id(delivery.parcel) not in accepted}
        self.waiting += refused.values()
        self.delivered += done
        return done

    def drop(self) -> list[Parcel]:
        """Loses everything that waits, as a platform does when a receiver was away for longer than it retries."""
        lost, self.waiting = self.waiting, []
        return lost

    async def _deliver_one(self, client: httpx.AsyncClient, parcel: Parcel) -> Delivery:
        headers = {"content-type": "application/json; charset=utf-8", **parcel.sign(parcel.body, self.signs_at())}
        try:
            response = await client.post(parcel.url, content=parcel.body, headers=headers)
        except httpx.TransportError:
            return Delivery(parcel, None)
        return Delivery(parcel, response.status_code)
