"""The banks behind the double's cards and direct debits: what they answer, with the codes that Stripe and the networks would put on it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Rail = Literal["card", "sepa_debit", "us_bank_account"]


@dataclass(frozen=True)
class Verdict:
    """One answer of a bank. ``code`` is Stripe's error code; the network codes are those of the card's scheme."""

    approved: bool
    code: str = ""
    decline_code: str = ""
    network_decline_code: str | None = None
    network_advice_code: str | None = None
    advice_code: str | None = None
    message: str = "Your card was declined."

    @property
    def codes(self) -> dict[str, str]:
        """The codes that are set, for the ledger."""
        names = ("code", "decline_code", "network_decline_code", "network_advice_code", "advice_code")
        return {name: value for name in names if (value := getattr(self, name))}


def _declined(decline_code: str, network: str | None, advice: str | None, network_advice: str | None = None) -> Verdict:
    return Verdict(False, "card_declined", decline_code, network, network_advice, advice)


def _faulty(code: str, network: str, advice: str, message: str) -> Verdict:
    """A decline whose error code is the decline code itself."""
    return Verdict(False, code, code, network, None, advice, message)


LATER, NEVER, CONFIRM = "try_again_later", "do_not_try_again", "confirm_card_data"
APPROVED = Verdict(True)
VERDICTS: dict[str, Verdict] = {
    "ok": APPROVED,
    "insufficient_funds": _declined("insufficient_funds", "51", LATER),
    "do_not_honor": _declined("do_not_honor", "05", LATER),
    "generic_decline": _declined("generic_decline", None, None),
    "try_again_later": _declined("try_again_later", "59", LATER, "02"),
    "issuer_not_available": _declined("issuer_not_available", "91", LATER),
    "card_velocity_exceeded": _declined("card_velocity_exceeded", "61", LATER),
    "lost_card": _declined("lost_card", "41", NEVER),
    "stolen_card": _declined("stolen_card", "43", NEVER),
    "fraudulent": _declined("fraudulent", "59", NEVER),
    "invalid_account": _declined("invalid_account", "14", CONFIRM, "01"),
    "do_not_try_again": _declined("do_not_honor", "05", NEVER, "03"),
    "revocation_of_authorization": _declined("revocation_of_authorization", "R1", NEVER),
    "expired_card": _faulty("expired_card", "54", CONFIRM, "Your card has expired."),
    "incorrect_cvc": _faulty("incorrect_cvc", "N7", CONFIRM, "Your card's security code is incorrect."),
    "processing_error": _faulty("processing_error", "96", LATER, "An error occurred while processing your card."),
    "authentication_required": _faulty("authentication_required", "1A", CONFIRM, "Your card was declined. It requires authentication."),
}
# What comes back days after a direct debit, with the code of its scheme.
RETURNS: dict[str, dict[str, str]] = {
    "insufficient_funds": {"sepa_debit": "AM04", "us_bank_account": "R01"},
    "account_closed": {"sepa_debit": "AC04", "us_bank_account": "R02"},
    "no_account": {"sepa_debit": "AC01", "us_bank_account": "R03"},
    "debit_not_authorized": {"sepa_debit": "MD01", "us_bank_account": "R10"},
    "bank_account_restricted": {"sepa_debit": "AC06", "us_bank_account": "R16"},
}
# With these the platform plans its next attempt but carries it out only with another payment method.
NOT_RETRIED = frozenset(
    {
        *("authentication_required", "fraudulent", "invalid_account", "lost_card", "revocation_of_authorization", "stolen_card"),
        *("account_closed", "bank_account_restricted", "debit_not_authorized", "no_account"),
    }
)


@dataclass(frozen=True)
class TestCard:
    """A payment method that Stripe keeps for tests: what it looks like and what its bank always says."""

    __test__ = False
    brand: str
    last4: str
    always: str
    funding: str = "credit"
    country: str = "US"
    rail: Rail = "card"


TEST_CARDS = {
    "pm_card_visa": TestCard("visa", "4242", "ok"),
    "pm_card_visa_debit": TestCard("visa", "5556", "ok", "debit"),
    "pm_card_mastercard": TestCard("mastercard", "4444", "ok"),
    "pm_card_amex": TestCard("amex", "8431", "ok"),
    "pm_card_in": TestCard("visa", "0008", "ok", country="IN"),
    "pm_card_de": TestCard("visa", "0016", "ok", country="DE"),
    "pm_card_chargeDeclined": TestCard("visa", "0002", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": TestCard("visa", "9995", "insufficient_funds"),
    "pm_card_chargeDeclinedLostCard": TestCard("visa", "9987", "lost_card"),
    "pm_card_chargeDeclinedStolenCard": TestCard("visa", "9979", "stolen_card"),
    "pm_card_chargeDeclinedExpiredCard": TestCard("visa", "0069", "expired_card"),
    "pm_card_chargeDeclinedIncorrectCvc": TestCard("visa", "0127", "incorrect_cvc"),
    "pm_card_chargeDeclinedProcessingError": TestCard("visa", "0119", "processing_error"),
    "pm_card_authenticationRequired": TestCard("visa", "3184", "authentication_required"),
    "pm_sepa_debit": TestCard("", "3000", "ok", "", "DE", "sepa_debit"),
    "pm_us_bank_account": TestCard("", "6789", "ok", "", "US", "us_bank_account"),
}


@dataclass
class Card:
    """A payment method, maybe a bank account. Its bank says ``answers`` one after the other, and ``always`` when they are used up."""

    id: str
    customer: str | None
    created: datetime
    brand: str
    last4: str
    fingerprint: str
    funding: str
    country: str
    always: str
    rail: Rail = "card"
    exp_month: int = 12
    exp_year: int = 2031
    answers: list[str] = field(default_factory=list[str])
    metadata: dict[str, str] = field(default_factory=dict[str, str])

    def ask_bank(self, *, authenticated: bool) -> Verdict:
        """The bank's answer to one attempt; a cardholder who takes part can be authenticated, so the bank does not ask for that."""
        said = self.answers.pop(0) if self.answers else self.always
        if self.rail != "card" and said != "ok":
            return Verdict(False, said, "", RETURNS[said][self.rail], message="The customer's bank account could not be debited.")
        return APPROVED if authenticated and said == "authentication_required" else VERDICTS[said]
