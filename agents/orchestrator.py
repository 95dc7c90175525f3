"""Decides who works on a case: the ordinary plan, or people."""

from typing import Literal

from agents.bounds import SIGNALS
from agents.failure_pattern import Pattern, PatternKind, failure_pattern
from agents.trouble import HAND_OFFS, find_trouble, is_known
from recoup.case import CaseStatus
from recoup.facts import CaseFacts
from recoup.proposal import Alternative, Confidence
from recoup.record import Record


class Route(Record):
    """Who works on the case next, and why. ``signals`` escalate whatever is proposed afterwards. ``pattern``: what kind of failure it is;
    None in decisions that were made before anybody asked."""

    to: Literal["prioritize", "handle_exception"]
    reason: str
    evidence: tuple[str, ...]
    confidence: Confidence = 0.95
    signals: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    pattern: Pattern | None = None


class CheckedRoute(Record):
    """The revised route, or the draft with the reason why the revision was not taken."""

    route: Route
    refused: str | None = None


def propose(facts: CaseFacts) -> Route:
    """People where something is wrong that a plan must not touch, the plan everywhere else."""
    trouble, pattern = find_trouble(facts), failure_pattern(facts)
    evidence = tuple(dict.fromkeys((facts.case.id, *(a.id for a in facts.attempts[-1:]), *pattern.evidence)))
    # Also once a person has looked and the plan goes on: each further step is theirs to allow.
    suspected = ("fraud",) if facts.case.status is CaseStatus.OPEN and pattern.kind is PatternKind.SUSPECTED_FRAUD else ()
    if trouble is None:
        return Route(to="prioritize", reason=_ordinary(facts, pattern), evidence=evidence, signals=suspected, pattern=pattern)
    hand_off = HAND_OFFS[trouble]
    told = " They have been told." if is_known(facts, trouble) else ""
    return Route(
        to="handle_exception",
        reason=f"{hand_off.why} This is for people ({hand_off.queue}).{told} The pattern is {pattern.says}.",
        evidence=evidence,
        signals=tuple(dict.fromkeys((*hand_off.signals, *suspected))),
        alternatives=(Alternative(what="go on with the plan", why_not=hand_off.next_step),),
        pattern=pattern,
    )


def check(draft: Route, revised: Route, facts: CaseFacts) -> CheckedRoute:
    """A revision may take a case to people, never away from them, and never quieten a signal."""
    known = facts.row_ids()
    if draft.to == "handle_exception" and revised.to != draft.to:
        return CheckedRoute(route=draft, refused="what the rules give to people stays with people")
    if not set(draft.signals) <= set(revised.signals) <= SIGNALS:
        return CheckedRoute(route=draft, refused="signals of the rules were dropped, or are not of the closed list")
    if revised.pattern != draft.pattern:
        return CheckedRoute(route=draft, refused="the pattern of failures is read from the ledger")
    if not revised.reason or not set(revised.evidence) <= known:
        return CheckedRoute(route=draft, refused="the reason is missing, or its evidence is not in this case's facts")
    return CheckedRoute(route=revised)


def _ordinary(facts: CaseFacts, pattern: Pattern) -> str:
    if facts.case.status is not CaseStatus.OPEN:
        return f"The case is {facts.case.status}; only what remains to be tidied up is looked at."
    if pattern.kind is PatternKind.SUSPECTED_FRAUD:
        return f"A person has looked at the signs of misuse ({pattern.says}); the plan goes on, and each step is asked."
    return f"A failed payment (category {facts.category}), {pattern.says}; the plan goes on."
