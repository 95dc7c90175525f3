"""What each word of a decline says by itself: its reason, and what whoever said it permits. ``recoup.decline`` weighs the words."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from recoup.category import Category, Retry
from recoup.invoice import Rail
from recoup.record import Record
from recoup.rule_data import ANY_CODE, Dated, IssuerCountry, Lifting, PermissionRule, Rules, TreatmentRule, folded

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


@dataclass(frozen=True)
class Decline:
    """One answer. ``code``: the processor's own; ``network`` as the rules name it; ``advice``: the network's or processor's, as passed on.

    ``country``: of issue, ISO 3166 alpha-2. ``rail`` None: by the processor and its code, else a card.
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


@dataclass(frozen=True)
class Word:
    """One code or advice: ``reasons`` it may mean, the likeliest first (none: it tells no meaning). ``is_known``: some rule has it.

    ``is_missing``: none has it, though whoever said it is one whose words we have."""

    reasons: tuple[str, ...]
    statements: tuple[Statement, ...]
    used: tuple[Dated, ...]
    is_known: bool
    is_missing: bool


def rail_of(decline: Decline, rules: Rules) -> Rail:
    """The rail that the decline came by: where nobody tells, that of whoever first has the code."""
    if decline.rail:
        return decline.rail
    speakers = rules.speakers.codes.get(decline.processor, ()) if decline.code else ()
    named = (RAIL_OF.get(speaker, Rail.CARD) for speaker in speakers if (speaker, folded(decline.code or "")) in rules.spellings)
    return next(named, RAIL_OF.get(decline.processor, Rail.CARD))


def words_of(decline: Decline, rules: Rules, day: date) -> tuple[list[Word], bool]:
    """Every word, the most specific first: advice, the network's code, the processor's own; and whether the main one of them is known."""
    of_decline = rail_of(decline, rules)
    scheme = next((name for name, rail in RAIL_OF.items() if rail is of_decline), CARD_NETWORK)
    by_advice = [_advice(advice, decline, rules, day) for advice in decline.advice]
    by_network = _code(decline.network_code, [scheme], decline, rules, day)
    by_processor = _code(decline.code, rules.speakers.codes.get(decline.processor, ()), decline, rules, day)
    words = [word for word in (*by_advice, by_network, by_processor) if word]
    main = by_processor or by_network or (by_advice[0] if by_advice else None)
    return words, main is not None and main.is_known


def beside(category: Category, rail: Rail, country: str | None, rules: Rules, day: date) -> list[PermissionRule | IssuerCountry]:
    """What a rail and a country of issue say whatever the words."""
    by_rail = [rule for rule in in_force(rules.permission, day) if rule.rail is rail and category in rule.categories]
    by_country = [rule for rule in in_force(rules.issuer_country, day) if rail is Rail.CARD and country in rule.countries]
    return [*by_rail, *by_country]


def group_of(reason: str, rules: Rules, day: date) -> TreatmentRule:
    """The treatment of a reason on that day."""
    groups = rules.groups[reason]
    return next(in_force(groups, day), groups[0])


def statement_of(rule: TreatmentRule | PermissionRule | IssuerCountry, rules: Rules) -> Statement:
    """The rule as a statement about one credential."""
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


def in_force(entries: Iterable[D], day: date) -> Iterator[D]:
    """Those in force on that UTC day."""
    return (entry for entry in entries if entry.holds_on(day))


def _advice(advice: str, decline: Decline, rules: Rules, day: date) -> Word:
    dialect = rules.speakers.advice.get(decline.processor)
    speakers = [dialect] if dialect else _networks(decline, rules)
    speakers += rules.speakers.codes.get(decline.processor, ())
    spoken = [rule for speaker in speakers for rule in in_force(rules.by_advice.get((speaker, rules.spelled(speaker, advice)), ()), day)]
    reasons = tuple(rule.reason for rule in spoken if rule.reason)
    is_missing = not spoken and any(speaker in rules.advisers for speaker in speakers)
    return Word(reasons, tuple(statement_of(rule, rules) for rule in spoken), tuple(spoken), bool(spoken), is_missing)


def _code(code: str | None, names: Sequence[str], decline: Decline, rules: Rules, day: date) -> Word | None:
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
    reasons = tuple(reason for reason, _, _ in heard if reason)
    statements = tuple(statement for _, said, _ in heard for statement in said)
    return Word(reasons, statements, tuple(entry for _, _, used in heard for entry in used), bool(reasons), is_missing=not reasons)


def _spoken(speakers: Sequence[str], code: str, rules: Rules, day: date) -> tuple[str | None, list[Statement], list[Dated]]:
    """The reason that these speakers give a code, what is permitted after it, and the entries that say so.

    Where a speaker rules on the code itself, that stands instead of the treatment of the code's reason.
    """
    code = next((spelling for speaker in speakers if (spelling := rules.spelled(speaker, code)) != code), code)
    tables = [table for speaker in speakers for table in in_force(rules.tables.get((speaker, code), ()), day)][:1]
    reason = tables[0].reasons[code] if tables else None
    named = [rule for speaker in speakers for rule in in_force(rules.by_code.get((speaker, code), ()), day)]
    if named:
        return reason, [statement_of(rule, rules) for rule in named], [*tables, *named]
    if reason is None:
        return None, [], []
    others = [rule for speaker in speakers for rule in in_force(rules.by_code.get((speaker, ANY_CODE), ()), day)]
    return reason, [statement_of(rule, rules) for rule in (*others, group_of(reason, rules, day))], [*tables, *others]


def _networks(decline: Decline, rules: Rules) -> list[str]:
    """The card's network; all of them where nobody told, since the strictest of them may be meant."""
    return [decline.network] if decline.network else list(rules.speakers.networks)
