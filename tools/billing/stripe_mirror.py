"""Notes at Stripe: a few keys of our own in the metadata of the invoice, and of the customer for tags. Other keys are never touched."""

from recoup.errors import Defect, Refused
from recoup.mirror import MirrorNote
from tools.billing.stripe_api import StripeApi

NOTE_AND_TAG = frozenset({"note", "tag"})
TAGS = "recoup_tags"
LONGEST_VALUE = 500


class StripeMirror:
    """Writes notes. Metadata is merged key by key, so that the same note twice is one."""

    def __init__(self, api: StripeApi) -> None:
        self._api = api

    async def write(self, note: MirrorNote) -> None:
        """Writes what the note says. Raises BillingUnavailable, OutcomeUnknown, Misconfigured, NotFound, Refused."""
        try:
            await self._api.ask(self._api.v1.invoices.update_async(note.to.invoice_vendor_id, {"metadata": _metadata(note)}))
            if note.to.tags:
                await self._tag(note)
        except Defect as exc:
            # Such as an invoice with fifty keys of others.
            raise Refused(str(exc)) from exc

    async def _tag(self, note: MirrorNote) -> None:
        """Read first: who listens to customers is told only of what is new."""
        wanted = ",".join(sorted(note.to.tags))[:LONGEST_VALUE]
        customer = await self._api.ask(self._api.v1.customers.retrieve_async(note.to.account_vendor_id))
        if customer.body.part("metadata").text(TAGS) != wanted:
            await self._api.ask(self._api.v1.customers.update_async(note.to.account_vendor_id, {"metadata": {TAGS: wanted}}))


def _metadata(note: MirrorNote) -> dict[str, str]:
    """An empty value takes its key away."""
    return {
        "recoup_case": note.case_id,
        "recoup_decision": note.decision_id,
        "recoup_status": note.status,
        "recoup_next": note.next,
        "recoup_last": note.last,
    }
