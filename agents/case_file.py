"""The case file that a person finds in the queue: plain text made of one case's facts, and the check that it is of that case."""

import re
from collections.abc import Iterable
from datetime import datetime

from agents.failure_pattern import failure_pattern
from agents.trouble import HandOff
from prompts.render import load, render
from recoup.actions import ActionName
from recoup.category import Category
from recoup.facts import AttemptFacts, CaseFacts
from recoup.invoice import AttemptStatus
from recoup.meaning import treatment_of
from recoup.money import format_money
from recoup.proposal import Proposal

TASKS = frozenset({ActionName.CREATE_TASK, ActionName.CREATE_TICKET})
SHOWN_ATTEMPTS = 8
SHOWN_CONTACTS = 5
# Whatever holds a digit is a claim of fact: an id, an amount, a date, a code.
CLAIM = re.compile(r"\S*\d\S*")
# A code is a short word; whatever else stands in its place was written by a stranger, and is not ours to pass on.
CODE = re.compile(r"[\w.-]{1,60}")
EDGES = ".,;:()\"'?!"
NUMBERED_LINE = re.compile(r"^\d\. ", re.MULTILINE)

CAUSES = {
    Category.NEVER: "the bank refused this method for good",
    Category.MANDATE_STOPPED: "the customer told the bank to stop these charges",
    Category.NEW_DATA: "the details on file were wrong or out of date",
    Category.CUSTOMER_ACTION: "the bank wanted the customer to confirm it themselves",
    Category.POLICY: "this kind of payment is not accepted",
    Category.UNKNOWN_OUTCOME: "the answer left open whether the money moved",
    Category.GENERIC: "the bank gave no particular reason",
    Category.FUNDS: "there was not enough money, or a limit was reached",
    Category.TECHNICAL: "the bank or processor was away for a moment",
}
OUTCOMES = {
    AttemptStatus.PENDING: "not finished",
    AttemptStatus.PROCESSING: "still under way",
    AttemptStatus.REQUIRES_ACTION: "waits for the customer's confirmation",
    AttemptStatus.SUCCEEDED: "succeeded",
    AttemptStatus.REVERSED: "succeeded, and was taken back later",
    AttemptStatus.UNKNOWN: "outcome unknown",
}


def case_file(facts: CaseFacts, hand_off: HandOff) -> str:
    """The whole file with its call script, at most 4,000 characters by construction."""
    invoice, case = facts.invoice, facts.case
    script = render(
        load("call_script"),
        {"remaining": _money(facts, invoice.remaining_minor), "first_failed": _day(case.first_failed_at), "ask": hand_off.ask},
    )
    slots = {
        "title": hand_off.title,
        "why": hand_off.why,
        "next_step": hand_off.next_step,
        "case_id": case.id,
        "episode": str(case.episode),
        "opened": _day(case.opened_at),
        "invoice_id": invoice.id,
        "invoice_vendor_id": invoice.vendor_id,
        "invoice_status": invoice.status,
        "total": _money(facts, invoice.total_minor),
        "paid": _money(facts, invoice.paid_minor),
        "remaining": _money(facts, invoice.remaining_minor),
        "other_debt": _other_debt(facts),
        "attempts": _attempts(facts),
        "pattern": failure_pattern(facts).says,
        "method": _method(facts),
        "contacts": _contacts(facts),
        "call_script": script.body,
    }
    return render(load("case_file"), slots).body.strip()


def stranger_in(text: str, facts: CaseFacts) -> str | None:
    """What the text claims that the facts do not say: an id, amount, date or code of something else. Also where it leaves out whose
    case it is. None where all of it belongs to this case."""
    for needed in (facts.case.id, facts.invoice.id, _money(facts, facts.invoice.remaining_minor)):
        if needed not in text:
            return f"the file does not name {needed}"
    return foreign_claim(text, facts)


def foreign_claim(text: str, facts: CaseFacts) -> str | None:
    """What a text claims that the facts do not say: whatever holds a digit and is not of this case."""
    known = _known(facts)
    rest = NUMBERED_LINE.sub("", text)
    # Longest first, so that no amount is taken for a part of a longer one.
    for amount in sorted(amounts_of(facts), key=len, reverse=True):
        rest = re.sub(rf"(?<![\w.,]){re.escape(amount)}(?![\d]|[.,]\d)", " ", rest)
    claims = (match[0].strip(EDGES) for match in CLAIM.finditer(rest))
    return next((f"{claim} is not of this case" for claim in claims if claim not in known), None)


def foreign_file(proposal: Proposal, facts: CaseFacts) -> str | None:
    """What a task among the actions claims that is not of this case."""
    bodies = (str(p.action.args["body"]) for p in proposal.actions if p.action.name in TASKS)
    return next((stranger for body in bodies if (stranger := stranger_in(body, facts))), None)


def _attempts(facts: CaseFacts) -> str:
    shown = facts.attempts[-SHOWN_ATTEMPTS:]
    earlier = len(facts.attempts) - len(shown)
    lines = [f"({earlier} earlier attempts are not shown)"] if earlier else []
    return "\n".join([*lines, *(_attempt(a, facts) for a in shown)]) or "Nothing yet."


def _attempt(attempt: AttemptFacts, facts: CaseFacts) -> str:
    amount = format_money(attempt.amount_minor, attempt.currency)
    line = f"- {_minute(attempt.occurred_at)} UTC, {amount}, by {attempt.initiator} ({attempt.id}): "
    if attempt.status is not AttemptStatus.FAILED:
        return line + OUTCOMES[attempt.status]
    code = f", the code was {attempt.reason}" if attempt.reason and CODE.fullmatch(attempt.reason) else ""
    return f"{line}failed, {cause_of(attempt, facts)}{code}"


def cause_of(attempt: AttemptFacts, facts: CaseFacts) -> str:
    """Why it failed, in words for people."""
    treatment = treatment_of(attempt, facts)
    return CAUSES[treatment.category if treatment else Category.GENERIC]


def _method(facts: CaseFacts) -> str:
    method = facts.credential
    if method is None:
        return "None on file."
    words = " ".join(filter(None, (method.brand, method.funding, method.rail)))
    expires = f", expires {method.expires}" if method.expires else ""
    usable = "" if method.is_usable else ", not usable"
    others = f" {len(facts.backups)} more on file." if facts.backups else ""
    return f"{words}{expires}{usable} ({method.id}).{others}"


def _contacts(facts: CaseFacts) -> str:
    shown = facts.contacts[-SHOWN_CONTACTS:]
    return "\n".join(f"- {_minute(c.at)} UTC by {c.channel}, step {c.step}" for c in shown) or "Nobody has written yet."


def _other_debt(facts: CaseFacts) -> str:
    others = facts.other_open_invoices
    if not others:
        return "No other open invoices."
    listed = ", ".join(f"{o.id} ({format_money(o.remaining_minor, o.currency)})" for o in others[:SHOWN_CONTACTS])
    return f"{len(others)} more open invoices of this account: {listed}"


def _known(facts: CaseFacts) -> set[str]:
    """Every token with a digit that this case's facts may put into a file."""
    counts = {str(facts.case.episode), str(len(facts.backups)), str(len(facts.other_open_invoices))}
    counts |= {str(len(facts.attempts) - SHOWN_ATTEMPTS), *(str(c.step) for c in facts.contacts)}
    words = {facts.invoice.vendor_id, facts.case.id, facts.invoice.id, facts.account.id}
    words |= {o.id for o in facts.other_open_invoices} | {a.id for a in facts.attempts} | {c.id for c in facts.contacts}
    words |= {a.reason for a in facts.attempts if a.reason}
    for method in (*((facts.credential,) if facts.credential else ()), *facts.backups):
        words |= {method.id, method.expires or "", method.brand or ""}
    words |= {token.strip(EDGES) for token in failure_pattern(facts).says.split()}
    dates = set[str]()
    for at in _dates(facts):
        dates |= {_day(at), f"{at:%H:%M}"}
    return counts | words | dates


def _dates(facts: CaseFacts) -> Iterable[datetime]:
    yield from (facts.case.opened_at, facts.case.first_failed_at)
    yield from (attempt.occurred_at for attempt in facts.attempts)
    yield from (contact.at for contact in facts.contacts)


def amounts_of(facts: CaseFacts) -> set[str]:
    """Every amount of the case as people read it."""
    invoice = facts.invoice
    own = {invoice.total_minor, invoice.paid_minor, invoice.remaining_minor, facts.case.overpaid_minor}
    amounts = {_money(facts, minor) for minor in own}
    amounts |= {format_money(a.amount_minor, a.currency) for a in facts.attempts}
    return amounts | {format_money(o.remaining_minor, o.currency) for o in facts.other_open_invoices}


def _money(facts: CaseFacts, minor: int) -> str:
    return format_money(minor, facts.invoice.currency)


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
