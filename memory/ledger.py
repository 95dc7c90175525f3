"""Reservations: a use of a credential or of a customer's patience is taken before it is made, because the caps span cases.

The order is: lock (``lock_credentials``; for contacts the account's row), read the facts again, judge again, ``reserve``.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Literal

from memory import audit
from memory.database import Write
from recoup.ids import new_id
from recoup.record import Record


class ReservationState(StrEnum):
    """``unknown`` counts as used, like ``confirmed``."""

    RESERVED = "reserved"
    CONFIRMED = "confirmed"
    RELEASED = "released"
    UNKNOWN = "unknown"


class AttemptReservation(Record):
    """Room for one attempt on a credential's ledger."""

    action_id: str
    ledger_key: str
    amount_minor: int
    currency: str


class ContactReservation(Record):
    """Room for one message to an account."""

    action_id: str
    account_id: str
    channel: str


async def lock_credentials(tx: Write, credential_ids: Sequence[str]) -> dict[str, str]:
    """Makes everybody else wait who wants room on the same ledgers, until this transaction ends; gives the ledger key of each
    credential. Taken in the order of the keys, after the account and the case."""
    rows = await tx.dicts(
        """
        SELECT id, ledger_key, pg_advisory_xact_lock(hashtextextended('ledger:' || ledger_key, 0))
          FROM (SELECT id, ledger_key FROM credentials WHERE id = ANY(%s) ORDER BY ledger_key, id) AS wanted
        """,
        (list(credential_ids),),
    )
    return {row["id"]: row["ledger_key"] for row in rows}


async def reserve(tx: Write, wanted: Sequence[AttemptReservation | ContactReservation], *, case_id: str, at: datetime) -> None:
    """Takes the room, under the locks that the caller holds. An action reserves once: its row is unique."""
    rows = [(new_id("reservation"), want) for want in wanted]
    await tx.run_many(
        """
        INSERT INTO reservations (id, action_id, kind, scope, case_id, channel, amount_minor, currency, state, at)
        VALUES (%(id)s, %(action_id)s, %(kind)s, %(scope)s, %(case_id)s, %(channel)s, %(amount_minor)s, %(currency)s, 'reserved', %(at)s)
        """,
        [{"id": reservation_id, "case_id": case_id, "at": at, **_parameters(want)} for reservation_id, want in rows],
    )
    for reservation_id, want in rows:
        await _audit(tx, case_id, reservation_id, ReservationState.RESERVED, at=at, data={"action_id": want.action_id})


async def settle(tx: Write, action_id: str, state: Literal["confirmed", "released", "unknown"], at: datetime) -> None:
    """What became of the room that an action took. Where it was used, ``at`` is when. Settling again, or without a reservation, is a
    no-op: a release is final, and a confirmation too."""
    rows = await tx.dicts(
        """
        UPDATE reservations SET state = %(state)s, at = CASE WHEN %(state)s = 'confirmed' AND state = 'unknown' THEN at ELSE %(at)s END
         WHERE action_id = %(action_id)s AND state IN ('reserved', 'unknown') AND state <> %(state)s RETURNING id, case_id
        """,
        {"action_id": action_id, "state": state, "at": at},
    )
    for row in rows:
        await _audit(tx, row["case_id"], row["id"], ReservationState(state), at=at, data={"action_id": action_id})


async def release_for_case(tx: Write, case_id: str, at: datetime, actor: str = "worker") -> None:
    """Gives back the room of the case's actions that were voided before they started; call it after voiding them. What may be on the
    wire keeps its room."""
    rows = await tx.dicts(
        """
        UPDATE reservations r SET state = 'released', at = %(at)s FROM actions x
         WHERE x.id = r.action_id AND r.case_id = %(case_id)s AND r.state = 'reserved' AND x.state = 'void' RETURNING r.id, r.action_id
        """,
        {"case_id": case_id, "at": at},
    )
    for row in rows:
        await _audit(tx, case_id, row["id"], ReservationState.RELEASED, at=at, data={"action_id": row["action_id"]}, actor=actor)


def _parameters(want: AttemptReservation | ContactReservation) -> dict[str, object]:
    if isinstance(want, AttemptReservation):
        return {
            "action_id": want.action_id,
            "kind": "attempt",
            "scope": want.ledger_key,
            "channel": None,
            "amount_minor": want.amount_minor,
            "currency": want.currency,
        }
    return {
        "action_id": want.action_id,
        "kind": "contact",
        "scope": want.account_id,
        "channel": want.channel,
        "amount_minor": None,
        "currency": None,
    }


async def _audit(
    tx: Write,
    case_id: str,
    reservation_id: str,
    state: ReservationState,
    *,
    at: datetime,
    data: dict[str, object],
    actor: str = "worker",
) -> None:
    await audit.append(tx, chain=case_id, subject=reservation_id, kind="reservation", state=state, actor=actor, at=at, data=data)
