"""Every decline code with what it means and allows, as a page, from the rules alone.

docs/declines.md is drawn from it: ``python -m recoup.decline_page > docs/declines.md``. A test fails while the page is stale.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from typing import NamedTuple

from recoup.decline import treat
from recoup.rule_data import ANY_CODE, Cap, Dated, PermissionRule, Rules, load_rules
from recoup.words import CARD_NETWORK, Decline

PAGE = """# Decline codes, and what they allow

Generated from `recoup/rules/*.toml` by `python -m recoup.decline_page > docs/declines.md`; a test fails while this page is stale.
`recoup explain-decline PROCESSOR CODE` answers for one decline, `recoup rules check` looks for what is missing or stale in the rules.

## How the words combine

A decline is told in up to three words: the processor's own code, the response code of the network behind it, and advice. Each is read
in three layers of data:

1. **Tables** say which of our reasons a speaker's code is. The same code of another speaker is another word.
2. **Treatments** say what a reason asks for: its category, whether the credential may be tried again, after which wait, and what the
   customer may be told.
3. **Permissions** are a speaker's own word on what is allowed after one of its codes or advice. One that names a code speaks *instead*
   of the treatment of the code's reason; one for every other code (`*`) speaks beside it.

Of several words, the most specific says what the decline *means*: advice over the network's code over the processor's own. The strictest
of all says what is *allowed*: `never`, then `reconcile`, `customer_action`, `after_update`, `allowed`; of waits the longest. The wait
counts from the decline. Then **caps** count everybody's attempts on the credential, also the platform's and the customer's.

- `never`: not on this credential again; a new card number is another one.
- `reconcile`: first read whether the money moved.
- `customer_action`: only the customer can pay with it.
- `after_update`: once its data or mandate were corrected or replaced.
- `allowed`: again, within waits and caps.

A code that no table has is treated as a decline without a reason, and listed by `recoup rules unknown`. Days are UTC; a
rule holds on the days that *in force* names, the first and the last included, and always where it names none: where a source gives no
first day, the rules have 2020-01-01.

## Whose words a processor passes on

{processors}

## Codes

What is shown is the answer for the code alone, with no other word beside it. *By* is the rule that allows the least.

{codes}

## Treatments

{treatments}

## Permissions

{permissions}

## Caps

What succeeded is not counted; what is reserved, under way or of unknown outcome is. A card of a network that no cap names, or that nobody
told, falls under those of all networks.

{caps}

## Countries of issue

{countries}

## Sources

Grades: A the network's, scheme's, processor's or acquirer's own page; B secondary; K common knowledge, kept only where it is the
stricter reading; R our own reading.

{sources}
"""
NO_NETWORK = "The strictest of what any network says, as for a card whose network nobody told. What single networks say follows below."
LONG_RUN = 6
NO_FIRST_DAY = date(2020, 1, 1)


class Answer(NamedTuple):
    """What one code comes to, in force for a while."""

    known: bool
    reason: str
    category: str
    retry: str
    wait: str
    rule: str


def page() -> str:
    """docs/declines.md as it should stand."""
    rules = load_rules()
    return PAGE.format(
        processors=_table(("Processor", "Codes of", "Advice of"), _processors(rules)),
        codes=_codes(rules),
        treatments="\n\n".join(_treatments(rules)),
        permissions=_table(("Permission", "After", "Again", "Wait", "Meaning", "In force", "Source"), _permissions(rules)),
        caps=_table(("Cap", "Meaning", "Counted together", "Window", "In force", "Source"), _caps(rules)),
        countries=_table(("Rule", "Issued in", "Meaning", "In force", "Source"), _countries(rules)),
        sources=_table(("Source", "What it is", "Grade", "Read", "To be read again by"), _sources(rules)),
    )


def _processors(rules: Rules) -> Iterator[Sequence[str]]:
    for processor, speakers in rules.speakers.codes.items():
        yield processor, ", ".join(speakers), rules.speakers.advice.get(processor, "the card's network")


def _codes(rules: Rules) -> str:
    names = dict.fromkeys(speaker for speaker, _ in (*rules.tables, *rules.by_code))
    # Processors and schemes first, then the networks.
    speakers = sorted(names, key=lambda name: name in rules.speakers.networks)
    headings = ("Code", "Reason", "Category", "Again", "Wait", "By", "In force")
    days = sorted({day for entry in rules.entries for day in (entry.effective_from, entry.effective_to) if day})
    return "\n\n".join(f"### {speaker}\n\n{_aside(speaker)}{_table(headings, _speaker(speaker, rules, days))}" for speaker in speakers)


def _aside(speaker: str) -> str:
    if speaker != CARD_NETWORK:
        return ""
    return f"{NO_NETWORK}\n\n"


def _speaker(speaker: str, rules: Rules, days: Sequence[date]) -> Iterator[Sequence[str]]:
    codes = sorted({code for name, code in (*rules.tables, *rules.by_code) if name == speaker and code != ANY_CODE})
    is_network = speaker in rules.speakers.networks
    declines = [
        Decline(processor=CARD_NETWORK if is_network else speaker, code=code, network=speaker if is_network else None) for code in codes
    ]
    told = {code: list(_answers(decline, days)) for code, decline in zip(codes, declines, strict=True)}
    for first, last in _runs(told):
        answers = told[first]
        for number, (since, answer) in enumerate(answers):
            until = answers[number + 1][0] if number + 1 < len(answers) else None
            words = (_code(answer.reason), answer.category, answer.retry, answer.wait, _code(answer.rule))
            yield _code(first) + (f" to {_code(last)}" if last != first else ""), *words, _span(since, until)


def _runs(told: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """First and last of each long run of numbers that come to the same; every other code alone."""
    runs: list[list[str]] = []
    for code, answers in told.items():
        last = runs[-1][-1] if runs else ""
        follows = code.isdecimal() and last.isdecimal() and int(code) == int(last) + 1 and answers == told[last]
        if follows:
            runs[-1].append(code)
        else:
            runs.append([code])
    for run in runs:
        yield from [(run[0], run[-1])] if len(run) >= LONG_RUN else [(code, code) for code in run]


def _answers(decline: Decline, days: Sequence[date]) -> Iterator[tuple[date, Answer]]:
    """What the code comes to, from each day on which that changes; days before anybody knew it are left out."""
    before: Answer | None = None
    for day in days:
        told = treat(decline, datetime.combine(day, time(), UTC))
        wait = _hours(told.wait.wait_hours if told.wait else None)
        answer = Answer(told.known, told.reason, told.category, told.retry, wait, told.statement.rule)
        if answer != before and (answer.known or before is not None or day == days[-1]):
            yield day, answer
            before = answer


def _treatments(rules: Rules) -> Iterator[str]:
    for group in rules.treatment:
        again = f"again: `{group.retry}`{f' after {_hours(group.wait_hours)}' if group.wait_hours else ''}"
        told = f"The customer may be told: “{group.wording}”" if group.wording else "The customer is told nothing."
        span = f" In force {_in_force(group)}." if _in_force(group) else ""
        yield f"### {group.id}"
        yield f"{group.meaning[0].upper()}{group.meaning[1:]}. Category `{group.category}`, {again}. Source: {_code(group.source)}.{span}"
        yield told
        yield _table(("Reason", "Meaning"), ((_code(reason), meaning) for reason, meaning in group.reasons.items()))


def _permissions(rules: Rules) -> Iterator[Sequence[str]]:
    for rule in rules.permission:
        words = (rule.retry, _hours(rule.wait_hours), rule.meaning)
        yield _code(rule.id), _after(rule), *words, _in_force(rule), _code(rule.source)


def _after(rule: PermissionRule) -> str:
    if rule.rail is not None:
        return f"{rule.rail}: category {', '.join(rule.categories)}"
    if rule.advice:
        return f"{rule.speaker}: advice {', '.join(rule.advice)}"
    return f"{rule.speaker}: {'every other code' if ANY_CODE in rule.codes else ', '.join(rule.codes)}"


def _caps(rules: Rules) -> Iterator[Sequence[str]]:
    for cap in rules.cap:
        yield _code(cap.id), cap.meaning, _key(cap), _window(cap), _in_force(cap), _code(cap.source)


def _key(cap: Cap) -> str:
    counted = f"{cap.counts} {'of one amount on the credential' if cap.key == 'credential_amount' else 'on the credential'}"
    after = ", ".join((*sorted(cap.after_categories), *(f"advice {advice}" for advice in sorted(cap.after_advice))))
    return counted + (", not the customer's own" if cap.initiated_by == "merchant" else "") + (f", declined as {after}" if after else "")


def _window(cap: Cap) -> str:
    span = f"{cap.hours // 24} days" if cap.hours > 24 and cap.hours % 24 == 0 else f"{cap.hours} hours"
    match cap.window:
        case "rolling":
            return f"any {span}"
        case "calendar_day":
            return "a UTC day"
        case "consecutive":
            return f"in a row within {span}, until {' or '.join(cap.resets_on)}"


def _countries(rules: Rules) -> Iterator[Sequence[str]]:
    for rule in rules.issuer_country:
        yield _code(rule.id), ", ".join(rule.countries), rule.meaning, _in_force(rule), _code(rule.source)


def _sources(rules: Rules) -> Iterator[Sequence[str]]:
    for name, source in rules.sources.items():
        yield _code(name), rules.title(name), source.grade, f"{source.reviewed}", f"{source.review_by}"


def _in_force(entry: Dated) -> str:
    return _span(entry.effective_from, entry.effective_to)


def _span(since: date, until: date | None) -> str:
    parts = [f"from {since}"] if since > NO_FIRST_DAY else []
    parts += [f"until {until - timedelta(days=1)}"] if until else []
    return " ".join(parts)


def _hours(hours: float | None) -> str:
    return f"{hours:g} h" if hours else ""


def _code(word: str) -> str:
    return f"`{word}`"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = chain((headings, ["---"] * len(headings)), rows)
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(page())
