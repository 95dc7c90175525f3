"""The life of a case: one recovery episode of one invoice, moved by one pure function."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from recoup.events import CancellationKind
from recoup.record import Record


class CaseStatus(StrEnum):
    """``open`` or one of the ends. ``recovered_late``: the money came after the case had ended without it."""

    OPEN = "open"
    RECOVERED = "recovered"
    RECOVERED_LATE = "recovered_late"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    WRITTEN_OFF = "written_off"
    HANDED_OFF = "handed_off"


class Hold(StrEnum):
    """Why an open case may do nothing until it is released."""

    DISPUTE = "dispute"
    REVERSAL = "reversal"
    REPLY = "reply"
    INCIDENT = "incident"
    PERSON = "person"
    DECEASED = "deceased"


class Attribution(StrEnum):
    """What brought the money."""

    RECOUP = "recoup"
    PLATFORM = "platform"
    CUSTOMER_LINK = "customer_link"
    OUT_OF_BAND = "out_of_band"


SETTLED = frozenset({CaseStatus.RECOVERED, CaseStatus.RECOVERED_LATE})


class CaseState(Record):
    """What the lifecycle needs of the newest episode's case."""

    episode: int
    status: CaseStatus
    holds: frozenset[Hold]
    winning_attempt_key: str | None = None


class DebtState(Record):
    """What the lifecycle needs of the merged invoice. ``is_dunnable``: charged automatically, not a first payment, not manual."""

    is_dunnable: bool
    is_owed: bool
    remaining_minor: int
    has_failed_attempt: bool
    has_processing_attempt: bool
    is_void: bool = False
    is_uncollectible: bool = False
    overpaid_minor: int = 0


class FactKind(StrEnum):
    """What the lifecycle can be told."""

    ATTEMPT_FAILED = "attempt_failed"
    ATTEMPT_PROCESSING = "attempt_processing"
    ACTION_REQUIRED = "action_required"
    ATTEMPT_SUCCEEDED = "attempt_succeeded"
    ATTEMPT_REVERSED = "attempt_reversed"
    INVOICE_CHANGED = "invoice_changed"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_CLOSED = "dispute_closed"
    SUBSCRIPTION_CANCELLED = "subscription_cancelled"
    METHOD_UPDATED = "method_updated"
    REFUNDED = "refunded"
    HOLD_PLACED = "hold_placed"
    HOLD_RELEASED = "hold_released"
    TIME_OVER = "time_over"
    WRITTEN_OFF = "written_off"
    HANDED_OFF = "handed_off"


class Fact(Record):
    """One thing that happened. ``attempt_key`` names the attempt concerned, ``cancellation_voids_debt`` is policy's answer
    for this kind of cancellation, ``hold`` goes with HOLD_PLACED and HOLD_RELEASED."""

    kind: FactKind
    attempt_key: str | None = None
    attribution: Attribution | None = None
    cancellation: CancellationKind | None = None
    cancellation_voids_debt: bool = False
    dispute_won: bool | None = None
    hold: Hold | None = None


class Transition(Record):
    """What the fact does. ``status`` None: there is no case and none is opened. ``opens``: a new row for episode ``episode``.

    ``ends``: timers are cancelled, approvals void, pending actions void. ``decide``: a decision is wanted. ``receipt``: the customer
    is told once that all is paid. ``void_pending``: pending actions and approvals rest on facts that are gone, though the case lives.
    """

    kind: Literal["none", "recorded", "opened", "changed", "ended"]
    status: CaseStatus | None
    episode: int
    holds: frozenset[Hold]
    opens: bool = False
    ends: bool = False
    decide: bool = False
    receipt: bool = False
    void_pending: bool = False
    winning_attempt_key: str | None = None
    attribution: Attribution | None = None
    reason: str


class Case(Record):
    """A case's row as others read it."""

    id: str
    invoice_id: str
    account_id: str
    connection: str
    episode: int
    status: CaseStatus
    holds: tuple[Hold, ...]
    version: int
    priority: float
    opened_at: datetime
    closed_at: datetime | None
    attribution: Attribution | None
    simulated: bool
