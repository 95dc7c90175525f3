"""The billing port of a platform that nobody can read or act on yet: its events are all there is."""

from datetime import datetime

from recoup.errors import NotFetchable, Refused
from recoup.events import ObjectRef, Reading
from recoup.mirror import MirrorNote
from recoup.ports import ChangedPage, CheckResult, Effect, EffectLookup, EffectResult, HistoryPage, Indeterminate


class EventsOnly:
    """Can nothing: the gate denies charges and account actions with ``capability missing``; messages rest on the newest event."""

    def __init__(self, connection: str) -> None:
        self._name = connection

    @property
    def capabilities(self) -> frozenset[str]:
        """None."""
        return frozenset()

    @property
    def key_valid_seconds(self) -> float:
        """Nothing is sent, so no key lives."""
        return 0.0

    async def read_invoice(self, invoice_vendor_id: str) -> Reading:
        """Raises NotFetchable."""
        raise self._not_fetchable(f"invoice {invoice_vendor_id}")

    async def fetch(self, ref: ObjectRef) -> Reading:
        """Raises NotFetchable."""
        raise self._not_fetchable(f"{ref.kind} {ref.vendor_id}")

    async def perform(self, effect: Effect) -> EffectResult:
        """Raises Refused: the gate should not have let it come here."""
        raise Refused(f"{self._name}: capability missing: nothing here can do {effect.name} there")

    async def find_effect(self, effect: Effect) -> EffectLookup:
        """Nobody can tell."""
        return Indeterminate(why=f"{self._name}: nothing here can read that platform, so {effect.name} cannot be looked up")

    async def mirror(self, note: MirrorNote) -> None:
        """Raises Refused: nothing should have been told."""
        raise Refused(f"{self._name}: capability missing: nothing here can write a note on {note.to.invoice_vendor_id} there")

    async def changed_since(self, cursor: str | None) -> ChangedPage:
        """Raises NotFetchable."""
        raise self._not_fetchable("what changed" if cursor is None else f"what changed since {cursor}")

    async def history(self, since: datetime, cursor: str | None) -> HistoryPage:
        """Raises NotFetchable."""
        raise self._not_fetchable(f"invoices issued since {since:%Y-%m-%d}" if cursor is None else "more of the past")

    async def examine(self, *, to_act: bool = True) -> tuple[CheckResult, ...]:  # noqa: ARG002 - there is one kind of key
        """Says that it only listens."""
        fix = f"give connections.{self._name} an api_key, where its platform can be read"
        return (CheckResult(name="credentials", ok=False, found="no api_key: only events are heard", fix=fix),)

    def _not_fetchable(self, what: str) -> NotFetchable:
        return NotFetchable(f"{self._name}: nothing here can fetch {what} yet")
