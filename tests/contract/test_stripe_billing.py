"""Stripe's adapter under the contract of the billing port, over real HTTP, every exchange held against Stripe's specification."""

from collections.abc import AsyncGenerator
from itertools import count

import pytest

from api.demo.processes import free_port
from recoup.ports import Effect
from tests.contract.billing_platform import Bench, BillingPlatformContract
from tests.contract.stripe_bench import LosesAnswers, billing, charge_of, guarded_billing
from tests.vendors.stripe_stage import stage
from tests.vendors.stripe_state import Version


class TestStripeBilling(BillingPlatformContract):
    @pytest.fixture(params=list(Version))
    async def bench(self, request: pytest.FixtureRequest) -> AsyncGenerator[Bench]:
        with stage(request.param) as here:
            double, numbers = here.double, count()
            owed, _ = double.owed_invoice("insufficient_funds")

            def new_charge() -> Effect:
                number = next(numbers)
                # Now and then the second attempt is declined as well: an attempt all the same.
                answers = ("insufficient_funds", "do_not_honor") if number % 3 == 1 else ("insufficient_funds",)
                return charge_of(*double.owed_invoice(*answers), f"act_{number}")

            async def times_done(key: str) -> int:
                return sum(attempt.idempotency_key == key for attempt in double.ledger())

            async with (
                guarded_billing(here) as platform,
                guarded_billing(here, api_base=f"http://127.0.0.1:{free_port()}") as deaf,
                billing(here, transport=LosesAnswers()) as lossy,
            ):
                yield Bench(platform, deaf, lossy, owed.id, new_charge, times_done)
