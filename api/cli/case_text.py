"""A case as lines of text that a collections person understands. Pure."""

from collections.abc import Iterator

from api.case_file import CaseFile
from memory.outbox import ActionRow
from recoup.facts import AttemptFacts
from recoup.money import format_money

TIME = "%Y-%m-%d %H:%M"


def case_text(file: CaseFile) -> Iterator[str]:
    """The whole case, headings and all."""
    case, invoice = file.case, file.facts.invoice
    yield f"Case {case.id}, episode {case.episode}: {case.status}" + (f", held: {', '.join(case.holds)}" if case.holds else "")
    yield f"  invoice {invoice.vendor_id} on {case.connection}, account {case.account_id}" + (", simulated" if case.simulated else "")
    paid, total = format_money(invoice.paid_minor, invoice.currency), format_money(invoice.total_minor, invoice.currency)
    yield f"  {format_money(invoice.remaining_minor, invoice.currency)} remain; {paid} of {total} are paid"
    yield from _section("Attempts", [_attempt(attempt) for attempt in file.facts.attempts])
    yield from _section("Newest decision", file.explanation)
    yield from _section("Actions", [_action(action) for action in reversed(file.actions)])
    yield from _section("Messages", [f"{m.created_at:{TIME}}  step {m.step} by {m.channel}: {m.state}" for m in reversed(file.messages)])
    pending = [approval for approval in file.approvals if approval.status == "pending"]
    yield from _section("Waiting for a person", [f"{a.id} until {a.expires_at:{TIME}}: recoup approvals show {a.id}" for a in pending])
    yield from _section("What comes next", [f"{t.due_at:{TIME}}  {t.kind}: {t.reason}" for t in file.timers if t.state == "pending"])
    yield from _section("Tasks for people", [f"{t.id}  {t.queue}, {t.state}: {t.title}" for t in file.tasks if t.kind != "note"])


def _attempt(attempt: AttemptFacts) -> str:
    amount = format_money(attempt.amount_minor, attempt.currency)
    why = f": {attempt.reason}" if attempt.reason else ""
    unknown = " (code not known)" if attempt.reason and not attempt.code_known else ""
    return f"{attempt.occurred_at:{TIME}}  {amount} by {attempt.initiator}, {attempt.status}{why}{unknown}"


def _action(action: ActionRow) -> str:
    """What became of it, and by what name the platform's support finds it."""
    told = [action.state_reason]
    if action.result:
        told += [action.result.detail, action.result.request_id and f"request {action.result.request_id}"]
    said = "; ".join(dict.fromkeys(words for words in told if words))
    return f"{action.created_at:{TIME}}  {action.name}: {action.state}" + (f" ({said})" if said else "")


def _section(heading: str, lines: list[str]) -> Iterator[str]:
    if not lines:
        return
    yield ""
    yield heading
    for line in lines:
        yield f"  {line}"
