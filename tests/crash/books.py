"""Afterwards: every ledger is compared with our rows. Nothing lost, nothing twice, and ``unknown`` exactly where nobody could know."""

import json
import sqlite3
from collections import Counter
from datetime import datetime

from evals.invariants import check
from evals.ledgers import MailLedger, PlatformLedger, read_platform_ledger
from memory import audit_log
from recoup.record import Record
from tests.crash.scene import CONNECTION, Scene
from tests.crash.storm import Kill, Storm

# An action that a death has left behind is looked at again within this many seconds: the kill that explains it is not older.
LEFT_BEHIND_SECONDS = 40.0


class SentAction(Record):
    """An action that has started."""

    id: str
    name: str
    risk: str
    state: str
    first_sent_at: datetime


SENT = """
SELECT id, name, risk, state, first_sent_at FROM actions WHERE first_sent_at IS NOT NULL AND risk <> 'internal' ORDER BY id
"""
STATUS_OF_EVENTS = "SELECT vendor_event_id, status, duplicates FROM inbox WHERE connection = %s AND event_type NOT LIKE 'recoup.%%'"


async def problems_of(scene: Scene) -> list[str]:
    """Everything that is wrong once all work is done, in words; empty where all books agree."""
    stage, mail = scene.stage, _mail_ledger(scene)
    platform = await read_platform_ledger(stage.sandbox_url, stage.sandbox_key)
    report = await check(stage.db, {CONNECTION: platform}, mail, patience_seconds=0)
    problems = [f"{name}: {finding['subject']} {finding['problem']}" for name, found in report.findings.items() for finding in found]
    problems += [f"{name} examined nothing" for name, rows in report.examined.items() if not rows]
    async with stage.db.read() as session:
        audit = await audit_log.verify(session)
        sent = await session.all(SentAction, SENT)
        inbox = {row["vendor_event_id"]: row for row in await session.dicts(STATUS_OF_EVENTS, (CONNECTION,))}
    if audit.verified != audit.entries:
        problems.append(f"{audit.entries - audit.verified} audit entries do not verify")
    problems += _lost_events(scene, {event: (row["status"], row["duplicates"]) for event, row in inbox.items()})
    problems += _wrong_effects([action for action in sent if action.risk != "contact"], platform)
    problems += _wrong_mail([action for action in sent if action.risk == "contact"], mail, scene.storm)
    return problems


def _mail_ledger(scene: Scene) -> MailLedger:
    lines = scene.mail_ledger.read_text(encoding="utf-8").splitlines() if scene.mail_ledger.exists() else []
    return MailLedger(accepted=Counter(json.loads(line)["message_id"] for line in lines))


def _lost_events(scene: Scene, inbox: dict[str, tuple[str, int]]) -> list[str]:
    """The sandbox's own books say what was sent how often; the wire, what was answered."""
    with sqlite3.connect(f"file:{scene.sandbox_file}?mode=ro", uri=True) as books:
        sent = books.execute(
            "SELECT event, sum(delivered), sum(NOT delivered AND due_at <= (SELECT value FROM meta WHERE name = 'now'))"
            " FROM deliveries GROUP BY event"
        ).fetchall()
    problems = [f"{event}: {undelivered} deliveries never got a 2xx" for event, _, undelivered in sent if undelivered]
    for event, delivered, _ in sent:
        status, duplicates = inbox.get(event, ("lost", 0))
        if delivered and status not in {"processed", "ignored"}:
            problems.append(f"{event} got {delivered} times 2xx and is {status}")
        if delivered and duplicates < delivered - 1:
            problems.append(f"{event} got {delivered} times 2xx and counts {duplicates} duplicates")
    for event, answers in scene.storm.webhook_answers.items():
        problems += [f"{event} was answered {status}" for status in answers if status not in {202, 503}]
    return problems


def _wrong_effects(actions: list[SentAction], platform: PlatformLedger) -> list[str]:
    """The platform keeps keys and can be read: there everything is known in the end, and done once (``evals`` counts that)."""
    booked, states = {effect.key for effect in platform.effects}, {action.id: action.state for action in actions}
    problems = [f"{a.name} {a.id} stayed {a.state}" for a in actions if a.state in {"unknown", "started", "ready", "dead"}]
    problems += [f"{a.name} {a.id} is done, the platform knows nothing of it" for a in actions if a.state == "done" and a.id not in booked]
    unsaid = [key for key in booked if states.get(key) not in {"done", "failed"}]
    return problems + [f"{key} is booked at the platform and {states.get(key)} here" for key in unsaid]


def _wrong_mail(actions: list[SentAction], mail: MailLedger, storm: Storm) -> list[str]:
    """Mail forgets: whatever was said without hearing the answer is ``unknown``, what was answered is not, and nothing is said twice."""
    accepted = {message_id.strip("<>").split("@")[0]: times for message_id, times in mail.accepted.items()}
    problems = [f"the text of {action_id} was said {times} times" for action_id, times in storm.texts.items() if times > 1]
    for action in actions:
        was_said, was_answered = action.id in storm.texts, action.id in storm.replies
        if action.state in {"started", "ready", "dead"}:
            problems.append(f"mail {action.id} stayed {action.state}")
        if action.state == "done" and accepted.get(action.id) != 1:
            problems.append(f"mail {action.id} is done and was accepted {accepted.get(action.id, 0)} times")
        if was_said and not was_answered and action.state != "unknown":
            problems.append(f"the answer to mail {action.id} was lost, and it is {action.state}")
        if action.state == "unknown" and (was_answered or not was_said) and not _explained(action, storm.kills):
            problems.append(f"mail {action.id} is unknown although nobody died")
    return problems


def _explained(action: SentAction, kills: list[Kill]) -> bool:
    """Whether somebody died while the action was on its way, so that the sending or the word of it may be lost."""
    since = action.first_sent_at.timestamp()
    return any(since - 1 <= kill.wall <= since + LEFT_BEHIND_SECONDS for kill in kills)
