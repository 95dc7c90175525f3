"""Recurly's JSON webhooks: thin (what changed, never how), signed anew for each delivery, in no promised order."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.vendors.chassis_courier import Courier, Parcel
from tests.vendors.recurly_records import Record, Store
from tests.vendors.recurly_views import instant


@dataclass
class Endpoint:
    """Where a site's people have pointed its webhooks, in its settings: the API neither shows nor changes it.

    ``secrets``: the newest first, older ones sign too while they live. ``events``: None is all, else as in ``charge_invoice.paid``."""

    url: str
    secrets: list[str]
    events: frozenset[str] | None = None


class Webhooks:
    """Hands a parcel for each interested endpoint to the courier."""

    def __init__(self, store: Store, courier: Courier, now: Callable[[], datetime]) -> None:
        self._store, self._courier, self._now = store, courier, now
        self.endpoints: list[Endpoint] = []

    def tell(self, kind: str, event: str, record: Record, **more: Any) -> None:
        """Announces that something happened to a record; ``more`` is the one further name that its kind is told with."""
        site = next(iter(self._store.sites))
        told = {"id": record.id, "object_type": kind, "site_id": site, "event_type": event, "event_time": instant(self._now()), **more}
        body = json.dumps(told, separators=(",", ":")).encode()
        for endpoint in self.endpoints:
            if endpoint.events is None or f"{kind}.{event}" in endpoint.events:
                notification = self._store.new_uuid()
                self._courier.send(Parcel(notification, f"{kind}.{event}", endpoint.url, body, _signer(endpoint, notification)))


def signature(body: bytes, secrets: list[str], at: datetime) -> str:
    """The ``recurly-signature`` header: Unix milliseconds, then one HMAC-SHA256 of ``<ms>.<body>`` for each secret."""
    stamp = str(int(at.timestamp() * 1000))
    macs = [hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([stamp, *macs])


def _signer(endpoint: Endpoint, notification: str) -> Callable[[bytes, datetime], Mapping[str, str]]:
    def sign(body: bytes, at: datetime) -> Mapping[str, str]:
        return {"recurly-signature": signature(body, endpoint.secrets, at), "recurly-notification-id": notification}

    return sign
