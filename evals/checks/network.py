"""Invariant 5: no attempt of ours breaks a network rule, counting everyone's. It shares no code and no data with the rule engine.

It walks every card that we charged twice over: through our own books, all connections together, and through each platform's ledger.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from evals.findings import Result, Scope
from evals.ledgers import PlatformLedger
from evals.network_limits import CORRECT_FIRST, CUSTOMER_FIRST, NEVER, NO_RETRY_COUNTRIES, NOT_BY_ACH, Cap, caps_for

# No cap reaches further back than half a year.
LOOKBACK = timedelta(days=190)
# The platform's clock and ours differ: what is just leaving a window has left it.
SLACK = timedelta(seconds=60)

CARDS = """
SELECT ledger_key AS card, max(snapshot ->> 'rail') AS rail, max(snapshot ->> 'brand') AS brand, max(snapshot ->> 'country') AS country,
       bool_or(snapshot ->> 'fingerprint' IS NOT NULL) AS has_fingerprint, max(changed_at) AS changed_at
FROM credentials GROUP BY ledger_key
"""
# An id begins with the millisecond in which its row was made: from then on we knew of the attempt.
OUR_BOOKS = """
SELECT t.ledger_key AS card, t.occurred_at AS at, t.amount_minor, t.currency, t.initiator, t.customer_initiated, t.status, i.connection,
       coalesce(t.snapshot #>> '{codes,decline_code}', CASE WHEN t.status = 'requires_action' THEN 'authentication_required' END) AS code,
       coalesce(t.action_id, t.id) AS subject, t.id AS row_id, s.started_at
FROM attempts t JOIN invoices i ON i.id = t.invoice_id LEFT JOIN LATERAL (
    SELECT max(recorded_at) AS started_at FROM audit_log l WHERE l.subject = t.action_id AND l.kind = 'action' AND l.state = 'started'
) s ON t.initiator = 'recoup'
WHERE t.ledger_key IN (SELECT ledger_key FROM attempts WHERE initiator = 'recoup')
ORDER BY t.ledger_key, t.occurred_at, t.id
"""
TOLD = "SELECT i.vendor_id AS invoice, t.vendor_key, t.id FROM attempts t JOIN invoices i ON i.id = t.invoice_id WHERE i.connection = %s"
STARTS = """
SELECT l.subject, max(l.recorded_at) AS started_at FROM audit_log l JOIN actions a ON a.id = l.subject
WHERE l.kind = 'action' AND l.state = 'started' AND a.risk IN ('charge', 'account') GROUP BY l.subject
"""


@dataclass(frozen=True)
class Card:
    """What we know of a payment method. ``changed_at``: when its data last changed."""

    rail: str
    brand: str | None
    country: str | None
    has_fingerprint: bool
    changed_at: datetime | None


@dataclass(frozen=True)
class Try:
    """One attempt on a card. ``told_at``: when we first knew of it, ``started_at``: when ours was last sent; both wall time."""

    subject: str
    at: datetime
    amount: tuple[int | None, str | None]
    is_ours: bool
    by_customer: bool
    status: str
    code: str | None
    told_at: datetime | None
    started_at: datetime | None

    def was_known_to(self, ours: "Try") -> bool:
        """Whether whoever sent ``ours`` could know of it. Our own we reserve before we make them."""
        return self.is_ours or (self.told_at is not None and (ours.started_at is None or self.told_at <= ours.started_at))


async def network_rules_hold(scope: Scope, result: Result) -> None:
    """Walks our own books and the platforms' ledgers card by card."""
    result.examined = await scope.count("SELECT count(*) FROM attempts")
    cards = {row.pop("card"): Card(**row) async for row in scope.stream(CARDS)}
    rows = [row async for row in scope.stream(OUR_BOOKS)]
    for card, group in groupby(rows, key=lambda row: row["card"]):
        _walk("our books", cards.get(card), [_from_books(row) for row in group], result)
    starts = {row["subject"]: row["started_at"] async for row in scope.stream(STARTS)}
    for connection, ledger in scope.platforms.items():
        told = {(row["invoice"], row["vendor_key"]): _made_at(row["id"]) async for row in scope.stream(TOLD, (connection,))}
        result.examined += len(ledger.attempts)
        for card, tries in _by_card(ledger, told, starts).items():
            _walk(connection, cards.get(card[0]) or _unknown_card(card[1]), tries, result)
    if not scope.platforms:
        result.notes.append("no platform has a ledger that can be read here: only our own books were walked")


def _walk(where: str, card: Card | None, tries: Sequence[Try], result: Result) -> None:
    if card is None:
        return
    for index, ours in enumerate(tries):
        if not ours.is_ours:
            continue
        before = [earlier for earlier in tries[:index] if earlier.at > ours.at - LOOKBACK or earlier.code in NEVER]
        known = _problems(card, ours, [earlier for earlier in before if earlier.was_known_to(ours)])
        for problem in known:
            result.add(ours.subject, f"{where}: {problem}")
        if set(_problems(card, ours, before)) - set(known):
            result.notes.append(f"{ours.subject} crossed with an attempt of somebody else that nobody had told us of")


def _problems(card: Card, ours: Try, before: Sequence[Try]) -> list[str]:
    problems: list[str] = []
    if card.rail == "card" and card.country in NO_RETRY_COUNTRIES:
        problems.append(f"a card issued in {card.country} takes no automatic retry")
    declined = _standing_decline(card, before)
    if declined:
        problems.append(f"attempt after {declined}, which had not been cured")
    caps = caps_for(card.rail, card.brand, ours.at.astimezone(UTC).date())
    return problems + [f"more than {cap.name}" for cap in caps if _used(cap, card, ours, before) >= cap.most]


def _standing_decline(card: Card, before: Sequence[Try]) -> str | None:
    """The newest decline that forbids another attempt and that nothing has cured since."""
    paid_since = False
    for earlier in reversed(before):
        if earlier.status == "succeeded":
            paid_since = True
        elif earlier.code is not None:
            changed_since = card.changed_at is not None and card.changed_at > earlier.at
            other_number = changed_since and not card.has_fingerprint
            stands = (
                (earlier.code in NEVER and not other_number)
                or (earlier.code in CUSTOMER_FIRST and not paid_since and not other_number)
                or (earlier.code in CORRECT_FIRST and not paid_since and not changed_since)
                or (card.rail == "ach" and earlier.code in NOT_BY_ACH and not paid_since and not changed_since)
            )
            if stands:
                return earlier.code
    return None


def _used(cap: Cap, card: Card, ours: Try, before: Sequence[Try]) -> int:
    # A card payment that was reversed had succeeded; whether it had gone back by then, nobody says.
    silent = {"succeeded"} if card.rail in {"ach", "sepa"} else {"succeeded", "reversed"}
    counted = [
        earlier.at
        for earlier in before
        if earlier.status not in silent
        and (not cap.per_amount or earlier.amount == ours.amount)
        and not (cap.merchant_only and earlier.by_customer)
    ]
    if cap.first_is_free:
        counted = counted[1:]
    start = ours.at - cap.window + SLACK
    if cap.calendar_day:
        start = ours.at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + SLACK
    return sum(at > start for at in counted)


def _by_card(
    ledger: PlatformLedger, told: dict[tuple[str, str], datetime], starts: dict[str, datetime]
) -> dict[tuple[str, str | None], list[Try]]:
    ours = {attempt.fingerprint for attempt in ledger.attempts if attempt.initiator == "recoup"}
    cards: dict[tuple[str, str | None], list[Try]] = defaultdict(list)
    # The ledger is in the order in which things happened; a stable sort keeps it within one instant.
    for attempt in sorted((a for a in ledger.attempts if a.fingerprint in ours), key=lambda a: a.at):
        one = Try(
            subject=attempt.key or attempt.id,
            at=attempt.at,
            amount=(attempt.amount_minor, attempt.currency),
            is_ours=attempt.initiator == "recoup",
            by_customer=attempt.initiator == "customer",
            status=attempt.status,
            code=attempt.code,
            told_at=told.get((attempt.invoice, attempt.id)),
            started_at=starts.get(attempt.key or ""),
        )
        cards[attempt.fingerprint, attempt.brand].append(one)
    return cards


def _from_books(row: dict[str, Any]) -> Try:
    return Try(
        subject=row["subject"],
        at=row["at"],
        amount=(row["amount_minor"], row["currency"]),
        is_ours=row["initiator"] == "recoup",
        by_customer=row["customer_initiated"] is True,
        status=row["status"],
        code=row["code"],
        told_at=_made_at(row["row_id"]),
        started_at=row["started_at"],
    )


def _unknown_card(brand: str | None) -> Card:
    return Card(rail="card" if brand else "other", brand=brand, country=None, has_fingerprint=True, changed_at=None)


def _made_at(row_id: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(row_id.split("_")[1][:12], 16) / 1000, UTC)
    except (IndexError, ValueError):
        return datetime.min.replace(tzinfo=UTC)
