"""What is read of an invoice at Stripe, in both shapes of its API, and what thin events and lost ones are completed to."""

import json
from datetime import timedelta

import pytest

from recoup.errors import BillingUnavailable, Misconfigured, NotFetchable, NotFound
from recoup.events import CancellationKind, EventKind, ObjectRef
from recoup.invoice import AttemptStatus, CredentialSlot, Initiator, Rail
from tests.contract.stripe_bench import charge_of, effect_on
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.stripe_bank import Card
from tests.vendors.stripe_stage import Stage
from tests.vendors.stripe_state import Charge, Customer, Event, Invoice, Subscription, Version
from tools.billing.stripe import StripeBilling
from tools.billing.stripe_events import read_event

SUBSCRIPTION, CUSTOMER, BACKUP = CredentialSlot.SUBSCRIPTION, CredentialSlot.CUSTOMER, CredentialSlot.BACKUP


@pytest.fixture
def owed(here: Stage) -> tuple[Invoice, Card]:
    return here.double.owed_invoice("insufficient_funds", "do_not_honor")


def customer_of(here: Stage, invoice: Invoice) -> Customer:
    return here.double.world.get(Customer, invoice.customer)


def subscription_of(here: Stage, invoice: Invoice) -> Subscription:
    assert invoice.subscription
    return here.double.world.get(Subscription, invoice.subscription)


async def test_a_declined_charge_is_told_with_all_codes_and_its_card(
    here: Stage, platform: StripeBilling, owed: tuple[Invoice, Card]
) -> None:
    invoice, card = owed
    reading = await platform.read_invoice(invoice.id)
    [attempt] = reading.attempts
    assert attempt.status is AttemptStatus.FAILED
    assert attempt.codes
    assert attempt.codes.decline_code == "insufficient_funds"
    if here.version is Version.NEW:
        assert (attempt.codes.network_decline_code, attempt.codes.advice_code) == ("51", "try_again_later")
    [method] = reading.credentials
    assert (method.vendor_id, method.fingerprint, method.rail, method.brand, method.funding, method.country, method.slot) == (
        card.id,
        card.fingerprint,
        Rail.CARD,
        "visa",
        "credit",
        "US",
        CUSTOMER,
    )
    assert reading.account
    assert (reading.account.vendor_id, reading.account.email) == (invoice.customer, "ada@customer.example")
    assert reading.subscription_vendor_id == invoice.subscription
    assert reading.livemode is False
    assert reading.occurred_at == here.double.clock.now()


async def test_an_attempt_of_ours_is_told_from_the_platforms_and_from_those_of_others(
    here: Stage, platform: StripeBilling, owed: tuple[Invoice, Card]
) -> None:
    await platform.perform(charge_of(*owed, "act_1"))
    here.pay(*owed, key="somebody-else")
    attempts = (await platform.read_invoice(owed[0].id)).attempts
    assert [(attempt.initiator, attempt.action_id) for attempt in attempts[:2]] == [(Initiator.PLATFORM, None), (Initiator.RECOUP, "act_1")]
    assert (attempts[1].customer_initiated, attempts[1].cit_confidence) == (False, 1.0)
    # Somebody asked for it, and the platform does not tell whether a page of the customer's did.
    assert (attempts[2].action_id, attempts[2].initiator, attempts[2].customer_initiated) == (None, Initiator.CUSTOMER, None)


async def test_a_payment_on_the_hosted_page_is_the_customers_in_what_is_read_and_in_what_is_told(
    here: Stage, platform: StripeBilling
) -> None:
    invoice, _ = here.double.owed_invoice("insufficient_funds", "insufficient_funds")
    card = here.double.add_card(customer_of(here, invoice), default=False)
    here.double.advance(timedelta(days=3))
    assert here.double.customer_pays(invoice, card)
    attempts = (await platform.read_invoice(invoice.id)).attempts
    assert [attempt.initiator for attempt in attempts] == [Initiator.PLATFORM, Initiator.PLATFORM, Initiator.CUSTOMER]
    bodies = [event.bodies[here.version] for event in here.double.world.all(Event)]
    readings = [read_event(json.dumps(body), "application/json") for body in bodies]
    told = {reading.event_type: reading.attempts[0].initiator for reading in readings if reading.attempts}
    assert (told["charge.failed"], told["charge.succeeded"]) == (Initiator.PLATFORM, Initiator.CUSTOMER)


async def test_an_event_tells_that_its_attempt_is_ours_and_does_not_mistake_a_refund_for_it(here: Stage, platform: StripeBilling) -> None:
    invoice, card = here.double.owed_invoice("insufficient_funds", "ok")
    charge = await platform.perform(charge_of(invoice, card, "act_1"))
    refund = effect_on(invoice, "refund_duplicate", "act_2", attempt_vendor_key=charge.vendor_ref, amount_minor=900, currency="EUR")
    assert (await platform.perform(refund)).state == "done"
    bodies = [event.bodies[here.version] for event in here.double.world.all(Event)]
    readings = [read_event(json.dumps(body), "application/json") for body in bodies]
    told = {reading.event_type: [attempt.action_id for attempt in reading.attempts] for reading in readings}
    assert (told["charge.failed"], told["charge.succeeded"], told["payment_intent.succeeded"]) == ([None], ["act_1"], ["act_1"])
    assert told["charge.refunded"] == [None]


async def test_who_made_a_charge_is_asked_once(here: Stage, platform: StripeBilling, owed: tuple[Invoice, Card]) -> None:
    first = await platform.read_invoice(owed[0].id)
    asked = len(here.double.exchanges("GET", "/v1/events"))
    assert asked > 0
    assert (await platform.read_invoice(owed[0].id)).attempts == first.attempts
    assert len(here.double.exchanges("GET", "/v1/events")) == asked


@pytest.mark.parametrize(
    ("own", "subscribed", "slots"),
    [
        (False, False, [CUSTOMER, BACKUP, BACKUP]),
        (False, True, [CUSTOMER, SUBSCRIPTION, BACKUP]),
        (True, True, [CUSTOMER, BACKUP, SUBSCRIPTION]),
        (True, False, [CUSTOMER, BACKUP, SUBSCRIPTION]),
    ],
    ids=["the customer's", "the subscription's", "the invoice's before both", "the invoice's"],
)
async def test_the_method_that_stripe_would_charge_comes_first(
    here: Stage, platform: StripeBilling, owed: tuple[Invoice, Card], own: bool, subscribed: bool, slots: list[CredentialSlot]
) -> None:
    invoice, default = owed
    others = [here.double.add_card(customer_of(here, invoice), default=False) for _ in range(2)]
    subscription_of(here, invoice).default_payment_method = others[0].id if subscribed else None
    invoice.default_payment_method = others[1].id if own else None
    told = {credential.vendor_id: credential.slot for credential in (await platform.read_invoice(invoice.id)).credentials}
    assert [told[card.id] for card in (default, *others)] == slots


async def test_a_method_that_was_charged_and_taken_away_cannot_be_used(here: Stage, platform: StripeBilling) -> None:
    invoice, card = here.double.owed_invoice("insufficient_funds")
    card.customer = None
    customer_of(here, invoice).default_payment_method = None
    [method] = (await platform.read_invoice(invoice.id)).credentials
    assert (method.vendor_id, method.fingerprint, method.is_usable) == (card.id, card.fingerprint, False)


async def test_a_direct_debit_is_processing_until_it_comes_back(here: Stage, platform: StripeBilling) -> None:
    invoice, card = here.double.owed_invoice("insufficient_funds", token="pm_sepa_debit")
    reading = await platform.read_invoice(invoice.id)
    assert [attempt.status for attempt in reading.attempts] == [AttemptStatus.PROCESSING]
    assert [(method.vendor_id, method.rail) for method in reading.credentials] == [(card.id, Rail.SEPA)]
    here.double.advance(timedelta(days=6))
    assert [attempt.status for attempt in (await platform.read_invoice(invoice.id)).attempts] == [AttemptStatus.FAILED]


async def test_a_payment_that_waits_for_the_cardholder_is_told_beside_the_charge_before_it(here: Stage, platform: StripeBilling) -> None:
    invoice, card = here.double.owed_invoice("insufficient_funds", "authentication_required")
    here.pay(invoice, card, off_session="false")
    attempts = (await platform.read_invoice(invoice.id)).attempts
    assert [attempt.status for attempt in attempts] == [AttemptStatus.FAILED, AttemptStatus.REQUIRES_ACTION]
    assert len({attempt.vendor_key for attempt in attempts}) == 2


async def test_many_attempts_are_read_over_many_pages(here: Stage, platform: StripeBilling) -> None:
    here.double.world.tells = False
    invoice, card = here.double.owed_invoice(*["insufficient_funds"] * 130)
    for _ in range(129):
        here.pay(invoice, card)
    here.double.advance(timedelta(days=31))
    assert len((await platform.read_invoice(invoice.id)).attempts) == len([a for a in here.double.ledger() if a.invoice == invoice.id])


@pytest.mark.parametrize("kind", ["charge", "payment_intent", "subscription"])
async def test_what_belongs_to_an_invoice_is_completed_to_it(
    here: Stage, platform: StripeBilling, owed: tuple[Invoice, Card], kind: str
) -> None:
    intent = here.double.world.intent_of(owed[0])
    names = {"charge": intent.latest_charge, "payment_intent": intent.id, "subscription": owed[0].subscription}
    reading = await platform.fetch(ObjectRef(kind=kind, vendor_id=names[kind] or ""))
    assert reading == await platform.read_invoice(owed[0].id)


async def test_a_cancelled_subscription_says_so(here: Stage, platform: StripeBilling, owed: tuple[Invoice, Card]) -> None:
    subscription = subscription_of(here, owed[0])
    ref = ObjectRef(kind="subscription", vendor_id=subscription.id)
    here.post(f"subscriptions/{subscription.id}", cancel_at_period_end="true")
    planned = await platform.fetch(ref)
    assert (planned.kind, planned.cancellation) == (EventKind.SUBSCRIPTION_CANCELLED, CancellationKind.PERIOD_END)
    here.client.delete(f"/v1/subscriptions/{subscription.id}")
    assert (await platform.fetch(ref)).kind is EventKind.SUBSCRIPTION_CANCELLED


async def test_a_dispute_a_customer_and_a_method_are_told_as_they_stand(here: Stage, platform: StripeBilling) -> None:
    invoice, card = here.double.owed_invoice("ok")
    dispute = here.double.customer_disputes(next(iter(here.double.world.all(Charge))))
    opened = await platform.fetch(ObjectRef(kind="dispute", vendor_id=dispute.id))
    assert (opened.kind, opened.charge_vendor_id) == (EventKind.DISPUTE_OPENED, dispute.charge)
    dispute.status = "won"
    closed = await platform.fetch(ObjectRef(kind="dispute", vendor_id=dispute.id))
    assert (closed.kind, closed.dispute_won) == (EventKind.DISPUTE_CLOSED, True)
    customer = await platform.fetch(ObjectRef(kind="customer", vendor_id=invoice.customer))
    assert customer.account
    assert [(it.vendor_id, it.slot) for it in customer.credentials] == [(card.id, CUSTOMER)]
    method = await platform.fetch(ObjectRef(kind="payment_method", vendor_id=card.id))
    assert method.kind is EventKind.METHOD_UPDATED
    card.customer = None
    assert (await platform.fetch(ObjectRef(kind="payment_method", vendor_id=card.id))).kind is EventKind.METHOD_REMOVED


@pytest.mark.parametrize(("kind", "error"), [("charge", NotFound), ("terminal.reader", NotFetchable)])
async def test_what_cannot_be_fetched_says_whether_it_is_missing_or_unheard_of(
    platform: StripeBilling, kind: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await platform.fetch(ObjectRef(kind=kind, vendor_id="ch_none"))


@pytest.mark.parametrize("trouble", [Trouble.WRONG_CONTENT_TYPE, Trouble.SERVER_ERROR, Trouble.UNAVAILABLE, Trouble.RESET_BEFORE])
async def test_an_invoice_that_cannot_be_read_now_can_be_read_later(
    here: Stage, platform: StripeBilling, owed: tuple[Invoice, Card], trouble: Trouble
) -> None:
    order = here.double.misbehaviours.add(trouble, "GET", times=None)
    with pytest.raises(BillingUnavailable) as raised:
        await platform.read_invoice(owed[0].id)
    assert here.double.secret_key not in repr(raised.value)
    here.double.misbehaviours.lift(order)
    assert (await platform.read_invoice(owed[0].id)).invoice


async def test_a_revoked_key_is_a_fault_of_the_set_up(here: Stage, platform: StripeBilling, owed: tuple[Invoice, Card]) -> None:
    here.double.revoke(here.double.secret_key)
    with pytest.raises(Misconfigured, match=r"stripe-eu: Stripe refuses the api_key.*request req_"):
        await platform.read_invoice(owed[0].id)
