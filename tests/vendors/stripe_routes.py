"""Which operations the double has: path, permission of a restricted key, parameters, and who does it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.vendors import stripe_invoices as invoices
from tests.vendors import stripe_operations as others
from tests.vendors.stripe_calls import Call, Page
from tests.vendors.stripe_parameters import PAGING, Kinds, metadata, nested, one_of, span, text, texts, truth, unsettable, whole
from tests.vendors.stripe_state import Thing

INVOICE_STATUSES = one_of("draft", "open", "paid", "uncollectible", "void")
SUBSCRIPTION_STATUSES = one_of(
    *("active", "past_due", "unpaid", "canceled", "all", "ended", "incomplete", "incomplete_expired", "trialing", "paused")
)
PAUSE = unsettable(nested({"behavior": one_of("keep_as_draft", "mark_uncollectible", "void"), "resumes_at": whole}))
CANCELLATION = nested({"comment": unsettable(text), "feedback": text})
REASON = one_of("duplicate", "fraudulent", "requested_by_customer")


@dataclass(frozen=True)
class Route:
    """One operation. ``needs`` is the resource that a restricted key must be allowed to read, or to write if the method is not GET."""

    method: str
    pattern: re.Pattern[str]
    needs: str
    kinds: Kinds
    act: Callable[[Call], Thing | Page]

    @property
    def access(self) -> Literal["read", "write"]:
        """What a restricted key must be allowed to do."""
        return "read" if self.method == "GET" else "write"


def _route(line: str, needs: str, act: Callable[[Call], Thing | Page], **kinds: object) -> Route:
    method, path = line.split()
    pattern = re.compile("^/v1/" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "$")
    known: Kinds = {"expand": texts, **kinds}  # pyright: ignore[reportAssignmentType] - keyword arguments are kinds
    return Route(method, pattern, needs, known, act)


PAY: Kinds = {"payment_method": text, "off_session": truth, "paid_out_of_band": truth, "forgive": truth}
INVOICE: Kinds = {"auto_advance": truth, "metadata": metadata, "default_payment_method": text, "description": unsettable(text)}
INVOICES: Kinds = {**PAGING, "customer": text, "subscription": text, "status": INVOICE_STATUSES, "created": span}
SUBSCRIPTION: Kinds = {
    "cancel_at_period_end": truth,
    "cancellation_details": CANCELLATION,
    "default_payment_method": text,
    "metadata": metadata,
    "pause_collection": PAUSE,
    "proration_behavior": one_of("always_invoice", "create_prorations", "none"),
}
CANCEL: Kinds = {"cancellation_details": CANCELLATION, "invoice_now": truth, "prorate": truth}
CUSTOMER: Kinds = {
    "metadata": metadata,
    "description": unsettable(text),
    "invoice_settings": nested({"default_payment_method": text}),
}
REFUND: Kinds = {"charge": text, "payment_intent": text, "amount": whole, "reason": REASON, "metadata": metadata}
PAYMENTS: Kinds = {
    **PAGING,
    "created": span,
    "invoice": text,
    "payment": nested({"type": one_of("payment_intent", "charge"), "payment_intent": text}),
    "status": one_of("open", "paid", "canceled"),
}
ROUTES = [
    _route("GET account", "accounts_kyc_basic", others.account),
    _route("GET invoices", "invoice", invoices.listing, **INVOICES),
    _route("GET invoices/{id}", "invoice", invoices.retrieve),
    _route("POST invoices/{id}", "invoice", invoices.update, **INVOICE),
    _route("POST invoices/{id}/pay", "invoice", invoices.pay, **PAY),
    _route("POST invoices/{id}/void", "invoice", invoices.void),
    _route("POST invoices/{id}/mark_uncollectible", "invoice", invoices.mark_uncollectible),
    _route("GET invoice_payments", "invoice", invoices.payments, **PAYMENTS),
    _route("GET customers", "customer", others.customers, **PAGING, email=text, created=span),
    _route("GET customers/{id}", "customer", others.customer),
    _route("POST customers/{id}", "customer", others.update_customer, **CUSTOMER),
    _route("GET customers/{id}/payment_methods", "payment_method", others.payment_methods, **PAGING, type=text),
    _route("GET payment_methods", "payment_method", others.payment_methods, **PAGING, customer=text, type=text),
    _route("GET payment_methods/{id}", "payment_method", others.payment_method),
    _route("GET subscriptions", "subscription", others.subscriptions, **PAGING, customer=text, status=SUBSCRIPTION_STATUSES, created=span),
    _route("GET subscriptions/{id}", "subscription", others.subscription),
    _route("POST subscriptions/{id}", "subscription", others.update_subscription, **SUBSCRIPTION),
    _route("DELETE subscriptions/{id}", "subscription", others.cancel_subscription, **CANCEL),
    _route("GET payment_intents", "payment_intent", others.intents, **PAGING, customer=text, created=span),
    _route("GET payment_intents/{id}", "payment_intent", others.intent),
    _route("GET charges", "charge", others.charges, **PAGING, customer=text, payment_intent=text, created=span),
    _route("GET charges/{id}", "charge", others.charge),
    _route("GET refunds", "charge", others.refunds, **PAGING, charge=text, payment_intent=text, created=span),
    _route("GET refunds/{id}", "charge", others.refund),
    _route("POST refunds", "charge", others.give_back, **REFUND),
    _route("GET disputes", "dispute", others.disputes, **PAGING, charge=text, payment_intent=text, created=span),
    _route("GET disputes/{id}", "dispute", others.dispute),
    _route("GET events", "event", others.events, **PAGING, type=text, types=texts, created=span),
    _route("GET events/{id}", "event", others.event),
    _route("GET webhook_endpoints", "webhook", others.endpoints, **PAGING),
    _route("GET webhook_endpoints/{id}", "webhook", others.endpoint),
    _route("POST billing_portal/sessions", "customer_portal", others.open_portal, customer=text, return_url=text),
]


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The operation of a request, and what stands in its path."""
    for route in ROUTES:
        match = route.pattern.match(path)
        if match and route.method == method:
            return route, match.groupdict()
    return None
