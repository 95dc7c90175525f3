"""The operations on everything but invoices."""

from tests.vendors.stripe_bank import Card
from tests.vendors.stripe_calls import Call, Page, merge_metadata, page
from tests.vendors.stripe_collecting import cancel
from tests.vendors.stripe_errors import Refusal, missing
from tests.vendors.stripe_state import Account, Charge, Customer, Dispute, Endpoint, Event, Intent, PortalSession, Refund, Subscription
from tests.vendors.stripe_world import EVENTS_KEPT

MOST_TYPES = 20


def account(call: Call) -> Account:
    """The merchant."""
    return call.world.account


def customer(call: Call) -> Customer:
    """One customer."""
    return call.about(Customer)


def customers(call: Call) -> Page:
    """Customers."""
    return page(call, Customer, lambda it: call.values.get("email") in {None, it.email})


def update_customer(call: Call) -> Customer:
    """Writes a customer's metadata, description or default payment method."""
    it = call.about(Customer)
    before = call.world.render(call.world, it, call.version)
    if "metadata" in call.values:
        it.metadata = merge_metadata(it.metadata, call.values["metadata"])
    it.description = call.values.get("description", it.description)
    chosen = call.values.get("invoice_settings", {}).get("default_payment_method")
    if chosen:
        _own(call, chosen, it.id)
        it.default_payment_method = chosen
    after = call.world.render(call.world, it, call.version)
    call.world.tell("customer.updated", it, {name: before[name] for name in before if before[name] != after[name]})
    return it


def payment_method(call: Call) -> Card:
    """One payment method."""
    return call.about(Card)


def payment_methods(call: Call) -> Page:
    """The payment methods of a customer, who stands in the path or in the query."""
    owner = next(iter(call.ids.values()), call.values.get("customer"))
    if owner:
        call.world.get(Customer, owner, param="customer")
    return page(call, Card, lambda it: owner is not None and it.customer == owner and call.values.get("type") in {None, it.rail})


def subscription(call: Call) -> Subscription:
    """One subscription."""
    return call.about(Subscription)


def subscriptions(call: Call) -> Page:
    """Subscriptions; those that have ended only when asked for."""
    status, owner = call.values.get("status"), call.values.get("customer")

    def wanted(it: Subscription) -> bool:
        fits = (
            it.status != "canceled" if status is None else status in {"all", it.status} or (status == "ended" and it.status == "canceled")
        )
        return fits and owner in {None, it.customer}

    return page(call, Subscription, wanted)


def update_subscription(call: Call) -> Subscription:
    """Pauses collection, plans an end, changes the payment method, writes metadata."""
    it, values = call.about(Subscription), call.values
    if it.status == "canceled" and set(values) - {"metadata", "cancellation_details"}:
        raise Refusal(
            400,
            "A canceled subscription can only update its cancellation_details and metadata.",
            code="invalid_canceled_subscription_fields",
        )
    before = call.world.render(call.world, it, call.version)
    if "metadata" in values:
        it.metadata = merge_metadata(it.metadata, values["metadata"])
    if "pause_collection" in values:
        pause = values["pause_collection"]
        if pause is not None and "behavior" not in pause:
            name = "pause_collection[behavior]"
            raise Refusal(400, f"Missing required param: {name}.", code="parameter_missing", param=name)
        it.pause_collection = pause and {"behavior": pause["behavior"], "resumes_at": pause.get("resumes_at")}
    if "cancel_at_period_end" in values:
        it.cancel_at_period_end = values["cancel_at_period_end"]
        it.canceled_at = call.world.now() if it.cancel_at_period_end else None
        it.cancellation_reason = "cancellation_requested" if it.cancel_at_period_end else None
    if "default_payment_method" in values:
        _own(call, values["default_payment_method"], it.customer)
        it.default_payment_method = values["default_payment_method"]
    it.cancellation_comment = values.get("cancellation_details", {}).get("comment", it.cancellation_comment)
    after = call.world.render(call.world, it, call.version)
    call.world.tell("customer.subscription.updated", it, {name: before[name] for name in before if before[name] != after[name]})
    return it


def cancel_subscription(call: Call) -> Subscription:
    """Ends a subscription now. One that has ended is not found, as at Stripe."""
    it = call.about(Subscription)
    if it.status == "canceled":
        raise missing("subscription", it.id)
    it.cancellation_comment = call.values.get("cancellation_details", {}).get("comment", it.cancellation_comment)
    cancel(call.world, it, "cancellation_requested")
    return it


def intent(call: Call) -> Intent:
    """One payment intent."""
    return call.about(Intent)


def intents(call: Call) -> Page:
    """Payment intents."""
    return page(call, Intent, lambda it: call.values.get("customer") in {None, it.customer})


def charge(call: Call) -> Charge:
    """One charge."""
    return call.about(Charge)


def charges(call: Call) -> Page:
    """Charges, by customer and payment intent."""
    owner, of = call.values.get("customer"), call.values.get("payment_intent")
    return page(call, Charge, lambda it: owner in {None, it.customer} and of in {None, it.intent})


def refund(call: Call) -> Refund:
    """One refund."""
    return call.about(Refund)


def refunds(call: Call) -> Page:
    """Refunds, by charge and payment intent."""
    charge_id, of = call.values.get("charge"), call.values.get("payment_intent")
    return page(call, Refund, lambda it: charge_id in {None, it.charge} and of in {None, it.intent})


def give_back(call: Call) -> Refund:
    """Refunds a charge, in whole or in part."""
    it = _charge_to_refund(call)
    left = it.amount - it.amount_refunded
    amount = call.values.get("amount", left)
    if it.status != "succeeded" or it.disputed:
        state = "disputed" if it.disputed else it.status
        raise Refusal(400, f"Charge {it.id} cannot be refunded: it is {state}.", code="charge_not_refundable")
    if left == 0:
        raise Refusal(400, f"Charge {it.id} has already been refunded.", code="charge_already_refunded")
    if not 0 < amount <= left:
        raise Refusal(400, f"Refund amount ({amount}) is not between 1 and the unrefunded amount on charge ({left}).", param="amount")
    it.amount_refunded += amount
    metadata: dict[str, str] = call.values.get("metadata") or {}
    made = Refund(
        call.world.new_id(Refund), call.world.now(), it.id, it.intent, amount, it.currency, call.values.get("reason"), dict(metadata)
    )
    call.world.keep(made)
    call.world.tell("charge.refunded", it, {"amount_refunded": it.amount_refunded - amount})
    call.world.tell("refund.created", made)
    return made


def dispute(call: Call) -> Dispute:
    """One dispute."""
    return call.about(Dispute)


def disputes(call: Call) -> Page:
    """Disputes, by charge and payment intent."""
    charge_id, of = call.values.get("charge"), call.values.get("payment_intent")
    return page(call, Dispute, lambda it: charge_id in {None, it.charge} and of in {None, it.intent})


def events(call: Call) -> Page:
    """Events of the last 30 days."""
    types: set[str] = {*call.values.get("types", [])}
    if len(types) > MOST_TYPES:
        raise Refusal(400, f"You may pass up to {MOST_TYPES} event types.", param="types")
    if "type" in call.values:
        types.add(call.values["type"])
    oldest = call.world.now() - EVENTS_KEPT
    version = call.world.account_version
    return page(call, Event, lambda it: it.created >= oldest and version in it.bodies and (not types or it.type in types))


def event(call: Call) -> Event:
    """One event, while it is kept."""
    it = call.about(Event)
    if it.created < call.world.now() - EVENTS_KEPT or call.world.account_version not in it.bodies:
        raise missing("event", it.id)
    return it


def endpoint(call: Call) -> Endpoint:
    """One webhook endpoint."""
    return call.about(Endpoint)


def endpoints(call: Call) -> Page:
    """Webhook endpoints."""
    return page(call, Endpoint, lambda _: True)


def open_portal(call: Call) -> PortalSession:
    """A page on which the customer can change the card."""
    if "customer" not in call.values:
        raise Refusal(400, "Missing required param: customer.", code="parameter_missing", param="customer")
    owner = call.world.get(Customer, call.values["customer"], param="customer", status=400)
    made = PortalSession(call.world.new_id(PortalSession), call.world.now(), owner.id, call.values.get("return_url"))
    return call.world.keep(made)


def _charge_to_refund(call: Call) -> Charge:
    if "charge" in call.values:
        return call.world.get(Charge, call.values["charge"], param="charge", status=400)
    if "payment_intent" not in call.values:
        raise Refusal(400, "One of these params should be provided: payment_intent or charge.", code="parameter_missing")
    of = call.world.get(Intent, call.values["payment_intent"], param="payment_intent", status=400)
    if of.latest_charge is None:
        raise Refusal(400, f"This PaymentIntent ({of.id}) does not have a successful charge to refund.", param="payment_intent")
    return call.world.get(Charge, of.latest_charge)


def _own(call: Call, card: str, customer_id: str) -> None:
    if call.world.get(Card, card, param="default_payment_method", status=400).customer != customer_id:
        raise Refusal(400, "The payment method is not attached to this customer.", code="payment_method_unexpected_state")
