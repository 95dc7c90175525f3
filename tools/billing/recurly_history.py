"""What Recurly has billed since a day, page by page and whole: for a ledger and a shadow that begin with a past."""

from collections.abc import Mapping
from datetime import UTC, datetime

from recoup.errors import Malformed, NotFound
from recoup.events import Reading
from recoup.ports import HistoryPage, Unread
from tools.billing.json_part import Part
from tools.billing.recurly_http import RecurlyHttp, next_query
from tools.billing.recurly_reader import Payer, RecurlyReader

# A list shows invoices whole; each account takes a request of its own. A page is lost cheaply where it is interrupted.
PAGE = 100


class RecurlyHistory:
    """Goes through the list of charge invoices, newest first, and reads each. A cursor is Recurly's own of that list."""

    def __init__(self, http: RecurlyHttp, reader: RecurlyReader) -> None:
        self._http, self._reader = http, reader

    async def page(self, since: datetime, cursor: str | None) -> HistoryPage:
        """The next page; raises Malformed, Misconfigured, BillingUnavailable."""
        begin = since.astimezone(UTC).isoformat().replace("+00:00", "Z")
        query: dict[str, str | int] = {"type": "charge", "sort": "created_at", "order": "desc", "limit": PAGE, "begin_time": begin}
        answer = await self._http.get("/invoices", query | ({"cursor": cursor} if cursor else {}))
        shown, following = answer.document.parts("data"), next_query(answer.document)
        payers = await self._reader.payers(sorted({invoice.part("account").need_text("id") for invoice in shown}))
        told = [await self._read(invoice, answer.at, payers) for invoice in shown]
        return HistoryPage(
            readings=tuple(one for one in told if isinstance(one, Reading)),
            unread=tuple(one for one in told if isinstance(one, Unread)),
            cursor=following.get("cursor") if following else cursor,
            has_more=following is not None,
            reached=shown[-1].time("created_at") if shown else None,
        )

    async def _read(self, invoice: Part, at: datetime, payers: Mapping[str, Payer]) -> Reading | Unread:
        invoice_id, payer = invoice.need_text("id"), payers.get(invoice.part("account").need_text("id"))
        try:
            return await self._reader.invoice(invoice_id) if payer is None else await self._reader.complete(invoice, at, payer)
        except (Malformed, NotFound) as exc:
            return Unread(invoice_vendor_id=invoice_id, why=str(exc))
