"""Whether attempts on a card kept the rules of networks and schemes: a second opinion, sharing neither code nor data with the engine.

One walk through a card's attempts in the order of time. What stands in the way of the next is kept as it comes up: the declines that
forbid another try or make it wait, the limited series that a decline began, and the tries that the caps count.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from evals.network_facts import (
    CUSTOMER_OR_POLICY,
    GENERIC,
    NEW_DATA,
    NO_RETRY_COUNTRIES,
    Bar,
    Cap,
    Rules,
    Series,
    by_advice,
    by_common_number,
    by_network,
    by_rail,
    by_word,
    caps_for,
    network_of,
)

Amount = tuple[int | None, str | None]


@dataclass(frozen=True)
class Card:
    """A payment method. ``rail``: card, ach, sepa or other; ``country``: the issuer's; ``changes``: when its data changed, in order;
    ``has_fingerprint``: whether the number is known not to have changed with them."""

    rail: str
    brand: str | None = None
    country: str | None = None
    has_fingerprint: bool = True
    changes: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class Try:
    """One attempt on a card. ``subject`` names it in a breach; ``by_customer_surely``: the customer made it, beyond doubt.

    ``status``: reserved, pending, processing, requires_action, unknown, failed, reversed, succeeded or released. ``code`` is a word of
    ``processor``, ``network_code`` the response code of the network or scheme, ``advice`` the network's advice on trying again.
    """

    subject: str
    at: datetime
    amount: int | None
    currency: str | None
    is_ours: bool
    by_customer_surely: bool
    status: str
    processor: str | None = None
    code: str | None = None
    network_code: str | None = None
    advice: str | None = None


@dataclass(frozen=True)
class Breach:
    """An attempt of ours that broke a rule, and which."""

    subject: str
    problem: str


def breaches(card: Card, tries: Iterable[Try], *, slack: timedelta = timedelta(0), remembers: timedelta | None = None) -> list[Breach]:
    """What our own merchant-initiated attempts on one card broke, with everybody's attempts counted; those of one instant in their order.

    ``slack``: how far the clocks behind ``tries`` may differ; windows and waits end that much earlier. ``remembers``: how long ago a
    decline may lie and still bind (one that forbids for good always does); None: however long.
    """
    found: list[Breach] = []
    walk = _Walk(card, slack, remembers)
    for one in sorted(tries, key=lambda one: one.at):
        if one.is_ours and not one.by_customer_surely and one.status != "released":
            found += (Breach(one.subject, problem) for problem in walk.problems(one))
        walk.take(one)
    return found


class _Walk:
    """What is known of a card's past up to one attempt."""

    def __init__(self, card: Card, slack: timedelta, remembers: timedelta | None) -> None:
        self.card, self.slack, self.remembers = card, slack, remembers
        self.network = network_of(card.brand)
        # A card payment that was reversed had succeeded first; a debit that was returned never had.
        self.is_debit = card.rail in {"ach", "sepa"}
        self.standing: dict[Bar, tuple[datetime, str]] = {}
        # When a decline began a series, what it said, and how many tries of the merchant there had been by then.
        self.series: dict[Series, list[tuple[datetime, str, int]]] = defaultdict(list)
        self.by_merchant = 0
        # Tries without success in order of time: (only the merchant's, of that amount or of all).
        self.counted: dict[tuple[bool, Amount | None], list[datetime]] = defaultdict(list)

    def take(self, one: Try) -> None:
        """The attempt has been made."""
        if one.status == "succeeded":
            self._succeed((one.amount, one.currency))
        elif one.status != "released":
            self._count(one)
            for rule, said in _declined(self.card.rail, self.network, one.status, one.processor, one.code, one.network_code, one.advice):
                if isinstance(rule, Bar):
                    self.standing[rule] = (one.at, said)
                else:
                    self.series[rule].append((one.at, said, self.by_merchant))

    def _succeed(self, amount: Amount) -> None:
        self.standing = {bar: told for bar, told in self.standing.items() if not bar.by_success}
        self.series.clear()
        if self.is_debit:
            self.counted.pop((True, amount), None)
            self.counted.pop((False, amount), None)

    def _count(self, one: Try) -> None:
        if one.status == "reversed" and not self.is_debit:
            return
        amount = (one.amount, one.currency)
        self.counted[False, None].append(one.at)
        self.counted[False, amount].append(one.at)
        if not one.by_customer_surely:
            self.by_merchant += 1
            self.counted[True, amount].append(one.at)

    def problems(self, ours: Try) -> Generator[str]:
        """What the past forbids about ``ours``."""
        if self.card.rail == "card" and self.card.country in NO_RETRY_COUNTRIES:
            yield f"a card issued in {self.card.country} takes no automatic retry"
        day = ours.at.astimezone(UTC).date()
        changed_at = self._changed_by(ours.at)
        for bar, (at, said) in self.standing.items():
            if self._stands(bar, at, ours.at, day, changed_at):
                yield _told(bar, said)
        for series, begun in self.series.items():
            if said := self._overrun(series, begun, ours.at, changed_at):
                yield f"more than {series.most} more after {said}"
        for cap in caps_for(self.card.rail, self.network, self.card.country, day):
            if self._used(cap, ours) >= cap.most:
                yield f"more than {cap.name}"

    def _changed_by(self, at: datetime) -> datetime | None:
        index = bisect_right(self.card.changes, at + self.slack)
        return self.card.changes[index - 1] if index else None

    def _is_cured(self, at: datetime, changed_at: datetime | None, *, by_any_change: bool) -> bool:
        return changed_at is not None and changed_at > at and (by_any_change or not self.card.has_fingerprint)

    def _stands(self, bar: Bar, at: datetime, now: datetime, day: date, changed_at: datetime | None) -> bool:
        is_forgotten = bar.by_success and self.remembers is not None and at <= now - self.remembers
        is_over = bar.wait is not None and now + self.slack >= at + bar.wait
        is_in_force = bar.since <= day < bar.until
        return is_in_force and not (is_forgotten or is_over or self._is_cured(at, changed_at, by_any_change=bar.by_any_change))

    def _overrun(
        self, series: Series, begun: Sequence[tuple[datetime, str, int]], now: datetime, changed_at: datetime | None
    ) -> str | None:
        """What the oldest decline said that still counts, where the tries since are used up."""
        window = series.window or self.remembers
        first = bisect_right(begun, now - window + self.slack, key=lambda entry: entry[0]) if window else 0
        if changed_at is not None and (series.by_any_change or not self.card.has_fingerprint):
            first = max(first, bisect_left(begun, changed_at, key=lambda entry: entry[0]))
        return begun[first][1] if first < len(begun) and self.by_merchant - begun[first][2] >= series.most else None

    def _used(self, cap: Cap, ours: Try) -> int:
        counted = self.counted.get((cap.merchant_only, (ours.amount, ours.currency) if cap.per_amount else None), [])
        if cap.calendar_day:
            midnight = ours.at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            return len(counted) - bisect_left(counted, midnight + self.slack)
        start = bisect_right(counted, ours.at - cap.window + self.slack)
        if cap.first_is_free:
            start = max(start, 1 + (bisect_right(counted, ours.at - self.remembers) if self.remembers else 0))
        return max(0, len(counted) - start)


def _told(bar: Bar, said: str) -> str:
    if bar.wait is None:
        return f"attempt after {said}, which had not been cured"
    return f"attempt after {said}, less than {bar.wait / timedelta(hours=1):.0f} h later"


def _of_networks(network: str | None, code: str | None) -> tuple[Rules | None, ...]:
    return by_network(network, code), by_common_number(network, code)


@lru_cache(maxsize=65536)
def _declined(
    rail: str,
    network: str | None,
    status: str,
    processor: str | None,
    code: str | None,
    network_code: str | None,
    advice: str | None,
) -> tuple[tuple[Bar | Series, str], ...]:
    """What an attempt's answer forbids, each with who said it: all that its sources forbid, so that the strictest decides."""
    said: dict[Bar | Series, str] = {}
    if status == "requires_action":
        said[CUSTOMER_OR_POLICY] = "authentication_required"
    if not (code or network_code or advice or status == "failed"):
        return tuple(said.items())
    word = by_word(processor, code)
    schemes = [(by_rail(rail, one), one) for one in (code, network_code)]
    issuers = [code, network_code] if processor == "iso8583" else [network_code]
    numbers = [(rules, f"network code {one}") for one in issuers if rail == "card" for rules in _of_networks(network, one)]
    sources: list[tuple[Rules | None, str | None]] = [(word, code), *schemes, *numbers, (by_advice(network, advice), f"advice {advice}")]
    if all(rules is None for rules, _ in sources):
        sources.append((GENERIC, code or "an unknown decline"))
    if rail == "ach" and all(rules is None for rules, _ in schemes) and any(rules == GENERIC for rules, _ in sources):
        # A debit is entered again only where the bank said that the money was not there.
        sources.append(((NEW_DATA,), code or "an unknown decline"))
    is_advised = any(isinstance(rule, Bar) and rule.wait for rule in by_advice(network, advice) or ())
    for rules, told in sources:
        for rule in rules or ():
            if not (is_advised and isinstance(rule, Bar) and rule.yields):
                said.setdefault(rule, str(told))
    return tuple(said.items())
