"""What Recurly's specification leaves out although its API does it, after its reference and its own clients: read with the document.

The document says of no value that it may be null, shows errors without the ``error`` around them, knows no ``cursor`` and no HEAD, and
our copy of it lacks two operations that are needed here."""

from typing import Any

Json = dict[str, Any]
TEXT: Json = {"type": "string"}
# Values that every record has; anything else is null where there is nothing to tell.
NEVER_NULL = frozenset(
    {"id", "object", "uuid", "code", "number", "type", "state", "status", "currency", "amount", "total", "account", "collection_method"}
    | {"success", "created_at", "updated_at", "has_more", "data", "message", "name", "mode", "subdomain", "error"}
)
SENT = ("Create", "Update", "Collect", "Pause", "Cancel", "Refund", "Verify", "Enum")
REFUND: Json = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"type": "string", "enum": ["amount", "percentage", "line_items"]},
        "amount": {"type": "number"},
        "percentage": {"type": "integer", "minimum": 1, "maximum": 100},
        "line_items": {"type": "array", "items": {"type": "object", "additionalProperties": True}},
        "refund_method": {"type": "string", "enum": ["all_credit", "all_transaction", "credit_first", "transaction_first"]},
        "credit_customer_notes": TEXT,
        "external_refund": {"type": "object", "additionalProperties": True},
    },
}


def complete_recurly(document: Json) -> None:
    """Completes the document in place."""
    schemas: Json = document["components"]["schemas"]
    for name, schema in schemas.items():
        if not name.endswith(SENT):
            _allow_null(schema)
    _wrap_errors(schemas)
    for path in document["paths"].values():
        if _lists(path.get("get", {})):
            path["get"]["parameters"] = [*path["get"].get("parameters", []), {"name": "cursor", "in": "query", "schema": TEXT}]
            path["head"] = {
                "parameters": path["get"]["parameters"],
                "responses": {"200": {"description": "No body"}, "default": _answer("Error")},
            }
    _add_operations(document)


def _allow_null(schema: Json) -> None:
    for part in schema.get("allOf", []):
        _allow_null(part)
    for name, value in schema.get("properties", {}).items():
        _allow_null(value)
        if name in NEVER_NULL:
            continue
        if "$ref" in value:
            kept = {key: value[key] for key in ("readOnly",) if key in value}
            schema["properties"][name] = {"anyOf": [{"$ref": value["$ref"]}, {"type": "null"}], **kept}
        else:
            value["nullable"] = True
    if "properties" in schema.get("items", {}):
        _allow_null(schema["items"])


def _wrap_errors(schemas: Json) -> None:
    for name in ("Error", "ErrorMayHaveTransaction"):
        schemas[f"{name}Inside"] = schemas[name]
        schemas[name] = {"type": "object", "properties": {"error": {"$ref": f"#/components/schemas/{name}Inside"}}, "required": ["error"]}
    # The one that may tell of a transaction is made of the other one, as it was before.
    schemas["ErrorMayHaveTransactionInside"]["allOf"][0] = {"$ref": "#/components/schemas/ErrorInside"}


def _lists(operation: Json) -> bool:
    content = operation.get("responses", {}).get("200", {}).get("content", {})
    return content.get("application/json", {}).get("schema", {}).get("$ref", "").endswith("List")


def _add_operations(document: Json) -> None:
    paths: Json = document["paths"]
    invoice, subscription = (document["components"]["parameters"][name] for name in ("invoice_id", "subscription_id"))
    refund = {"required": True, "content": {"application/json": {"schema": REFUND}}}
    refunded = {"201": _answer("Invoice"), "422": _answer("ErrorMayHaveTransaction"), "default": _answer("Error")}
    paths["/invoices/{invoice_id}/refund"] = {"post": {"parameters": [invoice], "requestBody": refund, "responses": refunded}}
    how = [
        {"name": "refund", "in": "query", "schema": {"type": "string", "enum": ["full", "partial", "none"]}},
        {"name": "charge", "in": "query", "schema": {"type": "boolean"}},
    ]
    ended = {"200": _answer("Subscription"), "422": _answer("Error"), "default": _answer("Error")}
    paths["/subscriptions/{subscription_id}"]["delete"] = {"parameters": [subscription, *how], "responses": ended}


def _answer(component: str) -> Json:
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{component}"}}}}
