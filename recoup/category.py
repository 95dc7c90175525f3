"""The two words that a decline comes down to: what it asks for, and whether the credential may be tried again."""

from enum import StrEnum


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


class Retry(StrEnum):
    """Whether a merchant-initiated attempt may be made on the same credential; the order is from strictest to most lenient.

    ``never``: a new card number is another credential. ``reconcile``: read first whether the money moved. ``customer_action``: only the
    customer can pay with it. ``after_update``: once its data or mandate were corrected or replaced. ``allowed``: within waits and caps.
    """

    NEVER = "never"
    RECONCILE = "reconcile"
    CUSTOMER_ACTION = "customer_action"
    AFTER_UPDATE = "after_update"
    ALLOWED = "allowed"


STRICTNESS = {retry: rank for rank, retry in enumerate(Retry)}
