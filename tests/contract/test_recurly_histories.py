"""Random histories of charges at Recurly: whatever the network, the platform and the customer do, no action charges twice, and what is
found is the exact transaction."""

import random
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import pytest

from recoup.errors import BillingUnavailable, OutcomeUnknown
from recoup.ports import Absent, BillingPlatform, Effect, EffectResult, Found
from tests.contract.recurly_bench import RecurlyBench, recurly_bench
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.recurly_records import Invoice

SEEDS = range(8)
INVOICES = 12
MOST_STEPS = 6
ANSWERS = ("insufficient_funds", "try_again", "ok", "processing", "expired_card", "gateway_timeout")
TROUBLES = (
    Trouble.RATE_LIMITED,
    Trouble.SERVER_ERROR,
    Trouble.STORED_SERVER_ERROR,
    Trouble.LOST_SERVER_ERROR,
    Trouble.RESET_BEFORE,
    Trouble.RESET_AFTER,
    Trouble.WRONG_CONTENT_TYPE,
    Trouble.UNAVAILABLE,
)
PAUSES = (timedelta(0), timedelta(minutes=1), timedelta(minutes=40), timedelta(hours=3), timedelta(days=2))


@dataclass
class History:
    """One invoice, and the rule by which an action is sent, looked up, and sent again while its key protects it."""

    recurly: RecurlyBench
    platform: BillingPlatform
    chance: random.Random

    async def charge(self, invoice: Invoice, key: str) -> EffectResult | Literal["person"]:
        """What became of one action; "person" where nobody could tell."""
        effect = self.recurly.charge(invoice, key)
        first_sent = self.recurly.double.clock.now()
        result = await self._send(effect, invoice)
        for _ in range(MOST_STEPS):
            if result is not None:
                return result
            self.recurly.double.advance(self.chance.choice(PAUSES))
            lookup = await self.platform.find_effect(effect)
            if isinstance(lookup, Found):
                return lookup.result
            age = self.recurly.double.clock.now() - first_sent
            if not isinstance(lookup, Absent) or age.total_seconds() >= self.platform.key_valid_seconds:
                return "person"
            result = await self._send(effect, invoice)
        return "person"

    async def _send(self, effect: Effect, invoice: Invoice) -> EffectResult | None:
        double = self.recurly.double
        order = double.misbehaviours.add(self.chance.choice(TROUBLES), "PUT", "/invoices/") if self.chance.random() < 0.7 else None
        if self.chance.random() < 0.3:
            double.before_next("PUT", "/invoices/", lambda: self._meanwhile(invoice))
        try:
            return await self.platform.perform(effect)
        except (OutcomeUnknown, BillingUnavailable):
            return None
        finally:
            if order is not None and order.times:
                double.misbehaviours.lift(order)

    def _meanwhile(self, invoice: Invoice) -> None:
        if self.chance.random() < 0.5 and invoice.state == "past_due":
            self.recurly.double.customer_pays(invoice)
        else:
            self.recurly.double.advance(timedelta(days=self.chance.choice((1, 2, 4))))


@pytest.mark.parametrize("seed", SEEDS)
async def test_no_action_charges_twice_and_what_is_found_is_the_exact_transaction(seed: int) -> None:
    chance, ends = random.Random(seed), dict[str, EffectResult | Literal["person"]]()
    with recurly_bench() as recurly:
        platform = recurly.billing()
        history = History(recurly, platform, chance)
        for number in range(INVOICES):
            invoice = recurly.owing(*chance.choices(ANSWERS, k=6))
            for turn in range(3):
                key = f"act_{number}_{turn}"
                ends[key] = await history.charge(invoice, key)
                recurly.double.advance(chance.choice(PAUSES))
        await platform.aclose()
        made = recurly.double.ledger()
    charged = Counter(attempt.idempotency_key for attempt in made if attempt.idempotency_key)
    assert all(times == 1 for times in charged.values()), charged
    by_id = {attempt.id: attempt for attempt in made}
    for key, end in ends.items():
        if isinstance(end, EffectResult) and end.vendor_ref is not None:
            assert by_id[end.vendor_ref].idempotency_key == key
        elif isinstance(end, EffectResult):
            assert key not in charged, f"{key} was said to be {end.detail}"
