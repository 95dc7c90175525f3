"""The door for platforms' webhooks: prove the origin, mask, keep, answer. What an event means is found out later, by the intake job."""

import asyncio
import logging
import re
import time
from collections.abc import Mapping
from email.message import Message
from functools import lru_cache

from fastapi import APIRouter, Request

from api.auth import ServicesDep
from api.problems import ModeMismatch, TooLarge, UnsupportedMediaType
from graph.bootstrap import Services
from memory import arrivals, inbox
from memory.arrivals import RefusedWebhook, Why
from memory.inbox import Accepted
from recoup.clock import wall_now
from recoup.errors import DatabaseUnavailable, Malformed, NotFound, Retryable, SignatureRefused
from recoup.events import EventIdentity
from recoup.masking import mask_cards
from recoup.settings import Connection
from tools.billing.webhook import FORMATS, authenticate, proves_by_header

MOST_BYTES = 1024 * 1024
BACKLOG_AGE_SECONDS = REFUSAL_AGE_SECONDS = 1.0
MASK_APART_FROM_CHARS = 64 * 1024  # a text this long is masked in a thread, so that other requests go on
IDENTIFIER = re.compile(r"[\x21-\x7e]{1,255}")  # what vendors' event ids and types are made of, and all that an index should hold

logger = logging.getLogger(__name__)
router = APIRouter(tags=["webhooks"])


class Backlog:
    """How many events wait, asked of the database at most once a second."""

    def __init__(self) -> None:
        self.asked_at = float("-inf")
        self.waiting = 0

    async def check(self, services: Services) -> None:
        """Raises Retryable where the backlog has reached its limit: the platform delivers again, and remembers it until then."""
        limit = services.settings.backlog_limit
        now = time.monotonic()
        if now - self.asked_at > BACKLOG_AGE_SECONDS:
            self.asked_at = now
            async with services.db.read() as session:
                self.waiting = await inbox.backlog(session, limit)
        if self.waiting >= limit:
            raise Retryable(f"{self.waiting} events wait already; deliver again later")


class Refusals:
    """Remembers the newest webhook that was turned away, so that the check of its connection can tell why none comes in."""

    def __init__(self) -> None:
        self.noted_at: dict[str, float] = {}

    async def note(self, services: Services, connection: str, error: SignatureRefused | ModeMismatch) -> None:
        """At most once a second for a connection: a flood of forgeries is no flood of writes. The refusal stands without it as well."""
        now = time.monotonic()
        if now - self.noted_at.get(connection, float("-inf")) < REFUSAL_AGE_SECONDS:
            return
        self.noted_at[connection] = now
        why: Why = error.why if isinstance(error, SignatureRefused) else "mode"
        refused = RefusedWebhook(why=why, detail=str(error), refused_at=wall_now())
        try:
            async with services.db.statement() as tx:
                await arrivals.note_refused(tx, connection, refused)
        except DatabaseUnavailable as exc:
            logger.warning("a refused webhook of %s could not be noted: %s", connection, exc)


@router.post("/webhooks/{connection}", status_code=202)
async def receive(request: Request, services: ServicesDep, connection: str) -> Accepted:
    """Keeps one event of a connection of recoup.toml. 202 only once it is committed; deliver again after 503: nothing was kept."""
    link = services.connections.get(connection)
    if link is None:
        raise NotFound(f"there is no connection {connection!r} in recoup.toml")
    content_type = _content_type(link, request.headers)
    try:
        text = _text_of(await _authentic_body(link, content_type, request))
        identity = _identity(link, text, content_type)
    except (SignatureRefused, ModeMismatch) as exc:
        refusals: Refusals = request.app.state.refusals
        await refusals.note(services, connection, exc)
        raise
    masked = mask_cards(text) if len(text) < MASK_APART_FROM_CHARS else await asyncio.to_thread(mask_cards, text)
    backlog: Backlog = request.app.state.backlog
    await backlog.check(services)
    async with services.db.statement() as tx:
        return await inbox.accept(tx, connection, identity, content_type, masked, wall_now())


def _content_type(connection: Connection, headers: Mapping[str, str]) -> str:
    """The media type in lower case; raises UnsupportedMediaType where the platform does not send such, or not as UTF-8."""
    known = FORMATS[connection.platform].content_types
    media_type, charset = _parsed(headers.get("content-type", ""))
    if media_type not in known:
        raise UnsupportedMediaType(f"{connection.platform} webhooks are {' or '.join(sorted(known))}")
    if charset not in {"utf-8", "utf8", "us-ascii"}:
        raise UnsupportedMediaType("the charset must be UTF-8")
    return media_type


@lru_cache(maxsize=64)
def _parsed(content_type: str) -> tuple[str, str]:
    """Media type, empty where none is given, and charset. Senders use few; parsing takes longer than proving the signature."""
    given = Message()
    given["content-type"] = content_type
    return given.get_content_type() if content_type else "", given.get_content_charset("utf-8")


async def _authentic_body(connection: Connection, content_type: str, request: Request) -> bytes:
    """The body, whose origin is proved. Raises SignatureRefused, before the body is read where the proof needs nothing of it."""
    signature_header = FORMATS[connection.platform].signature_header
    if proves_by_header(content_type) or signature_header not in request.headers:
        authenticate(connection, content_type, request.headers, b"", wall_now().timestamp())
        return await _limited_body(request)
    body = await _limited_body(request)
    authenticate(connection, content_type, request.headers, body, wall_now().timestamp())
    return body


async def _limited_body(request: Request) -> bytes:
    """The body; raises TooLarge as soon as it is over the limit, whatever Content-Length says."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > MOST_BYTES:
        raise TooLarge(f"a webhook has at most {MOST_BYTES} bytes")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise TooLarge(f"a webhook has at most {MOST_BYTES} bytes")
    return bytes(body)


def _text_of(body: bytes) -> str:
    """The body as text that PostgreSQL can keep; raises Malformed."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise Malformed(f"the body is not UTF-8 (byte {exc.start})") from exc
    if "\x00" in text:
        raise Malformed("the body holds a NUL character")
    return text


def _identity(connection: Connection, text: str, content_type: str) -> EventIdentity:
    """Which event it is; raises Malformed, or ModeMismatch where it is a test event on a live connection or the other way round."""
    told = EventIdentity(*FORMATS[connection.platform].identify(text, content_type))
    for what, value in (("id", told.vendor_event_id), ("type", told.event_type)):
        if not IDENTIFIER.fullmatch(value):
            raise Malformed(f"the event's {what} is not 1 to 255 printable ASCII characters")
    if told.livemode is not None and told.livemode is not connection.livemode:
        words = ("test", "live")
        raise ModeMismatch(f"this is a {words[told.livemode]} event, and {connection.name} is a {words[connection.livemode]} connection")
    # These two stand in columns and logs of their own.
    return EventIdentity(mask_cards(told.vendor_event_id), mask_cards(told.event_type), told.livemode)
