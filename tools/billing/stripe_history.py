"""What Stripe has billed since a day, page by page and whole: for a ledger and a shadow that begin with a past."""

import asyncio
import re
from datetime import datetime

from stripe.params import InvoiceListParams

from recoup.errors import Malformed, NotFound
from recoup.events import Reading
from recoup.ports import HistoryPage, Unread
from tools.billing.json_part import Part
from tools.billing.stripe_api import StripeApi, next_page
from tools.billing.stripe_reading import InvoiceReader

# Each invoice takes three requests or more to read: a small page is lost cheaply where it is interrupted, and bounds what is in memory.
PAGE = 20
CURSOR = re.compile(r"in_\w+")


class StripeHistory:
    """Goes through the list of invoices, newest first, and reads each. A cursor is the id of the last invoice told."""

    def __init__(self, api: StripeApi, invoices: InvoiceReader) -> None:
        self._api, self._invoices = api, invoices

    async def page(self, since: datetime, cursor: str | None) -> HistoryPage:
        """The next page; raises Malformed, Misconfigured, BillingUnavailable."""
        if cursor is not None and not CURSOR.fullmatch(cursor):
            raise Malformed(f"{cursor!r} is no cursor of Stripe's invoices")
        wanted: InvoiceListParams = {"created": {"gte": int(since.timestamp())}, "limit": PAGE}
        listed, _ = await self._api.ask(self._api.v1.invoices.list_async(next_page(wanted, cursor)))
        shown = listed.parts("data")
        issued = [invoice for invoice in shown if invoice.text("status") != "draft"]
        told = await asyncio.gather(*(self._read(invoice) for invoice in issued))
        # A draft may be deleted before the next page is asked for, and then nothing comes after it.
        last = (issued or shown)[-1] if shown else None
        return HistoryPage(
            readings=tuple(one for one in told if isinstance(one, Reading)),
            unread=tuple(one for one in told if isinstance(one, Unread)),
            cursor=last.need_text("id") if last else cursor,
            has_more=listed.flag("has_more") is True,
            reached=_made_at(last) if last else None,
        )

    async def _read(self, invoice: Part) -> Reading | Unread:
        invoice_id = invoice.need_text("id")
        try:
            return await self._invoices.read(invoice_id)
        except (Malformed, NotFound) as exc:
            return Unread(invoice_vendor_id=invoice_id, why=str(exc))


def _made_at(invoice: Part) -> datetime | None:
    return invoice.time("created") or invoice.time("date")
