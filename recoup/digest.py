"""Canonical JSON and its SHA-256: the same meaning always gives the same bytes."""

import hashlib
import json


def canonical_json(value: object) -> str:
    """Sorted keys, no spaces, UTF-8; floats must be finite. The input must be JSON-able."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
