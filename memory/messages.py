"""Messages to customers: which step of which case on which channel, once, whatever decision asks again."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Literal, LiteralString

from memory.database import Read, Write
from recoup.actions import Action, MessageArgs, typed_args
from recoup.errors import Defect, NotFound
from recoup.ids import new_id
from recoup.record import Record


class MessageState(StrEnum):
    """``planned`` until its action has been tried; ``unknown`` may have arrived."""

    PLANNED = "planned"
    SENT = "sent"
    UNKNOWN = "unknown"
    VOID = "void"


class MessageRow(Record):
    """A row of ``messages``: everything but the words, which are personal (``text``)."""

    id: str
    action_id: str
    case_id: str
    account_id: str
    step: int
    channel: str
    template: str
    locale: str
    invoice_ids: tuple[str, ...]
    is_receipt: bool
    state: MessageState
    sent_at: datetime | None
    created_at: datetime


class MessageText(Record):
    """What was really sent. Personal data."""

    message_id: str
    recipient: str
    subject: str
    body: str


COLUMNS: LiteralString = """
    id, action_id, case_id, account_id, step, channel, template, locale, invoice_ids, is_receipt, state, sent_at, created_at"""


async def plan(tx: Write, messages: Sequence[tuple[str, Action]], *, case_id: str, account_id: str, at: datetime) -> list[str]:
    """Plans the messages of (action id, action) pairs and gives the action ids that lost: their step is already written on that
    channel, by whichever decision."""
    planned: list[str] = []
    for action_id, action in messages:
        args = typed_args(action, MessageArgs)
        won = await tx.run(
            """
            INSERT INTO messages (id, action_id, case_id, account_id, step, channel, template, locale, invoice_ids, is_receipt, state,
                                  created_at)
            VALUES (%(id)s, %(action_id)s, %(case_id)s, %(account_id)s, %(step)s, %(channel)s, %(template)s, %(locale)s, %(invoice_ids)s,
                    %(is_receipt)s, 'planned', %(at)s)
            ON CONFLICT (case_id, step, channel, is_receipt) WHERE state <> 'void' DO NOTHING
            """,
            {
                "id": new_id("message"),
                "action_id": action_id,
                "case_id": case_id,
                "account_id": account_id,
                "step": args.step,
                "channel": args.channel,
                "template": args.template,
                "locale": args.locale,
                "invoice_ids": list(args.invoice_ids),
                "is_receipt": action.is_receipt,
                "at": at,
            },
        )
        if won:
            planned.append(action_id)
    return [action_id for action_id, _ in messages if action_id not in planned]


async def settle(tx: Write, action_id: str, state: Literal["sent", "unknown", "void"], at: datetime) -> None:
    """What became of an action's message; a no-op for actions without one. ``void`` frees its step for a later decision."""
    await tx.run(
        """
        UPDATE messages SET state = %(state)s, sent_at = CASE WHEN %(state)s = 'sent' THEN %(at)s::timestamptz ELSE sent_at END
         WHERE action_id = %(action_id)s AND state IN ('planned', 'unknown')
        """,
        {"action_id": action_id, "state": state, "at": at},
    )


async def void_for_case(tx: Write, case_id: str) -> None:
    """Voids what the case's voided actions would have sent; call it after voiding them."""
    await tx.run(
        """
        UPDATE messages m SET state = 'void' FROM actions x
         WHERE x.id = m.action_id AND m.case_id = %s AND m.state = 'planned' AND x.state = 'void'
        """,
        (case_id,),
    )


async def of_action(session: Read, action_id: str) -> MessageRow | None:
    """The message of a contact action."""
    return await session.one(MessageRow, "SELECT" + COLUMNS + " FROM messages WHERE action_id = %s", (action_id,))


async def save_text(tx: Write, action_id: str, *, recipient: str, subject: str, body: str) -> None:
    """Keeps the rendered words of an action's message before they leave. A second rendering, after a pause, replaces the first."""
    saved = await tx.run(
        """
        INSERT INTO message_texts (message_id, recipient, subject, body)
        SELECT id, %(recipient)s, %(subject)s, %(body)s FROM messages WHERE action_id = %(action_id)s
        ON CONFLICT (message_id) DO UPDATE SET recipient = EXCLUDED.recipient, subject = EXCLUDED.subject, body = EXCLUDED.body
        """,
        {"action_id": action_id, "recipient": recipient, "subject": subject, "body": body},
    )
    if not saved:
        raise Defect(f"action {action_id} sends a message that was never planned")


async def text(session: Read, message_id: str) -> MessageText:
    """The words of a message; raises NotFound where there is no such message, or it was never rendered."""
    row = await session.one(
        MessageText, "SELECT message_id, recipient, subject, body FROM message_texts WHERE message_id = %s", (message_id,)
    )
    if row is None:
        raise NotFound(f"message {message_id} has no text (yet)")
    return row


async def page(
    session: Read, *, case_id: str | None = None, account_id: str | None = None, before: str | None = None, limit: int = 50
) -> list[MessageRow]:
    """Messages, newest first; ``before`` is the id of the last one already seen."""
    return await session.all(
        MessageRow,
        "SELECT"
        + COLUMNS
        + """ FROM messages
         WHERE (%(case_id)s::text IS NULL OR case_id = %(case_id)s) AND (%(account_id)s::text IS NULL OR account_id = %(account_id)s)
           AND (%(before)s::text IS NULL OR id < %(before)s)
         ORDER BY id DESC LIMIT %(limit)s""",
        {"case_id": case_id, "account_id": account_id, "before": before, "limit": limit},
    )
