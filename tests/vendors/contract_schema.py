"""Turns the schemas of a vendor's OpenAPI document into ones that leave nothing open: no unknown key at any depth, nothing unsaid."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]
KEPT = ("type", "enum", "const", "pattern", "format", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "required")
ENCODED_TYPES: dict[str, Json] = {
    "integer": {"type": "string", "pattern": r"^-?[0-9]+$"},
    "number": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
    "boolean": {"type": "string", "enum": ["true", "false"]},
}
# What they hold is a part of an object, of which only the first level has names that can be told.
PARTS = frozenset({"previous_attributes"})
# A bounded number as text cannot be compared, but it can be one of a list.
ENUMERABLE = 1_000


@dataclass(frozen=True)
class Shaper:
    """How schemas are read. ``encoded``: values travel as text, as in forms and queries, so that 1, true and 2.5 are text that looks so.

    ``closed_enums``: an enum beside a bare string, as SDK types leave room for later values, is an enum. ``integers``: properties that
    are whole numbers although the document only says number."""

    resolve: Callable[[str], Json]
    direction: Literal["request", "response"]
    encoded: bool
    closed_enums: bool
    integers: frozenset[str]

    def shape(self, schema: Json, name: str = "") -> Json:
        """The closed schema. ``name`` is the property that it describes."""
        if "$ref" in schema:
            return {"$ref": schema["$ref"]}
        if name in PARTS and "properties" in schema:
            return {"type": "object", "properties": {key: {} for key in schema["properties"]}, "additionalProperties": False}
        if "allOf" in schema:
            schema = self._merged(schema)
        alternatives = schema.get("anyOf") or schema.get("oneOf")
        if alternatives:
            out: Json = {"anyOf": [self.shape(a, name) for a in self._alternatives(alternatives)]}
        elif isinstance(schema.get("type"), list):
            kinds = [kind for kind in schema["type"] if not (self.encoded and kind == "null")]
            out = {"anyOf": [self._single({**schema, "type": kind}, name) for kind in kinds]}
        else:
            out = self._single(schema, name)
        return {"anyOf": [out, {"type": "null"}]} if schema.get("nullable") and not self.encoded else out

    def _alternatives(self, alternatives: list[Json]) -> list[Json]:
        if self.closed_enums and any(a.get("type") == "string" and a.get("enum", [""]) != [""] for a in alternatives):
            alternatives = [a for a in alternatives if a != {"type": "string"}]
        if self.encoded:
            alternatives = [a for a in alternatives if a != {"type": "null"}]
        return alternatives

    def _single(self, schema: Json, name: str) -> Json:
        kind = schema.get("type")
        if kind == "number" and name in self.integers:
            kind = "integer"
        if self.encoded and kind in ENCODED_TYPES:
            if "minimum" in schema and schema.get("maximum", math.inf) - schema["minimum"] <= ENUMERABLE:
                return {"enum": [str(number) for number in range(schema["minimum"], schema["maximum"] + 1)]}
            return dict(ENCODED_TYPES[kind])
        out = {key: schema[key] for key in KEPT if key in schema}
        if kind is not None:
            out["type"] = kind
        if kind == "null":
            return {"type": "null"}
        if self.encoded and "enum" in out:
            out["enum"] = [str(value).lower() if isinstance(value, bool) else str(value) for value in out["enum"]]
        if "items" in schema:
            out["items"] = self.shape(schema["items"])
        if "properties" in schema or "additionalProperties" in schema:
            self._close(schema, out)
        return out

    def _close(self, schema: Json, out: Json) -> None:
        """Properties, and what may stand beside them: nothing, unless the document says what."""
        hidden = {"request": "readOnly", "response": "writeOnly"}[self.direction]
        properties = {name: value for name, value in schema.get("properties", {}).items() if not value.get(hidden)}
        out["properties"] = {name: self.shape(value, name) for name, value in properties.items()}
        out["required"] = [name for name in schema.get("required", []) if name in properties]
        beside = schema.get("additionalProperties")
        if isinstance(beside, dict):
            out["additionalProperties"] = self.shape(beside)  # pyright: ignore[reportUnknownArgumentType] - JSON
        elif beside is not None or properties:
            out["additionalProperties"] = bool(beside)

    def _merged(self, schema: Json) -> Json:
        """One object for an ``allOf``: closing each part by itself would refuse the properties of the others."""
        properties: Json = {}
        required: list[str] = []
        own = {key: value for key, value in schema.items() if key != "allOf"}
        for part in (own, *(self.resolve(p["$ref"]) if "$ref" in p else p for p in schema["allOf"])):
            whole = self._merged(part) if "allOf" in part else part
            properties |= whole.get("properties", {})
            required += whole.get("required", [])
        return {"type": "object", "properties": properties, "required": required}


def references(schema: Any) -> set[str]:
    """Names of the components that a shaped schema points at directly."""
    if isinstance(schema, list):
        return {name for item in schema for name in references(item)}  # pyright: ignore[reportUnknownVariableType] - JSON
    if not isinstance(schema, dict):
        return set()
    inner = {name for value in schema.values() for name in references(value)}  # pyright: ignore[reportUnknownVariableType] - JSON
    target = schema.get("$ref")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - JSON
    return inner | {target.rsplit("/", 1)[1]} if isinstance(target, str) else inner


def whole_numbers(schemas: Json) -> frozenset[str]:
    """Properties that a document types as integers wherever they occur."""
    kinds: dict[str, set[str]] = {}

    def walk(node: Any) -> None:
        if isinstance(node, list):
            for item in node:  # pyright: ignore[reportUnknownVariableType] - JSON
                walk(item)
        elif isinstance(node, dict):
            for name, value in (node.get("properties") or {}).items():  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
                kinds.setdefault(name, set()).add(value.get("type", "other"))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
            for value in node.values():  # pyright: ignore[reportUnknownVariableType] - JSON
                walk(value)

    walk(schemas)
    return frozenset(name for name, types in kinds.items() if types == {"integer"})
