"""A policy as the text that a person would have written."""

import json
from datetime import time
from decimal import Decimal
from enum import Enum
from typing import Any, cast

from recoup.policy import Policy


def policy_text(policy: Policy) -> str:
    """TOML that says what differs from the defaults."""
    told = policy.model_dump(exclude_defaults=True)
    return "".join(f"{key} = {_value(value)}\n" for key, value in told.items())


def _value(value: Any) -> str:
    match value:
        case None:
            return '"never"'
        case Enum():
            return json.dumps(value.value)
        case Decimal() | time():
            return str(value)
        case dict():
            entries = cast("dict[Any, Any]", value).items()
            return "{" + ", ".join(f"{_value(key)} = {_value(one)}" for key, one in entries) + "}"
        case list() | tuple():
            return "[" + ", ".join(_value(one) for one in cast("list[Any]", value)) + "]"
        case _:
            return json.dumps(value)
