"""Which adapter a connection gets: one that reads and acts where there is a key, one that only listens where there is none."""

import pytest

from graph.bootstrap import open_billing
from recoup.settings import Platform
from tests.factories import make_connection

VENDORS = [Platform.STRIPE, Platform.RECURLY]


@pytest.mark.parametrize("platform", VENDORS)
async def test_a_connection_with_a_key_is_read_and_acted_on(platform: Platform) -> None:
    async with open_billing(make_connection(platform=platform, api_base=None)) as billing:
        assert {"read", "retry_payment"} <= billing.capabilities
        assert billing.key_valid_seconds > 0


@pytest.mark.parametrize("platform", VENDORS)
async def test_a_connection_without_a_key_only_listens(platform: Platform) -> None:
    async with open_billing(make_connection(platform=platform, api_base=None, api_key=None)) as billing:
        assert billing.capabilities == frozenset()
