"""Recurly behind the billing port, over its API v2021-02-25."""

from datetime import datetime
from types import TracebackType
from typing import Self

import httpx

from recoup.events import ObjectRef, Reading
from recoup.mirror import MirrorNote
from recoup.ports import ChangedPage, CheckResult, Effect, EffectLookup, EffectResult, HistoryPage
from recoup.settings import Connection
from tools.billing.recurly_changes import RecurlyChanges
from tools.billing.recurly_effects import CAPABILITIES, RecurlyEffects
from tools.billing.recurly_examine import examine
from tools.billing.recurly_history import RecurlyHistory
from tools.billing.recurly_http import RecurlyHttp
from tools.billing.recurly_mirror import NOTE, RecurlyMirror
from tools.billing.recurly_reader import RecurlyReader

# Recurly remembers a key for an hour; ten minutes less leave room for waiting in line, for clocks and for a slow gateway.
KEY_VALID_SECONDS = 3000.0


class RecurlyBilling:
    """One client for one connection; close it when the process ends. ``transport`` is for tests."""

    def __init__(self, connection: Connection, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._connection = connection
        self._http = RecurlyHttp(connection, transport)
        self._reader, self._effects = RecurlyReader(self._http), RecurlyEffects(self._http)
        self._mirror = RecurlyMirror(self._http)
        self._changes, self._history = RecurlyChanges(self._http), RecurlyHistory(self._http, self._reader)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the client's connections."""
        await self._http.aclose()

    @property
    def capabilities(self) -> frozenset[str]:
        """What Recurly really can do; see recurly_effects for what it cannot. It has notes on an account, and no tags."""
        return CAPABILITIES | NOTE

    @property
    def key_valid_seconds(self) -> float:
        """How long a key protects against doing it twice."""
        return KEY_VALID_SECONDS

    async def read_invoice(self, invoice_vendor_id: str) -> Reading:
        """The invoice by id, or by its number as ``number-1000``; raises NotFound, BillingUnavailable."""
        return await self._reader.invoice(invoice_vendor_id)

    async def fetch(self, ref: ObjectRef) -> Reading:
        """What a thin event points at; raises NotFound, NotFetchable, BillingUnavailable."""
        return await self._reader.fetch(ref)

    async def perform(self, effect: Effect) -> EffectResult:
        """Does it once while the key is valid. A lost answer, and an error of the server, leave the outcome unknown."""
        return await self._effects.perform(effect)

    async def find_effect(self, effect: Effect) -> EffectLookup:
        """Whether it happened, by the invoice's transactions or the state that it was to bring about."""
        return await self._effects.find(effect)

    async def mirror(self, note: MirrorNote) -> None:
        """Adds it to the account's notes; raises BillingUnavailable, OutcomeUnknown, Misconfigured, NotFound, Refused."""
        await self._mirror.write(note)

    async def changed_since(self, cursor: str | None) -> ChangedPage:
        """Accounts, cards, subscriptions, invoices; raises Malformed for a cursor of somebody else's, BillingUnavailable."""
        return await self._changes.since(cursor)

    async def history(self, since: datetime, cursor: str | None) -> HistoryPage:
        """Charge invoices made since then, newest first; raises Malformed for a cursor of somebody else's, BillingUnavailable."""
        return await self._history.page(since, cursor)

    async def examine(self, *, to_act: bool = True) -> tuple[CheckResult, ...]:
        """Whether the connection is set up as it must be. Changes nothing."""
        return await examine(self._connection, self._http, to_act=to_act)
