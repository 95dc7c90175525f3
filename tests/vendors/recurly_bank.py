"""What gateways and banks answer, in Recurly's words: the code, its category, the network's decline and what each party is told."""

from dataclasses import dataclass

from tests.vendors.recurly_records import Card

ISSUER = "Your transaction was declined. Please contact your bank."
AUTHENTICATE = "three_d_secure_action_required"
UNCHARGED = "Please contact support: your card was not charged."


@dataclass(frozen=True)
class Decline:
    """One code. ``gateway_code`` is the raw one, in ISO 8583; ``decline_code`` is None where none is told."""

    code: str
    category: str
    decline_code: str | None
    gateway_code: str
    customer_message: str
    merchant_advice: str

    @property
    def is_retried(self) -> bool:
        """Whether Recurly itself tries again with the same payment method."""
        return self.category in {"soft", "communication", "configuration"}

    @property
    def reached_the_bank(self) -> bool:
        """Whether a bank said it; otherwise the transaction is an error and no decline."""
        return self.category not in {"communication", "configuration"}


def _declines(*rows: tuple[str, str, str | None, str, str, str]) -> dict[str, Decline]:
    return {row[0]: Decline(*row) for row in rows}


DECLINES = _declines(
    ("insufficient_funds", "soft", "insufficient_funds", "51", "There are not enough funds in your account.", "The card lacks the funds."),
    ("declined", "soft", "generic_decline", "05", ISSUER, "The bank declined without a reason."),
    ("temporary_hold", "soft", "do_not_honor", "05", "Your card is on hold. Please contact your bank.", "Do not honor."),
    ("try_again", "soft", "try_again", "19", ISSUER, "The bank asks to try again later."),
    ("exceeds_daily_limit", "soft", "exceeds_daily_limit", "61", ISSUER, "Over the cardholder's daily limit."),
    ("call_issuer", "referral", "call_issuer", "01", ISSUER, "The bank wants to be called."),
    ("issuer_unavailable", "soft", "issuer_unavailable", "91", ISSUER, "The bank could not be reached."),
    ("expired_card", "hard", "expired_card", "54", "Your card has expired.", "The expiry date has passed or does not match."),
    ("invalid_card_number", "hard", "invalid_number", "14", "Your card number is not valid.", "There is no such card."),
    ("card_not_activated", "hard", "card_not_activated", "78", "Your card is not active yet.", "The card was never activated."),
    ("restricted_card", "hard", "restricted_card", "62", ISSUER, "The card may not be used here."),
    ("lifecycle_decline", "hard", "lifecycle_decline", "46", "Please enter your card again.", "Ask the customer for the card again."),
    (
        "cardholder_requested_stop",
        "hard",
        "cardholder_requested_stop",
        "R1",
        "You stopped these payments.",
        "The consent was revoked.",
    ),
    ("invalid_transaction", "hard", "invalid_transaction", "12", ISSUER, "The card cannot do this."),
    ("no_billing_information", "hard", None, "", "There is no payment method on file.", "The account has no payment method."),
    ("fraud_stolen_card", "fraud", "stolen_card", "43", ISSUER, "Reported lost or stolen."),
    ("fraud_gateway", "fraud", "fraudulent", "59", ISSUER, "The gateway's fraud filter declined."),
    (
        "fraud_security_code",
        "fraud",
        "incorrect_security_code",
        "N7",
        "The security code does not match.",
        "The security code does not match.",
    ),
    (AUTHENTICATE, AUTHENTICATE, "requires_3d_secure", "1A", "Your bank asks you to confirm.", "The customer must authenticate."),
    ("gateway_timeout", "communication", None, "", UNCHARGED, "The gateway did not answer: check that nothing was charged."),
    ("gateway_unavailable", "communication", None, "", UNCHARGED, "The gateway could not be reached."),
    ("gateway_error", "communication", None, "96", UNCHARGED, "The gateway met an unknown error."),
    ("invalid_gateway_configuration", "configuration", None, "", UNCHARGED, "The gateway is set up wrongly."),
    ("simultaneous", "soft", None, "", "Another payment is under way. Please wait.", "Another transaction of this account was under way."),
)


def ask(card: Card) -> str:
    """The bank's next answer about this card."""
    return card.answers.pop(0) if len(card.answers) > 1 else card.answers[0]
