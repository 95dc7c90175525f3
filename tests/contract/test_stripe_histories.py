"""Random histories of charges through the adapter: whatever is lost, repeated or crossed, no action ever makes two attempts.

Each charge is sent as the executor sends: read first, send once, look up whatever was lost, and send again only what surely did not
happen while its key is valid. At the end the double's ledger is the judge.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import pytest

from recoup.errors import BillingUnavailable, OutcomeUnknown
from recoup.invoice import AttemptStatus, InvoiceStatus
from recoup.ports import Absent, Effect, EffectResult, Found
from tests.contract.stripe_bench import billing, charge_of
from tests.vendors.chassis_trouble import Misbehaviours, Trouble
from tests.vendors.stripe_bank import Card
from tests.vendors.stripe_stage import Stage, stage
from tests.vendors.stripe_state import Invoice, Version
from tools.billing.stripe import StripeBilling

HISTORIES, CHARGES, TURNS = 12, 5, 12
BANKS = ("ok", "insufficient_funds", "do_not_honor", "generic_decline", "processing_error")
TROUBLES = (
    *(Trouble.RESET_AFTER, Trouble.RESET_BEFORE, Trouble.STORED_SERVER_ERROR, Trouble.LOST_SERVER_ERROR),
    *(Trouble.SERVER_ERROR, Trouble.RATE_LIMITED, Trouble.UNAVAILABLE, Trouble.WRONG_CONTENT_TYPE),
)
IN_FLIGHT = frozenset({AttemptStatus.PROCESSING, AttemptStatus.PENDING, AttemptStatus.REQUIRES_ACTION})
State = Literal["ready", "lost", "done", "not done", "for a person"]


@dataclass
class Errand:
    """One action on its way out."""

    invoice: Invoice
    card: Card
    key: str
    state: State = "ready"
    effect: Effect | None = None
    first_sent_at: datetime | None = None
    result: EffectResult | None = None


class History:
    """One merchant, some charges, and everything that may go wrong, by one seed."""

    def __init__(self, here: Stage, platform: StripeBilling, seed: int) -> None:
        self.here, self.platform, self.chance = here, platform, random.Random(seed)
        self.errands = [self._errand(number) for number in range(CHARGES)]

    async def live(self) -> None:
        for _ in range(TURNS):
            for errand in self.errands:
                self._disturb(errand)
                await self._work(errand)
            self.here.double.advance(timedelta(minutes=self.chance.choice([1, 10, 600, 3000])))
        self.here.double.misbehaviours = Misbehaviours()
        for errand in self.errands:
            await self._work(errand)

    def _errand(self, number: int) -> Errand:
        token = self.chance.choice(["pm_card_visa", "pm_card_visa", "pm_card_mastercard"])
        answers = ["insufficient_funds", *self.chance.choices(BANKS, k=6)]
        return Errand(*self.here.double.owed_invoice(*answers, token=token), key=f"act_{number}")

    def _disturb(self, errand: Errand) -> None:
        double, chance = self.here.double, self.chance
        if chance.random() < 0.5:
            double.misbehaviours.add(chance.choice(TROUBLES), "POST", f"/v1/invoices/{errand.invoice.id}")
        if chance.random() < 0.2:
            double.misbehaviours.add(chance.choice([Trouble.UNAVAILABLE, Trouble.RESET_BEFORE]), "GET", "/v1/")
        if chance.random() < 0.3:
            crossing = chance.choice(
                [
                    lambda: double.advance(timedelta(days=3)),
                    lambda: double.customer_pays(errand.invoice, errand.card),
                    lambda: double.customer_pays(errand.invoice, errand.card, separately=True),
                ]
            )
            double.before_next("POST", f"/v1/invoices/{errand.invoice.id}", crossing)

    async def _work(self, errand: Errand) -> None:
        try:
            if errand.state == "lost" and not await self._surely_did_not_happen(errand):
                return
            if errand.state in {"ready", "lost"}:
                await self._send(errand)
        except OutcomeUnknown:
            errand.state = "lost"
        except BillingUnavailable:
            return

    async def _surely_did_not_happen(self, errand: Errand) -> bool:
        assert errand.effect
        assert errand.first_sent_at
        lookup = await self.platform.find_effect(errand.effect)
        valid = timedelta(seconds=self.platform.key_valid_seconds)
        if isinstance(lookup, Absent) and self.here.double.clock.now() - errand.first_sent_at < valid:
            return True
        errand.state = "done" if isinstance(lookup, Found) else "for a person"
        errand.result = lookup.result if isinstance(lookup, Found) else None
        return False

    async def _send(self, errand: Errand) -> None:
        reading = await self.platform.read_invoice(errand.invoice.id)
        assert reading.invoice
        if reading.invoice.status is not InvoiceStatus.OPEN or any(attempt.status in IN_FLIGHT for attempt in reading.attempts):
            # What was sent before surely did not happen, and is not sent again.
            errand.state = "not done"
            return
        if errand.effect is None:
            errand.effect = charge_of(errand.invoice, errand.card, errand.key, known=tuple(it.vendor_key for it in reading.attempts))
        errand.first_sent_at = errand.first_sent_at or self.here.double.clock.now()
        errand.result = await self.platform.perform(errand.effect)
        errand.state = "done" if errand.result.state == "done" else "not done"


@pytest.mark.parametrize("version", list(Version))
@pytest.mark.parametrize("seed", range(HISTORIES))
async def test_no_action_makes_two_attempts_and_what_is_said_of_it_is_true(version: Version, seed: int) -> None:
    with stage(version, seed=seed) as here:
        async with billing(here) as platform:
            history = History(here, platform, seed)
            await history.live()
        for errand in history.errands:
            made = [attempt for attempt in here.double.ledger() if attempt.idempotency_key == errand.key]
            assert len(made) <= 1, errand
            match errand.state:
                case "done":
                    assert errand.result
                    assert [attempt.id for attempt in made] == [errand.result.vendor_ref], errand
                case "not done" | "ready":
                    assert made == [], errand
                case "for a person" | "lost":
                    assert errand.result is None, errand


async def test_the_histories_meet_every_end() -> None:
    met: set[State] = set()
    for seed in range(HISTORIES):
        with stage(seed=seed) as here:
            async with billing(here) as platform:
                history = History(here, platform, seed)
                await history.live()
        met |= {errand.state for errand in history.errands}
    assert {"done", "not done", "for a person"} <= met
