"""What networks and bank schemes permit on one credential, counting everybody's attempts: cited, dated data and one pure function."""

import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import Field

from recoup.decline import Category
from recoup.facts import CredentialFacts, LedgerEntry
from recoup.invoice import Rail
from recoup.proposal import RuleHit
from recoup.record import Record

# Whatever is not a success counts as used: declines, returns, what is in flight, what nobody knows, and what we have reserved.
SUCCEEDED = "succeeded"
RELEASED = "released"


class DatedRule(Record):
    """What every rule says of itself."""

    id: str
    meaning: str
    source: str
    effective_from: date
    effective_to: date | None = None

    def holds_on(self, day: date) -> bool:
        """Whether the rule is in force on that UTC day."""
        return self.effective_from <= day and (self.effective_to is None or day < self.effective_to)


class Cap(DatedRule):
    """At most ``limit`` attempts of one key in a window. ``brands`` None: every credential of the rail."""

    rail: Rail
    brands: tuple[str, ...] | None = None
    limit: Annotated[int, Field(gt=0)]
    key: Literal["credential", "amount"]
    window: Literal["rolling", "calendar_day"]
    hours: Annotated[int, Field(gt=0)]
    counts: Literal["attempts", "reattempts"]
    initiated_by: Literal["anyone", "merchant"]


class Prohibition(DatedRule):
    """A decline of one of ``categories`` forbids the next attempt until what ``lifted_by`` says."""

    rails: tuple[Rail, ...]
    categories: tuple[Category, ...]
    lifted_by: Literal["new_credential", "update", "success"]


class IssuerCountry(DatedRule):
    """Cards issued there take no automatic retry."""

    countries: tuple[str, ...]


class NetworkRules(Record):
    """All of ``network.toml``."""

    platform_retry_guard_minutes: Annotated[int, Field(ge=0)]
    cap: tuple[Cap, ...]
    prohibition: tuple[Prohibition, ...]
    issuer_country: tuple[IssuerCountry, ...]

    @property
    def all(self) -> tuple[DatedRule, ...]:
        """Every rule, in the order of the file."""
        return (*self.cap, *self.prohibition, *self.issuer_country)


@lru_cache(maxsize=1)
def network_rules() -> NetworkRules:
    """The rules, read once."""
    text = files("recoup").joinpath("rules/network.toml").read_text(encoding="utf-8")
    return NetworkRules.model_validate(tomllib.loads(text))


def permit(
    ledger: Sequence[LedgerEntry], credential: CredentialFacts, amount_minor: int, currency: str, now: datetime
) -> tuple[RuleHit, ...]:
    """Every network rule against a merchant-initiated attempt of this amount on this credential at ``now``; none: it may be made.

    ``ledger`` holds everybody's attempts on this credential and our reservations, in any order. Absolute: nothing lifts what is
    returned here but time, where ``not_before`` is the first instant at which the rule would be silent.
    """
    rules, today = network_rules(), now.astimezone(UTC).date()
    entries = sorted((e for e in ledger if e.state != RELEASED), key=lambda e: e.at)
    prohibited = [_prohibited(p, entries, credential) for p in rules.prohibition if p.holds_on(today)]
    countries = [_issued_in(rule, credential) for rule in rules.issuer_country if rule.holds_on(today)]
    caps = [
        _capped(cap, entries, amount_minor, currency, now)
        for cap in rules.cap
        if cap.holds_on(today) and _applies(cap, credential, rules.cap)
    ]
    return tuple(hit for hit in (*prohibited, *countries, *caps) if hit)


def used_up(times: Sequence[datetime], limit: int, window: timedelta, now: datetime) -> tuple[int, datetime | None] | None:
    """Whether a rolling window is full: (how many it holds, when it frees a slot), or None where there is room.

    ``times`` ascend. One at ``t`` counts until ``t + window``, which is the first instant without it. A limit of 0 never frees.
    """
    inside = [at for at in times if at + window > now]
    if len(inside) < limit:
        return None
    return len(inside), inside[len(inside) - limit] + window if limit else None


def _applies(cap: Cap, credential: CredentialFacts, caps: Sequence[Cap]) -> bool:
    if cap.rail is not credential.rail:
        return False
    brand = "".join(letter for letter in (credential.brand or "").lower() if letter.isalpha())
    named = {name for other in caps for name in other.brands or ()}
    return cap.brands is None or brand in cap.brands or brand not in named


def _capped(cap: Cap, entries: Sequence[LedgerEntry], amount_minor: int, currency: str, now: datetime) -> RuleHit | None:
    counted = [e.at for e in entries if _counts(cap, e, amount_minor, currency)]
    times = counted[1:] if cap.counts == "reattempts" else counted
    if cap.window == "calendar_day":
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        today = sum(at >= midnight for at in times)
        full = (today, midnight + timedelta(days=1)) if today >= cap.limit else None
    else:
        full = used_up(times, cap.limit, timedelta(hours=cap.hours), now)
    if full is None:
        return None
    span = "today (UTC)" if cap.window == "calendar_day" else f"in the last {_span(cap.hours)}"
    return RuleHit(rule=cap.id, detail=f"{full[0]} {cap.counts} {span}; {cap.limit} are allowed", source=cap.source, not_before=full[1])


def _counts(cap: Cap, entry: LedgerEntry, amount_minor: int, currency: str) -> bool:
    same_key = cap.key == "credential" or (entry.amount_minor == amount_minor and entry.currency == currency)
    return entry.state != SUCCEEDED and same_key and (cap.initiated_by == "anyone" or entry.customer_initiated is not True)


def _span(hours: int) -> str:
    return f"{hours // 24} days" if hours > 24 and hours % 24 == 0 else f"{hours} hours"


def _prohibited(rule: Prohibition, entries: Sequence[LedgerEntry], credential: CredentialFacts) -> RuleHit | None:
    if credential.rail not in rule.rails:
        return None
    declines = [e.at for e in entries if e.category in rule.categories and e.state != SUCCEEDED]
    if not declines or _lifted(rule, declines[-1], entries, credential):
        return None
    detail = f"{rule.meaning} ({declines[-1]:%Y-%m-%d})"
    return RuleHit(rule=rule.id, detail=detail, source=rule.source)


def _lifted(rule: Prohibition, declined_at: datetime, entries: Sequence[LedgerEntry], credential: CredentialFacts) -> bool:
    """A platform's id is not a number: only with a fingerprint do we know that changed data are still the same number."""
    changed = credential.changed_at > declined_at
    charged = any(e.state == SUCCEEDED and e.at > declined_at for e in entries)
    match rule.lifted_by:
        case "new_credential":
            return changed and not credential.has_fingerprint
        case "update":
            return changed or charged
        case "success":
            return charged or (changed and not credential.has_fingerprint)


def _issued_in(rule: IssuerCountry, credential: CredentialFacts) -> RuleHit | None:
    if credential.rail is not Rail.CARD or credential.country not in rule.countries:
        return None
    return RuleHit(rule=rule.id, detail=rule.meaning, source=rule.source)
