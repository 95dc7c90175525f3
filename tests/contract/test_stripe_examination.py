"""What the examination of a connection to Stripe rests on, in both versions: permissions that are enough and no more than that.

Each single fault is seeded in tests/integration/test_connections_check_stripe.py, where the command is run."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from recoup.errors import BillingUnavailable, Misconfigured
from recoup.events import ObjectRef
from recoup.ports import Effect
from tests.contract.stripe_bench import billing, charge_of, effect_on
from tests.integration.test_connections_check_stripe import RESOURCES, granted
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.stripe_bank import Card
from tests.vendors.stripe_stage import Stage, stage
from tests.vendors.stripe_state import Invoice, Version
from tools.billing.stripe import StripeBilling
from tools.billing.stripe_permissions import ACTING, READING

READS = [one.name for one in READING]
ACTIONS = [(action, one.name) for one in ACTING for action in one.needed_for]


@pytest.fixture(params=list(Version))
def here(request: pytest.FixtureRequest) -> Generator[Stage]:
    with stage(request.param, start=datetime.now(UTC)) as served:
        yield served


@asynccontextmanager
async def allowed(here: Stage, *names: str, **changes: Any) -> AsyncGenerator[StripeBilling]:
    """The adapter with a key that may do this and nothing else."""
    async with billing(here, api_key=here.double.add_key(granted(*names)), **changes) as platform:
        yield platform


def effect(action: str, invoice: Invoice, card: Card) -> Effect:
    """The action on what is owed."""
    if action in {"retry_payment", "use_backup_method"}:
        return charge_of(invoice, card, f"act_{action}", action)
    args: dict[str, Any] = {"amount_minor": invoice.amount, "currency": "EUR", "at": "now", "attempt_vendor_key": "ch_none"}
    return effect_on(invoice, action, f"act_{action}", **args)


async def test_to_watch_the_permissions_to_read_are_enough(here: Stage) -> None:
    invoice, card = here.double.owed_invoice("insufficient_funds")
    async with allowed(here, *READS) as platform:
        assert (await platform.read_invoice(invoice.id)).attempts
        for kind, vendor_id in (("customer", invoice.customer), ("subscription", invoice.subscription), ("payment_method", card.id)):
            assert await platform.fetch(ObjectRef(kind=kind, vendor_id=vendor_id or ""))
        assert (await platform.changed_since(None)).cursor
        assert (await platform.history(here.double.clock.now().replace(year=2020), None)).readings
    assert {one.request.method for one in here.double.exchanges()} == {"GET"}


@pytest.mark.parametrize(("action", "permission"), ACTIONS)
async def test_each_action_needs_its_one_permission_beside_reading_and_no_other(here: Stage, action: str, permission: str) -> None:
    invoice, card = here.double.owed_invoice("insufficient_funds")
    async with allowed(here, *READS) as watching:
        with pytest.raises(Misconfigured, match=f"rak_{RESOURCES[permission.split(': ')[0]]}_write"):
            await watching.perform(effect(action, invoice, card))
    assert [attempt.initiator for attempt in here.double.ledger()] == ["platform"]
    async with allowed(here, *READS, permission) as acting:
        assert (await acting.perform(effect(action, invoice, card))).state == ("refused" if action == "refund_duplicate" else "done")


async def test_a_platform_that_is_away_is_no_fault_of_the_set_up(here: Stage) -> None:
    here.double.misbehaviours.add(Trouble.UNAVAILABLE, times=None)
    async with allowed(here, *READS) as platform:
        with pytest.raises(BillingUnavailable):
            await platform.examine()
