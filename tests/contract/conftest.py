"""Stripe's double and the adapter on it, in both of its shapes; a module that tests another platform says so by fixtures of its own."""

from collections.abc import AsyncGenerator, Generator

import pytest

from tests.contract.stripe_bench import billing
from tests.vendors.stripe_stage import Stage, stage
from tests.vendors.stripe_state import Version
from tools.billing.stripe import StripeBilling


@pytest.fixture(params=list(Version))
def here(request: pytest.FixtureRequest) -> Generator[Stage]:
    """A served double; at its end everything on the wire is held against the specification."""
    with stage(request.param) as served:
        yield served


@pytest.fixture
async def platform(here: Stage) -> AsyncGenerator[StripeBilling]:
    """The adapter, with a key that may do everything."""
    async with billing(here) as adapter:
        yield adapter
