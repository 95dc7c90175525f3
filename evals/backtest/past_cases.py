"""The cases of a merchant's own history: each invoice whose first charge failed, as it looked then, and what happened to it since."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from math import isnan
from typing import Literal

from evals.history import History
from tools.sandbox.protocol import WINDOW, Credential, Decline, EventKind, FailedInvoice, PastAttempt

# What a customer or a bank did by itself: it would have come whatever the merchant's charges were.
OWN_DOING: dict[str | None, EventKind] = {
    "method_updated": "method_updated",
    "paid_by_link": "paid_by_link",
    "cancelled": "cancelled",
    "disputed": "disputed",
}


@dataclass(frozen=True, slots=True)
class Past:
    """One thing that happened to a case after its first failure. ``approved`` and ``decline`` are of charges, ``credential`` is what
    was on file from an update on. A customer who paid with their own hand, by whatever way, paid by link."""

    at: datetime
    kind: EventKind | Literal["charge"]
    approved: bool = False
    decline: Decline | None = None
    credential: Credential | None = None


@dataclass(frozen=True, slots=True)
class PastCase:
    """An invoice at its first failure, and its later course, oldest first."""

    invoice: FailedInvoice
    course: tuple[Past, ...]

    @property
    def ending(self) -> Past | None:
        """What settled it within the window."""
        ends = self.invoice.failed_at + WINDOW
        return next((past for past in self.course if past.at <= ends and _settles(past)), None)

    @property
    def was_recovered(self) -> bool:
        """Whether it was paid within the window, and not cancelled before."""
        return self.ending is not None and self.ending.kind in {"charge", "paid_by_link"}


@dataclass(frozen=True)
class PastCases:
    """All whose window the history shows in full. ``too_young``: how many more had failed less than a window before it ends."""

    cases: tuple[PastCase, ...]
    too_young: int


def past_cases(history: History) -> PastCases:
    """The cases in the order of accounts and invoices."""
    last = float(history.at.max()) if len(history) else 0.0
    cases, too_young = list[PastCase](), 0
    for case in _cases(history):
        if case.invoice.failed_at.timestamp() + WINDOW.total_seconds() > last:
            too_young += 1
        else:
            cases.append(case)
    return PastCases(tuple(cases), too_young)


def _settles(past: Past) -> bool:
    return past.approved if past.kind == "charge" else past.kind != "method_updated"


def _cases(history: History) -> Iterator[PastCase]:
    is_charge: list[bool] = history.is_attempt.tolist()
    accounts, invoices = ([*starts.tolist(), len(history)] for starts in (history.account_starts, history.invoice_starts))
    place = 0
    for begin, end in pairwise(accounts):
        charges = sorted((_charge(history, row) for row in range(begin, end) if is_charge[row]), key=lambda charge: charge.at)
        while invoices[place] < end:
            rows = range(invoices[place], invoices[place + 1])
            place += 1
            first = next((row for row in rows if is_charge[row]), None)
            if first is not None and not history.approved[first]:
                later = range(first + 1, rows.stop)
                charged = [row for row in later if is_charge[row]]
                course = (_past(history, row, first, charged) for row in later)
                yield PastCase(_invoice(history, first, charges), tuple(past for past in course if past is not None))


def _past(history: History, row: int, first: int, charged: list[int]) -> Past | None:
    at = _instant(history, row)
    if row in charged:
        approved = bool(history.approved[row])
        if history.words["initiator"].at(row) == "customer":
            # What customers try themselves says nothing of a charge without them, except that the invoice is paid then.
            return Past(at, "paid_by_link") if approved else None
        return Past(at, "charge", approved, None if approved else _decline(history, row))
    kind = OWN_DOING.get(history.words["event"].at(row))
    if kind is None:
        return None
    # No row tells what the new method is; the next charge was on it.
    return Past(at, kind, credential=_credential(history, next((later for later in charged if later > row), first)))


def _charge(history: History, row: int) -> PastAttempt:
    words = history.words
    decline = None if history.approved[row] else _decline(history, row)
    amount = int(history.amount_minor[row])
    return PastAttempt(_instant(history, row), words["invoice_id"].at(row) or "", amount, words["credential_id"].at(row) or "", decline)


def _decline(history: History, row: int) -> Decline:
    words = history.words
    code, processor = words["decline_code"].at(row) or "", words["processor"].at(row) or ""
    return Decline(code, processor, words["network_code"].at(row), words["advice_code"].at(row))


def _invoice(history: History, row: int, charges: list[PastAttempt]) -> FailedInvoice:
    words, failed_at = history.words, _instant(history, row)
    since = float(history.customer_since[row])
    return FailedInvoice(
        case=words["invoice_id"].at(row) or "",
        account=words["account_id"].at(row) or "",
        amount_minor=int(history.amount_minor[row]),
        currency=words["currency"].at(row) or "",
        failed_at=failed_at,
        decline=_decline(history, row),
        credential=_credential(history, row),
        country=words["country"].at(row),
        timezone=words["timezone"].at(row),
        segment=words["segment"].at(row),
        plan_tier=words["plan_tier"].at(row),
        customer_since=None if isnan(since) else datetime.fromtimestamp(since, UTC),
        history=tuple(charge for charge in charges if charge.at < failed_at),
    )


def _credential(history: History, row: int) -> Credential:
    words = history.words
    return Credential(
        id=words["credential_id"].at(row) or "",
        rail=words["rail"].at(row) or "card",
        brand=words["brand"].at(row),
        funding=words["funding"].at(row),
        country=words["card_country"].at(row),
        issuer=words["issuer"].at(row),
        expires=words["expires"].at(row),
    )


def _instant(history: History, row: int) -> datetime:
    return datetime.fromtimestamp(float(history.at[row]), UTC)
