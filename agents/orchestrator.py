"""Decides who works on a case: the ordinary plan, or people."""

from typing import Literal

from agents.bounds import SIGNALS
from agents.trouble import TREATMENTS, find_trouble, is_known
from recoup.case import CaseStatus
from recoup.facts import CaseFacts
from recoup.proposal import Alternative, Confidence
from recoup.record import Record


class Route(Record):
    """Who works on the case next, and why. ``signals`` escalate whatever is proposed afterwards."""

    to: Literal["prioritize", "handle_exception"]
    reason: str
    evidence: tuple[str, ...]
    confidence: Confidence = 0.95
    signals: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()


class CheckedRoute(Record):
    """The revised route, or the draft with the reason why the revision was not taken."""

    route: Route
    refused: str | None = None


def propose(facts: CaseFacts) -> Route:
    """People where something is wrong that a plan must not touch, the plan everywhere else."""
    evidence = (facts.case.id, *(a.id for a in facts.attempts[-1:]))
    trouble = find_trouble(facts)
    if trouble is None:
        return Route(to="prioritize", reason=_ordinary(facts), evidence=evidence)
    treatment = TREATMENTS[trouble]
    told = " They have been told." if is_known(facts, trouble) else ""
    return Route(
        to="handle_exception",
        reason=f"{treatment.why} This is for people ({treatment.queue}).{told}",
        evidence=evidence,
        signals=treatment.signals,
        alternatives=(Alternative(what="go on with the plan", why_not=treatment.next_step),),
    )


def check(draft: Route, revised: Route, facts: CaseFacts) -> CheckedRoute:
    """A revision may take a case to people, never away from them, and never quieten a signal."""
    known = facts.row_ids()
    if draft.to == "handle_exception" and revised.to != draft.to:
        return CheckedRoute(route=draft, refused="what the rules give to people stays with people")
    if not set(draft.signals) <= set(revised.signals) <= SIGNALS:
        return CheckedRoute(route=draft, refused="signals of the rules were dropped, or are not of the closed list")
    if not revised.reason or not set(revised.evidence) <= known:
        return CheckedRoute(route=draft, refused="the reason is missing, or its evidence is not in this case's facts")
    return CheckedRoute(route=revised)


def _ordinary(facts: CaseFacts) -> str:
    if facts.case.status is not CaseStatus.OPEN:
        return f"The case is {facts.case.status}; only what remains to be tidied up is looked at."
    return f"An ordinary failed payment (category {facts.category}); the plan goes on."
