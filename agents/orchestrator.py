"""Decides who works on a case: the ordinary plan, or people. Code routes what is plain; a model is asked only about what was written."""

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import Field

from agents.bounds import SIGNALS
from agents.failure_pattern import Pattern, PatternKind, failure_pattern
from agents.trouble import find_trouble, hand_off_of, is_known, signs_of_texts
from prompts.render import load, render_text
from recoup.case import CaseStatus
from recoup.citations import citations_of
from recoup.facts import CaseFacts
from recoup.model_port import Bounds, Model, ModelCall, ModelUse
from recoup.money import format_money
from recoup.proposal import Alternative, Confidence
from recoup.record import Record
from recoup.texts import Intent, Signal

AGENT = "orchestrator"
BOUNDS = Bounds(output_tokens=400, steps=1, seconds=20.0)
# Under this a reading is a guess.
SURE = 0.6
To = Literal["prioritize", "handle_exception"]


class Route(Record):
    """Who works on the case next, and why. ``signals`` escalate whatever is proposed afterwards. ``pattern``: what kind of failure it is;
    None in decisions that were made before anybody asked."""

    to: To
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


class RevisedRoute(Record):
    """What came of a model's turn. ``use`` is None where none was asked."""

    route: Route
    use: ModelUse | None = None


Because = Literal["needs_an_answer", "contradicts_the_ledger", "sign_of_trouble", "nothing_to_stop_for"]
WHY: dict[Because, str] = {
    "needs_an_answer": "What was written needs a person's answer.",
    "contradicts_the_ledger": "What was written does not fit what the ledger shows.",
    "sign_of_trouble": "What was written shows a sign of trouble.",
    "nothing_to_stop_for": "Nothing in what was written is a reason to stop.",
}


class RouteAnswer(Record):
    """A model's answer: one of the graph's routes, and why in one of a few words. ``evidence``: names of rows as they were shown."""

    to: To
    because: Because
    signals: Annotated[tuple[Signal, ...], Field(max_length=4)] = ()
    evidence: Annotated[tuple[Annotated[str, Field(max_length=40)], ...], Field(min_length=1, max_length=12)]


def propose(facts: CaseFacts) -> Route:
    """People where something is wrong that a plan must not touch, the plan everywhere else."""
    trouble, pattern = find_trouble(facts), failure_pattern(facts)
    evidence = tuple(dict.fromkeys((facts.case.id, *(a.id for a in facts.attempts[-1:]), *pattern.evidence, *_telling(facts))))
    # Also once a person has looked and the plan goes on: each further step is theirs to allow.
    signals = _standing_signals(facts, pattern)
    if trouble is None:
        return Route(to="prioritize", reason=_ordinary(facts, pattern), evidence=evidence, signals=signals, pattern=pattern)
    hand_off = hand_off_of(trouble, facts)
    told = " They have been told." if is_known(facts, trouble) else ""
    return Route(
        to="handle_exception",
        reason=f"{hand_off.why} This is for people ({hand_off.queue}).{told} The pattern is {pattern.says}.",
        evidence=evidence,
        signals=tuple(dict.fromkeys((*hand_off.signals, *signals))),
        alternatives=(Alternative(what="go on with the plan", why_not=hand_off.next_step),),
        pattern=pattern,
    )


async def revise(draft: Route, facts: CaseFacts, fresh: Collection[str], model: Model, decision_id: str) -> RevisedRoute:
    """A model's word on texts that were just read and that closed words did not settle; everything else costs nothing."""
    if not is_unclear(draft, facts, fresh) or not model.chain(AGENT):
        return RevisedRoute(route=draft)
    system, user = prompt(draft, facts)
    call = ModelCall(
        agent=AGENT, case_id=facts.case.id, decision_id=decision_id, system=system, user=user, answer=RouteAnswer, bounds=BOUNDS
    )
    answer = await model.ask(call)
    if answer.value is None:
        return RevisedRoute(route=draft, use=ModelUse.of(AGENT, answer))
    try:
        evidence = citations_of(facts).resolve(answer.value.evidence)
    except KeyError:
        return RevisedRoute(route=draft, use=ModelUse.of(AGENT, answer, "it cites what is no row of this case"))
    revised = draft.model_copy(
        update={
            "to": answer.value.to,
            "reason": f"{draft.reason} {WHY[answer.value.because]}",
            "signals": tuple(dict.fromkeys((*draft.signals, *map(str, answer.value.signals)))),
            "evidence": tuple(dict.fromkeys((*draft.evidence, *evidence))),
        }
    )
    return RevisedRoute(route=revised, use=ModelUse.of(AGENT, answer))


def check(draft: Route, revised: Route, facts: CaseFacts) -> CheckedRoute:
    """A revision may take a case to people, never away from them, and never quieten a signal."""
    known = facts.row_ids()
    if draft.to == "handle_exception" and revised.to != draft.to:
        return CheckedRoute(route=draft, refused="what the rules give to people stays with people")
    if revised.to != draft.to and not facts.texts:
        return CheckedRoute(route=draft, refused="nothing was written that people would have to see")
    if not set(draft.signals) <= set(revised.signals) <= SIGNALS:
        return CheckedRoute(route=draft, refused="signals of the rules were dropped, or are not of the closed list")
    if revised.pattern != draft.pattern:
        return CheckedRoute(route=draft, refused="the pattern of failures is read from the ledger")
    if not revised.reason or not set(revised.evidence) <= known:
        return CheckedRoute(route=draft, refused="the reason is missing, or its evidence is not in this case's facts")
    return CheckedRoute(route=revised)


def is_unclear(draft: Route, facts: CaseFacts, fresh: Collection[str]) -> bool:
    """Whether something was just read of which closed words do not say what to do: nothing known, a guess, or one against another."""
    if draft.to == "handle_exception" or facts.case.status is not CaseStatus.OPEN:
        return False
    readings = [text.reading for text in facts.texts if text.id in fresh and text.reading and text.reading.by == "model"]
    intents = {reading.intent for reading in readings} - {Intent.AUTO_REPLY}
    return len(intents) > 1 or any(r.confidence < SURE or r.intent is Intent.OTHER for r in readings)


def prompt(draft: Route, facts: CaseFacts) -> tuple[str, str]:
    """The rules of routing, and the case in closed words."""
    citations = citations_of(facts)
    lines: list[str] = []
    for text in facts.texts:
        if text.reading:
            told = ", ".join([text.reading.intent, *text.reading.signals, f"confidence {text.reading.confidence:.1f}"])
            lines.append(f"- {citations.name_of(text.id)}, a {text.kind} of {text.at:%Y-%m-%d}: {told}")
    context = {
        "case": f"{len(facts.attempts)} tries, the last failure is of the kind {facts.category}; "
        f"{format_money(facts.invoice.remaining_minor, facts.invoice.currency)} remain",
        "pattern": draft.pattern.kind if draft.pattern else "unknown",
        "texts": "\n".join(lines),
        "rows": ", ".join(citations.rows),
    }
    return render_text(load("orchestrator_system"), {}), render_text(load("orchestrator_case"), context)


def _standing_signals(facts: CaseFacts, pattern: Pattern) -> tuple[str, ...]:
    if facts.case.status is not CaseStatus.OPEN:
        return ()
    suspected = (str(Signal.FRAUD),) if pattern.kind is PatternKind.SUSPECTED_FRAUD else ()
    return tuple(dict.fromkeys((*suspected, *map(str, signs_of_texts(facts)))))


def _telling(facts: CaseFacts) -> tuple[str, ...]:
    return tuple(text.id for text in facts.texts if text.reading and text.reading.is_for_people)


def _ordinary(facts: CaseFacts, pattern: Pattern) -> str:
    if facts.case.status is not CaseStatus.OPEN:
        return f"The case is {facts.case.status}; only what remains to be tidied up is looked at."
    if pattern.kind is PatternKind.SUSPECTED_FRAUD:
        return f"A person has looked at the signs of misuse ({pattern.says}); the plan goes on, and each step is asked."
    return f"A failed payment (category {facts.category}), {pattern.says}; the plan goes on."
