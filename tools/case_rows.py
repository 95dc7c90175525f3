"""One case as rows of closed words, amounts and dates: what each tool shows. Pure; no ids, no names, nothing that a stranger wrote."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from recoup.citations import Citations
from recoup.facts import AttemptFacts, LedgerEntry
from recoup.gate import mode_for
from recoup.meaning import treatment_of
from recoup.money import format_money
from recoup.network import Allowed, permission
from recoup.proposal import Proposed
from tools.case_view import CaseView

Row = dict[str, Any]
# A processor's code is a short word; whatever else stands in its place was written by a stranger.
CODE = re.compile(r"[A-Za-z0-9_]{1,40}")
# Ids of rows become names that may be cited, or nothing.
ROW_ID = re.compile(r"\b(?:acc|act|att|case|crd|dec|inv|msg|rsv|tsk|txt)_[0-9A-Za-z_]+\b")


def payment_rows(view: CaseView, citations: Citations) -> Sequence[Row]:
    """Tries on the account's methods for other invoices, newest first."""
    own = {attempt.id for attempt in view.facts.attempts}
    others = [entry for entry in view.facts.ledger if entry.id not in own]
    return [_entry(entry, view, citations) for entry in reversed(others)]


def attempt_rows(view: CaseView, citations: Citations) -> Sequence[Row]:
    """Tries on this invoice, newest first, and whether another is permitted now."""
    facts = view.facts
    rows = [_attempt(attempt, view, citations) for attempt in reversed(facts.attempts)]
    if facts.credential is not None:
        answer = permission(facts.credential, facts, facts.now)
        rules = () if isinstance(answer, Allowed) else answer.rules
        rows.insert(0, {"cite": citations.name_of(facts.credential.id), "may_be_charged_now": not rules, "rules": [r.rule for r in rules]})
    return rows


def plan_rows(view: CaseView, citations: Citations) -> Sequence[Row]:
    """The plan of the rules: its actions, when it looks again, and what it left out."""
    plan = view.plan
    rows: list[Row] = [{"says": _without_ids(plan.reason, citations), "looks_again": _when(plan.wait.until) if plan.wait else None}]
    rows += [_planned(proposed, citations) for proposed in plan.actions]
    left_out = [*plan.alternatives, *(one for proposed in plan.actions for one in proposed.alternatives)]
    rows += [{"left_out": a.what, "because": _without_ids(a.why_not, citations)} for a in left_out]
    return rows


def subscription_rows(view: CaseView, citations: Citations) -> Sequence[Row]:
    """What is owed, and how the service stands."""
    facts = view.facts
    invoice, case = facts.invoice, facts.case
    rows: list[Row] = [
        {
            "cite": "invoice",
            "status": invoice.status,
            "total": format_money(invoice.total_minor, invoice.currency),
            "paid": format_money(invoice.paid_minor, invoice.currency),
            "remaining": format_money(invoice.remaining_minor, invoice.currency),
            "reason": invoice.billing_reason,
            "collector": invoice.collector,
            "platform_tries_next": _when(invoice.next_platform_attempt_at),
        },
        {
            "cite": "case",
            "opened": _when(case.opened_at),
            "holds": sorted(case.holds),
            "episode": case.episode,
            "suspended": case.suspended,
            "grace_until": _when(case.grace_until),
            "overpaid": format_money(case.overpaid_minor, invoice.currency),
        },
    ]
    others = facts.other_open_invoices
    rows += [{"cite": citations.name_of(o.id), "remaining": format_money(o.remaining_minor, o.currency)} for o in others]
    return rows


def contact_rows(view: CaseView, citations: Citations) -> Sequence[Row]:
    """Messages, newest first, behind what is allowed at all."""
    account = view.facts.account
    consents: Row = {"cite": "account", "reachable_by": sorted(account.reachable), "never_by": sorted(account.suppressed)}
    contacts = reversed(view.facts.contacts)
    return [consents, *({"cite": citations.name_of(c.id), "at": _when(c.at), "by": c.channel, "step": c.step} for c in contacts)]


def text_rows(view: CaseView, citations: Citations) -> Sequence[Row]:
    """What was read, newest first; a text that nobody has read is only there."""
    rows: list[Row] = []
    for text in reversed(view.facts.texts):
        told = text.reading.model_dump(mode="json") if text.reading else {"unread": True}
        rows.append({"cite": citations.name_of(text.id), "kind": text.kind, "at": _when(text.at)} | told)
    return rows


def policy_rows(view: CaseView) -> Sequence[Row]:
    """What people have decided, as far as it bears on this case."""
    policy = view.policy
    return [
        {"mode": mode_for(view.facts, policy), "last_day": policy.steps.last_day, "message_days": list(policy.steps.message_days)},
        {"messages_per_week": policy.house.messages_per_week, "attempts_per_case": policy.house.attempts_per_case},
        {"offers": policy.offers.model_dump(mode="json")},
    ]


def _entry(entry: LedgerEntry, view: CaseView, citations: Citations) -> Row:
    told = treatment_of(entry, view.facts)
    return {
        "cite": citations.name_of(entry.id),
        "at": _when(entry.at),
        "amount": format_money(entry.amount_minor, entry.currency),
        "state": entry.state,
        "by": entry.initiator,
        "category": told.category if told else None,
    }


def _attempt(attempt: AttemptFacts, view: CaseView, citations: Citations) -> Row:
    told = treatment_of(attempt, view.facts)
    reason = attempt.reason if attempt.reason and attempt.code_known and CODE.fullmatch(attempt.reason) else None
    return {
        "cite": citations.name_of(attempt.id),
        "at": _when(attempt.occurred_at),
        "amount": format_money(attempt.amount_minor, attempt.currency),
        "status": attempt.status,
        "by": attempt.initiator,
        "reason": reason,
        "category": told.category if told else None,
        "retry": told.retry if told else None,
    }


def _planned(proposed: Proposed, citations: Citations) -> Row:
    evidence = [name for row in proposed.evidence if (name := citations.name_of(row))]
    return {"action": proposed.action.name, "because": _without_ids(proposed.reason, citations), "rests_on": evidence}


def _without_ids(text: str, citations: Citations) -> str:
    return ROW_ID.sub(lambda match: citations.name_of(match[0]) or "(another row)", text)


def _when(at: datetime | None) -> str | None:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else None
