"""Sends e-mail by SMTP, a protocol that forgets: what was lost after the text went out can never be looked up, and is never resent."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib import SMTPException, SMTPRecipientRefused, SMTPResponseException

from recoup.actions import Channel
from recoup.clock import wall_now
from recoup.errors import MessagingUnavailable, Misconfigured, OutcomeUnknown
from recoup.ports import EffectLookup, EffectResult, Indeterminate, OutgoingMessage
from tools.messaging.mail import NotAnAddress, compose, parse_address, parse_sender
from tools.starting import may_start

# Together well under LONGEST_EFFECT_SECONDS, so that each phase's own limit tells what surely did or did not happen. Some servers
# look through a message before they take it.
GREETING_SECONDS = 3.0
DELIVERY_SECONDS = 30.0

PERMANENT = 500
START_INPUT = 354
COMPLETED = 250
LINE_START_DOT = re.compile(rb"(?m)^\.")


class SmtpMessenger:
    """A Messenger over one mail server, ``smtp[s]://user:password@host:port``. ``smtp`` upgrades with STARTTLS where it is offered and
    insists on it where there is a password to protect."""

    channels = frozenset({Channel.EMAIL.value})

    def __init__(
        self, url: str, sender: str, *, greeting_seconds: float = GREETING_SECONDS, delivery_seconds: float = DELIVERY_SECONDS
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise Misconfigured("RECOUP_SMTP_URL must be smtp[s]://user:password@host:port")
        self._sender = parse_sender(sender)
        self._host, self._port = parts.hostname, parts.port
        self._username = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._tls = parts.scheme == "smtps"
        self._greeting_seconds, self._delivery_seconds = greeting_seconds, delivery_seconds

    async def send(self, message: OutgoingMessage) -> EffectResult:
        """Hands the message over. ``refused``: the server will never take it for this recipient."""
        try:
            to = parse_address(message.to)
        except NotAnAddress as exc:
            return EffectResult(state="refused", detail=str(exc))
        text = compose(message, self._sender, to, wall_now()).as_bytes()
        async with self._session() as server:
            try:
                async with asyncio.timeout(self._greeting_seconds):
                    await self._offer(server, to.addr_spec)
            except SMTPRecipientRefused as exc:
                if exc.code >= PERMANENT:
                    return EffectResult(state="refused", detail=f"the mail server refused the recipient with {exc.code}")
                raise MessagingUnavailable(f"the mail server put the recipient off with {exc.code}") from exc
            except SMTPResponseException as exc:
                raise MessagingUnavailable(f"the mail server answered {exc.code} before it took the message") from exc
            except (SMTPException, OSError, TimeoutError) as exc:
                raise MessagingUnavailable("the mail server cannot be reached") from exc
            return await _deliver(server, text, message.action_id, self._delivery_seconds)

    async def find(self, action_id: str) -> EffectLookup:
        """SMTP has no question to ask; a person can look into the mail server's log for the Message-ID."""
        # Without the domain: it would make the id look like somebody's address, in rows that must hold none.
        return Indeterminate(why=f"SMTP cannot be asked; look for {action_id} among the Message-IDs in the mail server's log")

    @asynccontextmanager
    async def _session(self) -> AsyncGenerator[aiosmtplib.SMTP]:
        server = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._username,
            password=self._password,
            use_tls=self._tls,
            start_tls=True if self._username and not self._tls else None,
            # Otherwise the resolver is asked for our own name, which may take longer than the whole delivery.
            local_hostname=self._sender.domain,
            timeout=self._greeting_seconds,
        )
        try:
            yield server
        finally:
            # QUIT would only cost a round trip: the server's answer to the text is what counts.
            server.close()

    async def _offer(self, server: aiosmtplib.SMTP, recipient: str) -> None:
        """Everything up to the server's "go ahead": whatever fails here, no message was accepted."""
        await server.connect()
        await server.mail(self._sender.addr_spec)
        await server.rcpt(recipient)
        answer = await server.execute_command(b"DATA")
        if answer.code != START_INPUT:
            raise SMTPResponseException(answer.code, answer.message)


async def _deliver(server: aiosmtplib.SMTP, text: bytes, action_id: str, limit_seconds: float) -> EffectResult:
    """From the first byte of the text on, only the server's own answer says what happened."""
    try:
        if server.protocol is None:
            raise MessagingUnavailable("the mail server closed the connection before the message")
        if not may_start():
            raise MessagingUnavailable("the time in which it may be sent is over, and it was not")
        server.protocol.write(LINE_START_DOT.sub(b"..", text) + b".\r\n")
        answer = await server.protocol.read_response(timeout=limit_seconds)
    except (SMTPException, OSError) as exc:
        raise OutcomeUnknown("the mail server did not say whether it took the message") from exc
    if answer.code == COMPLETED:
        return EffectResult(state="done", detail="accepted by the mail server", vendor_ref=action_id)
    if answer.code >= PERMANENT:
        return EffectResult(state="refused", detail=f"the mail server refused the message with {answer.code}")
    raise MessagingUnavailable(f"the mail server put the message off with {answer.code}")
