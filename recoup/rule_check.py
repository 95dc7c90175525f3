"""What is wrong with the rules that a schema cannot see: entries that contradict each other, days that nobody rules, stale sources."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Literal, TypeVar

from recoup.category import Category
from recoup.record import Record
from recoup.rule_data import Cap, Dated, Rules

Kind = Literal["overlap", "gap", "overdue", "unused"]
Days = tuple[date, date]  # from, until (excluded)
OPEN_END = date.max
D = TypeVar("D", bound=Dated)


class Problem(Record):
    """One thing to mend. ``rules``: the ids of the entries, or of the source, that it is about."""

    kind: Kind
    rules: tuple[str, ...]
    detail: str


def problems(rules: Rules, day: date) -> tuple[Problem, ...]:
    """Everything wrong with the rules on any day, and every source that was to be reviewed by ``day`` (UTC). Rules that ended need none."""
    subjects = {**_tables(rules), **_permissions(rules), **_treatments(rules)}
    found = [problem for subject, entries in subjects.items() for problem in (*_overlaps(subject, entries), *_gaps(subject, entries))]
    found += [problem for family in _cap_families(rules) for problem in family]
    found += [*_untreated(rules), *_never_in_force(rules), *_unheard(rules), *_sources(rules, day)]
    return tuple(dict.fromkeys(found))


def next_review(rules: Rules, day: date) -> date:
    """The first day on which a source is to be read again that a rule still rests on."""
    return min(rules.sources[entry.source].review_by for entry in rules.entries if day < _end(entry))


def _tables(rules: Rules) -> dict[str, Sequence[Dated]]:
    return {f"{speaker}'s code {code}": tables for (speaker, code), tables in rules.tables.items()}


def _permissions(rules: Rules) -> dict[str, Sequence[Dated]]:
    by_code = {f"what {speaker} permits after code {code}": entries for (speaker, code), entries in rules.by_code.items()}
    by_advice = {f"{speaker}'s advice {advice}": entries for (speaker, advice), entries in rules.by_advice.items()}
    by_rail: dict[str, list[Dated]] = {}
    for rule in rules.permission:
        for category in rule.categories:
            by_rail.setdefault(f"what {rule.rail} permits after category {category}", []).append(rule)
    return {**by_code, **by_advice, **by_rail}


def _treatments(rules: Rules) -> dict[str, Sequence[Dated]]:
    return {f"the treatment of {reason}": groups for reason, groups in rules.groups.items()}


def _cap_families(rules: Rules) -> Iterator[list[Problem]]:
    """Caps that follow one another: on the same credentials and counted alike, whatever the limit. A cap may be given up for good."""
    families: dict[object, list[Cap]] = {}
    for cap in rules.cap:
        counted = cap.model_dump_json(exclude={"id", "source", "meaning", "effective_from", "effective_to", "limit", "hours"})
        families.setdefault(counted, []).append(cap)
    for caps in families.values():
        last = max(_end(cap) for cap in caps)
        lengths: dict[int, list[Cap]] = {}
        for cap in caps:
            lengths.setdefault(cap.hours, []).append(cap)
        subject = f"the cap {caps[0].id}"
        yield [*(one for alike in lengths.values() for one in _overlaps(subject, alike)), *_gaps(subject, caps, until=last)]


def _overlaps(subject: str, entries: Sequence[Dated]) -> Iterator[Problem]:
    for number, one in enumerate(entries):
        for other in entries[number + 1 :]:
            first, until = max(one.effective_from, other.effective_from), min(_end(one), _end(other))
            if first < until:
                detail = f"{subject}: {one.id} and {other.id} both speak {_days((first, until))}; end one where the other begins"
                yield Problem(kind="overlap", rules=(one.id, other.id), detail=detail)


def _gaps(subject: str, entries: Sequence[Dated], until: date = OPEN_END) -> Iterator[Problem]:
    first = min(entry.effective_from for entry in entries)
    for hole in _uncovered((first, until), entries):
        yield Problem(kind="gap", rules=_ids(entries), detail=f"{subject}: no entry speaks {_days(hole)}")


def _untreated(rules: Rules) -> Iterator[Problem]:
    """Reasons that a table or permission gives on days on which no treatment has them, and categories without a treatment."""
    for table in rules.codes:
        for reason in dict.fromkeys(table.reasons.values()):
            yield from _without_treatment(rules, table, reason)
    for rule in rules.permission:
        if rule.reason:
            yield from _without_treatment(rules, rule, rule.reason)
    for category in Category:
        if not any(group.category is category for group in rules.treatment):
            yield Problem(kind="gap", rules=(), detail=f"no treatment has the category {category}")


def _without_treatment(rules: Rules, entry: Dated, reason: str) -> Iterator[Problem]:
    groups = rules.groups.get(reason, ())
    for hole in _uncovered((entry.effective_from, _end(entry)), groups):
        yield Problem(kind="gap", rules=_ids((entry, *groups)), detail=f"{entry.id}: no treatment has the reason {reason} {_days(hole)}")


def _never_in_force(rules: Rules) -> Iterator[Problem]:
    for entry in rules.entries:
        if _end(entry) <= entry.effective_from:
            detail = f"{entry.id}: it ends on {entry.effective_to}, before it begins on {entry.effective_from}"
            yield Problem(kind="unused", rules=(entry.id,), detail=detail)


def _unheard(rules: Rules) -> Iterator[Problem]:
    """Entries of a speaker whose words no processor passes on: a name that was written wrongly."""
    heard = {*rules.speakers.networks, *rules.speakers.advice.values(), *(s for names in rules.speakers.codes.values() for s in names)}
    for entry in (*rules.codes, *rules.permission):
        if entry.speaker is not None and entry.speaker not in heard:
            yield Problem(kind="unused", rules=(entry.id,), detail=f"{entry.id}: no processor passes on the words of {entry.speaker}")


def _sources(rules: Rules, day: date) -> Iterator[Problem]:
    for name, source in rules.sources.items():
        entries = [entry for entry in rules.entries if entry.source == name]
        resting = _ids(entry for entry in entries if day < _end(entry))
        if not entries:
            yield Problem(kind="unused", rules=(name,), detail=f"the source {name} is named by no rule")
        elif resting and source.review_by <= day:
            detail = f"the source {name} was to be read again by {source.review_by}; on it rest {', '.join(resting)}"
            yield Problem(kind="overdue", rules=(name, *resting), detail=detail)


def _uncovered(days: Days, entries: Iterable[Dated]) -> Iterator[Days]:
    """The stretches of ``days`` in which no entry is in force."""
    at, until = days
    for entry in sorted(entries, key=lambda entry: entry.effective_from):
        if entry.effective_from >= until:
            break
        if entry.effective_from > at:
            yield at, entry.effective_from
        at = max(at, _end(entry))
    if at < until:
        yield at, until


def _end(entry: Dated) -> date:
    return entry.effective_to or OPEN_END


def _days(days: Days) -> str:
    first, until = days
    return f"from {first} on" if until == OPEN_END else f"from {first} until {until}"


def _ids(entries: Iterable[Dated]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(entry.id for entry in entries))
