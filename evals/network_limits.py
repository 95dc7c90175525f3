"""What networks and bank schemes forbid, written down a second time from the domain's documentation, for checking the rule engine."""

from dataclasses import dataclass
from datetime import date, timedelta

MASTERCARD = frozenset({"mastercard", "master"})
UNCAPPED_NETWORKS = frozenset({"amex", "americanexpress", "discover", "diners", "dinersclub", "jcb", "unionpay"})


@dataclass(frozen=True)
class Cap:
    """At most ``most`` tries without success in ``window``. ``per_amount``: of one amount. ``first_is_free``: the first is no reattempt.
    ``merchant_only``: the customer's own do not count. ``calendar_day``: since midnight UTC."""

    rail: str
    brands: frozenset[str] | None
    most: int
    window: timedelta
    per_amount: bool
    first_is_free: bool = False
    merchant_only: bool = False
    calendar_day: bool = False
    since: date = date.min
    until: date = date.max

    @property
    def name(self) -> str:
        """In words."""
        what = "reattempts" if self.first_is_free else "attempts"
        span = "one UTC day" if self.calendar_day else f"{self.window / timedelta(hours=1):.0f} hours"
        return f"{self.most} {what} in {span} ({', '.join(sorted(self.brands)) if self.brands else self.rail})"


DAY, MONTH = timedelta(days=1), timedelta(days=30)
CAPS = (
    Cap("card", frozenset({"visa"}), 20, MONTH, per_amount=True, first_is_free=True, merchant_only=True, since=date(2025, 5, 19)),
    Cap("card", frozenset({"visa"}), 15, MONTH, per_amount=True, first_is_free=True, merchant_only=True, until=date(2025, 5, 19)),
    Cap("card", MASTERCARD, 10, DAY, per_amount=False, since=date(2025, 1, 1)),
    Cap("card", MASTERCARD, 10, DAY, per_amount=False, calendar_day=True, since=date(2025, 1, 1)),
    Cap("card", MASTERCARD, 35, MONTH, per_amount=True, since=date(2025, 1, 1)),
    Cap("card", UNCAPPED_NETWORKS, 15, MONTH, per_amount=False),
    Cap("ach", None, 3, timedelta(days=180), per_amount=True),
    Cap("sepa", None, 2, timedelta(days=42), per_amount=True, first_is_free=True),
)
NAMED_BRANDS = frozenset[str]().union(*(cap.brands for cap in CAPS if cap.brands))


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Only another number helps.
NEVER = _words(
    "lost_card stolen_card pickup_card fraudulent merchant_blacklist highest_risk_level previously_declined_do_not_retry"
    " security_violation do_not_try_again revocation_of_authorization revocation_of_all_authorizations stop_payment_order"
    " fraud_address fraud_security_code fraud_stolen_card fraud_ip_address fraud_gateway fraud_too_many_attempts"
    " fraud_advanced_verification fraud_velocity fraud_generic fraud_risk_check fraud_manual_decision card_blocked"
    " restricted_card_chargeback cardholder_requested_stop customer_canceled_transaction recurring_mandate_cancelled ach_chargeback"
)
# The data must change first, or the customer has paid with it since.
CORRECT_FIRST = _words(
    "incorrect_number invalid_number invalid_account expired_card invalid_expiry_month invalid_expiry_year incorrect_cvc invalid_cvc"
    " incorrect_zip incorrect_address new_account_information_available card_not_supported currency_not_supported"
    " transaction_not_allowed not_permitted service_not_allowed restricted_card invalid_amount"
)
# Only the customer can: nothing is retried before they have paid with it again.
CUSTOMER_FIRST = _words(
    "authentication_required authentication_not_handled call_issuer incorrect_pin invalid_pin pin_try_exceeded offline_pin_required"
    " online_or_offline_pin_required"
)
# A bank debit is entered again only where the money was not there.
NOT_BY_ACH = _words("do_not_honor generic_decline no_action_taken try_again_later approve_with_id declined ach_return")
NO_RETRY_COUNTRIES = frozenset({"IN"})


def caps_for(rail: str, brand: str | None, day: date) -> list[Cap]:
    """The caps in force on that UTC day; a card of a network that nobody names falls under all of its rail."""
    plain = "".join(letter for letter in (brand or "").lower() if letter.isalpha())
    return [
        cap
        for cap in CAPS
        if cap.rail == rail and cap.since <= day < cap.until and (cap.brands is None or plain in cap.brands or plain not in NAMED_BRANDS)
    ]
