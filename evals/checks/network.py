"""Invariant 5: no attempt of ours breaks a network rule, counting everyone's. What the rules are, the independent checker knows.

It is shown every card that we charged twice over: as our own books have it, all connections together, and as each platform's ledger does.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from evals.findings import Result, Scope
from evals.ledgers import PlatformLedger
from evals.network_checker import Card, Try, breaches

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
SELECT t.ledger_key AS card, t.occurred_at AS at, t.amount_minor, t.currency, t.initiator, t.customer_initiated, t.status,
       t.snapshot -> 'codes' AS codes, coalesce(t.action_id, t.id) AS subject, t.id AS row_id, s.started_at
FROM attempts t LEFT JOIN LATERAL (
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
class Entry:
    """One attempt in a book. ``told_at``: when we first knew of it, ``started_at``: when ours was last sent; both wall time."""

    attempt: Try
    told_at: datetime | None
    started_at: datetime | None

    def was_known_to(self, ours: "Entry") -> bool:
        """Whether whoever sent ``ours`` could know of it. Our own we reserve before we make them."""
        return self.attempt.is_ours or (self.told_at is not None and (ours.started_at is None or self.told_at <= ours.started_at))


async def network_rules_hold(scope: Scope, result: Result) -> None:
    """Walks our own books and the platforms' ledgers card by card."""
    result.examined = await scope.count("SELECT count(*) FROM attempts")
    cards = {row["card"]: _card(row) async for row in scope.stream(CARDS)}
    rows = [row async for row in scope.stream(OUR_BOOKS)]
    for card, group in groupby(rows, key=lambda row: row["card"]):
        if card in cards:
            _walk("our books", cards[card], [_from_books(row) for row in group], result)
    starts = {row["subject"]: row["started_at"] async for row in scope.stream(STARTS)}
    for connection, ledger in scope.platforms.items():
        told = {(row["invoice"], row["vendor_key"]): _made_at(row["id"]) async for row in scope.stream(TOLD, (connection,))}
        result.examined += len(ledger.attempts)
        for (fingerprint, brand), entries in _by_card(ledger, told, starts).items():
            _walk(connection, cards.get(fingerprint) or _unknown_card(brand), entries, result)
    if not scope.platforms:
        result.notes.append("no platform has a ledger that can be read here: only our own books were walked")


def _walk(where: str, card: Card, entries: Sequence[Entry], result: Result) -> None:
    """Holds against each attempt of ours what was known when it was sent; what only the whole book shows is noted."""
    for (unknown, is_early), subjects in _by_knowledge(card, entries).items():
        as_it_was = card
        if is_early:
            # Before the last change that we know of there may have been others.
            as_it_was = replace(card, changes=tuple(entry.attempt.at for entry in entries if entry.attempt.subject in subjects))
        known = _problems(as_it_was, [entry for position, entry in enumerate(entries) if position not in unknown])
        on_the_whole = _problems(as_it_was, entries) if unknown else known
        for subject in subjects:
            for problem in known[subject]:
                result.add(subject, f"{where}: {problem}")
            if set(on_the_whole[subject]) - set(known[subject]):
                result.notes.append(f"{subject} crossed with an attempt of somebody else that nobody had told us of")


def _problems(card: Card, entries: Sequence[Entry]) -> dict[str, list[str]]:
    problems: dict[str, list[str]] = defaultdict(list)
    for breach in breaches(card, [entry.attempt for entry in entries], slack=SLACK, remembers=LOOKBACK):
        problems[breach.subject].append(breach.problem)
    return problems


def _by_knowledge(card: Card, entries: Sequence[Entry]) -> dict[tuple[frozenset[int], bool], dict[str, None]]:
    """Our attempts by which entries nobody knew when they were sent, and by whether that was before the card's last known change."""
    crossing = _crossing(entries)
    groups: dict[tuple[frozenset[int], bool], dict[str, None]] = defaultdict(dict)
    for ours in entries:
        if ours.attempt.is_ours:
            unknown = frozenset(position for position in crossing if not entries[position].was_known_to(ours))
            groups[unknown, any(change > ours.attempt.at + SLACK for change in card.changes)][ours.attempt.subject] = None
    return groups


def _crossing(entries: Sequence[Entry]) -> list[int]:
    """Where the entries are that we did not know of when we sent a later one: few, so that few walks are needed."""
    crossing: list[int] = []
    first_start: datetime | None = None
    for position in reversed(range(len(entries))):
        entry = entries[position]
        if entry.attempt.is_ours:
            first_start = min(filter(None, (first_start, entry.started_at)), default=None)
        elif entry.told_at is None or (first_start is not None and entry.told_at > first_start):
            crossing.append(position)
    return crossing


def _by_card(
    ledger: PlatformLedger, told: dict[tuple[str, str], datetime], starts: dict[str, datetime]
) -> dict[tuple[str, str | None], list[Entry]]:
    ours = {attempt.fingerprint for attempt in ledger.attempts if attempt.initiator == "recoup"}
    cards: dict[tuple[str, str | None], list[Entry]] = defaultdict(list)
    # The ledger is in the order in which things happened; a stable sort keeps it within one instant.
    for attempt in sorted((a for a in ledger.attempts if a.fingerprint in ours), key=lambda a: a.at):
        one = Try(
            subject=attempt.key or attempt.id,
            at=attempt.at,
            amount=attempt.amount_minor,
            currency=attempt.currency,
            is_ours=attempt.initiator == "recoup",
            by_customer_surely=attempt.initiator == "customer",
            status=attempt.status,
            processor=attempt.processor,
            code=attempt.code,
        )
        entry = Entry(one, told.get((attempt.invoice, attempt.id)), starts.get(attempt.key or ""))
        cards[attempt.fingerprint, attempt.brand].append(entry)
    return cards


def _card(row: dict[str, Any]) -> Card:
    return Card(row["rail"], row["brand"], row["country"], row["has_fingerprint"], changes=(row["changed_at"],))


def _from_books(row: dict[str, Any]) -> Entry:
    codes: dict[str, str | None] = row["codes"] or {}
    one = Try(
        subject=row["subject"],
        at=row["at"],
        amount=row["amount_minor"],
        currency=row["currency"],
        is_ours=row["initiator"] == "recoup",
        by_customer_surely=row["customer_initiated"] is True,
        status=row["status"],
        processor=codes.get("processor"),
        code=codes.get("decline_code"),
        network_code=codes.get("network_decline_code"),
        advice=codes.get("network_advice_code") or codes.get("advice_code"),
    )
    return Entry(one, _made_at(row["row_id"]), row["started_at"])


def _unknown_card(brand: str | None) -> Card:
    return Card(rail="card" if brand else "other", brand=brand)


def _made_at(row_id: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(row_id.split("_")[1][:12], 16) / 1000, UTC)
    except (IndexError, ValueError):
        return datetime.min.replace(tzinfo=UTC)
