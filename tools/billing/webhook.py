"""What each platform's webhooks look like: content types, how they prove their origin, and who reads them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from recoup.events import EventIdentity, Reading
from recoup.settings import Connection, Platform
from tools.billing import recurly_events, sandbox_events, stripe_events
from tools.billing.signatures import verify_basic_auth, verify_recurly, verify_stripe

JSON_TYPES = frozenset({"application/json"})
XML_TYPES = frozenset({"application/xml", "text/xml"})


@dataclass(frozen=True)
class WebhookFormat:
    """``read`` and ``identify`` are pure and take (payload, content type); both raise Malformed."""

    content_types: frozenset[str]
    signature_header: str
    verify: Callable[[bytes, str | None, tuple[str, ...], float], None]
    read: Callable[[str, str], Reading]
    identify: Callable[[str, str], EventIdentity | tuple[str, str, bool | None]]


FORMATS: Mapping[Platform, WebhookFormat] = {
    Platform.STRIPE: WebhookFormat(
        content_types=JSON_TYPES,
        signature_header="stripe-signature",
        verify=verify_stripe,
        read=stripe_events.read_event,
        identify=stripe_events.event_identity,
    ),
    Platform.RECURLY: WebhookFormat(
        content_types=JSON_TYPES | XML_TYPES,
        signature_header="recurly-signature",
        verify=verify_recurly,
        read=recurly_events.read_event,
        identify=recurly_events.event_identity,
    ),
    Platform.SANDBOX: WebhookFormat(
        content_types=JSON_TYPES,
        signature_header="sandbox-signature",
        verify=verify_stripe,
        read=sandbox_events.read_event,
        identify=sandbox_events.event_identity,
    ),
}


def read_webhook(platform: Platform, payload: str, content_type: str, received_at: datetime, *, can_fetch: bool = False) -> Reading:
    """What an event says, as of its arrival where it does not tell its time; raises Malformed. ``can_fetch``: the platform can be read,
    so that an event whose ids its API does not know only has to point at what is meant."""
    reading = recurly_events.dated(FORMATS[platform].read(payload, content_type), received_at)
    is_classic = platform is Platform.RECURLY and content_type in XML_TYPES
    return recurly_events.pointing(reading) if is_classic and can_fetch else reading


def proves_by_header(content_type: str) -> bool:
    """Whether no body is needed to prove the origin: Recurly signs its JSON, and not its XML, which has a user and a password instead."""
    return content_type in XML_TYPES


def authenticate(connection: Connection, content_type: str, headers: Mapping[str, str], body: bytes, wall_seconds: float) -> None:
    """Raises SignatureRefused unless the request proves that it comes from the connection's platform."""
    if proves_by_header(content_type):
        verify_basic_auth(headers.get("authorization"), connection.basic_auth)
    else:
        form = FORMATS[connection.platform]
        form.verify(body, headers.get(form.signature_header), connection.webhook_secrets, wall_seconds)
