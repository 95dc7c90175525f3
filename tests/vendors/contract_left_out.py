"""Operations and fields of Stripe that the files of its specification leave out, after Stripe's API reference and its SDK's types."""

from typing import Any

Json = dict[str, Any]
TEXT: Json = {"type": "string"}
WHOLE: Json = {"type": "integer"}
TRUTH: Json = {"type": "boolean"}
FREE: Json = {"type": "object", "additionalProperties": TEXT}
METADATA: Json = {"anyOf": [FREE, {"type": "string", "enum": [""]}]}
TEXTS: Json = {"type": "array", "items": TEXT}
RANGE: Json = {"anyOf": [{"type": "object", "properties": {"gt": WHOLE, "gte": WHOLE, "lt": WHOLE, "lte": WHOLE}}, WHOLE]}
PAGING: Json = {"ending_before": TEXT, "limit": WHOLE, "starting_after": TEXT, "expand": TEXTS}
REFUND_REASONS = ["duplicate", "fraudulent", "requested_by_customer"]
CANCEL_REASONS = ["abandoned", "duplicate", "fraudulent", "requested_by_customer"]
ERROR: Json = {"$ref": "#/components/schemas/error"}
REFUND: Json = {
    "amount": WHOLE,
    "charge": TEXT,
    "currency": TEXT,
    "customer": TEXT,
    "expand": TEXTS,
    "metadata": METADATA,
    "payment_intent": TEXT,
    "reason": {"type": "string", "enum": REFUND_REASONS},
    "refund_application_fee": TRUTH,
    "reverse_transfer": TRUTH,
}
ENDPOINT_FIELDS: Json = {
    "id": TEXT,
    "object": {"type": "string", "enum": ["webhook_endpoint"]},
    "api_version": {"type": ["string", "null"]},
    "application": {"type": ["string", "null"]},
    "created": WHOLE,
    "description": {"type": ["string", "null"]},
    "enabled_events": TEXTS,
    "livemode": TRUTH,
    "metadata": FREE,
    "secret": TEXT,
    "status": {"type": "string", "enum": ["enabled", "disabled"]},
    "url": TEXT,
}
ENDPOINT: Json = {"type": "object", "properties": ENDPOINT_FIELDS, "required": [name for name in ENDPOINT_FIELDS if name != "secret"]}
ERROR_TYPES = ["api_error", "card_error", "idempotency_error", "invalid_request_error"]
ERROR_TEXTS = (
    "advice_code",
    "charge",
    "code",
    "decline_code",
    "doc_url",
    "message",
    "network_advice_code",
    "network_decline_code",
    "param",
    "payment_method_type",
    "request_log_url",
)


def add_left_out(document: Json, *, derived: bool) -> None:
    """Completes a document of Stripe; ``derived``: made from the SDK's types, where components are called ``Refund`` and not ``refund``."""
    schemas = document["components"]["schemas"]
    if derived:
        schemas["WebhookEndpoint"] = ENDPOINT
        _complete_error(schemas["error"]["properties"]["error"])
    for path, operations in _operations(derived).items():
        here = document["paths"].setdefault(path, {})
        for method, operation in operations.items():
            here.setdefault(method, operation)


def _complete_error(error: Json) -> None:
    """The derived document knows seven fields of an error and leaves its objects open."""
    error["properties"] = dict.fromkeys(ERROR_TEXTS, TEXT) | {
        "type": {"type": "string", "enum": ERROR_TYPES},
        "payment_intent": {"$ref": "#/components/schemas/PaymentIntent"},
        "payment_method": {"$ref": "#/components/schemas/PaymentMethod"},
    }


def _operations(derived: bool) -> Json:
    def ref(name: str) -> Json:
        own = "".join(part.title() for part in name.split("_")) if derived else name
        return {"$ref": f"#/components/schemas/{own}"}

    def get(name: str) -> Json:
        return _operation(ref(name), {"expand": TEXTS})

    def listing(name: str, **filters: Json) -> Json:
        page = {
            "object": {"type": "string", "enum": ["list"]},
            "data": {"type": "array", "items": ref(name)},
            "has_more": TRUTH,
            "url": TEXT,
        }
        return _operation({"type": "object", "properties": page, "required": list(page)}, PAGING | filters)

    def post(name: str, **body: Json) -> Json:
        form = {"application/x-www-form-urlencoded": {"schema": {"type": "object", "properties": {"expand": TEXTS, **body}}}}
        return _operation(ref(name), {}) | {"requestBody": {"content": form}}

    reason: Json = {"type": "string", "enum": CANCEL_REASONS}
    return {
        "/v1/invoices/{invoice}/void": {"post": post("invoice")},
        "/v1/disputes/{dispute}": {"get": get("dispute")},
        "/v1/refunds": {"post": post("refund", **REFUND), "get": listing("refund", charge=TEXT, created=RANGE, payment_intent=TEXT)},
        "/v1/refunds/{refund}": {"get": get("refund")},
        "/v1/payment_intents": {"get": listing("payment_intent", created=RANGE, customer=TEXT)},
        "/v1/payment_intents/{intent}/cancel": {"post": post("payment_intent", cancellation_reason=reason)},
        "/v1/webhook_endpoints": {"get": listing("webhook_endpoint")},
        "/v1/webhook_endpoints/{webhook_endpoint}": {"get": get("webhook_endpoint")},
        "/v1/customers": {"get": listing("customer", created=RANGE, email=TEXT, test_clock=TEXT)},
        "/v1/account": {"get": get("account")},
    }


def _operation(answer: Json, query: Json) -> Json:
    answers = {
        "200": {"content": {"application/json": {"schema": answer}}},
        "default": {"content": {"application/json": {"schema": ERROR}}},
    }
    parameters = [{"name": name, "in": "query", "schema": schema, "style": "deepObject"} for name, schema in query.items()]
    return {"parameters": parameters, "responses": answers}
