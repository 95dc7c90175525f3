"""Stripe behind the billing port, through its official SDK."""

from datetime import datetime
from types import TracebackType
from typing import Self

import httpx

from recoup.events import ObjectRef, Reading
from recoup.mirror import MirrorNote
from recoup.ports import ChangedPage, CheckResult, Effect, EffectLookup, EffectResult, HistoryPage
from recoup.settings import Connection
from tools.billing.stripe_api import StripeApi
from tools.billing.stripe_changes import StripeChanges
from tools.billing.stripe_effects import StripeEffects
from tools.billing.stripe_examination import examine
from tools.billing.stripe_history import StripeHistory
from tools.billing.stripe_lookup import StripeLookup
from tools.billing.stripe_mirror import NOTE_AND_TAG, StripeMirror
from tools.billing.stripe_objects import ObjectReader
from tools.billing.stripe_origins import Origins
from tools.billing.stripe_reading import InvoiceReader

# Stripe may forget keys after 24 hours; an hour less leaves room for a request that is already under way.
KEY_VALID_SECONDS = 82_800.0


class StripeBilling:
    """One client for one connection; close it when the process ends. Stripe is asked to speak as the connection's ``api_version`` has it:
    the pinned newest, or one from before InvoicePayments."""

    def __init__(self, connection: Connection, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._api = StripeApi(connection, transport)
        origins = Origins(self._api)
        self._invoices = InvoiceReader(self._api, origins)
        self._objects = ObjectReader(self._api, self._invoices)
        self._effects = StripeEffects(self._api)
        self._lookup = StripeLookup(self._api, self._invoices, origins)
        self._mirror = StripeMirror(self._api)
        self._changes = StripeChanges(self._api)
        self._history = StripeHistory(self._api, self._invoices, origins)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the client's connections."""
        await self._api.aclose()

    @property
    def capabilities(self) -> frozenset[str]:
        """``read``, notes and tags, and the actions that Stripe has an equivalent of; it has none of a longer grace, a plan or a discount
        on a bill."""
        return self._effects.names | NOTE_AND_TAG | {"read"}

    @property
    def key_valid_seconds(self) -> float:
        """How long a key protects against doing it twice."""
        return KEY_VALID_SECONDS

    async def read_invoice(self, invoice_vendor_id: str) -> Reading:
        """The invoice with account, attempts and credentials; raises NotFound, Misconfigured, BillingUnavailable."""
        return await self._invoices.read(invoice_vendor_id)

    async def fetch(self, ref: ObjectRef) -> Reading:
        """What a thin event points at; raises NotFound, NotFetchable, Misconfigured, BillingUnavailable."""
        return await self._objects.read(ref)

    async def perform(self, effect: Effect) -> EffectResult:
        """Does it once while the key is valid. Raises BillingUnavailable, OutcomeUnknown, Misconfigured, Refused, Defect."""
        return await self._effects.perform(effect)

    async def find_effect(self, effect: Effect) -> EffectLookup:
        """Whether it happened, by the key that Stripe's events name; raises BillingUnavailable where it cannot be told yet."""
        return await self._lookup.find(effect)

    async def mirror(self, note: MirrorNote) -> None:
        """Writes it into metadata; raises BillingUnavailable, OutcomeUnknown, Misconfigured, NotFound, Refused."""
        await self._mirror.write(note)

    async def changed_since(self, cursor: str | None) -> ChangedPage:
        """What events of the last 30 days tell of; raises Malformed for a cursor of somebody else's, BillingUnavailable."""
        return await self._changes.since(cursor)

    async def history(self, since: datetime, cursor: str | None) -> HistoryPage:
        """Invoices issued since then; raises Malformed for a cursor of somebody else's, Misconfigured, BillingUnavailable."""
        return await self._history.page(since, cursor)

    async def examine(self, *, to_act: bool = True) -> tuple[CheckResult, ...]:
        """Credentials, permissions, webhooks, clock, live or test; raises BillingUnavailable where Stripe does not answer."""
        return await examine(self._api, to_act=to_act)
