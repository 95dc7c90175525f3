"""What a change of policy changes: its keys, and the gate's answers to decisions that were made before. Pure."""

from collections.abc import Iterator

from recoup.actions import ActionName
from recoup.facts import CaseFacts
from recoup.gate import judge
from recoup.policy import Policy
from recoup.proposal import Answer, Proposed, Verdict
from recoup.record import Record

# Sections that the agents plan by: what they would have proposed is not asked again.
PLANNED_BY = ("steps", "plan", "holdout_share")


class KeyChange(Record):
    """One key of the policy with its values before and after; None where it was or is not set."""

    key: str
    before: object
    after: object


class Judged(Record):
    """A decision as it was made: the facts, what was proposed, and what the gate answered."""

    decision_id: str
    case_id: str
    facts: CaseFacts
    actions: tuple[Proposed, ...]
    signals: tuple[str, ...]
    verdicts: tuple[Verdict, ...]


class AnswerChange(Record):
    """One action that the gate would answer differently. ``rule`` is what speaks now, or spoke before and is silent now."""

    decision_id: str
    case_id: str
    action_id: str
    action: ActionName
    before: Answer
    after: Answer
    rule: str | None
    reason: str


def key_changes(before: Policy, after: Policy) -> tuple[KeyChange, ...]:
    """Every key whose value differs, by its dotted name."""
    old, new = dict(_flat(before.model_dump(mode="json"))), dict(_flat(after.model_dump(mode="json")))
    keys = [key for key in dict.fromkeys((*old, *new)) if old.get(key) != new.get(key)]
    return tuple(KeyChange(key=key, before=old.get(key), after=new.get(key)) for key in keys)


def answer_changes(judged: Judged, policy: Policy) -> tuple[AnswerChange, ...]:
    """What the gate would have answered otherwise to the same proposals on the same facts."""
    signals = tuple(dict.fromkeys((*judged.signals, *_signals_told_by(judged.verdicts))))
    answered = {verdict.action_id: verdict for verdict in judged.verdicts}
    pairs = [(p, answered[p.id], judge(p, signals, judged.facts, policy)) for p in judged.actions if p.id in answered]
    return tuple(
        AnswerChange(
            decision_id=judged.decision_id,
            case_id=judged.case_id,
            action_id=proposed.id,
            action=proposed.action.name,
            before=old.answer,
            after=new.answer,
            rule=_rule_that_matters(old, new),
            reason=new.reason,
        )
        for proposed, old, new in pairs
        if old.answer is not new.answer
    )


def unseen_changes(changes: tuple[KeyChange, ...]) -> tuple[str, ...]:
    """The changed keys that show only in new decisions, since agents plan by them."""
    return tuple(change.key for change in changes if change.key.split(".")[0] in PLANNED_BY)


def _flat(value: dict[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{prefix}{key}.")  # pyright: ignore[reportUnknownArgumentType] - JSON of our own model
        else:
            yield f"{prefix}{key}", inner


def _signals_told_by(verdicts: tuple[Verdict, ...]) -> Iterator[str]:
    """A decision keeps the proposals' signals; what the orchestrator saw beside them is told only by the rules that spoke."""
    rules = {hit.rule for verdict in verdicts for hit in verdict.rules}
    if "sign-of-fraud" in rules:
        yield "fraud"
    if "sign-of-trouble" in rules:
        yield "trouble"


def _rule_that_matters(old: Verdict, new: Verdict) -> str | None:
    before, after = [hit.rule for hit in old.rules], [hit.rule for hit in new.rules]
    speaks_now = [rule for rule in after if rule not in before]
    silent_now = [rule for rule in before if rule not in after]
    return next(iter((*speaks_now, *silent_now)), None)
