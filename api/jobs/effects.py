"""What an action becomes on its way out: rows of ours, the platform's effect, or the words of a message."""

from datetime import datetime
from email.utils import parseaddr

from memory import letters, messages, standing, tasks
from memory.database import Write
from memory.letters import Letter
from memory.outbox import ActionRow
from prompts.render import render, template_of
from prompts.slots import OwedInvoice, message_slots
from recoup.actions import ActionName, IncidentArgs, MessageArgs, NoteArgs, Queue, TagArgs, TaskArgs, typed_args
from recoup.errors import Defect, Malformed
from recoup.ports import OutgoingMessage


async def perform_internal(tx: Write, action: ActionRow, now: datetime) -> None:
    """An internal action is nothing but rows of ours, in the transaction that also says it is done."""
    match action.name:
        case ActionName.WRITE_NOTE:
            note = typed_args(action.action, NoteArgs)
            await _task(tx, action, "note", Queue.COLLECTIONS, "Note", note.text, now)
        case ActionName.TAG_ACCOUNT:
            await standing.add_tag(tx, action.account_id, typed_args(action.action, TagArgs).tag, at=now)
        case ActionName.CREATE_TASK | ActionName.CREATE_TICKET:
            work = typed_args(action.action, TaskArgs)
            kind = "task" if action.name is ActionName.CREATE_TASK else "ticket"
            await _task(tx, action, kind, work.queue, work.title, work.body, now)
        case ActionName.OPEN_INCIDENT:
            incident = typed_args(action.action, IncidentArgs)
            await _task(tx, action, "incident", Queue.BILLING_OPS, incident.title, f"{incident.kind}: {action.reason}", now)
        case _:
            raise Defect(f"{action.name} is not an internal action")


async def write_message(tx: Write, action: ActionRow, mail_from: str) -> OutgoingMessage:
    """The message's words as they are true now, kept as what was sent. Raises Malformed where they cannot be made."""
    args = typed_args(action.action, MessageArgs)
    letter = await letters.letter_for(tx, action.case_id, args.invoice_ids)
    to = letter.address(args.channel)
    if to is None:
        raise Malformed(f"there is no address for {args.channel}")
    is_receipt = action.action.is_receipt
    slots = message_slots(
        first_name=letter.first_name,
        company=_company(letter, mail_from),
        update_link=None if is_receipt else letter.payment_link,
        invoices=_lines(letter, is_receipt=is_receipt),
        locale=args.locale,
    )
    words = render(template_of(args), slots)
    await messages.save_text(tx, action.id, recipient=to, subject=words.subject, body=words.body)
    return OutgoingMessage(action_id=action.id, channel=args.channel, to=to, subject=words.subject, body=words.body, locale=args.locale)


def _lines(letter: Letter, *, is_receipt: bool) -> list[OwedInvoice]:
    """What is still owed; in a receipt what was paid. One that was settled meanwhile is not asked for."""
    amounts = [(i, i.paid_minor if is_receipt else i.remaining_minor) for i in letter.invoices]
    lines = [OwedInvoice(number=i.number, amount_minor=amount, currency=i.currency) for i, amount in amounts if amount > 0]
    if not lines:
        raise Malformed("none of the listed invoices is what the message is about")
    return lines


def _company(letter: Letter, mail_from: str) -> str:
    """Whose customer it is: the merchant entity where there are several, else the name that mail is sent under."""
    name, address = parseaddr(mail_from)
    return letter.entity if letter.entity != "default" else name or address.rpartition("@")[2]


async def _task(tx: Write, action: ActionRow, kind: tasks.TaskKind, queue: Queue, title: str, body: str, now: datetime) -> None:
    await tasks.add(tx, kind=kind, queue=queue, title=title, body=body, at=now, case_id=action.case_id, action_id=action.id)
