"""What every revised proposal must keep to, whichever agent made it: closed actions, true evidence, own references, a sane wait."""

from collections.abc import Iterable

from agents.schedule import last_moment
from recoup.actions import ActionName, check_action
from recoup.errors import Malformed
from recoup.facts import CaseFacts
from recoup.policy import Policy
from recoup.proposal import Proposal, Proposed
from recoup.record import Record
from recoup.references import broken_reference
from recoup.texts import Signal

SIGNALS = frozenset(str(signal) for signal in Signal)


class Checked(Record):
    """The revised proposal, or the draft with the reason why the revision was not taken."""

    proposal: Proposal
    refused: str | None = None


def first_problem(
    revised: Proposal, facts: CaseFacts, policy: Policy, allowed: frozenset[ActionName], also: frozenset[str] = frozenset()
) -> str | None:
    """What is wrong with it; None where it keeps all bounds. ``also``: rows beside the facts that a tool has shown."""
    known = facts.row_ids() | also
    stranger = next((row for row in _evidence(revised) if row not in known), None)
    if stranger is not None:
        return f"evidence {stranger} is not a row of this case's facts"
    if not set(revised.signals) <= SIGNALS:
        return f"signals are only {', '.join(sorted(SIGNALS))}"
    ids = [proposed.id for proposed in revised.actions]
    if len(ids) != len(set(ids)):
        return "two actions have the same id"
    if revised.wait is not None and not facts.now < revised.wait.until <= last_moment(facts, policy):
        return "the wait does not end between now and the case's last day"
    return next((problem for proposed in revised.actions if (problem := _of_action(proposed, facts, allowed))), None)


def _of_action(proposed: Proposed, facts: CaseFacts, allowed: frozenset[ActionName]) -> str | None:
    name = proposed.action.name
    if name not in allowed:
        return f"{name} is not an action of this agent"
    if not proposed.reason or not proposed.evidence:
        return f"{name} has no reason or no evidence"
    try:
        check_action(name, proposed.action.args)
    except Malformed as problem:
        return str(problem)
    return broken_reference(proposed.action, facts)


def _evidence(revised: Proposal) -> Iterable[str]:
    yield from revised.evidence
    for proposed in revised.actions:
        yield from proposed.evidence
