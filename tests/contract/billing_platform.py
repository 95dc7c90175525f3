"""What every adapter of the billing port must do. Subclass it, give it a ``bench``, and run it: see test_sandbox_billing.py."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from recoup.actions import ActionName
from recoup.errors import BillingUnavailable, NotFetchable, NotFound, OutcomeUnknown
from recoup.events import ObjectRef
from recoup.invoice import AttemptStatus, InvoiceStatus
from recoup.ports import Absent, BillingPlatform, Effect, Found
from tests.contract.tellings import looked_up, what_was_done


@dataclass(frozen=True)
class Bench:
    """What an adapter's author supplies. All platforms are the adapter under test, with the same account on the other side.

    ``owed_invoice``: the vendor id of an open invoice with a failed attempt. ``new_charge``: an effect that charges it, with a key never
    used before. ``deaf``: an adapter pointed where nobody listens. ``lossy``: one whose requests arrive and whose answers are lost.
    ``times_done``: how often the platform's own books show an effect under a key.
    """

    platform: BillingPlatform
    deaf: BillingPlatform
    lossy: BillingPlatform
    owed_invoice: str
    new_charge: Callable[[], Effect]
    times_done: Callable[[str], Awaitable[int]]


class BillingPlatformContract:
    """The suite. A subclass supplies the fixture ``bench``."""

    async def test_it_claims_only_capabilities_that_exist(self, bench: Bench) -> None:
        assert bench.platform.capabilities <= {"read", "note", "tag", *(str(name) for name in ActionName)}

    async def test_a_reading_is_complete(self, bench: Bench) -> None:
        reading = await bench.platform.read_invoice(bench.owed_invoice)
        invoice, account = reading.invoice, reading.account
        assert invoice is not None
        assert account is not None
        assert (invoice.vendor_id, invoice.status) == (bench.owed_invoice, InvoiceStatus.OPEN)
        assert invoice.account_vendor_id == account.vendor_id
        assert invoice.currency
        assert invoice.total_minor == (invoice.remaining_minor or 0) + (invoice.paid_minor or 0) + (invoice.credited_minor or 0)
        assert any(attempt.status is AttemptStatus.FAILED and attempt.codes for attempt in reading.attempts)
        methods = {credential.vendor_id for credential in reading.credentials}
        assert {attempt.credential_vendor_id for attempt in reading.attempts} <= methods | {None}
        assert reading.occurred_at.tzinfo is not None

    async def test_reading_changes_nothing(self, bench: Bench) -> None:
        first = await bench.platform.read_invoice(bench.owed_invoice)
        second = await bench.platform.read_invoice(bench.owed_invoice)
        assert (first.invoice, first.attempts, first.credentials) == (second.invoice, second.attempts, second.credentials)

    async def test_an_unknown_invoice_is_not_found(self, bench: Bench) -> None:
        with pytest.raises(NotFound):
            await bench.platform.read_invoice("no_such_invoice")

    async def test_a_thin_event_can_be_completed(self, bench: Bench) -> None:
        reading = await bench.platform.fetch(ObjectRef(kind="invoice", vendor_id=bench.owed_invoice))
        assert reading.invoice is not None
        assert reading.invoice.vendor_id == bench.owed_invoice

    async def test_an_object_of_an_unknown_kind_cannot_be_fetched(self, bench: Bench) -> None:
        with pytest.raises((NotFound, NotFetchable)):
            await bench.platform.fetch(ObjectRef(kind="unheard_of", vendor_id="x_1"))

    async def test_an_effect_that_was_never_sent_is_absent(self, bench: Bench) -> None:
        assert await bench.platform.find_effect(bench.new_charge()) == Absent()

    async def test_a_charge_is_made_and_found_and_read(self, bench: Bench) -> None:
        effect = bench.new_charge()
        result = await bench.platform.perform(effect)
        assert result.state == "done"
        assert await looked_up(bench.platform, effect) == Found(result=what_was_done(result))
        reading = await bench.platform.read_invoice(effect.invoice_vendor_id)
        assert [attempt.vendor_key for attempt in reading.attempts if attempt.action_id == effect.key] == [result.vendor_ref]

    async def test_the_same_key_has_one_effect_and_one_answer(self, bench: Bench) -> None:
        effect = bench.new_charge()
        first = await bench.platform.perform(effect)
        assert what_was_done(await bench.platform.perform(effect)) == what_was_done(first)
        assert await bench.times_done(effect.key) == 1

    async def test_an_answer_bears_the_platforms_name_for_the_exchange(self, bench: Bench) -> None:
        effect = bench.new_charge()
        first, other = await bench.platform.perform(effect), await bench.platform.perform(bench.new_charge())
        assert first.request_id
        assert other.request_id not in {None, first.request_id}

    async def test_a_lost_answer_leaves_the_outcome_unknown_and_the_effect_can_be_found(self, bench: Bench) -> None:
        effect = bench.new_charge()
        with pytest.raises(OutcomeUnknown):
            await bench.lossy.perform(effect)
        assert isinstance(await bench.platform.find_effect(effect), Found)
        assert await bench.times_done(effect.key) == 1

    async def test_a_platform_that_is_away_surely_did_nothing(self, bench: Bench) -> None:
        effect = bench.new_charge()
        with pytest.raises(BillingUnavailable):
            await bench.deaf.perform(effect)
        with pytest.raises(BillingUnavailable):
            await bench.deaf.read_invoice(effect.invoice_vendor_id)
        with pytest.raises(BillingUnavailable):
            await bench.deaf.find_effect(effect)
        assert await bench.times_done(effect.key) == 0

    async def test_a_second_charge_of_what_is_paid_is_refused(self, bench: Bench) -> None:
        paid: str | None = None
        for _ in range(20):
            effect = bench.new_charge()
            result = await bench.platform.perform(effect)
            if result.detail == "succeeded":
                paid = effect.invoice_vendor_id
                again = await bench.platform.perform(effect.model_copy(update={"key": f"{effect.key}_again"}))
                assert again.state == "refused"
                break
        assert paid is not None, "no charge on the bench ever succeeded"
