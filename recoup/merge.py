"""Many partial readings of one thing, in any order and number, become one row: per-field last writer wins.

Every told field carries the *stamp* of the reading it came from, and the greater stamp wins. Stamps are totally ordered, so merging is
commutative, associative and idempotent: the order in which a platform's events arrive can change nothing.

A stamp is ``(rank, observed_at, progress, tie)``. What ``rank`` and ``progress`` mean is decided for each kind of thing below. ``tie`` is
a digest of the whole reading: two readings that nothing else tells apart still give all their fields together, never a mixture.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from pydantic import TypeAdapter

from recoup.digest import digest
from recoup.invoice import (
    AccountSnapshot,
    AttemptSnapshot,
    AttemptStatus,
    CredentialSnapshot,
    InvoiceSnapshot,
    InvoiceStatus,
)
from recoup.record import Record

SnapshotT = TypeVar("SnapshotT", bound=Record)
Stamp = tuple[int, datetime, tuple[int, ...], str]
Stamps = dict[str, Stamp]
STAMPS: TypeAdapter[Stamps] = TypeAdapter(Stamps)

NEVER_CHANGED = datetime(1970, 1, 1, tzinfo=UTC)
ENDED = frozenset({AttemptStatus.FAILED, AttemptStatus.SUCCEEDED, AttemptStatus.REVERSED})
SAME_ATTEMPT_WITHIN = timedelta(minutes=2)

# Platforms whose clock is in seconds emit several readings of one second: the further-along one is the later one.
INVOICE_PROGRESS = {
    InvoiceStatus.DRAFT: 0,
    InvoiceStatus.OPEN: 1,
    InvoiceStatus.UNCOLLECTIBLE: 2,
    InvoiceStatus.VOID: 3,
    InvoiceStatus.PAID: 4,
}

# An attempt only moves forwards. Success outranks failure: a late "failed" of the same attempt is stale news, and money that
# really went back is told as a reversal.
ATTEMPT_PROGRESS = {
    AttemptStatus.PENDING: 0,
    AttemptStatus.UNKNOWN: 1,
    AttemptStatus.REQUIRES_ACTION: 2,
    AttemptStatus.PROCESSING: 3,
    AttemptStatus.FAILED: 4,
    AttemptStatus.SUCCEEDED: 5,
    AttemptStatus.REVERSED: 6,
}


@dataclass(frozen=True)
class Merged(Generic[SnapshotT]):
    """What all readings so far say together, and per told field the stamp of the reading that said it."""

    snapshot: SnapshotT
    stamps: Stamps


MergedInvoice = Merged[InvoiceSnapshot]
MergedAttempt = Merged[AttemptSnapshot]
MergedCredential = Merged[CredentialSnapshot]
MergedAccount = Merged[AccountSnapshot]


def merge_invoice(stored: MergedInvoice | None, seen: InvoiceSnapshot) -> MergedInvoice:
    """Ordered by the platform's revision, then its time, then by how far along the reading is: status, money paid, money given back."""
    progress = (
        INVOICE_PROGRESS[seen.status] if seen.status else -1,
        seen.paid_minor if seen.paid_minor is not None else -1,
        (seen.credited_minor or 0) + (seen.refunded_minor or 0),
    )
    stamp = (seen.revision, seen.observed_at, progress, _tie(seen))
    # Whoever tells the status tells the platform's plan with it: no next attempt then means that none is planned.
    plan = ["next_platform_attempt_at"] if seen.status else []
    return join(stored, _lift(seen, lambda _: stamp, also=plan))


def merge_attempt(stored: MergedAttempt | None, seen: AttemptSnapshot) -> MergedAttempt:
    """Ordered by status first: whoever has seen the end knows more than any stale reading of the middle.

    Three fields have an order of their own: the surest key wins (charge, then intent, then attempt number), the surest CIT/MIT flag
    wins, and ``occurred_at`` is the earliest told, since caps count the moment the network was asked.
    """
    progress = (ATTEMPT_PROGRESS[seen.status],)
    key_rank = 2 if seen.charge_vendor_id else 1 if seen.intent_vendor_id else 0
    tie = _tie(seen)

    def stamp(field: str) -> Stamp:
        match field:
            case "vendor_key":
                rank = key_rank
            case "customer_initiated" | "cit_confidence":
                rank = round(seen.cit_confidence * 1000)
            case "occurred_at":
                rank = -round(seen.occurred_at.timestamp() * 1000)
            case "observed_at":
                rank = 0
            case _:
                rank = progress[0]
        return (rank, seen.observed_at, progress, tie)

    return join(stored, _lift(seen, stamp))


def merge_credential(stored: MergedCredential | None, seen: CredentialSnapshot, observed_at: datetime) -> MergedCredential:
    """Ordered by time alone; ``observed_at`` is the platform's time of the reading that holds it."""
    stamp = (0, observed_at, (), _tie(seen))
    return join(stored, _lift(seen, lambda _: stamp))


def merge_account(stored: MergedAccount | None, seen: AccountSnapshot) -> MergedAccount:
    """Ordered by time alone."""
    stamp = (0, seen.observed_at, (), _tie(seen))
    return join(stored, _lift(seen, lambda _: stamp))


def join(one: Merged[SnapshotT] | None, other: Merged[SnapshotT]) -> Merged[SnapshotT]:
    """Everything that either knows; of a field that both know, what the greater stamp says."""
    if one is None:
        return other
    values: dict[str, object] = {}
    stamps: Stamps = {}
    for field in one.stamps.keys() | other.stamps.keys():
        newest = max((side for side in (one, other) if field in side.stamps), key=lambda side: side.stamps[field])
        values[field], stamps[field] = getattr(newest.snapshot, field), newest.stamps[field]
    return Merged(snapshot=type(one.snapshot).model_validate(values), stamps=stamps)


def same_attempt(one: AttemptSnapshot, other: AttemptSnapshot) -> bool:
    """Whether two readings of one invoice speak of the same try to collect it.

    Charge ids decide where both have one: a charge is exactly one try. Otherwise the intent does, where both have one: a reading that
    names only the intent speaks of one of its charges, though never of one that ended otherwise: an intent whose first charge failed
    succeeds by another, and where it waits for the customer since then, that is a new try. Otherwise equal keys. A reading that has
    nothing but the invoice's attempt number is the try of the same outcome nearest in time, within two minutes: platforms do not retry
    one invoice faster than that.
    """
    if one.charge_vendor_id and other.charge_vendor_id:
        return one.charge_vendor_id == other.charge_vendor_id
    if one.intent_vendor_id and other.intent_vendor_id:
        is_one_try = not _ended_apart(one, other) and not _waits_since(one, other) and not _waits_since(other, one)
        return one.intent_vendor_id == other.intent_vendor_id and is_one_try
    if one.vendor_key == other.vendor_key:
        return True
    if _has_ids(one) == _has_ids(other):
        return False
    return one.status is other.status and abs(one.occurred_at - other.occurred_at) <= SAME_ATTEMPT_WITHIN


def matches(stored: Sequence[AttemptSnapshot], seen: AttemptSnapshot) -> list[int]:
    """Positions of the stored attempts that are this one. Several fold into one row, unless they are charges of their own:
    then it is the one nearest in time."""
    same = [position for position, attempt in enumerate(stored) if same_attempt(attempt, seen)]
    charges = [position for position in same if stored[position].charge_vendor_id]
    if len(charges) <= 1:
        return same
    nearest = min(charges, key=lambda position: (abs(stored[position].occurred_at - seen.occurred_at), stored[position].vendor_key))
    return [position for position in same if position == nearest or position not in charges]


def _ended_apart(one: AttemptSnapshot, other: AttemptSnapshot) -> bool:
    """Whether one is a charge that failed and the other the success of an intent, or the other way round."""
    if bool(one.charge_vendor_id) == bool(other.charge_vendor_id):
        return False
    return (one.status is AttemptStatus.FAILED) != (other.status is AttemptStatus.FAILED) and {one.status, other.status} <= ENDED


def _waits_since(charge: AttemptSnapshot, intent: AttemptSnapshot) -> bool:
    """Whether the charge failed, and its intent waits for the customer's confirmation since."""
    told_apart = bool(charge.charge_vendor_id) and not intent.charge_vendor_id
    waits = charge.status is AttemptStatus.FAILED and intent.status is AttemptStatus.REQUIRES_ACTION
    return told_apart and waits and intent.occurred_at > charge.occurred_at


def _has_ids(attempt: AttemptSnapshot) -> bool:
    return bool(attempt.charge_vendor_id or attempt.intent_vendor_id)


def _lift(seen: SnapshotT, stamp: Callable[[str], Stamp], also: Sequence[str] = ()) -> Merged[SnapshotT]:
    return Merged(snapshot=seen, stamps={field: stamp(field) for field in (*_told(seen), *also)})


def _told(seen: Record) -> list[str]:
    # A default that nobody wrote is not news: an adapter that does not know the rail must not overwrite one that does.
    return [field for field in seen.model_fields_set if getattr(seen, field) is not None]


def _tie(seen: Record) -> str:
    return digest(seen.model_dump(mode="json", exclude_none=True, exclude_unset=True))[:12]
