"""One explained decline as lines of text that a billing engineer understands. Pure."""

import textwrap
from collections.abc import Iterator
from datetime import date

from api.explained import Question, whole
from recoup.category import Retry
from recoup.decline import UNKNOWN_REASON, Treatment
from recoup.invoice import Rail
from recoup.rule_data import Cap, Codes, Dated, PermissionRule, Rules, folded, load_rules
from recoup.shown_code import shown_code
from recoup.words import CARD_NETWORK, Decline, Statement, rail_of

AGAIN = {
    Retry.NEVER: "no, not on this payment method; a new card or account number is another one",
    Retry.RECONCILE: "not before it was read whether the money moved",
    Retry.CUSTOMER_ACTION: "not by us: only the customer can pay with it",
    Retry.AFTER_UPDATE: "only once its data or mandate were corrected or replaced",
    Retry.ALLOWED: "yes, within waits and caps",
}
UNKNOWN = "No table has this code."
WITH_CARE = "It is treated with care, as a decline for which the bank gives no reason."
BEFORE_ALL = "No rule is as old as that day."
OTHER_WORDS = "What was said beside it tells the meaning."
FRAUD = "a person looks before anything else happens"
NO_NETWORK = "The card's network was not told: what is shown is the strictest that any network says (--network tells it)."
NO_FIRST_DAY = date(2020, 1, 1)
LABEL_WIDTH = 14
LINE_WIDTH = 120


def decline_text(asked: Question, treatment: Treatment) -> Iterator[str]:
    """What it means, what is allowed and when, what the customer may be told, and each rule with its source."""
    rules = load_rules()
    cited = _cited(treatment, rules)
    yield f"{_subject(asked.decline)}, by the rules of {asked.day} (UTC)"
    if not treatment.known:
        unknown = UNKNOWN if asked.day >= NO_FIRST_DAY else BEFORE_ALL
        yield f"{unknown} {WITH_CARE if treatment.reason == UNKNOWN_REASON else OTHER_WORDS}"
    yield ""
    yield from _field("means", f"{treatment.reason}: {treatment.meaning}")
    yield from _field("category", treatment.category)
    if treatment.is_fraud:
        yield from _field("first", FRAUD)
    yield from _field("try again", AGAIN[treatment.retry], _said(treatment.statement))
    if treatment.retry is Retry.ALLOWED:
        yield from _field("not before", _wait(treatment.wait))
        yield from _field("at most", *_most(treatment, cited, rules))
    yield from _field("customer", f"may be told: “{treatment.wording}”" if treatment.wording else "is told nothing")
    yield ""
    yield "Rules"
    width = max(len(citation.id) for citation in treatment.rules)
    for citation in treatment.rules:
        yield f"  {citation.id:<{width}}  since {citation.effective_from}  {citation.source}"
    notes = list(_notes(asked.decline, treatment, cited, rules))
    if notes:
        yield ""
        yield from notes


def _subject(decline: Decline) -> str:
    words = [decline.processor, shown_code(decline.code or "") or '""', decline.network]
    words += [f"network code {shown_code(decline.network_code)}"] if decline.network_code else []
    words += [f"advice {shown_code(advice)}" for advice in decline.advice]
    words += [f"issued in {decline.country}"] if decline.country else []
    return ", ".join(word for word in (f"{words[0]} {words[1]}", *words[2:]) if word)


def _field(label: str, *paragraphs: str) -> Iterator[str]:
    indent = " " * (LABEL_WIDTH + 2)
    for number, paragraph in enumerate(paragraphs):
        first = f"  {label:<{LABEL_WIDTH}}" if number == 0 else indent
        yield from textwrap.wrap(paragraph, LINE_WIDTH, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)


def _said(statement: Statement) -> str:
    return f"{statement.meaning} ({statement.rule}; {statement.source})"


def _wait(wait: Statement | None) -> str:
    if wait is None:
        return "no wait is asked for"
    hours = whole(wait.wait_hours)
    return f"{hours} {'hour' if hours == 1 else 'hours'} after the decline ({wait.rule})"


def _most(treatment: Treatment, cited: list[Dated], rules: Rules) -> Iterator[str]:
    cap = next((entry for entry in cited if isinstance(entry, Cap)), None)
    if treatment.most is None or cap is None:
        yield "no cap binds"
        return
    count, days = treatment.most.count, treatment.most.days
    span = "24 hours" if days == 1 else f"{days} days"
    told = f"{count} in {span}, this one included" if cap.counts == "attempts" else f"{count} more in {span}"
    yield f"{told}, whoever makes them"
    yield f"{cap.meaning} ({cap.id}; {rules.title(cap.source)})"


def _cited(treatment: Treatment, rules: Rules) -> list[Dated]:
    ids = {citation.id for citation in treatment.rules}
    return [entry for entry in rules.entries if entry.id in ids]


def _notes(decline: Decline, treatment: Treatment, cited: list[Dated], rules: Rules) -> Iterator[str]:
    unheard = list(_unheard(decline, cited))
    if unheard:
        yield f"No rule knows {' and '.join(unheard)} here: it changes nothing."
    speakers = rules.speakers.codes[decline.processor]
    of_network = treatment.retry is Retry.ALLOWED or decline.network_code or decline.advice or CARD_NETWORK in speakers
    if decline.network is None and rail_of(decline, rules) is Rail.CARD and of_network:
        yield NO_NETWORK
    if any(citation.effective_from == NO_FIRST_DAY for citation in treatment.rules):
        yield f"{NO_FIRST_DAY} stands where a source gives no first day."


def _unheard(decline: Decline, cited: list[Dated]) -> Iterator[str]:
    """The words beside the code that no applied rule takes up."""
    codes = {folded(code) for entry in cited if isinstance(entry, Codes) for code in entry.reasons}
    codes |= {folded(code) for entry in cited if isinstance(entry, PermissionRule) for code in entry.codes}
    advice = {folded(one) for entry in cited if isinstance(entry, PermissionRule) for one in entry.advice}
    if decline.network_code and folded(decline.network_code) not in codes:
        yield f"the network code {shown_code(decline.network_code)}"
    yield from (f"the advice {shown_code(one)}" for one in decline.advice if folded(one) not in advice)
