"""Invariant 10: no card number anywhere, no personal data in the audit chain, jobs, decisions or checkpoints."""

import re
from typing import LiteralString

from evals.findings import Result, Scope

EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
DIGITS = re.compile(r"(?<![0-9A-Za-z_])(?:[0-9][ -]?){13,19}(?![0-9A-Za-z_])")

# (what, statement giving id and text): places where a card number must never be.
EVERYWHERE: dict[str, LiteralString] = {
    "event": "SELECT id, payload AS text FROM inbox",
    "audit entry": "SELECT chain || '/' || n AS id, body AS text FROM audit_log",
    "decision": "SELECT id, concat_ws(' ', facts, proposals, trace) AS text FROM decisions",
    "action": "SELECT id, concat_ws(' ', args, reason, result) AS text FROM actions",
    "approval": "SELECT id, concat_ws(' ', request, answer, note) AS text FROM approvals",
    "task": "SELECT id, concat_ws(' ', title, body) AS text FROM tasks",
    "message": "SELECT message_id AS id, concat_ws(' ', subject, body) AS text FROM message_texts",
    "job": "SELECT id::text, args::text AS text FROM procrastinate_jobs",
}
# Places where no personal data may be either: all of the above but the event as received, the message as sent and people's own notes.
IMPERSONAL = ("audit entry", "decision", "action", "job")
NAMED = """
SELECT l.chain || '/' || l.n AS subject, 'names the customer' AS problem
FROM audit_log l JOIN cases c ON c.id = l.chain JOIN contacts p ON p.account_id = c.account_id
WHERE (length(p.full_name) > 4 AND position(p.full_name IN l.body) > 0) OR (length(p.phone) > 6 AND position(p.phone IN l.body) > 0)
UNION ALL
SELECT d.id, 'names the customer' FROM decisions d JOIN cases c ON c.id = d.case_id JOIN contacts p ON p.account_id = c.account_id
WHERE length(p.full_name) > 4 AND position(p.full_name IN concat_ws(' ', d.facts, d.proposals, d.trace)) > 0
"""


async def no_card_or_personal_data(scope: Scope, result: Result) -> None:
    """Reads every text that we keep."""
    for what, statement in EVERYWHERE.items():
        for row in await scope.session.dicts(statement):
            result.examined += 1
            text = row["text"]
            if any(_is_card(match.group()) for match in DIGITS.finditer(text)):
                result.add(str(row["id"]), f"{what} holds a card number")
            if what in IMPERSONAL and EMAIL.search(text):
                result.add(str(row["id"]), f"{what} holds an e-mail address")
    await scope.collect(result, NAMED)


def _is_card(text: str) -> bool:
    digits = [int(character) for character in text if character.isdigit()]
    if not 13 <= len(digits) <= 19 or digits[0] not in (2, 3, 4, 5, 6):
        return False
    doubled = [d if i % 2 == 0 else (d * 2 - 9 if d > 4 else d * 2) for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0
