"""What each action does at Stripe, seen in the double's own books."""

from datetime import timedelta

import pytest

from recoup.actions import ActionName
from recoup.debt import overpaid_minor
from recoup.errors import Defect, Misconfigured, Refused
from recoup.invoice import InvoiceStatus
from recoup.ports import Absent, EffectResult
from tests.contract.stripe_bench import billing, charge_of, effect_on
from tests.contract.tellings import what_was_done
from tests.vendors.stripe_bank import Card
from tests.vendors.stripe_stage import Stage
from tests.vendors.stripe_state import Charge, Invoice, Subscription, Version
from tools.billing.stripe import StripeBilling

A_MONTH = timedelta(days=30)


@pytest.fixture
def owed(here: Stage) -> Invoice:
    return here.double.owed_invoice("insufficient_funds")[0]


def subscription_of(here: Stage, invoice: Invoice) -> Subscription:
    assert invoice.subscription
    return here.double.world.get(Subscription, invoice.subscription)


def second_card(here: Stage, invoice: Invoice) -> Card:
    customer = next(it for it in here.double.world.all(type(here.double.add_customer())) if it.id == invoice.customer)
    return here.double.add_card(customer, "pm_card_mastercard", default=False)


async def test_a_backup_method_is_charged_and_stays_a_backup(here: Stage, platform: StripeBilling, owed: Invoice) -> None:
    card = second_card(here, owed)
    result = await platform.perform(charge_of(owed, card, "act_1", "use_backup_method"))
    assert result.detail == "succeeded"
    assert here.double.ledger()[-1].fingerprint == card.fingerprint
    reading = await platform.read_invoice(owed.id)
    assert {credential.vendor_id: credential.slot for credential in reading.credentials}[card.id] == "backup"


async def test_the_cardholder_is_not_there_so_a_wish_for_authentication_is_a_decline(here: Stage, platform: StripeBilling) -> None:
    owed = here.double.owed_invoice("insufficient_funds", token="pm_card_authenticationRequired")
    result = await platform.perform(charge_of(*owed, "act_1"))
    assert (result.state, result.detail) == ("done", "declined: authentication_required")
    assert result.vendor_ref == here.double.ledger()[-1].id


async def test_what_is_taken_over_is_not_tried_by_the_platform_any_more(here: Stage, platform: StripeBilling, owed: Invoice) -> None:
    assert (await platform.perform(effect_on(owed, "take_over_collection"))).state == "done"
    here.double.advance(A_MONTH)
    assert here.outcomes(owed) == [("platform", "failed")]


async def test_what_is_handed_back_is_tried_once_at_the_platforms_own_time(here: Stage, platform: StripeBilling, owed: Invoice) -> None:
    await platform.perform(effect_on(owed, "take_over_collection", "act_1"))
    here.double.advance(timedelta(days=20))
    await platform.perform(effect_on(owed, "hand_back_collection", "act_2"))
    reading = await platform.read_invoice(owed.id)
    assert reading.invoice
    assert reading.invoice.next_platform_attempt_at is not None
    assert reading.invoice.next_platform_attempt_at > reading.occurred_at
    here.double.advance(A_MONTH)
    assert here.outcomes(owed) == [("platform", "failed"), ("platform", "succeeded")]


async def test_suspended_service_is_not_collected_until_it_is_reinstated(here: Stage, platform: StripeBilling, owed: Invoice) -> None:
    subscription = subscription_of(here, owed)
    await platform.perform(effect_on(owed, "suspend_service", "act_1"))
    assert here.double.bill(subscription).status == "draft"
    await platform.perform(effect_on(owed, "reinstate_service", "act_2"))
    assert here.double.bill(subscription).status == "paid"


async def test_a_pause_that_somebody_else_made_stays_theirs(here: Stage, platform: StripeBilling, owed: Invoice) -> None:
    here.post(f"subscriptions/{owed.subscription}", **{"pause_collection[behavior]": "void"})
    for name in ("suspend_service", "reinstate_service"):
        result = await platform.perform(effect_on(owed, name, f"act_{name}"))
        assert (result.state, "somebody else" in result.detail) == ("refused", True)
    assert await platform.find_effect(effect_on(owed, "suspend_service", "act_suspend_service")) == Absent()
    assert here.get(f"subscriptions/{owed.subscription}")["pause_collection"]["behavior"] == "void"


@pytest.mark.parametrize(("at", "status"), [("now", "canceled"), ("period_end", "past_due")])
async def test_a_subscription_ends_when_it_was_said_and_once(
    here: Stage, platform: StripeBilling, owed: Invoice, at: str, status: str
) -> None:
    effect = effect_on(owed, "cancel_subscription", at=at)
    assert (await platform.perform(effect)).state == "done"
    again = what_was_done(await platform.perform(effect))
    assert again == EffectResult(state="done", detail="stands", vendor_ref=owed.subscription)
    assert subscription_of(here, owed).status == status
    here.double.advance(A_MONTH)
    assert subscription_of(here, owed).status == "canceled"


async def test_all_that_remains_is_written_off(here: Stage, platform: StripeBilling, owed: Invoice) -> None:
    effect = effect_on(owed, "write_off", amount_minor=owed.amount, currency="EUR")
    assert (await platform.perform(effect)).state == "done"
    assert what_was_done(await platform.perform(effect)) == what_was_done(await platform.perform(effect))
    reading = await platform.read_invoice(owed.id)
    assert reading.invoice
    assert reading.invoice.status is InvoiceStatus.UNCOLLECTIBLE


async def test_a_part_cannot_be_written_off(here: Stage, platform: StripeBilling, owed: Invoice) -> None:
    result = await platform.perform(effect_on(owed, "write_off", amount_minor=100, currency="EUR"))
    assert (result.state, result.detail) == ("refused", "Stripe can only give up all that remains, which is 4900 and not 100")
    assert owed.status == "open"


@pytest.mark.parametrize("here", [Version.NEW], indirect=True)  # before, an invoice had one payment
async def test_a_payment_that_crossed_on_the_wire_is_seen_as_too_much_and_given_back(here: Stage, platform: StripeBilling) -> None:
    invoice, card = here.double.owed_invoice("insufficient_funds", "ok", "ok")
    await platform.perform(charge_of(invoice, card, "act_1"))
    here.double.customer_pays(invoice, card, separately=True)
    reading = await platform.read_invoice(invoice.id)
    assert reading.invoice
    assert overpaid_minor(reading.invoice) == invoice.amount
    assert [attempt.status for attempt in reading.attempts] == ["failed", "succeeded", "succeeded"]
    second = here.double.ledger()[-1].id
    refund = effect_on(invoice, "refund_duplicate", "act_2", attempt_vendor_key=second, amount_minor=4900, currency="EUR")
    result = await platform.perform(refund)
    assert (result.state, result.detail) == ("done", "succeeded")
    assert await platform.perform(refund) == result
    again = await platform.perform(refund.model_copy(update={"key": "act_3"}))
    assert again.state == "refused"
    assert [it.amount_refunded for it in here.double.world.all(Charge)] == [0, 0, 4900]
    after = await platform.read_invoice(invoice.id)
    assert after.invoice
    assert overpaid_minor(after.invoice) == 0


async def test_a_bill_that_the_customer_pays_at_that_moment_is_not_charged(here: Stage, platform: StripeBilling) -> None:
    invoice, card = here.double.owed_invoice("insufficient_funds", "ok", "ok")
    here.double.before_next("POST", "/v1/invoices", lambda: here.double.customer_pays(invoice, card))
    result = await platform.perform(charge_of(invoice, card, "act_1"))
    assert result.state == "refused"
    assert "already paid" in result.detail
    assert here.outcomes(invoice) == [("platform", "failed"), ("customer", "succeeded")]


async def test_a_bill_whose_direct_debit_is_under_way_is_not_charged(here: Stage, platform: StripeBilling) -> None:
    invoice, card = here.double.owed_invoice("ok", token="pm_sepa_debit")
    assert (await platform.perform(charge_of(invoice, card, "act_1"))).state == "refused"
    assert here.outcomes(invoice) == [("platform", "pending")]


@pytest.mark.parametrize("name", ["suspend_service", "reinstate_service", "cancel_subscription"])
async def test_a_bill_without_a_subscription_has_no_service(platform: StripeBilling, owed: Invoice, name: str) -> None:
    effect = effect_on(owed, name).model_copy(update={"subscription_vendor_id": None})
    assert await platform.perform(effect) == EffectResult(state="refused", detail="the invoice belongs to no subscription")


async def test_what_is_not_there_is_refused(platform: StripeBilling, owed: Invoice) -> None:
    nowhere = {"invoice_vendor_id": "in_none", "subscription_vendor_id": "sub_none"}
    for name in sorted(platform.capabilities - {"read", "note", "tag"}):
        args = {"credential_vendor_id": "pm_none", "attempt_vendor_key": "ch_none", "amount_minor": 4900}
        result = await platform.perform(effect_on(owed, name, f"act_{name}").model_copy(update=nowhere | {"args": args}))
        assert result.state == "refused", name


async def test_what_stripe_has_no_equivalent_of_is_no_capability(platform: StripeBilling, owed: Invoice) -> None:
    missing = {ActionName.EXTEND_GRACE, ActionName.OFFER_PAYMENT_PLAN, ActionName.OFFER_DISCOUNT, ActionName.REFER_TO_AGENCY}
    assert not missing & platform.capabilities
    for name in missing:
        with pytest.raises(Refused, match="capability missing"):
            await platform.perform(effect_on(owed, name))


async def test_one_key_for_two_effects_is_our_own_mistake(here: Stage, platform: StripeBilling, owed: Invoice) -> None:
    await platform.perform(effect_on(owed, "take_over_collection", "act_1"))
    with pytest.raises(Defect):
        await platform.perform(effect_on(owed, "hand_back_collection", "act_1"))


async def test_a_key_that_may_not_write_is_named_with_what_it_lacks(here: Stage, owed: Invoice) -> None:
    async with billing(here, api_key=here.double.add_key({"invoice": "read"})) as platform:
        with pytest.raises(Misconfigured, match="rak_invoice_write"):
            await platform.perform(effect_on(owed, "take_over_collection"))
