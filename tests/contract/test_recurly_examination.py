"""That the check of a connection to Recurly asks for all that is read there: each single fault is seeded in
tests/integration/test_connections_check_recurly.py, where the command is run."""

from datetime import timedelta

from recoup.events import ObjectRef
from tests.contract.recurly_bench import recurly_bench
from tools.billing.recurly_examine import READS


async def test_everything_that_is_read_is_checked() -> None:
    with recurly_bench() as recurly:
        invoice = recurly.owing()
        platform = recurly.billing()
        reading = await platform.read_invoice(invoice.id)
        kinds = {"account": invoice.account_id, "payment": reading.attempts[0].vendor_key, "subscription": invoice.subscription_ids[0]}
        for kind, vendor_id in kinds.items():
            await platform.fetch(ObjectRef(kind=kind, vendor_id=vendor_id))
        await platform.history(recurly.double.clock.now() - timedelta(days=90), None)
        page = await platform.changed_since(None)
        while page.has_more:
            page = await platform.changed_since(page.cursor)
        read = {one.request.path.split("/")[1] for one in recurly.double.exchanges()}
        await platform.aclose()
    assert read == {*READS, "sites"}
