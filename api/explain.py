"""A decision in sentences: what stood, what was proposed and why, what the gate said, what comes next. Pure."""

from collections.abc import Sequence

from agents.case_file import cause_of
from agents.failure_pattern import failure_pattern
from graph.state import merged_actions
from recoup.actions import Action, ActionName
from recoup.facts import CaseFacts
from recoup.invoice import AttemptStatus
from recoup.money import format_money
from recoup.proposal import Alternative, Answer, Proposal, Proposed, Verdict

ANSWERS = {
    Answer.RUN: "It is done without asking",
    Answer.ASK: "A person is asked",
    Answer.DENY: "It is not done",
    Answer.SHADOW: "It is only noted",
}
NAMES = {
    ActionName.SEND_MESSAGE: "Write to the customer",
    ActionName.REQUEST_METHOD_UPDATE: "Ask the customer for another payment method",
    ActionName.RETRY_PAYMENT: "Charge the same method again",
    ActionName.USE_BACKUP_METHOD: "Charge another method on file",
    ActionName.EXTEND_GRACE: "Give more time before the suspension",
    ActionName.SUSPEND_SERVICE: "Suspend the service",
    ActionName.REINSTATE_SERVICE: "Take the suspension back",
    ActionName.CREATE_TASK: "Give the case to a person",
    ActionName.CREATE_TICKET: "Open a ticket for a person",
    ActionName.REFUND_DUPLICATE: "Give back what was paid twice",
}


def explain_decision(facts: CaseFacts, proposals: Sequence[Proposal] | None, verdicts: Sequence[Verdict] | None) -> list[str]:
    """Lines for a collections person, in the order in which the decision was made."""
    lines = [_debt(facts), _failure(facts)]
    if not proposals:
        return [*lines, "Nothing has been proposed yet."]
    lines += [f"{proposal.agent.capitalize()}: {proposal.reason}" for proposal in proposals]
    answers = {verdict.action_id: verdict for verdict in verdicts or ()}
    for proposed in merged_actions(tuple(proposals)):
        lines += _action(proposed, answers.get(proposed.id), facts)
    for proposal in proposals:
        lines += [f"Not chosen: {other.what}{_worth(other, facts)}, because {other.why_not}." for other in proposal.alternatives]
    waits = [proposal.wait for proposal in proposals if proposal.wait]
    lines += [f"Looked at again on {wait.until:%Y-%m-%d %H:%M} UTC: {wait.reason}." for wait in waits]
    return lines


def _debt(facts: CaseFacts) -> str:
    invoice = facts.invoice
    remaining = format_money(invoice.remaining_minor, invoice.currency)
    total = format_money(invoice.total_minor, invoice.currency)
    held = f", held: {', '.join(sorted(facts.case.holds))}" if facts.case.holds else ""
    return f"{remaining} of {total} remain on invoice {invoice.id}; the case is {facts.case.status}{held}."


def _failure(facts: CaseFacts) -> str:
    failure = facts.last_failure
    if failure is None:
        return "No failed attempt is known."
    count = sum(1 for a in facts.attempts if a.status is AttemptStatus.FAILED)
    times = "once" if count == 1 else f"{count} times"
    code = f" (code {failure.reason})" if failure.reason else ""
    when = f"{failure.occurred_at:%Y-%m-%d %H:%M} UTC"
    return f"It failed {times}, last on {when}: {cause_of(failure, facts)}{code}. The pattern is {failure_pattern(facts).says}."


def _action(proposed: Proposed, verdict: Verdict | None, facts: CaseFacts) -> list[str]:
    lines = [
        f"Proposed: {_what(proposed.action, facts)}. {proposed.reason}",
        f"  rests on {', '.join(proposed.evidence)}; confidence {proposed.confidence:.0%}",
    ]
    lines += [f"  rather than {other.what}{_worth(other, facts)}: {other.why_not}" for other in proposed.alternatives]
    if verdict is not None:
        lines.append(f"  {ANSWERS[verdict.answer]}: {verdict.reason}.")
        lines += [f"    rule {hit.rule}: {hit.detail} ({hit.source})" for hit in verdict.rules]
    return lines


def _worth(other: Alternative, facts: CaseFacts) -> str:
    """What an alternative would have been worth, where that was reckoned."""
    if other.value_minor is None:
        return ""
    chance = f", {other.chance:.0%} likely to bring the money" if other.chance else ""
    return f" (worth {format_money(round(other.value_minor), facts.invoice.currency)}{chance})"


def _what(action: Action, facts: CaseFacts) -> str:
    name = NAMES.get(action.name, action.name.replace("_", " ").capitalize())
    args = action.args
    match action.name:
        case ActionName.SEND_MESSAGE | ActionName.REQUEST_METHOD_UPDATE:
            words = f"a draft in place of {args['template']}" if args.get("words") else f"words {args['template']}"
            return f"{name} (step {args['step']}, by {args['channel']}, {words})"
        case ActionName.RETRY_PAYMENT | ActionName.USE_BACKUP_METHOD | ActionName.REFUND_DUPLICATE:
            return f"{name}: {format_money(int(str(args['amount_minor'])), facts.invoice.currency)}"
        case ActionName.CREATE_TASK | ActionName.CREATE_TICKET:
            return f"{name} (queue {args['queue']}): {args['title']}"
        case ActionName.EXTEND_GRACE:
            return f"{name}, until {str(args['until'])[:10]}"
        case _:
            return name
