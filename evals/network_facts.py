"""What networks, bank schemes and processors say of retrying: written down a second time, for the checker alone."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NO_RETRY_COUNTRIES = frozenset({"IN"})


@dataclass(frozen=True)
class Bar:
    """What a decline forbids: every try until ``wait`` is over, or (None) until it is lifted.

    A success lifts it where ``by_success``; changed data lift it where ``by_any_change`` or where no fingerprint says that the number
    is still the same. ``since``, ``until``: the UTC days of the new try for which it is in force. ``yields``: a wait that the network's
    advice states stands in its place.
    """

    wait: timedelta | None = None
    yields: bool = False
    by_success: bool = True
    by_any_change: bool = False
    since: date = date.min
    until: date = date.max


@dataclass(frozen=True)
class Series:
    """At most ``most`` more tries by the merchant after such a decline, counted for ``window`` (None: for good) and until a success
    or a change of the data: any where ``by_any_change``, else one of a card without fingerprint."""

    most: int
    window: timedelta | None
    by_any_change: bool


@dataclass(frozen=True)
class Cap:
    """At most ``most`` tries without success in ``window``. ``first_is_free``: the first is no reattempt. ``merchant_only``: those that the
    customer surely made do not count. ``calendar_day``: since midnight UTC. ``country``: of the issuer."""

    where: str
    rail: str
    networks: frozenset[str] | None
    most: int
    window: timedelta
    per_amount: bool = True
    first_is_free: bool = False
    merchant_only: bool = False
    calendar_day: bool = False
    country: str | None = None
    since: date = date.min
    until: date = date.max

    @property
    def name(self) -> str:
        """In words."""
        what = "reattempts" if self.first_is_free else "attempts"
        span = "one UTC day" if self.calendar_day else "24 hours" if self.window == DAY else f"{self.window.days} days"
        return f"{self.most} {what}{' of one amount' if self.per_amount else ''} in {span} ({self.where})"


Rules = tuple[Bar | Series, ...]

NEVER = Bar(by_success=False)
NEW_DATA = Bar(by_any_change=True)
CUSTOMER_OR_POLICY = Bar()
SHORTLY, NEXT_DAY = Bar(wait=HOUR), Bar(wait=DAY)
PAYDAY = Bar(wait=DAY, yields=True)
AT_MOST_FOUR = Series(4, 30 * DAY, by_any_change=True)
ONE_MORE = Series(1, None, by_any_change=False)
GENERIC: Rules = (NEXT_DAY, AT_MOST_FOUR)

VISA, MASTERCARD = frozenset({"visa"}), frozenset({"mastercard"})
OTHERS = frozenset({"amex", "discover", "diners", "jcb", "unionpay"})
NETWORKS = VISA | MASTERCARD | OTHERS
SPELLINGS = {"master": "mastercard", "americanexpress": "amex", "dinersclub": "diners"}

TWENTY_SINCE = date(2025, 5, 19)
CAPS = (
    Cap("Visa", "card", VISA, 20, 30 * DAY, first_is_free=True, merchant_only=True, since=TWENTY_SINCE),
    Cap("Visa", "card", VISA, 15, 30 * DAY, first_is_free=True, merchant_only=True, until=TWENTY_SINCE),
    Cap("Mastercard", "card", MASTERCARD, 10, DAY, per_amount=False),
    Cap("Mastercard", "card", MASTERCARD, 10, DAY, per_amount=False, calendar_day=True),
    Cap("Mastercard", "card", MASTERCARD, 35, 30 * DAY),
    Cap("Mastercard in Brazil", "card", MASTERCARD, 7, 31 * DAY, country="BR"),
    Cap("other networks", "card", OTHERS, 15, 30 * DAY, per_amount=False),
    Cap("ACH", "ach", None, 3, 180 * DAY),
    Cap("SEPA", "sepa", None, 2, 42 * DAY, first_is_free=True),
)


def network_of(brand: str | None) -> str | None:
    """The network of a card by its brand's name, however it is spelled; None where nobody names it."""
    plain = "".join(letter for letter in (brand or "").lower() if letter.isalpha())
    plain = SPELLINGS.get(plain, plain)
    return plain if plain in NETWORKS else None


@lru_cache(maxsize=4096)
def caps_for(rail: str, network: str | None, country: str | None, day: date) -> tuple[Cap, ...]:
    """The caps in force on that UTC day; a card of a network that nobody names falls under all of its rail."""
    return tuple(
        cap
        for cap in CAPS
        if cap.rail == rail
        and cap.since <= day < cap.until
        and (cap.networks is None or network is None or network in cap.networks)
        and cap.country in {None, country}
    )


def _table(*rows: tuple[str, Rules]) -> dict[str, Rules]:
    return {code: rules for codes, rules in rows for code in codes.split()}


# Visa sorts 57 and 83 anew on the one day, 5C and 9G on the other; until then they are of those that name no reason.
RESORTED, CONTACT_SINCE = date(2026, 10, 25), date(2025, 4, 11)
VISA_CODES = _table(
    ("04 07 12 14 15 41 43 46 R0 R1 R3", (NEVER,)),
    ("57", (Bar(by_success=False, since=RESORTED), Bar(wait=DAY, until=RESORTED))),
    ("83", (Bar(wait=DAY, until=RESORTED),)),
    ("5C 9G", (Bar(wait=DAY, until=CONTACT_SINCE),)),
    ("51 59 61 65", (NEXT_DAY,)),
    ("03 19 39 52 53 62 75 78 86 91 93 96 N3 N4 Z5", ()),
    ("54 55 70 82 6P N7", (NEW_DATA,)),
    ("1A", (CUSTOMER_OR_POLICY,)),
)
VISA_ELSE: Rules = (NEXT_DAY,)
AMEX_CODES = _table(("101 109 110 111 115", (NEW_DATA,)), ("116", (NEXT_DAY,)), ("200", (NEVER,)))
MASTERCARD_ADVICE = _table(
    ("01 04", (NEW_DATA,)),
    ("02", (Bar(wait=72 * HOUR),)),
    ("03 21", (NEVER,)),
    ("22 40 41", (CUSTOMER_OR_POLICY,)),
    ("24", (SHORTLY,)),
    ("25", (NEXT_DAY,)),
    ("26", (Bar(wait=2 * DAY),)),
    ("27", (Bar(wait=4 * DAY),)),
    ("28", (Bar(wait=6 * DAY),)),
    ("29", (Bar(wait=8 * DAY),)),
    ("30", (Bar(wait=10 * DAY),)),
    ("43", (ONE_MORE,)),
)
ADVICE_WORDS = _table(("do_not_try_again", (NEVER,)))
COMMON_CODES = _table(
    ("04 07 41 43", (NEVER,)),
    ("14 54", (NEW_DATA,)),
    ("57", (CUSTOMER_OR_POLICY,)),
    ("05", GENERIC),
    ("51", (PAYDAY,)),
    ("61 65", (NEXT_DAY,)),
    ("19 91 96", (SHORTLY,)),
)
ACH_CODES = _table(("R01 R09", (NEXT_DAY,)), ("R07 R10 R29 R51", (NEVER,)))
ACH_ELSE: Rules = (NEW_DATA,)
SEPA_CODES = _table(
    ("AM04 MS03", (NEXT_DAY,)),
    ("AC01 MD01", (NEW_DATA,)),
    ("AC04 AC06 AG01 MD06 MD07", (NEVER,)),
    ("AG02 BE05 FF01", (SHORTLY,)),
    ("MS02", (CUSTOMER_OR_POLICY,)),
)

STRIPE = _table(
    ("lost_card stolen_card pickup_card fraudulent merchant_blacklist highest_risk_level", (NEVER,)),
    ("previously_declined_do_not_retry security_violation do_not_try_again", (NEVER,)),
    ("revocation_of_authorization revocation_of_all_authorizations stop_payment_order", (NEVER,)),
    ("incorrect_number invalid_number invalid_account expired_card invalid_expiry_month invalid_expiry_year", (NEW_DATA,)),
    ("incorrect_cvc invalid_cvc incorrect_zip incorrect_address new_account_information_available", (NEW_DATA,)),
    ("authentication_required authentication_not_handled call_issuer incorrect_pin invalid_pin", (CUSTOMER_OR_POLICY,)),
    ("pin_try_exceeded offline_pin_required online_or_offline_pin_required", (CUSTOMER_OR_POLICY,)),
    ("card_not_supported currency_not_supported transaction_not_allowed not_permitted", (CUSTOMER_OR_POLICY,)),
    ("service_not_allowed restricted_card invalid_amount testmode_decline", (CUSTOMER_OR_POLICY,)),
    ("insufficient_funds", (PAYDAY,)),
    ("withdrawal_count_limit_exceeded card_velocity_exceeded", (NEXT_DAY,)),
    ("do_not_honor generic_decline no_action_taken try_again_later approve_with_id", GENERIC),
    ("processing_error issuer_not_available reenter_transaction", (SHORTLY,)),
    # Whether it went through is asked first; when it may be tried again, no table says.
    ("duplicate_transaction lock_timeout", ()),
)
RECURLY = _table(
    ("fraud_address fraud_security_code fraud_stolen_card fraud_ip_address fraud_gateway fraud_too_many_attempts", (NEVER,)),
    ("fraud_advanced_verification fraud_velocity fraud_generic fraud_risk_check fraud_manual_decision", (NEVER,)),
    ("card_blocked restricted_card_chargeback cardholder_requested_stop customer_canceled_transaction", (NEVER,)),
    ("recurring_mandate_cancelled ach_chargeback", (NEVER,)),
    ("expired_card declined_expiration_date declined_card_number invalid_card_number invalid_account_number", (NEW_DATA,)),
    ("call_issuer three_d_secure_authentication three_d_secure_action_required", (CUSTOMER_OR_POLICY,)),
    ("currency_not_supported restricted_card invalid_amount", (CUSTOMER_OR_POLICY,)),
    ("insufficient_funds", (PAYDAY,)),
    ("exceeds_daily_limit exceeds_max_amount", (NEXT_DAY,)),
    ("gateway_unavailable processor_unavailable processor_not_available issuer_unavailable gateway_error too_busy", (SHORTLY,)),
    ("gateway_rate_limited moneybot_unavailable moneybot_disconnect transaction_service_v2_unavailable", (SHORTLY,)),
    ("transaction_service_v2_disconnect batch_processing_error transaction_stale_at_gateway recurly_error", (SHORTLY,)),
    ("three_d_secure_connection_error vaultly_service_unavailable recurly_failed_to_get_token", (SHORTLY,)),
    ("duplicate_transaction simultaneous gateway_timeout", ()),
)
# What Braintree calls hard and no rule forbids for good stands until data or customer have changed; soft set-up errors are technical.
BRAINTREE = _table(
    ("2012 2013 2014 2047 2053 2108 2017 2018 2070", (NEVER,)),
    ("2004 2005 2006 2007 2008 2009 2010 2011 2015 2019 2020 2021 2022 2023 2024 2027 2028 2029 2030 2031", (NEW_DATA,)),
    ("2032 2033 2036 2037 2039 2041 2043 2044 2045 2049 2050 2051 2052 2054 2055 2056 2058 2059 2060 2061", (NEW_DATA,)),
    ("2063 2064 2065 2066 2067 2068 2069 2071 2072 2073 2074 2075 2076 2077 2079 2081 2082 2083 2084 2085", (NEW_DATA,)),
    ("2086 2087 2088 2089 2090 2091 2093 2094 2095 2096 2097 2098 2100 2107", (NEW_DATA,)),
    ("2099", (CUSTOMER_OR_POLICY,)),
    ("2001", (PAYDAY,)),
    ("2002 2003", (NEXT_DAY,)),
    ("2025 2026 2035 2040 2042 2048 2062 2078 2080 2092 2101 2102 2103 3000", (SHORTLY,)),
    ("2016", ()),
)
# Chargebee and Zuora hand on what their gateway said, the sandbox speaks as Stripe does.
VOCABULARIES = {
    "stripe": STRIPE,
    "sandbox": STRIPE,
    "chargebee": STRIPE,
    "zuora": STRIPE,
    "recurly": RECURLY,
    "braintree": BRAINTREE,
}


def by_word(processor: str | None, code: str | None) -> Rules | None:
    """What the processor's word forbids; None where nobody knows it."""
    return VOCABULARIES.get(processor or "", {}).get(code or "")


def by_rail(rail: str, code: str | None) -> Rules | None:
    """What a bank scheme's code forbids; None where it is none."""
    if rail == "ach" and code and len(code) == 3 and code[0] == "R" and code[1:].isdigit():
        return ACH_CODES.get(code, ACH_ELSE)
    return SEPA_CODES.get(code or "") if rail == "sepa" else None


def by_network(network: str | None, code: str | None) -> Rules | None:
    """What a card network's response code forbids; the code of a network that nobody names is read as each of them would."""
    if not code:
        return None
    if network == "visa":
        return VISA_CODES.get(code, VISA_ELSE) if len(code) == 2 else None
    if network is None:
        return VISA_CODES.get(code, AMEX_CODES.get(code))
    return AMEX_CODES.get(code) if network == "amex" else None


def by_common_number(network: str | None, code: str | None) -> Rules | None:
    """What a two-digit response code forbids on the networks that publish no list of their own: those whose meaning all networks share."""
    return COMMON_CODES.get(code or "") if network != "visa" else None


def by_advice(network: str | None, advice: str | None) -> Rules | None:
    """What the advice forbids: the numbers are Mastercard's, the words anybody's."""
    if network in {None, "mastercard"} and advice in MASTERCARD_ADVICE:
        return MASTERCARD_ADVICE[advice]
    return ADVICE_WORDS.get(advice or "")
