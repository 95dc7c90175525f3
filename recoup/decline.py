"""From what a processor said to what it means: one reason and one category per decline.

The tables are data (``recoup/rules/declines.toml``: code, reason, category, source); this file only looks up. An unknown code gets
the most careful treatment of ``generic`` and is reported as not known.
"""

import tomllib
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files

from recoup.invoice import DeclineCodes
from recoup.record import Record


class Category(StrEnum):
    """What a decline asks for; the order is from strictest to most hopeful."""

    NEVER = "never"
    MANDATE_STOPPED = "mandate_stopped"
    NEW_DATA = "new_data"
    CUSTOMER_ACTION = "customer_action"
    POLICY = "policy"
    UNKNOWN_OUTCOME = "unknown_outcome"
    GENERIC = "generic"
    FUNDS = "funds"
    TECHNICAL = "technical"


class Meaning(Record):
    """What a decline means. ``known`` is false where no table has the code; ``source`` says who says so."""

    reason: str
    category: Category
    known: bool
    source: str


class DeclineRow(Record):
    """One row of ``declines.toml``."""

    processor: str
    code: str
    category: Category
    source: str


UNKNOWN = Meaning(reason="unknown", category=Category.GENERIC, known=False, source="DOMAIN 3.4: an unknown code is treated as generic")


@lru_cache(maxsize=1)
def decline_table() -> dict[tuple[str, str], DeclineRow]:
    """All rows by (processor, code); read once."""
    text = files("recoup").joinpath("rules/declines.toml").read_text(encoding="utf-8")
    rows = [DeclineRow.model_validate(row) for row in tomllib.loads(text)["decline"]]
    return {(row.processor, row.code): row for row in rows}


def meaning(codes: DeclineCodes | None) -> Meaning:
    """The meaning of raw codes; the processor's own decline code decides until the network tables say more."""
    if codes is None or codes.decline_code is None:
        return UNKNOWN
    row = decline_table().get((codes.processor, codes.decline_code))
    if row is None:
        return UNKNOWN
    return Meaning(reason=row.code, category=row.category, known=True, source=row.source)
