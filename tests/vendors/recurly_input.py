"""What the Recurly double accepts in a body: known names with values of their type, and nothing else."""

import json
from collections.abc import Mapping
from typing import Any, cast

from tests.vendors.chassis import Request
from tests.vendors.recurly_refusals import Refusal, invalid, unpermitted

Kinds = tuple[type, ...]
TEXT, FLAG, WHOLE, NUMBER, LIST, OBJECT = (str,), (bool,), (int,), (int, float), (list,), (dict,)

# What the vendor accepts, from its specification. What of it the double models follows below.
ACCOUNT: Mapping[str, Kinds] = {
    **dict.fromkeys(("email", "first_name", "last_name", "company", "preferred_locale", "preferred_time_zone"), TEXT),
    **dict.fromkeys(("dunning_campaign_id", "username", "cc_emails", "vat_number", "exemption_certificate"), TEXT),
    **dict.fromkeys(("override_business_entity_id", "parent_account_code", "parent_account_id", "bill_to", "transaction_type"), TEXT),
    **dict.fromkeys(("invoice_template_id", "entity_use_code", "bill_date"), TEXT),
    "tax_exempt": FLAG,
    "address": OBJECT,
    "billing_info": OBJECT,
    "custom_fields": LIST,
}
BILLING_INFO: Mapping[str, Kinds] = {
    **dict.fromkeys(("token_id", "first_name", "last_name", "company", "number", "month", "year", "cvv", "currency", "vat_number"), TEXT),
    **dict.fromkeys(("ip_address", "gateway_token", "gateway_code", "transaction_type", "iban", "name_on_account", "account_number"), TEXT),
    **dict.fromkeys(("routing_number", "sort_code", "type", "account_type", "card_type", "fraud_session_id", "return_url"), TEXT),
    "primary_payment_method": FLAG,
    "backup_payment_method": FLAG,
    "address": OBJECT,
    "three_d_secure_action_result_token_id": TEXT,
}
COLLECT: Mapping[str, Kinds] = dict.fromkeys(("three_d_secure_action_result_token_id", "transaction_type", "billing_info_id"), TEXT)
INVOICE: Mapping[str, Kinds] = {
    **dict.fromkeys(("po_number", "vat_reverse_charge_notes", "terms_and_conditions", "customer_notes", "gateway_code"), TEXT),
    "net_terms": WHOLE,
    "address": OBJECT,
}
REFUND: Mapping[str, Kinds] = {
    **dict.fromkeys(("type", "refund_method", "credit_customer_notes"), TEXT),
    "amount": NUMBER,
    "percentage": WHOLE,
    "line_items": LIST,
    "external_refund": OBJECT,
}
SUBSCRIPTION: Mapping[str, Kinds] = {
    **dict.fromkeys(("collection_method", "terms_and_conditions", "customer_notes", "po_number", "billing_info_id"), TEXT),
    **dict.fromkeys(("next_bill_date", "revenue_schedule_type", "price_segment_id", "net_terms_type", "gateway_code"), TEXT),
    **dict.fromkeys(("remaining_billing_cycles", "renewal_billing_cycles", "net_terms"), WHOLE),
    "auto_renew": FLAG,
    "tax_inclusive": FLAG,
    "custom_fields": LIST,
    "shipping": OBJECT,
    "credit_application_policy": OBJECT,
    "transaction_descriptor_suffix": TEXT,
}
PAUSE: Mapping[str, Kinds] = {"remaining_pause_cycles": WHOLE}
CANCEL: Mapping[str, Kinds] = {"timeframe": TEXT}
NOTE: Mapping[str, Kinds] = {"message": TEXT}

MODELLED_ACCOUNT = frozenset(
    {"email", "first_name", "last_name", "company", "preferred_locale", "preferred_time_zone", "dunning_campaign_id", "custom_fields"}
)
MODELLED_BILLING_INFO = frozenset({"token_id", "primary_payment_method", "backup_payment_method"})
MODELLED_INVOICE = frozenset({"po_number", "terms_and_conditions", "customer_notes"})
MODELLED_SUBSCRIPTION = frozenset({"collection_method", "customer_notes", "billing_info_id", "auto_renew", "custom_fields"})
MODELLED_REFUND = frozenset({"type", "amount", "percentage", "credit_customer_notes"})
MODELLED_COLLECT = frozenset({"three_d_secure_action_result_token_id", "billing_info_id"})


def read_body(request: Request, known: Mapping[str, Kinds], *required: str) -> dict[str, Any]:
    """The body's values, checked; raises Refusal. An empty body is allowed where nothing is required."""
    if not request.body:
        told: Any = {}
    else:
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise Refusal("invalid_content_type", "The request body must be application/json")
        try:
            told = json.loads(request.body)
        except ValueError as exc:
            raise Refusal("bad_request", "The request body is not JSON") from exc
    values = _object(told)
    if values is None:
        raise Refusal("bad_request", "The request body is not an object")
    if strange := values.keys() - known.keys():
        raise unpermitted(strange)
    wrong = [name for name, value in values.items() if value is not None and not _is(value, known[name])]
    if wrong:
        raise invalid(f"These parameters have a wrong type: {', '.join(wrong)}", *wrong)
    if missing := [name for name in required if values.get(name) in {None, ""}]:
        raise invalid(f"{', '.join(missing)} is required", *missing)
    return values


def modelled(values: Mapping[str, Any], names: frozenset[str]) -> Mapping[str, Any]:
    """The values again, if the double knows what they do. Fails loudly where the vendor would act and the double could only pretend to."""
    beyond = values.keys() - names
    assert not beyond, f"the Recurly double does not model {', '.join(sorted(beyond))}"
    return values


def merge_custom_fields(fields: dict[str, str], told: list[Any], defined: frozenset[str]) -> None:
    """Changes only what is named; an empty value removes. Raises Refusal for fields that the site has not defined."""
    for entry in told:
        named = _object(entry)
        if named is None or not {"name", "value"} >= named.keys() or "name" not in named:
            raise invalid("custom_fields takes names and values", "custom_fields")
        name, value = str(named["name"]), named.get("value")
        if name not in defined:
            raise invalid(f"There is no custom field {name}", "custom_fields")
        if value is not None and (not isinstance(value, str) or len(value) > 255):
            raise invalid(f"The value of {name} is not a text of at most 255 characters", "custom_fields")
        if value:
            fields[name] = value
        else:
            fields.pop(name, None)


def _is(value: Any, kinds: Kinds) -> bool:
    return isinstance(value, kinds) and (not isinstance(value, bool) or bool in kinds)


def _object(told: Any) -> dict[str, Any] | None:
    return cast("dict[str, Any]", told) if isinstance(told, dict) else None
