"""How Stripe says no."""

from typing import Any

from tests.vendors.stripe_bank import Verdict
from tests.vendors.stripe_state import Card, Intent


class Refusal(Exception):
    """An error of the API. ``code`` and ``param`` are left out of the answer where Stripe has none."""

    def __init__(self, status: int, message: str, kind: str = "invalid_request_error", code: str = "", param: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.fields: dict[str, Any] = {"type": kind, "message": message}
        if code:
            self.fields |= {"code": code, "doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"}
        if param:
            self.fields["param"] = param


class Declined(Refusal):
    """The bank said no, or wants the cardholder; the answer holds the payment intent and the payment method."""

    def __init__(self, verdict: Verdict, intent: Intent, card: Card, charge: str | None) -> None:
        code = verdict.code if charge else "invoice_payment_intent_requires_action"
        super().__init__(402, verdict.message, "card_error" if charge else "invalid_request_error", code)
        self.verdict, self.intent, self.card, self.charge = verdict, intent, card, charge


def missing(kind: str, identity: str, param: str = "id", status: int = 404) -> Refusal:
    """There is no such object."""
    return Refusal(status, f"No such {kind}: '{identity}'", code="resource_missing", param=param)
