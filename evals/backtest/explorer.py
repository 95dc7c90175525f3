"""A policy that tries times and messages at random, and what a merchant would have on record of it: the history of a world that has none.

It knows nothing of the world but the protocol, so that any world can be learned from.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from evals.backtest.baselines import NEEDS
from evals.backtest.rollout import Move, Seen, play
from evals.history_row import HistoryRow
from tools.sandbox.protocol import (
    AttemptResult,
    Channel,
    ContactKind,
    Credential,
    Decline,
    FailedInvoice,
    OracleBound,
    PastAttempt,
    World,
    WorldEvent,
)

CHARGES = 6
GAP_HOURS = range(4, 181)
LAST_DAY = timedelta(days=27)
MESSAGE_DAYS = (0, 3, 7, 14, 21)
MESSAGE_SHARE = 0.5


@dataclass(frozen=True)
class Explorer:
    """Charges at gaps of whole hours, all equally likely, and writes on each of some days or does not. A new card is charged at once."""

    seed: int = 0
    name: str = "explorer"

    def next(self, seen: Seen) -> Move | None:
        """See ``rollout.Policy``."""
        moves = [move for move in (self._charge(seen), self._message(seen)) if move]
        return min(moves, key=lambda move: move.at, default=None)

    def _charge(self, seen: Seen) -> Move | None:
        if seen.barred or len(seen.tried) >= CHARGES:
            return None
        if seen.is_fresh:
            return Move(seen.now, "attempt")
        last = seen.tried[-1].at if seen.tried else seen.invoice.failed_at
        at = last + timedelta(hours=self._dice(seen, "charge", len(seen.tried)).choice(GAP_HOURS))
        return Move(max(at, seen.now), "attempt") if at < seen.invoice.failed_at + LAST_DAY else None

    def _message(self, seen: Seen) -> Move | None:
        after = seen.sent[-1].at if seen.sent else seen.invoice.failed_at - timedelta(seconds=1)
        for day in MESSAGE_DAYS:
            dice = self._dice(seen, "message", day)
            is_chosen = dice.random() < MESSAGE_SHARE
            at = seen.invoice.failed_at + timedelta(days=day, hours=dice.randrange(24))
            # One whose hour has passed while a charge was waited for is not made up for.
            if is_chosen and seen.invoice.channels and at > after and at >= seen.now:
                return Move(at, "message", channel=dice.choice(seen.invoice.channels), about=NEEDS.get(seen.category, "reminder"))
        return None

    def _dice(self, seen: Seen, *about: object) -> Random:
        return Random(f"{self.seed}:{seen.invoice.case}:{about}")


def explored(world: World, count: int, seed: int) -> Iterator[HistoryRow]:
    """What a merchant of the world would have on record: each account's past, then how ``count`` invoices went that the explorer had.

    Of an account with several of them, the past is that before the first.
    """
    invoices = world.open(count, seed)
    first: dict[str, FailedInvoice] = {}
    for invoice in invoices:
        if invoice.account not in first or invoice.failed_at < first[invoice.account].failed_at:
            first[invoice.account] = invoice
    for invoice in invoices:
        if first[invoice.account] is invoice:
            yield from (_past_row(invoice, one) for one in invoice.history)
        scribe = _Scribe(world, invoice)
        play(scribe, invoice, Explorer(seed), seed=seed)
        yield from scribe.rows


class _Scribe:
    """The world as it is, with one case written down on the way."""

    def __init__(self, world: World, invoice: FailedInvoice) -> None:
        self._world, self._invoice, self._credential = world, invoice, invoice.credential
        self.rows = [
            _charge_row(invoice, invoice.case, invoice.failed_at, invoice.amount_minor, invoice.credential, invoice.decline, "platform")
        ]
        self._is_fresh = False

    def open(self, count: int, seed: int) -> list[FailedInvoice]:
        return self._world.open(count, seed)

    def attempt(self, case: str, at: datetime, credential: str) -> AttemptResult:
        result, invoice = self._world.attempt(case, at, credential), self._invoice
        propensity = 1.0 if self._is_fresh else 1 / len(GAP_HOURS)
        self._is_fresh = False
        self.rows.append(_charge_row(invoice, case, at, invoice.amount_minor, self._credential, result.decline, "recoup", propensity))
        return result

    def contact(self, case: str, at: datetime, channel: Channel, kind: ContactKind) -> None:
        self._world.contact(case, at, channel, kind)
        propensity = MESSAGE_SHARE / 24 / len(self._invoice.channels)
        row = _row(self._invoice, kind="message", invoice_id=case, at=at, channel=channel, message_kind=kind, propensity=propensity)
        self.rows.append(row)

    def advance(self, case: str, until: datetime) -> list[WorldEvent]:
        events = self._world.advance(case, until)
        for event in events:
            if event.kind == "method_updated" and event.credential is not None:
                self._credential, self._is_fresh = event.credential, True
            self.rows.append(_row(self._invoice, kind="event", invoice_id=case, at=event.at, event=event.kind))
        return events

    def oracle(self, case: str) -> OracleBound:
        return self._world.oracle(case)


def _past_row(invoice: FailedInvoice, one: PastAttempt) -> HistoryRow:
    known = {card.id: card for card in (*invoice.backups, invoice.credential)}
    card = known.get(one.credential, Credential(id=one.credential, rail=invoice.credential.rail))
    return _charge_row(invoice, f"{invoice.case}:{one.invoice}", one.at, one.amount_minor, card, one.decline, "merchant")


def _charge_row(
    invoice: FailedInvoice,
    invoice_id: str,
    at: datetime,
    amount_minor: int,
    card: Credential,
    decline: Decline | None,
    initiator: str,
    propensity: float | None = None,
) -> HistoryRow:
    return _row(
        invoice,
        kind="attempt",
        invoice_id=invoice_id,
        at=at,
        amount_minor=amount_minor,
        currency=invoice.currency,
        approved=decline is None,
        credential_id=card.id,
        processor=decline.processor if decline else None,
        decline_code=decline.code if decline else None,
        network_code=decline.network_code if decline else None,
        advice_code=decline.advice if decline else None,
        initiator=initiator,
        rail=card.rail,
        brand=card.brand,
        funding=card.funding,
        card_country=card.country,
        issuer=card.issuer,
        expires=card.expires,
        propensity=propensity,
    )


def _row(invoice: FailedInvoice, **told: Any) -> HistoryRow:
    return HistoryRow(
        account_id=invoice.account,
        country=invoice.country,
        timezone=invoice.timezone,
        segment=invoice.segment,
        plan_tier=invoice.plan_tier,
        customer_since=invoice.customer_since,
        **told,
    )
