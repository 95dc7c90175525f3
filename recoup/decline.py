"""From what a processor, a network and a scheme said to what it means and what may be done: one pure function over the rules' data.

The most specific word says what a decline means: the network's advice over the network's code over the processor's own. The strictest
of all words says what is permitted on that credential. A code that no table has is treated with care and reported as not known.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TypeVar

from recoup.category import STRICTNESS, Category, Retry
from recoup.invoice import DeclineCodes, Rail
from recoup.record import Record
from recoup.rule_data import ANY_CODE, Cap, Dated, IssuerCountry, Lifting, PermissionRule, Rules, TreatmentRule, load_rules

UNKNOWN_REASON = "unknown"
# The speaker that stands for "whatever network the card is of".
CARD_NETWORK = "iso8583"
RAIL_OF = {"ach": Rail.ACH, "sepa": Rail.SEPA}
D = TypeVar("D", bound=Dated)
LIFTED_BY: dict[Retry, Lifting | None] = {
    Retry.NEVER: "new_credential",
    Retry.RECONCILE: None,
    Retry.CUSTOMER_ACTION: "success",
    Retry.AFTER_UPDATE: "update",
    Retry.ALLOWED: None,
}
LIFTING_RANK: dict[Lifting | None, int] = {"new_credential": 0, "success": 1, "update": 2, None: 3}


@dataclass(frozen=True)
class Decline:
    """One answer. ``code``: the processor's own; ``network`` as the rules name it; ``advice``: the network's or processor's, as passed on.

    ``country``: of issue, ISO 3166 alpha-2. ``rail`` None: by the processor, else a card.
    """

    processor: str
    code: str | None = None
    network: str | None = None
    network_code: str | None = None
    advice: tuple[str, ...] = ()
    country: str | None = None
    rail: Rail | None = None


class Statement(Record):
    """What one rule says of the credential. ``wait_hours`` counts from the decline; some waits yield to one that an advice states."""

    rule: str
    retry: Retry
    meaning: str
    source: str
    lifted_by: Lifting | None = None
    wait_hours: float | None = None
    wording: str | None = None
    yields_to_advice: bool = False
    is_advice: bool = False


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

    ``known`` is false where no table has the code. ``statement`` is the strictest of what the rules say, ``wait`` the one that makes wait
    longest (None: no wait, or no retry at all). ``wording``: what the customer may be told; None: nothing.
    """

    known: bool
    reason: str
    meaning: str
    category: Category
    retry: Retry
    statement: Statement
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


@dataclass(frozen=True)
class _Word:
    """One code or advice, heard: ``reason`` None where it tells no meaning, ``is_known`` false where no rule knows it."""

    reason: str | None
    statements: tuple[Statement, ...]
    used: tuple[Dated, ...]
    is_known: bool


@lru_cache(maxsize=16384)
def _treat(decline: Decline, day: date) -> Treatment:
    rules = load_rules()
    rail = decline.rail or RAIL_OF.get(decline.processor, Rail.CARD)
    network_names = [decline.processor] if decline.processor in RAIL_OF else [rail.value if rail in RAIL_OF.values() else CARD_NETWORK]
    by_advice = [_advice(advice, decline, rules, day) for advice in decline.advice]
    by_network = _code(decline.network_code, network_names, decline, rules, day)
    by_processor = _code(decline.code, rules.speakers.codes.get(decline.processor, ()), decline, rules, day)
    words = [word for word in (*by_advice, by_network, by_processor) if word]
    main = by_processor or by_network or (by_advice[0] if by_advice else None)
    reason = next((word.reason for word in words if word.reason), UNKNOWN_REASON)
    heard = [statement for word in words for statement in word.statements]
    used = [entry for word in words for entry in word.used]
    frauds = [group for word in words if word.reason and (group := _group(word.reason, rules, day)).is_fraud]
    return _summed_up(reason, heard, used, rules, day, rail, decline, known=main is not None and main.is_known, is_fraud=bool(frauds))


@lru_cache(maxsize=1024)
def _treat_category(category: Category, credential: Decline, day: date) -> Treatment:
    rules = load_rules()
    group = next(group for group in _in_force(rules.treatment, day) if group.category is category)
    rail = credential.rail or Rail.CARD
    return _summed_up(next(iter(group.reasons)), [], [], rules, day, rail, credential, known=True, is_fraud=group.is_fraud)


def _summed_up(
    reason: str,
    heard: list[Statement],
    used: list[Dated],
    rules: Rules,
    day: date,
    rail: Rail,
    decline: Decline,
    *,
    known: bool,
    is_fraud: bool,
) -> Treatment:
    group = _group(reason, rules, day)
    beside = _beside(group.category, rail, decline.country, rules, day)
    statements = [*(heard or [_statement(group, rules)]), *(_statement(entry, rules) for entry in beside)]
    strictest = min(statements, key=lambda s: (STRICTNESS[s.retry], LIFTING_RANK[s.lifted_by]))
    is_allowed = strictest.retry is Retry.ALLOWED
    wait = _longest_wait(statements) if is_allowed else None
    caps = caps_on(rail, decline.network, decline.country, rules, day)
    cap = min((c for c in caps if _may_bind(c, group.category, decline.advice)), key=_rate, default=None) if is_allowed else None
    cited = {entry.id: entry for entry in (*used, group, *beside, *((cap,) if cap else ()))}
    return Treatment(
        known=known,
        reason=reason,
        meaning=group.reasons[reason],
        category=group.category,
        retry=strictest.retry,
        statement=strictest,
        wait=wait,
        most=Most(count=cap.limit, days=max(1, cap.hours // 24)) if cap else None,
        wording=_wording(group, strictest, rules),
        is_fraud=is_fraud,
        rules=tuple(Citation(id=e.id, source=rules.title(e.source), effective_from=e.effective_from) for e in cited.values()),
    )


def _longest_wait(statements: Iterable[Statement]) -> Statement | None:
    waits = [statement for statement in statements if statement.wait_hours]
    is_advised = any(statement.is_advice for statement in waits)
    standing = [statement for statement in waits if not (is_advised and statement.yields_to_advice)]
    return max(standing, key=lambda statement: statement.wait_hours or 0, default=None)


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


def _advice(advice: str, decline: Decline, rules: Rules, day: date) -> _Word:
    dialect = rules.speakers.advice.get(decline.processor)
    speakers = [dialect] if dialect else _networks(decline, rules)
    speakers += rules.speakers.codes.get(decline.processor, ())
    spoken = [rule for speaker in speakers for rule in _in_force(rules.by_advice.get((speaker, advice), ()), day)]
    reason = next((rule.reason for rule in spoken if rule.reason), None)
    statements = tuple(_statement(rule, rules) for rule in spoken)
    return _Word(reason=reason, statements=statements, used=tuple(spoken), is_known=bool(spoken))


def _code(code: str | None, names: Sequence[str], decline: Decline, rules: Rules, day: date) -> _Word | None:
    """What one code says. A card of unknown network is treated by the strictest of what any network says of the code."""
    if code is None:
        return None
    heard: list[tuple[str | None, list[Statement], list[Dated]]] = []
    for name in names:
        if name != CARD_NETWORK:
            heard.append(_spoken([name], code, rules, day))
        elif decline.network:
            heard.append(_spoken([decline.network, CARD_NETWORK], code, rules, day))
        else:
            heard += [_spoken([CARD_NETWORK, network], code, rules, day) for network in rules.speakers.networks]
    reason = next((reason for reason, _, _ in heard if reason), None)
    statements = tuple(statement for _, said, _ in heard for statement in said)
    return _Word(reason=reason, statements=statements, used=tuple(e for _, _, used in heard for e in used), is_known=reason is not None)


def _spoken(speakers: Sequence[str], code: str, rules: Rules, day: date) -> tuple[str | None, list[Statement], list[Dated]]:
    """The reason that these speakers give a code, what is permitted after it, and the entries that say so.

    Where a speaker rules on the code itself, that stands instead of the treatment of the code's reason.
    """
    tables = [table for speaker in speakers for table in _in_force(rules.tables.get((speaker, code), ()), day)][:1]
    reason = tables[0].reasons[code] if tables else None
    named = [rule for speaker in speakers for rule in _in_force(rules.by_code.get((speaker, code), ()), day)]
    if named:
        return reason, [_statement(rule, rules) for rule in named], [*tables, *named]
    if reason is None:
        return None, [], []
    others = [rule for speaker in speakers for rule in _in_force(rules.by_code.get((speaker, ANY_CODE), ()), day)]
    return reason, [_statement(rule, rules) for rule in (*others, _group(reason, rules, day))], [*tables, *others]


def _networks(decline: Decline, rules: Rules) -> list[str]:
    """The card's network; all of them where nobody told, since the strictest of them may be meant."""
    return [decline.network] if decline.network else list(rules.speakers.networks)


def _beside(category: Category, rail: Rail, country: str | None, rules: Rules, day: date) -> list[PermissionRule | IssuerCountry]:
    by_rail = [rule for rule in _in_force(rules.permission, day) if rule.rail is rail and category in rule.categories]
    by_country = [rule for rule in _in_force(rules.issuer_country, day) if rail is Rail.CARD and country in rule.countries]
    return [*by_rail, *by_country]


def _group(reason: str, rules: Rules, day: date) -> TreatmentRule:
    groups = rules.groups[reason]
    return next(_in_force(groups, day), groups[0])


def _statement(rule: TreatmentRule | PermissionRule | IssuerCountry, rules: Rules) -> Statement:
    if isinstance(rule, IssuerCountry):
        return Statement(rule=rule.id, retry=Retry.CUSTOMER_ACTION, meaning=rule.meaning, source=rules.title(rule.source))
    return Statement(
        rule=rule.id,
        retry=rule.retry,
        meaning=rule.meaning,
        source=rules.title(rule.source),
        lifted_by=rule.lifted_by or LIFTED_BY[rule.retry],
        wait_hours=rule.wait_hours,
        wording=rule.wording if isinstance(rule, PermissionRule) else None,
        yields_to_advice=isinstance(rule, TreatmentRule) and rule.yields_to_advice,
        is_advice=isinstance(rule, PermissionRule) and bool(rule.advice),
    )


def _in_force(entries: Iterable[D], day: date) -> Iterator[D]:
    return (entry for entry in entries if entry.holds_on(day))


def _may_bind(cap: Cap, category: Category, advice: tuple[str, ...]) -> bool:
    return not cap.is_conditional or category in cap.after_categories or any(a in cap.after_advice for a in advice)


def _rate(cap: Cap) -> float:
    return cap.limit / cap.hours


def _wording(group: TreatmentRule, strictest: Statement, rules: Rules) -> str | None:
    """The group's own words where they fit what is permitted; else those of a group with that permission."""
    if group.wording is None or strictest.wording:
        return group.wording and strictest.wording
    if group.retry is strictest.retry:
        return group.wording
    return next((g.wording for g in rules.treatment if g.retry is strictest.retry and not g.is_fraud), None)
