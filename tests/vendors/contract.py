"""Checks requests and responses against a vendor's own API specification: unknown keys at any depth, wrong types, missing fields.

The specifications are not ours to ship: RECOUP_VENDOR_DATA names the folder that has them under ``specs/``."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import jsonschema_rs
import pytest

from tests.vendors.chassis import Exchange
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.contract_forms import decode
from tests.vendors.contract_left_out import add_left_out
from tests.vendors.contract_problems import problems_of
from tests.vendors.contract_schema import Json, Shaper, references, whole_numbers
from tests.vendors.recurly_left_out import complete_recurly

Vendor = Literal["stripe", "stripe-2026", "recurly"]
FILES: dict[Vendor, str] = {
    "stripe": "stripe.json",
    "stripe-2026": "stripe_2026-10-28.endive_from_sdk.json",
    "recurly": "recurly.json",
}
STRIPE_VERSIONS: dict[str, str] = {"stripe": "2023-08-16", "stripe-2026": "2026-10-28.endive"}
RECURLY_ACCEPT = "application/vnd.recurly.v2021-02-25"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
IDEMPOTENCY_KEY_CHARACTERS = 255
# What any operation may answer, whether or not the document repeats it: who asks, how often, and the vendor's own failures.
GENERAL_STATUSES = frozenset({401, 403, 409, 429, 500, 502, 503})
STRIPE_IDS = {
    "invoice": r"in_\w+|upcoming",
    "customer": r"cus_\w+",
    "subscription": r"sub_\w+",
    "subscription_exposed_id": r"sub_\w+",
    "intent": r"pi_\w+",
    "charge": r"(ch|py)_\w+",
    "payment_method": r"(pm|card|src|ba)_\w+",
    "refund": r"p?re?_\w+|pyr_\w+",
    "dispute": r"(dp|du|pdp)_\w+",
    "id": r"evt_\w+",
    "webhook_endpoint": r"we_\w+",
}
RECURLY_IDS = {
    "account_id": r"(code-.+|[a-z0-9]+)",
    "invoice_id": r"(number-.+|[a-z0-9]+)",
    "subscription_id": r"(uuid-.+|[a-z0-9]+)",
    "transaction_id": r"(uuid-.+|[a-z0-9]+)",
    "site_id": r"(subdomain-.+|[a-z0-9]+)",
}
RECURLY_ID = r"[a-z0-9]+"


class ContractBroken(AssertionError):
    """What went over the wire is not what the vendor's specification allows; ``problems`` has a line for each fault."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Operation:
    """One method of one path of a specification."""

    key: str
    definition: Json
    parameters: list[Json]
    path_values: dict[str, str]


class Contract:
    """One vendor's specification, ready to check with."""

    def __init__(self, vendor: str, document: Json, integers: frozenset[str] = frozenset()) -> None:
        self.vendor, self._document, self._integers = vendor, document, integers
        self._stripe = vendor != "recurly"
        paths = sorted(document["paths"], key=lambda path: path.count("{"))
        self._paths = [(re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "$"), path) for path in paths]
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}
        self._shaped: dict[tuple[str, bool], Json] = {}

    @staticmethod
    @lru_cache
    def load(vendor: Vendor) -> "Contract | None":
        """The contract, or None where RECOUP_VENDOR_DATA is not set."""
        given = os.environ.get("RECOUP_VENDOR_DATA")
        if not given:
            return None
        folder = Path(given) / "specs"
        document = json.loads((folder / FILES[vendor]).read_text(encoding="utf-8"))
        if vendor == "recurly":
            complete_recurly(document)
            return Contract(vendor, document)
        add_left_out(document, derived=vendor == "stripe-2026")
        official = json.loads((folder / FILES["stripe"]).read_text(encoding="utf-8"))
        return Contract(vendor, document, whole_numbers(official["components"]["schemas"]))

    @staticmethod
    def required(vendor: Vendor) -> "Contract":
        """The contract; skips the test, saying why, where RECOUP_VENDOR_DATA is not set."""
        contract = Contract.load(vendor)
        if contract is None:
            pytest.skip("RECOUP_VENDOR_DATA does not name the folder of vendor specifications")
        return contract

    def check_request(self, method: str, path: str, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        """Raises ContractBroken unless the vendor's specification allows this request. ``query`` is the text after the question mark."""
        operation = self._operation(method, path)
        named = {name.lower(): value for name, value in (headers or {}).items()}
        problems = self._path_problems(operation) + self._header_problems(method, named)
        problems += self._query_problems(operation, method, query) + self._body_problems(operation, named, body)
        if problems:
            raise ContractBroken([f"{method} {path}: {problem}" for problem in problems])

    def check_response(self, method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Raises ContractBroken unless the vendor's specification allows this answer."""
        operation = self._operation(method, path)
        problems = self._response_problems(operation, status, {name.lower(): value for name, value in headers.items()}, body)
        if problems:
            raise ContractBroken([f"{method} {path} -> {status}: {problem}" for problem in problems])

    def check_exchange(self, exchange: Exchange, *, answer_only: bool = False) -> None:
        """Checks a line of a double's log; ``answer_only`` for requests that are wrong on purpose."""
        request, answer = exchange.request, exchange.answer
        if not answer_only:
            self.check_request(request.method, request.path, request.query, request.headers, request.body)
        if answer and exchange.misbehaved is not Trouble.WRONG_CONTENT_TYPE:
            headers = {"content-type": JSON, **answer.headers}
            self.check_response(request.method, request.path, answer.status, headers, answer.encoded())

    def check_component(self, component: str, value: Any) -> None:
        """Raises ContractBroken unless a value is what the specification's component of that name says, as for webhooks."""
        reference = {"$ref": f"#/components/schemas/{component}"}
        self._resolved(reference)
        problems = self._validate("response", reference, value, component, encoded=False)
        if problems:
            raise ContractBroken(problems)

    def check_event(self, event: Json) -> None:
        """Raises ContractBroken unless a webhook's event is one that Stripe can send, around an object as it should be."""
        derived = self.vendor == "stripe-2026"
        name = "".join(part.title() for part in re.split(r"[._]", event["type"])) + "Event" if derived else "event"
        definition = self._resolved({"$ref": f"#/components/schemas/{name}"})
        # What is inside is checked by itself, so that its own schema is compiled once and not once for each type of event.
        envelope = definition | {"properties": definition["properties"] | {"data": {"type": "object"}}}
        problems = self._validate("response", envelope, event, "event", encoded=False, key=f"event {name}")
        kind = event["data"]["object"]["object"]
        inside = "".join(part.title() for part in kind.split("_")) if derived else kind
        known = self._resolved({"$ref": f"#/components/schemas/{inside}"})["properties"]
        changed = event["data"].get("previous_attributes", {})
        problems += [f"event.data.previous_attributes.{key}: unknown key" for key in changed if key not in known]
        problems += [f"event.data.{key}: unknown key" for key in event["data"] if key not in {"object", "previous_attributes"}]
        if problems:
            raise ContractBroken(problems)
        self.check_component(inside, event["data"]["object"])

    def _operation(self, method: str, path: str) -> Operation:
        for pattern, template in self._paths:
            match, item = pattern.match(path), self._document["paths"][template]
            if match and method.lower() in item:
                definition = item[method.lower()]
                parameters = [self._resolved(p) for p in (*item.get("parameters", []), *definition.get("parameters", []))]
                return Operation(f"{method} {template}", definition, parameters, match.groupdict())
        raise ContractBroken([f"{method} {path}: the specification has no such operation"])

    def _path_problems(self, operation: Operation) -> list[str]:
        ids = STRIPE_IDS if self._stripe else RECURLY_IDS
        problems: list[str] = []
        for name, value in operation.path_values.items():
            pattern = ids.get(name, r"\w+" if self._stripe else RECURLY_ID)
            if not re.fullmatch(pattern, unquote(value)):
                problems.append(f"path parameter {name}: {value!r} does not look like {pattern}")
        return problems

    def _header_problems(self, method: str, headers: dict[str, str]) -> list[str]:
        problems = [] if headers.get("authorization") else ["header authorization: missing"]
        wanted = STRIPE_VERSIONS.get(self.vendor)
        if wanted and headers.get("stripe-version") != wanted:
            problems.append(f"header stripe-version: {headers.get('stripe-version')!r} is not {wanted!r}")
        if not self._stripe and not headers.get("accept", "").startswith(RECURLY_ACCEPT):
            problems.append(f"header accept: {headers.get('accept')!r} does not ask for {RECURLY_ACCEPT}")
        key = headers.get("idempotency-key")
        if key is not None and not 0 < len(key) <= IDEMPOTENCY_KEY_CHARACTERS:
            problems.append(f"header idempotency-key: has {len(key)} characters, not 1 to {IDEMPOTENCY_KEY_CHARACTERS}")
        if key is not None and method == "GET":
            problems.append("header idempotency-key: of no effect on GET")
        return problems

    def _query_problems(self, operation: Operation, method: str, query: str) -> list[str]:
        known = [p for p in operation.parameters if p["in"] == "query"]
        properties = {p["name"].split("[")[0]: p["schema"] for p in known}
        if self._stripe and method == "DELETE":
            # Stripe's SDKs send the fields of a DELETE in the query.
            form = operation.definition.get("requestBody", {}).get("content", {}).get(FORM, {}).get("schema", {})
            properties = form.get("properties", {}) | properties
        try:
            value = decode(query)
        except ValueError as wrong:
            return [f"query: {wrong}"]
        for parameter in known:
            name = parameter["name"]
            if parameter.get("explode") is False and isinstance(value.get(name), str):
                value[name] = value[name].split(",")
        required = [p["name"] for p in known if p.get("required")]
        schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
        return self._validate("request", schema, value, "query", encoded=True, key=f"{operation.key} query")

    def _body_problems(self, operation: Operation, headers: dict[str, str], body: bytes) -> list[str]:
        definition = self._resolved(operation.definition.get("requestBody", {}))
        if not body:
            return ["body: missing"] if definition.get("required") else []
        content = {kind.split(";")[0]: value for kind, value in definition.get("content", {}).items()}
        kind = headers.get("content-type", "").split(";")[0]
        if kind not in content:
            return [f"header content-type: {kind!r} is not one of {sorted(content)}"]
        try:
            value = decode(body.decode()) if kind == FORM else json.loads(body)
        except ValueError as wrong:
            return [f"body: {wrong}"]
        return self._validate("request", content[kind].get("schema", {}), value, "body", encoded=kind == FORM, key=f"{operation.key} body")

    def _response_problems(self, operation: Operation, status: int, headers: dict[str, str], body: bytes) -> list[str]:
        responses = operation.definition["responses"]
        general = {"schema": {"$ref": f"#/components/schemas/{'error' if self._stripe else 'Error'}"}}
        response = responses.get(str(status)) or responses.get("default")
        if response is None and status not in GENERAL_STATUSES:
            return [f"status {status} is none of {sorted(responses)}"]
        content = self._resolved(response).get("content", {}) if response else {JSON: general}
        if not content:
            return ["body: the specification has none here"] if body else []
        kind = headers.get("content-type", "").split(";")[0]
        if not (kind in content or (kind.startswith(RECURLY_ACCEPT) and JSON in content)):
            return [f"header content-type: {kind!r} is not one of {sorted(content)}"]
        try:
            value = json.loads(body)
        except ValueError as wrong:
            return [f"body: {wrong}"]
        schema = content.get(kind, content.get(JSON, {})).get("schema", {})
        return self._validate("response", schema, value, "body", encoded=False, key=f"{operation.key} {status}")

    def _validate(
        self, direction: Literal["request", "response"], schema: Json, value: Any, root: str, *, encoded: bool, key: str = ""
    ) -> list[str]:
        # Most answers are one component or the error: what is compiled for one operation serves them all.
        key = f"{direction} {encoded} {schema['$ref']}" if "$ref" in schema else f"{direction} {key}"
        if key not in self._validators:
            self._validators[key] = self._validator(direction, schema, encoded=encoded)
        validator = self._validators[key]
        return [] if validator.is_valid(value) else problems_of(validator.iter_errors(value), root)

    def _validator(self, direction: Literal["request", "response"], schema: Json, *, encoded: bool) -> jsonschema_rs.Draft202012Validator:
        derived = self.vendor == "stripe-2026"
        shaper = Shaper(lambda ref: self._resolved({"$ref": ref}), direction, encoded, derived, self._integers if derived else frozenset())
        shaped, waiting = self._shaped.setdefault((direction, encoded), {}), references(root := shaper.shape(schema))
        used: Json = {}
        while waiting:
            name = waiting.pop()
            if name not in shaped:
                shaped[name] = shaper.shape(self._document["components"]["schemas"][name])
            used[name] = shaped[name]
            waiting |= references(shaped[name]) - used.keys()
        document = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": {"schemas": used}, "allOf": [root]}
        return jsonschema_rs.Draft202012Validator(document, validate_formats=True)

    def _resolved(self, node: Json) -> Json:
        while "$ref" in node:
            target: Any = self._document
            for part in node["$ref"][2:].split("/"):
                if part not in target:
                    raise ContractBroken([f"the specification has no {node['$ref']}"])
                target = target[part]
            node = target
        return node
