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
    """What the lifecycle needs of the merged invoice and its attempts; recoup/debt.py makes it.

    ``is_dunnable``: charged automatically, not a first payment, not manual. ``is_owed``: open, with a known amount remaining, and not
    given up by a cancellation. ``remaining_minor`` counts money that a reversal took back, whatever the platform's status says.
    """

    is_dunnable: bool
    is_owed: bool
    remaining_minor: int
    has_failed_attempt: bool
    has_processing_attempt: bool
    paid_minor: int = 0
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
    COLLECTOR_CHANGED = "collector_changed"
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


class Move(Record):
    """What a fact does to an open case that it does not end."""

    reason: str
    decide: bool = False
    void_pending: bool = False


FAILURES = frozenset({FactKind.ATTEMPT_FAILED, FactKind.ACTION_REQUIRED})
MONEY_MOVED = frozenset({FactKind.ATTEMPT_SUCCEEDED, FactKind.INVOICE_CHANGED})
PEOPLE_HOLD = frozenset({FactKind.HOLD_PLACED, FactKind.HOLD_RELEASED})

ENDS = {
    FactKind.TIME_OVER: (CaseStatus.EXPIRED, "the last day of the plan has passed"),
    FactKind.WRITTEN_OFF: (CaseStatus.WRITTEN_OFF, "the debt was written off"),
    FactKind.HANDED_OFF: (CaseStatus.HANDED_OFF, "people have taken the case over"),
}

MOVES = {
    FactKind.ATTEMPT_FAILED: Move(reason="another attempt failed", decide=True),
    FactKind.ACTION_REQUIRED: Move(reason="the customer must authenticate", decide=True),
    FactKind.ATTEMPT_PROCESSING: Move(reason="an attempt is in flight: its outcome comes first", void_pending=True),
    FactKind.ATTEMPT_SUCCEEDED: Move(reason="a part was paid; the rest is still owed", decide=True, void_pending=True),
    FactKind.INVOICE_CHANGED: Move(reason="what is owed has changed", decide=True, void_pending=True),
    FactKind.METHOD_UPDATED: Move(reason="the customer has a new payment method", decide=True, void_pending=True),
    FactKind.COLLECTOR_CHANGED: Move(reason="somebody else retries the invoice from now on", decide=True),
    FactKind.SUBSCRIPTION_CANCELLED: Move(reason="the subscription ended; policy leaves the debt owed", decide=True, void_pending=True),
    FactKind.ATTEMPT_REVERSED: Move(reason="money went back", decide=True, void_pending=True),
    FactKind.DISPUTE_OPENED: Move(reason="the customer disputes a payment", decide=True, void_pending=True),
    FactKind.DISPUTE_CLOSED: Move(reason="a dispute was closed", decide=True, void_pending=True),
    FactKind.HOLD_PLACED: Move(reason="a hold was placed", void_pending=True),
    FactKind.HOLD_RELEASED: Move(reason="a hold was released", decide=True),
}


def next_state(case: CaseState | None, debt: DebtState, fact: Fact) -> Transition:
    """What ``fact`` does to the newest episode of an invoice that now stands at ``debt``. Pure; tests/unit/test_lifecycle.py reads
    it out case by case."""
    if case is None:
        return _before_any_case(debt, fact)
    if case.status is CaseStatus.OPEN:
        return _while_open(case, debt, fact)
    return _after_the_end(case, debt, fact)


def _before_any_case(debt: DebtState, fact: Fact) -> Transition:
    if not debt.is_dunnable:
        return _no_case("this invoice is not dunned: sent, manual or a first payment")
    if not debt.is_owed:
        return _no_case("nothing is owed")
    if _is_reversal(fact):
        return _opened(1, {Hold.REVERSAL}, "the payment went back")
    if fact.kind is FactKind.COLLECTOR_CHANGED:
        return _no_case("who retries an invoice fails no payment")
    if not (debt.has_failed_attempt or fact.kind in FAILURES):
        return _no_case("no attempt has failed")
    holds = {Hold.DISPUTE} if fact.kind is FactKind.DISPUTE_OPENED else set[Hold]()
    return _opened(1, holds, "an attempt failed", decide=not debt.has_processing_attempt)


def _while_open(case: CaseState, debt: DebtState, fact: Fact) -> Transition:
    if debt.is_void:
        return _ended(case, CaseStatus.CANCELLED, "the invoice was voided")
    if debt.remaining_minor <= 0:
        return _recovered(case, CaseStatus.RECOVERED, debt, fact)
    if debt.is_uncollectible:
        return _ended(case, CaseStatus.WRITTEN_OFF, "the platform gave the invoice up as uncollectible")
    if fact.kind is FactKind.SUBSCRIPTION_CANCELLED and fact.cancellation_voids_debt:
        return _ended(case, CaseStatus.CANCELLED, "the subscription was cancelled and with it the debt")
    if fact.kind in ENDS:
        return _ended(case, *ENDS[fact.kind])
    if fact.kind not in MOVES:
        return _recorded(case, f"{fact.kind} changes nothing while money is owed")
    return _moved(case, debt, fact, MOVES[fact.kind])


def _moved(case: CaseState, debt: DebtState, fact: Fact, move: Move) -> Transition:
    holds = _holds_after(case.holds, fact)
    if holds == case.holds and fact.kind in PEOPLE_HOLD | {FactKind.DISPUTE_OPENED, FactKind.DISPUTE_CLOSED}:
        return _recorded(case, f"{move.reason}, which changes no hold")
    newly_held = not holds <= case.holds
    # A held case may only prepare its file for people: once when the hold comes, and not again before it is released.
    may_act = not holds and not debt.has_processing_attempt
    return Transition(
        kind="changed",
        status=CaseStatus.OPEN,
        episode=case.episode,
        holds=holds,
        decide=move.decide and (newly_held or may_act),
        void_pending=move.void_pending,
        reason=move.reason,
    )


def _after_the_end(case: CaseState, debt: DebtState, fact: Fact) -> Transition:
    if case.status in SETTLED:
        return _after_settlement(case, debt, fact)
    if fact.kind in MONEY_MOVED and debt.remaining_minor <= 0 < debt.paid_minor and not debt.is_void:
        return _recovered(case, CaseStatus.RECOVERED_LATE, debt, fact)
    return _recorded(case, f"{fact.kind} after the end is only recorded")


def _after_settlement(case: CaseState, debt: DebtState, fact: Fact) -> Transition:
    if _is_reversal(fact):
        took_the_winner = fact.attempt_key is not None and fact.attempt_key == case.winning_attempt_key
        if took_the_winner or debt.remaining_minor > 0:
            return _opened(case.episode + 1, {Hold.REVERSAL}, "the payment that settled it went back")
        return _recorded(case, "another attempt went back; what settled it stands")
    if fact.kind not in MONEY_MOVED:
        return _recorded(case, f"{fact.kind} after settlement is only recorded")
    names_winner = case.winning_attempt_key is None and fact.kind is FactKind.ATTEMPT_SUCCEEDED
    return Transition(
        kind="changed" if debt.overpaid_minor > 0 else "recorded",
        status=case.status,
        episode=case.episode,
        holds=case.holds,
        decide=debt.overpaid_minor > 0,
        winning_attempt_key=fact.attempt_key if names_winner else case.winning_attempt_key,
        attribution=fact.attribution if names_winner else None,
        reason="more was paid than was owed" if debt.overpaid_minor > 0 else "it was settled before",
    )


def _recovered(case: CaseState, status: CaseStatus, debt: DebtState, fact: Fact) -> Transition:
    return Transition(
        kind="ended",
        status=status,
        episode=case.episode,
        holds=frozenset(),
        ends=True,
        # A credit alone is no payment to thank for.
        receipt=debt.paid_minor > 0,
        decide=debt.overpaid_minor > 0,
        winning_attempt_key=fact.attempt_key,
        attribution=fact.attribution or Attribution.OUT_OF_BAND,
        reason="nothing remains",
    )


def _ended(case: CaseState, status: CaseStatus, reason: str) -> Transition:
    return Transition(kind="ended", status=status, episode=case.episode, holds=frozenset(), ends=True, reason=reason)


def _opened(episode: int, holds: set[Hold], reason: str, *, decide: bool = True) -> Transition:
    return Transition(
        kind="opened", status=CaseStatus.OPEN, episode=episode, holds=frozenset(holds), opens=True, decide=decide, reason=reason
    )


def _recorded(case: CaseState, reason: str) -> Transition:
    return Transition(
        kind="recorded",
        status=case.status,
        episode=case.episode,
        holds=case.holds,
        winning_attempt_key=case.winning_attempt_key,
        reason=reason,
    )


def _no_case(reason: str) -> Transition:
    return Transition(kind="none", status=None, episode=0, holds=frozenset(), reason=reason)


def _is_reversal(fact: Fact) -> bool:
    lost = fact.kind is FactKind.DISPUTE_CLOSED and fact.dispute_won is False
    return lost or fact.kind is FactKind.ATTEMPT_REVERSED


def _holds_after(holds: frozenset[Hold], fact: Fact) -> frozenset[Hold]:
    if fact.kind is FactKind.DISPUTE_OPENED:
        return holds | {Hold.DISPUTE}
    if fact.kind is FactKind.DISPUTE_CLOSED and fact.dispute_won is not None:
        return holds - {Hold.DISPUTE} if fact.dispute_won else holds - {Hold.DISPUTE} | {Hold.REVERSAL}
    if fact.kind is FactKind.ATTEMPT_REVERSED:
        return holds | {Hold.REVERSAL}
    if fact.kind is FactKind.HOLD_PLACED and fact.hold:
        return holds | {fact.hold}
    if fact.kind is FactKind.HOLD_RELEASED and fact.hold:
        return holds - {fact.hold}
    return holds
