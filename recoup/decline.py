"""From what a processor, a network and a scheme said to what it means and what may be done: one pure function over the rules' data.

The most specific word says what a decline means: the network's advice over the network's code over the processor's own. The strictest
of all words says what is permitted on that credential. A code that no table has is treated with care and reported as not known.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import lru_cache

from recoup.category import STRICTNESS, Category, Retry
from recoup.invoice import DeclineCodes, Rail
from recoup.record import Record
from recoup.rule_data import Cap, Lifting, Rules, TreatmentRule, load_rules
from recoup.words import Decline, Statement, Word, beside, group_of, in_force, rail_of, statement_of, words_of

UNKNOWN_REASON = "unknown"
LIFTING_RANK: dict[Lifting | None, int] = {"new_credential": 0, "success": 1, "update": 2, None: 3}


class Citation(Record):
    """A rule that was applied, who says so, and since when."""

    id: str
    source: str
    effective_from: date


class Most(Record):
    """At most ``count`` more attempts in ``days``, as far as one decline tells; the ledger decides."""

    count: int
    days: int


class Treatment(Record):
    """What a decline means and what may be done about it.

    ``known`` is false where no table has the code, ``all_known`` also where one has no other of the words. ``categories`` are those of
    every word, where they differ. ``statements`` are all that the rules say (a wait that yields left out), ``statement`` the strictest of
    them, ``wait`` the one that makes wait longest (None: no wait, or no retry at all). ``wording``: what the customer may be told; None:
    nothing.
    """

    known: bool
    all_known: bool
    reason: str
    meaning: str
    category: Category
    categories: frozenset[Category]
    retry: Retry
    statement: Statement
    statements: tuple[Statement, ...]
    wait: Statement | None
    most: Most | None
    wording: str | None
    is_fraud: bool
    rules: tuple[Citation, ...]


def decline_of(codes: DeclineCodes, brand: str | None = None, country: str | None = None, rail: Rail | None = None) -> Decline:
    """The raw codes of an attempt, with what is known of its credential."""
    return Decline(
        processor=codes.processor,
        code=codes.decline_code or codes.gateway_code,
        network=load_rules().speakers.network(brand),
        network_code=codes.network_decline_code,
        advice=tuple(advice for advice in (codes.network_advice_code, codes.advice_code) if advice),
        country=country,
        rail=rail,
    )


def treat(decline: Decline, at: datetime) -> Treatment:
    """The treatment by the rules in force on the UTC day of ``at``. Pure and remembered: the same question costs a look-up."""
    return _treat(decline, at.astimezone(UTC).date())


def treat_category(category: Category, credential: Decline, at: datetime) -> Treatment:
    """The treatment where only the category is known, such as an attempt that waits for the customer's authentication.

    Of ``credential`` only its network, country and rail are looked at."""
    return _treat_category(category, replace(credential, code=None, network_code=None, advice=()), at.astimezone(UTC).date())


@lru_cache(maxsize=16384)
def _treat(decline: Decline, day: date) -> Treatment:
    rules = load_rules()
    words, known = words_of(decline, rules, day)
    reasons = [reason for word in words for reason in word.reasons]
    return _weighed(reasons or [UNKNOWN_REASON], words, decline, rules, day, known=known)


@lru_cache(maxsize=1024)
def _treat_category(category: Category, credential: Decline, day: date) -> Treatment:
    rules = load_rules()
    group = next(group for group in in_force(rules.treatment, day) if group.category is category)
    return _weighed([next(iter(group.reasons))], [], credential, rules, day, known=True)


def _weighed(reasons: Sequence[str], words: Sequence[Word], decline: Decline, rules: Rules, day: date, *, known: bool) -> Treatment:
    """One answer of all words: the first reason is what it means, the strictest statement what is permitted."""
    rail, groups = rail_of(decline, rules), [group_of(reason, rules, day) for reason in reasons]
    group, categories = groups[0], frozenset(group.category for group in groups)
    extra = beside(group.category, rail, decline.country, rules, day)
    heard = [statement for word in words for statement in word.statements] or [statement_of(group, rules)]
    statements = _without_yielding([*heard, *(statement_of(entry, rules) for entry in extra)])
    strictest = min(statements, key=lambda s: (STRICTNESS[s.retry], LIFTING_RANK[s.lifted_by]))
    is_allowed = strictest.retry is Retry.ALLOWED
    caps = caps_on(rail, decline.network, decline.country, rules, day)
    cap = min((c for c in caps if _may_bind(c, categories, decline.advice)), key=_rate, default=None) if is_allowed else None
    cited = {entry.id: entry for word in words for entry in word.used}
    cited |= {entry.id: entry for entry in (group, *extra, *((cap,) if cap else ()))}
    return Treatment(
        known=known,
        all_known=known and not any(word.is_missing for word in words),
        reason=reasons[0],
        meaning=group.reasons[reasons[0]],
        category=group.category,
        categories=categories,
        retry=strictest.retry,
        statement=strictest,
        statements=tuple(statements),
        wait=max((s for s in statements if s.wait_hours), key=_hours, default=None) if is_allowed else None,
        most=Most(count=cap.limit, days=max(1, cap.hours // 24)) if cap else None,
        wording=_wording(group, strictest, rules),
        is_fraud=any(group.is_fraud for group in groups),
        rules=tuple(Citation(id=e.id, source=rules.title(e.source), effective_from=e.effective_from) for e in cited.values()),
    )


def _without_yielding(statements: Sequence[Statement]) -> list[Statement]:
    """A wait that yields is no wait where the network's advice states one."""
    if not any(statement.is_advice and statement.wait_hours for statement in statements):
        return list(statements)
    return [s.model_copy(update={"wait_hours": None}) if s.yields_to_advice else s for s in statements]


def _hours(statement: Statement) -> float:
    return statement.wait_hours or 0.0


def caps_on(rail: Rail, network: str | None, country: str | None, rules: Rules, day: date) -> list[Cap]:
    """The caps in force on such credentials. A card of a network that no cap names, or that nobody told, falls under those of all."""
    named = {name for cap in rules.cap for name in cap.scope.networks or ()}
    return [
        cap
        for cap in rules.cap
        if cap.holds_on(day)
        and cap.scope.rail is rail
        and (cap.scope.networks is None or network in cap.scope.networks or network not in named)
        and (cap.scope.countries is None or country in cap.scope.countries)
    ]


def _may_bind(cap: Cap, categories: frozenset[Category], advice: tuple[str, ...]) -> bool:
    return not cap.is_conditional or bool(categories & cap.after_categories) or any(a in cap.after_advice for a in advice)


def _rate(cap: Cap) -> float:
    return cap.limit / cap.hours


def _wording(group: TreatmentRule, strictest: Statement, rules: Rules) -> str | None:
    """The group's own words where they fit what is permitted; else those of a group with that permission."""
    if group.wording is None or strictest.wording:
        return group.wording and strictest.wording
    if group.retry is strictest.retry:
        return group.wording
    return next((g.wording for g in rules.treatment if g.retry is strictest.retry and not g.is_fraud), None)
