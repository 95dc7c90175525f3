"""Why a charge fails, which nobody outside the simulation sees, and what the issuer says instead: the truth behind a card as a value."""

from dataclasses import dataclass
from enum import StrEnum

from recoup.record import Record


class Cause(StrEnum):
    """The latent truth behind a card. ``good`` pays."""

    GOOD = "good"
    FUNDS = "funds"
    ISSUER = "issuer"
    LIMIT = "limit"
    OUTAGE = "outage"
    EXPIRED = "expired"
    DEAD = "dead"
    STOLEN = "stolen"
    CUSTOMER_PRESENT = "customer_present"


class Pay(StrEnum):
    """When money comes into the account behind a card."""

    WEEKLY = "weekly"
    BIWEEKLY = "biweekly"
    SEMI_MONTHLY = "semi_monthly"
    MONTHLY = "monthly"
    NONE = "none"


class Code(Record):
    """What the issuer answers: the processor's word and the network's number."""

    decline: str
    network: str | None = None
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """A payment method with its truth. ``pay_day`` places its owner's paydays: a weekday, or a day of the month. ``offset_hours``: their
    local time, from UTC. ``is_short``: whatever comes in is gone at once, for the time being."""

    fingerprint: str
    cause: Cause
    code: Code
    pay: Pay
    pay_day: int
    offset_hours: float = 0.0
    is_short: bool = False


# What the issuer says, and which truth hides behind it; how often stands in parameters.toml, [causes].
FIRST_DECLINES: dict[str, tuple[Cause, Code]] = {
    "funds_said": (Cause.FUNDS, Code(decline="insufficient_funds", network="51")),
    "funds_unsaid": (Cause.FUNDS, Code(decline="do_not_honor", network="05")),
    "issuer_unsaid": (Cause.ISSUER, Code(decline="do_not_honor", network="05")),
    "issuer_generic": (Cause.ISSUER, Code(decline="generic_decline", network="05")),
    "dead_unsaid": (Cause.DEAD, Code(decline="do_not_honor", network="05")),
    "expired": (Cause.EXPIRED, Code(decline="expired_card", network="54")),
    "dead_said": (Cause.DEAD, Code(decline="invalid_account", network="14")),
    "lost": (Cause.STOLEN, Code(decline="lost_card", network="41")),
    "stolen": (Cause.STOLEN, Code(decline="stolen_card", network="43")),
    "fraudulent": (Cause.STOLEN, Code(decline="fraudulent", network="59")),
    "authentication": (Cause.CUSTOMER_PRESENT, Code(decline="authentication_required", network="1A")),
    "limit": (Cause.LIMIT, Code(decline="card_velocity_exceeded", network="65")),
    "outage_processing": (Cause.OUTAGE, Code(decline="processing_error", network="96")),
    "outage_issuer": (Cause.OUTAGE, Code(decline="issuer_not_available", network="91")),
}
OUTAGE_CODE = Code(decline="issuer_not_available", network="91")
REISSUED = frozenset({Cause.EXPIRED, Cause.STOLEN})  # banks send a new card
NEEDS_THE_CUSTOMER = frozenset({Cause.EXPIRED, Cause.DEAD, Cause.STOLEN, Cause.CUSTOMER_PRESENT})
