"""Every decline code of every table asks for what it should: written down here a second time, so that a changed line is noticed.

An answer is the category, whether the credential may be tried again, and ``fraud`` where a person looks first.
"""

from datetime import UTC, datetime

import pytest

from recoup.decline import treat
from recoup.rule_data import Codes, load_rules
from recoup.words import Decline

Answers = dict[str, str]
AT = datetime(2026, 11, 20, tzinfo=UTC)

STRIPE: Answers = {
    "customer_action customer_action": (
        "authentication_not_handled authentication_required call_issuer incorrect_pin invalid_pin offline_pin_required "
        "online_or_offline_pin_required pin_try_exceeded"
    ),
    "funds allowed": "card_velocity_exceeded insufficient_funds withdrawal_count_limit_exceeded",
    "generic allowed": "approve_with_id do_not_honor generic_decline no_action_taken try_again_later",
    "mandate_stopped never": "revocation_of_all_authorizations revocation_of_authorization stop_payment_order",
    "never never": "do_not_try_again lost_card pickup_card previously_declined_do_not_retry security_violation stolen_card",
    "never never fraud": "fraudulent highest_risk_level merchant_blacklist",
    "new_data after_update": (
        "expired_card incorrect_address incorrect_cvc incorrect_number incorrect_zip invalid_account invalid_cvc "
        "invalid_expiry_month invalid_expiry_year invalid_number new_account_information_available"
    ),
    "policy never": (
        "card_not_supported currency_not_supported invalid_amount not_permitted restricted_card service_not_allowed "
        "testmode_decline transaction_not_allowed"
    ),
    "technical allowed": "issuer_not_available processing_error reenter_transaction",
    "unknown_outcome reconcile": "duplicate_transaction lock_timeout",
}

RECURLY: Answers = {
    "customer_action customer_action": (
        "amazon_declined_review call_issuer call_issuer_update_cardholder_data card_not_activated payer_authentication_rejected "
        "three_d_secure_action_required three_d_secure_action_result_token_mismatch three_d_secure_authentication "
        "three_d_secure_connection_error"
    ),
    "funds allowed": (
        "exceeds_daily_limit exceeds_max_amount insufficient_funds paypal_declined_use_alternate paypal_primary_declined too_many_attempts"
    ),
    "generic after_update": "ach_return",
    "generic allowed": "api_error declined declined_saveable gateway_error partial_approval temporary_hold try_again unknown",
    "mandate_stopped never": (
        "ach_chargeback amazon_not_authorized billing_agreement_not_accepted billing_agreement_not_found cancelled "
        "cardholder_requested_stop customer_canceled_transaction deposit_referenced_chargeback invalid_billing_agreement_status "
        "paypal_invalid_billing_agreement recurring_mandate_cancelled roku_invalid_cib"
    ),
    "never never": "card_blocked fraud_stolen_card restricted_card_chargeback",
    "never never fraud": (
        "fraud_address fraud_address_recurly fraud_advanced_verification fraud_gateway fraud_generic fraud_ip_address "
        "fraud_manual_decision fraud_risk_check fraud_security_code fraud_too_many_attempts fraud_velocity"
    ),
    "new_data after_update": (
        "ach_validation_exception billing_agreement_replaced declined_card_number declined_expiration_date "
        "declined_missing_data declined_security_code expired_card gateway_token_not_found invalid_account_number "
        "invalid_card_number invalid_data invalid_email invalid_issuer invalid_name invalid_payment_method "
        "invalid_payment_method_hard lifecycle_decline no_billing_information paypal_account_issue paypal_expired_reference_id "
        "recurly_token_mismatch recurly_token_not_found rjs_token_expired roku_invalid_card_number roku_invalid_payment_method "
        "roku_zip_code_mismatch"
    ),
    "policy never": (
        "ach_transactions_not_supported amazon_amount_exceeded amazon_transaction_count_exceeded "
        "billing_agreement_already_accepted card_type_not_accepted contact_gateway contract_not_found currency_not_supported "
        "cvv_required declined_exception direct_debit_type_not_accepted gateway_account_setup_incomplete "
        "gateway_validation_exception invalid_amount invalid_gateway_access_token invalid_gateway_configuration invalid_login "
        "invalid_merchant_type invalid_transaction merch_max_transaction_limit_exceeded no_gateway "
        "no_gateway_found_for_transaction_amount payment_not_accepted paypal_cannot_pay_self paypal_hard_decline "
        "provisioning_account_error provisioning_gateway_error recurly_credentials_not_found reference_transactions_not_enabled "
        "restricted_card three_d_secure_credential_error three_d_secure_not_supported transaction_cannot_be_authorized "
        "zero_dollar_auth_not_supported"
    ),
    "technical allowed": (
        "batch_processing_error gateway_rate_limited gateway_unavailable issuer_unavailable moneybot_unavailable "
        "processor_not_available processor_unavailable recurly_failed_to_get_token ssl_error too_busy "
        "transaction_service_v2_unavailable vaultly_service_unavailable"
    ),
    "unknown_outcome reconcile": (
        "ach_cancel ach_credit_return ach_exception amazon_invalid_authorization_status amazon_invalid_close_attempt "
        "amazon_invalid_create_order_reference amazon_invalid_order_status amazon_order_not_modifiable "
        "authorization_already_captured authorization_amount_depleted authorization_expired "
        "cannot_refund_unsettled_transactions duplicate_transaction gateway_timeout moneybot_disconnect "
        "partial_credits_not_supported payment_cannot_void_authorization recurly_error simultaneous "
        "total_credit_exceeds_capture transaction_already_refunded transaction_already_voided transaction_cannot_be_refunded "
        "transaction_cannot_be_refunded_currently transaction_cannot_be_voided transaction_failed_to_settle "
        "transaction_not_found transaction_service_v2_disconnect transaction_settled transaction_stale_at_gateway"
    ),
}

BRAINTREE: Answers = {
    "customer_action customer_action": "2011 2039 2041 2044 2086 2099 2101 2102 2103 2107",
    "funds allowed": "2001 2002 2003",
    "generic allowed": "2000 2034 2035 2038 2046 2104 2105 2106 2109-2999",
    "mandate_stopped never": "2017 2018 2070 2093",
    "never never": "2012 2013 2020 2021 2043 2047 2053 2075",
    "never never fraud": "2014 2077 2085",
    "new_data after_update": "2004 2005 2006 2007 2008 2009 2010 2022 2033 2051 2059 2060 2061 2083 2084 2092",
    "new_data never": "2108",
    "policy never": (
        "2015 2019 2023 2024 2025 2026 2027 2028 2029 2030 2031 2032 2040 2042 2045 2048 2049 2050 2052 2055 2056 2057 2058 "
        "2062 2063 2064 2066 2068 2071 2072 2073 2074 2076 2079 2080 2081 2082 2087 2088 2089 2091 2096 2097 2098 2100"
    ),
    "technical allowed": "2078 3000",
    "unknown_outcome reconcile": "2016 2036 2037 2054 2065 2067 2069 2090 2094 2095",
}

ISO8583: Answers = {
    "customer_action customer_action": "01 02 17 1A 38 55 75 86 9G Q1",
    "funds allowed": "51 61 65 N4 Z5",
    "generic allowed": "05 08 10 21 Z1",
    "generic allowed fraud": "59",
    "mandate_stopped never": "R0 R1 R3",
    "never never": "04 35 36 37 41 43 63 66 67 N5",
    "never never fraud": "07 34",
    "new_data after_update": "14 15 33 39 42 44 46 52 53 54 56 6P N7",
    "policy never": "03 12 13 23 31 40 57 58 5C 60 62 64 93 B1 N3 N8",
    "technical allowed": "06 19 20 22 28 30 90 91 92 96 N0 Z3",
    "unknown_outcome reconcile": "68 94",
}

VISA: Answers = {
    "customer_action after_update": "55 70",
    "customer_action allowed": "75 78 86 9G",
    "customer_action customer_action": "01 02 17 1A 38 Q1",
    "funds allowed": "51 61 65 N4 Z5",
    "generic allowed": "05 08 10 21 Z1",
    "generic allowed fraud": "59 83",
    "mandate_stopped never": "R0 R1 R3",
    "never never": "04 35 36 37 41 43 63 66 67 N5",
    "never never fraud": "07 34",
    "new_data after_update": "33 42 44 54 56 6P 82 N7",
    "new_data allowed": "39 52 53",
    "new_data never": "14 15 46",
    "policy allowed": "03 5C 62 93 N3",
    "policy never": "12 13 23 31 40 57 58 60 64 B1 N8",
    "technical allowed": "06 19 20 22 28 30 81 90 91 92 96 N0 Z3",
    "unknown_outcome reconcile": "68 94",
}

MASTERCARD: Answers = {
    "customer_action customer_action": "01 02 17 1A 38 55 70 75 86 89 9G Q1",
    "funds allowed": "51 61 65 N4 Z5",
    "generic allowed": "05 08 10 21 Z1",
    "generic allowed fraud": "59 83",
    "mandate_stopped never": "R0 R1 R3",
    "never never": "04 35 36 37 41 43 63 66 67 N5",
    "never never fraud": "07 34",
    "new_data after_update": "14 15 33 39 42 44 46 52 53 54 56 6P 76 77 78 79 N7",
    "policy never": "03 12 13 23 31 40 57 58 5C 60 62 64 81 82 84 93 B1 N3 N8",
    "technical allowed": "06 19 20 22 28 30 80 88 90 91 92 96 N0 Z3",
    "unknown_outcome reconcile": "68 94",
}

AMEX: Answers = {
    "customer_action customer_action": "106 107 117 130",
    "funds allowed": "116 121",
    "generic allowed": "100",
    "never never": "200",
    "new_data after_update": "101 105 111 122 125 187 189",
    "policy never": "109 110 115 119 183",
    "technical allowed": "181 909 911 912",
}

ACH: Answers = {
    "funds allowed": "R01 R09",
    "mandate_stopped after_update": "R08",
    "mandate_stopped never": "R05 R07 R10 R11 R29 R38 R51 R52",
    "never never": "R14 R15 R16",
    "new_data after_update": "R02 R03 R04 R12 R13 R17 R22 R28 R82",
    "policy never": "R06 R19 R20 R21 R30 R31 R33 R34 R35 R50 R81",
    "technical after_update": "R18 R25 R26 R27 R32 R80 R83 R84 R85",
    "unknown_outcome reconcile": "R24 R37 R39 R53 R61 R62 R67 R68 R69 R70 R71 R72 R73 R74 R75 R76 R77",
}

SEPA: Answers = {
    "customer_action customer_action": "MS02 SL01",
    "funds allowed": "AM04",
    "generic allowed": "MS03",
    "mandate_stopped after_update": "MD01",
    "mandate_stopped never": "MD05 MD06",
    "never never": "AC06 MD07",
    "never never fraud": "FRAD",
    "new_data after_update": "AC01 AC02 BE01 BE06 MD02 PY01 RC01 RR01 RR02",
    "new_data never": "AC04",
    "policy never": "AC13 AG01 AG03 BE04 CNOR DNOR FOCR RR03 RR04",
    "technical allowed": "AG02 BE05 DT01 ED05 FF01 FF04 FF05 TM01",
    "unknown_outcome reconcile": "AM05 DUPL",
}

ALL: dict[str, tuple[Answers, tuple[str, ...], str | None]] = {
    "stripe": (STRIPE, ("stripe",), None),
    "recurly": (RECURLY, ("recurly",), None),
    "braintree": (BRAINTREE, ("braintree",), None),
    "iso8583": (ISO8583, ("iso8583",), "jcb"),
    "visa": (VISA, ("iso8583", "visa"), "visa"),
    "mastercard": (MASTERCARD, ("iso8583", "mastercard"), "mastercard"),
    "amex": (AMEX, ("amex",), "amex"),
    "ach": (ACH, ("ach",), None),
    "sepa": (SEPA, ("sepa",), None),
}


def answer(decline: Decline, at: datetime = AT) -> str:
    """The answer to a code, in the words of the tables above."""
    treatment = treat(decline, at)
    return f"{treatment.category} {treatment.retry}" + (" fraud" if treatment.is_fraud else "")


def decline(name: str, code: str) -> Decline:
    """The code as the processor gives it, or as a card of the network brings it."""
    network = ALL[name][2]
    return Decline(processor="iso8583", network=network, network_code=code) if network else Decline(processor=name, code=code)


def written_out(codes: str) -> set[str]:
    """Each code of a line; a range is every number of it."""
    ranges = [code.split("-") for code in codes.split() if "-" in code]
    return {c for c in codes.split() if "-" not in c} | {str(n) for first, last in ranges for n in range(int(first), int(last) + 1)}


@pytest.mark.parametrize("name", ALL)
def test_every_code_asks_for_what_is_written_here(name: str) -> None:
    expected = {code: line for line, codes in ALL[name][0].items() for code in written_out(codes)}
    found = {code: answer(decline(name, code)) for table in load_rules().codes if table.speaker in ALL[name][1] for code in table.reasons}

    assert found == expected


@pytest.mark.parametrize("name", ALL)
def test_every_code_is_known_on_every_day_that_we_can_see(name: str) -> None:
    for code in {code for codes in ALL[name][0].values() for code in written_out(codes)}:
        assert treat(decline(name, code), datetime(2020, 1, 1, tzinfo=UTC)).known
        assert treat(decline(name, code), datetime(2030, 1, 1, tzinfo=UTC)).known


def test_every_table_is_in_this_test() -> None:
    assert {table.speaker for table in load_rules().codes} == {speaker for _, speakers, _ in ALL.values() for speaker in speakers}


def test_only_two_returns_of_a_bank_debit_may_be_entered_again() -> None:
    assert {code for line, codes in ACH.items() if line.split()[1] == "allowed" for code in codes.split()} == {"R01", "R09"}


def test_a_network_that_nobody_told_is_taken_for_the_strictest() -> None:
    assert answer(Decline(processor="iso8583", code="14")) == "new_data never"
    assert answer(Decline(processor="iso8583", code="82")) == "new_data never"
    assert answer(Decline(processor="iso8583", code="78")) == "customer_action after_update"


def test_visa_57_is_final_from_its_day_on() -> None:
    at = datetime(2026, 10, 24, 23, 59, 59, tzinfo=UTC)

    assert answer(decline("visa", "57"), at) == "policy allowed"
    assert answer(decline("visa", "57"), datetime(2026, 10, 25, tzinfo=UTC)) == "policy never"


def test_a_code_beyond_the_range_is_not_known() -> None:
    assert treat(Decline(processor="braintree", code="2500"), AT).known
    assert not treat(Decline(processor="braintree", code="3001"), AT).known
    assert not treat(Decline(processor="braintree", code="2109-2999"), AT).known


@pytest.mark.parametrize(
    ("reasons", "complaint"),
    [
        ({"30-20": "do_not_honor"}, "the range 30-20 ends before it begins"),
        ({"25": "do_not_honor", "20-30": "expired_card"}, "20-30 names the code 25 a second time"),
        ({"20-30": "expired_card", "25": "do_not_honor"}, "25 names the code 25 a second time"),
    ],
)
def test_a_damaged_range_is_refused(reasons: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Codes(id="some-codes", speaker="some", source="reading", effective_from=AT.date(), reasons=reasons)
