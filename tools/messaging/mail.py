"""Makes the e-mail that both messengers hand over: the same headers and the same id, and nothing a header could be injected through."""

import re
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses

from recoup.errors import Defect, Misconfigured
from recoup.ports import OutgoingMessage

ACTION_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MAX_SUBJECT_CHARS = 200


class NotAnAddress(ValueError):
    """The recipient's address cannot be written to; the message does not repeat it, since it is personal."""


def parse_address(text: str) -> Address:
    """One plain address, the domain in its ASCII form; raises NotAnAddress for lists, names, controls and non-ASCII local parts."""
    local, at, domain = text.strip().rpartition("@")
    if not at or CONTROL.search(text) or not local.isascii():
        raise NotAnAddress("the address is not valid")
    try:
        return Address(addr_spec=f"{local}@{domain.encode('idna').decode('ascii')}")
    except (ValueError, MessageError, IndexError) as exc:
        raise NotAnAddress("the address is not valid") from exc


def parse_sender(text: str) -> Address:
    """The address that mail is sent under, as ``billing@shop.example`` or ``The Shop <billing@shop.example>``; raises Misconfigured."""
    try:
        [(name, plain)] = getaddresses([CONTROL.sub(",", text)])
        address = parse_address(plain)
    except ValueError as exc:
        raise Misconfigured(f"the sender {text!r} is not one e-mail address; see RECOUP_MAIL_FROM") from exc
    return Address(display_name=name, addr_spec=address.addr_spec)


def checked_action_id(action_id: str) -> str:
    """The id where it is one: it becomes a file name and a header."""
    if not ACTION_ID.fullmatch(action_id):
        raise Defect(f"{action_id!r} is not an action id")
    return action_id


def compose(message: OutgoingMessage, sender: Address, to: Address, at: datetime) -> EmailMessage:
    """The message with its headers. Line breaks in a subject become spaces; every other header is made of checked parts."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = CONTROL.sub(" ", message.subject)[:MAX_SUBJECT_CHARS]
    mail["Date"] = format_datetime(at)
    # The same action always has the same id: a mail server or a person can tell a repetition.
    mail["Message-ID"] = f"<{checked_action_id(message.action_id)}@recoup.{sender.domain}>"
    # RFC 3834: no vacation responder answers this.
    mail["Auto-Submitted"] = "auto-generated"
    mail["List-Unsubscribe"] = f"<mailto:{sender.addr_spec}?subject=unsubscribe>"
    mail["Content-Language"] = message.locale if re.fullmatch(r"[A-Za-z0-9_-]{1,40}", message.locale) else "en"
    mail.set_content(message.body)
    return mail
