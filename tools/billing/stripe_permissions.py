"""What a restricted key of Stripe's has to be allowed, each with what it is for and a request that shows whether it is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import stripe

from recoup.actions import ActionName
from recoup.settings import Connection
from tools.billing.stripe_api import StripeApi
from tools.billing.stripe_mirror import TAGS

# What no payment, customer or subscription is called: asking for it shows whether one might, and changes nothing.
NOBODY = "recoupcheck"
READS = ("reading invoices, who pays them and with what",)


@dataclass(frozen=True)
class Permission:
    """``name``: as Stripe's dashboard calls it. ``needed_for``: what is read, or the actions that need it. ``ask`` changes nothing."""

    name: str
    needed_for: tuple[str, ...]
    ask: Callable[[StripeApi], Awaitable[stripe.StripeObject]]


WEBHOOK_ENDPOINTS = "Webhook Endpoints: Read"
# All that shadow mode needs.
READING: tuple[Permission, ...] = (
    Permission("Invoices: Read", READS, lambda api: api.v1.invoices.list_async({"limit": 1})),
    Permission("Charges and Refunds: Read", READS, lambda api: api.v1.charges.list_async({"limit": 1})),
    Permission("PaymentIntents: Read", READS, lambda api: api.v1.payment_intents.list_async({"limit": 1})),
    Permission("Customers: Read", READS, lambda api: api.v1.customers.list_async({"limit": 1})),
    Permission("PaymentMethods: Read", READS, lambda api: api.v1.payment_methods.retrieve_async(f"pm_{NOBODY}")),
    Permission("Subscriptions: Read", READS, lambda api: api.v1.subscriptions.list_async({"limit": 1})),
    Permission("Disputes: Read", READS, lambda api: api.v1.disputes.list_async({"limit": 1})),
    Permission(
        "Events: Read",
        ("looking up charges whose answer was lost", "hearing of what webhooks lost"),
        lambda api: api.v1.events.list_async({"limit": 1}),
    ),
    Permission(
        WEBHOOK_ENDPOINTS,
        ("seeing whether webhooks are set up",),
        lambda api: api.v1.webhook_endpoints.list_async({"limit": 1}),
    ),
)
# What acting needs beyond that.
ACTING: tuple[Permission, ...] = (
    Permission(
        "Invoices: Write",
        (
            ActionName.RETRY_PAYMENT,
            ActionName.USE_BACKUP_METHOD,
            ActionName.TAKE_OVER_COLLECTION,
            ActionName.HAND_BACK_COLLECTION,
            ActionName.WRITE_OFF,
        ),
        lambda api: api.v1.invoices.pay_async(f"in_{NOBODY}", {"off_session": True}),
    ),
    Permission(
        "Subscriptions: Write",
        (ActionName.SUSPEND_SERVICE, ActionName.REINSTATE_SERVICE, ActionName.CANCEL_SUBSCRIPTION),
        lambda api: api.v1.subscriptions.update_async(f"sub_{NOBODY}", {"pause_collection": ""}),
    ),
    Permission(
        "Charges and Refunds: Write",
        (ActionName.REFUND_DUPLICATE,),
        lambda api: api.v1.refunds.create_async({"charge": f"ch_{NOBODY}", "amount": 1}),
    ),
)
# What the mirror needs for notes, and for tags.
NOTING = Permission(
    "Invoices: Write", ("mirror",), lambda api: api.v1.invoices.update_async(f"in_{NOBODY}", {"metadata": {"recoup_next": ""}})
)
TAGGING = Permission(
    "Customers: Write", ("mirror_tags",), lambda api: api.v1.customers.update_async(f"cus_{NOBODY}", {"metadata": {TAGS: ""}})
)


def to_act(connection: Connection) -> tuple[Permission, ...]:
    """All that this connection needs to act and to note, each permission once."""
    noting = [one for one, is_on in ((NOTING, connection.mirror), (TAGGING, connection.mirror and connection.mirror_tags)) if is_on]
    merged: dict[str, Permission] = {}
    for one in (*ACTING, *noting):
        before = merged.get(one.name)
        merged[one.name] = replace(before, needed_for=(*before.needed_for, *one.needed_for)) if before else one
    return tuple(merged.values())
