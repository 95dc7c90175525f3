"""Notes at Stripe, Recurly and the sandbox under their contract, over real HTTP; every exchange is held against the specification where
that is at hand."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.demo.processes import free_port
from recoup.errors import BillingUnavailable, Misconfigured, NotFound, Refused
from recoup.mirror import Addressee
from recoup.ports import CheckResult
from tests.contract.billing_mirror import LosesPosts, MirrorBench, MirrorContract, note_on
from tests.contract.recurly_bench import RecurlyBench, recurly_bench
from tests.contract.stripe_bench import billing, guarded_billing
from tests.factories import make_connection
from tests.sandbox_server import API_KEY, advance, client_of, owed_invoices, running_sandbox, sandbox_options
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.recurly import READ_ONLY_KEY
from tests.vendors.stripe_stage import Stage, stage
from tests.vendors.stripe_state import Customer, Invoice, Version
from tools.billing.events_only import EventsOnly
from tools.billing.sandbox import SandboxBilling
from tools.billing.stripe_mirror import TAGS

MINUTE = timedelta(minutes=1)
OF_OTHERS = {"order": "A-17", "crm": "sf_001"}


@pytest.fixture(params=list(Version))
async def stripe(request: pytest.FixtureRequest) -> AsyncGenerator[Stage]:
    with stage(request.param) as here:
        yield here


@pytest.fixture
async def recurly() -> AsyncGenerator[RecurlyBench]:
    with recurly_bench() as bench:
        yield bench
        for platform in bench.opened:
            await platform.aclose()


def address_of(invoice: Invoice, *tags: str) -> Addressee:
    return Addressee(invoice_vendor_id=invoice.id, account_vendor_id=invoice.customer, tags=tags)


def ours(metadata: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in metadata.items() if name.startswith("recoup_")}


class TestStripe(MirrorContract):
    @pytest.fixture
    async def bench(self, stripe: Stage) -> AsyncGenerator[MirrorBench]:
        invoice, _ = stripe.double.owed_invoice("insufficient_funds")

        async def shown() -> list[str]:
            told = ours(invoice.metadata)
            return [" ".join(told.values())] if told else []

        async with (
            guarded_billing(stripe) as platform,
            guarded_billing(stripe, api_base=f"http://127.0.0.1:{free_port()}") as deaf,
            billing(stripe, transport=LosesPosts()) as lossy,
        ):
            yield MirrorBench(platform, deaf, lossy, address_of(invoice), shown, lambda: stripe.double.advance(MINUTE))


class TestRecurly(MirrorContract):
    @pytest.fixture
    async def bench(self, recurly: RecurlyBench) -> MirrorBench:
        invoice = recurly.owing()

        async def shown() -> list[str]:
            return [note.message for note in recurly.double.store.notes.values()]

        return MirrorBench(
            platform=recurly.billing(),
            deaf=recurly.billing(api_base=f"http://127.0.0.1:{free_port()}"),
            lossy=recurly.billing(LosesPosts()),
            to=Addressee(invoice_vendor_id=invoice.id, account_vendor_id=invoice.account_id),
            shown=shown,
            later=lambda: recurly.double.advance(MINUTE),
        )


class TestSandbox(MirrorContract):
    @pytest.fixture
    async def bench(self, tmp_path: Path) -> AsyncGenerator[MirrorBench]:
        with running_sandbox(sandbox_options(tmp_path)) as address, client_of(address) as control:
            advance(control, 6)
            invoice = owed_invoices(control)[0]["invoice"]
            to = Addressee(invoice_vendor_id=invoice["id"], account_vendor_id=invoice["customer"])

            async def shown() -> list[str]:
                return control.get(f"/v1/invoices/{to.invoice_vendor_id}/notes").json()["notes"]

            here = make_connection(api_base=address, api_key=API_KEY)
            nowhere = make_connection(api_base=f"http://127.0.0.1:{free_port()}", api_key=API_KEY)
            async with (
                SandboxBilling(here) as platform,
                SandboxBilling(nowhere) as deaf,
                SandboxBilling(here, transport=LosesPosts()) as lossy,
            ):
                yield MirrorBench(platform, deaf, lossy, to, shown, lambda: None)


# Stripe


async def test_keys_of_others_are_left_alone_and_what_is_over_is_taken_away(stripe: Stage) -> None:
    invoice, _ = stripe.double.owed_invoice("insufficient_funds")
    invoice.metadata |= OF_OTHERS
    async with billing(stripe) as platform:
        await platform.mirror(note_on(address_of(invoice)))
        assert invoice.metadata == OF_OTHERS | {
            "recoup_case": "case_1",
            "recoup_decision": "dec_1",
            "recoup_status": "open",
            "recoup_next": "retry_payment 49.00 EUR (funds)",
            "recoup_last": "nothing yet",
        }
        await platform.mirror(note_on(address_of(invoice), what="", number=2))
    assert "recoup_next" not in invoice.metadata
    assert invoice.metadata.items() >= OF_OTHERS.items()


async def test_tags_stand_on_the_customer_who_is_told_of_once(stripe: Stage) -> None:
    invoice, _ = stripe.double.owed_invoice("insufficient_funds")
    customer = stripe.double.world.get(Customer, invoice.customer)
    customer.metadata |= OF_OTHERS
    async with billing(stripe) as platform:
        for number in range(3):
            await platform.mirror(note_on(address_of(invoice, "vip", "had-dispute"), number=number))
    assert customer.metadata == OF_OTHERS | {TAGS: "had-dispute,vip"}
    assert len(stripe.double.exchanges("POST", f"/v1/customers/{customer.id}")) == 1


async def test_a_key_that_may_not_write_invoices_is_named(stripe: Stage) -> None:
    invoice, _ = stripe.double.owed_invoice("insufficient_funds")
    async with billing(stripe, api_key=stripe.double.add_key({"invoice": "read"})) as platform:
        with pytest.raises(Misconfigured, match="rak_invoice_write"):
            await platform.mirror(note_on(address_of(invoice)))
    assert ours(invoice.metadata) == {}


@pytest.mark.parametrize(
    ("mirrored", "missing"),
    [
        ({}, []),
        ({"mirror": True}, []),
        ({"mirror": True, "mirror_tags": ("vip",)}, ["permission Customers: Write"]),
    ],
    ids=["off", "on", "with tags"],
)
async def test_the_permission_for_tags_is_asked_for_only_where_there_are_any(
    stripe: Stage, mirrored: dict[str, Any], missing: list[str]
) -> None:
    async with billing(stripe, api_key=stripe.double.add_key({"customer": "read", "invoice": "write"}), **mirrored) as platform:
        results = {result.name: result for result in await platform.examine()}
    assert [name for name in ("permission Customers: Write", "permission Invoices: Write") if not is_fine(results, name)] == missing
    assert all("mirror_tags" in (results[name].fix or "") for name in missing)


# Recurly


async def test_a_note_at_recurly_is_found_behind_a_hundred_of_others(recurly: RecurlyBench) -> None:
    invoice, platform = recurly.owing(), recurly.billing()
    to = Addressee(invoice_vendor_id=invoice.id, account_vendor_id=invoice.account_id)
    await platform.mirror(note_on(to))
    for number in range(100):
        recurly.double.advance(timedelta(seconds=1))
        await platform.mirror(note_on(to, number=number).model_copy(update={"case_id": f"case_{number + 2}"}))
    recurly.double.advance(timedelta(hours=2))
    await platform.mirror(note_on(to, number=2))
    assert sum(note.message.startswith("Recoup case_1:") for note in recurly.double.store.notes.values()) == 1


async def test_a_key_that_may_only_read_is_told_so_where_notes_are_on(recurly: RecurlyBench) -> None:
    invoice = recurly.owing()
    to = Addressee(invoice_vendor_id=invoice.id, account_vendor_id=invoice.account_id)
    with pytest.raises(Misconfigured):
        await recurly.billing(api_key=READ_ONLY_KEY).mirror(note_on(to))
    cases: list[tuple[dict[str, Any], bool | None]] = [
        ({}, None),
        ({"mirror": True}, True),
        ({"mirror": True, "api_key": READ_ONLY_KEY}, False),
    ]
    for changes, told in cases:
        results = {one.name: one for one in await recurly.billing(**changes).examine()}
        assert (results["notes"].ok if "notes" in results else None) == told
    assert recurly.double.store.notes == {}


async def test_a_platform_that_fails_at_notes_alone_is_told_so(recurly: RecurlyBench) -> None:
    invoice, platform = recurly.owing(), recurly.billing()
    recurly.double.misbehaviours.add(Trouble.UNAVAILABLE, "GET", "/accounts")
    with pytest.raises(BillingUnavailable):
        await platform.mirror(note_on(Addressee(invoice_vendor_id=invoice.id, account_vendor_id=invoice.account_id)))


async def test_a_platform_known_by_events_alone_takes_none() -> None:
    with pytest.raises(Refused, match="capability missing"):
        await EventsOnly("stripe-eu").mirror(note_on(Addressee(invoice_vendor_id="in_1", account_vendor_id="cus_1")))


async def test_an_account_that_is_gone_takes_none(recurly: RecurlyBench) -> None:
    with pytest.raises(NotFound):
        await recurly.billing().mirror(note_on(Addressee(invoice_vendor_id="in1", account_vendor_id="gone1")))


def is_fine(results: dict[str, CheckResult], name: str) -> bool:
    """Whether a check holds, or was not made because nothing needs it."""
    return name not in results or results[name].ok
