"""What Stripe has billed since a day, page by page and whole: for a ledger and a shadow that begin with a past."""

import asyncio
import re
from datetime import datetime, timedelta
from typing import NamedTuple

from stripe.params import ChargeListParams, InvoiceListParams

from recoup.errors import Malformed, NotFound
from recoup.events import Reading
from recoup.ports import HistoryPage, Unread
from tools.billing.json_part import Part
from tools.billing.stripe_api import PAGE_SIZE, StripeApi, next_page
from tools.billing.stripe_origins import Origins
from tools.billing.stripe_reading import Gathered, InvoiceReader, in_order

# A page is lost cheaply where it is interrupted, and bounds what is in memory.
PAGE = 100
CURSOR = re.compile(r"in_\w+")
# As much as a list shows whole: Stripe expands four levels, and ``data`` is one of them.
EXPANDED = ["data.customer", "data.payments", "data.parent.subscription_details.subscription"]
EXPANDED_BEFORE_INVOICE_PAYMENTS = ["data.customer", "data.payment_intent", "data.subscription"]
# Most invoices are paid soon after they are made: their charges are listed together, as long as not too much else was charged then.
SOON = timedelta(hours=2)
MOST_PAGES_OF_CHARGES = 4


class Charges(NamedTuple):
    """Every charge that was made from the one instant to the other, oldest first, by its payment intent."""

    since: datetime
    until: datetime
    of_intent: dict[str, list[Part]]


class StripeHistory:
    """Goes through the list of invoices, newest first, and reads each: what is settled from lists, anything else by itself.

    A cursor is the id of the last invoice told."""

    def __init__(self, api: StripeApi, invoices: InvoiceReader, origins: Origins) -> None:
        self._api, self._invoices, self._origins = api, invoices, origins

    async def page(self, since: datetime, cursor: str | None) -> HistoryPage:
        """The next page; raises Malformed, Misconfigured, BillingUnavailable."""
        if cursor is not None and not CURSOR.fullmatch(cursor):
            raise Malformed(f"{cursor!r} is no cursor of Stripe's invoices")
        expanded = EXPANDED if self._api.has_invoice_payments else EXPANDED_BEFORE_INVOICE_PAYMENTS
        wanted: InvoiceListParams = {"created": {"gte": int(since.timestamp())}, "limit": PAGE, "expand": expanded}
        listed, at = await self._api.ask(self._api.listing("/v1/invoices", next_page(wanted, cursor)))
        shown = listed.parts("data")
        issued = [invoice for invoice in shown if invoice.text("status") != "draft"]
        told = await self._read_all(issued, at)
        # A draft may be deleted before the next page is asked for, and then nothing comes after it.
        last = (issued or shown)[-1] if shown else None
        return HistoryPage(
            readings=tuple(one for one in told if isinstance(one, Reading)),
            unread=tuple(one for one in told if isinstance(one, Unread)),
            cursor=last.need_text("id") if last else cursor,
            has_more=listed.flag("has_more") is True,
            reached=_made_at(last) if last else None,
        )

    async def _read_all(self, issued: list[Part], at: datetime) -> list[Reading | Unread]:
        settled = {invoice.need_text("id"): intent for invoice in issued if (intent := _intent_of_settled(invoice)) is not None}
        charges = await self._charges([invoice for invoice in issued if invoice.need_text("id") in settled])
        found = {name: charges.of_intent[intent] for name, intent in settled.items() if charges and intent in charges.of_intent}
        known = [invoice for invoice in issued if charges and invoice.need_text("id") in found and _is_within(invoice, charges)]
        await self._origins.learn([charge for invoice in known for charge in found[invoice.need_text("id")]], at)
        methods = await self._methods({invoice.ref("customer"): invoice for invoice in known})
        from_lists = {invoice.need_text("id") for invoice in known}

        async def read(invoice: Part) -> Reading | Unread:
            name = invoice.need_text("id")
            try:
                if name not in from_lists:
                    return await self._invoices.read(name)
                mine = methods[invoice.ref("customer")]
                return await self._invoices.complete(Gathered(invoice, at, invoice.parts("payments"), found[name], mine))
            except (Malformed, NotFound) as exc:
                return Unread(invoice_vendor_id=name, why=str(exc))

        return await asyncio.gather(*(read(invoice) for invoice in issued))

    async def _methods(self, by_customer: dict[str | None, Part]) -> dict[str | None, list[Part]]:
        """What each customer can pay with, asked for once."""
        told = await asyncio.gather(*(self._invoices.methods_of(invoice) for invoice in by_customer.values()))
        return dict(zip(by_customer, told, strict=True))

    async def _charges(self, settled: list[Part]) -> Charges | None:
        """The charges of the time in which these invoices were made; None where there is none of them."""
        made = [at for invoice in settled if (at := _made_at(invoice)) is not None]
        if not made:
            return None
        since, until = min(made), max(made) + SOON
        wanted: ChargeListParams = {"created": {"gte": int(since.timestamp()), "lte": int(until.timestamp())}, "limit": PAGE_SIZE}
        listed = await self._api.all_of(lambda after: self._api.listing("/v1/charges", next_page(wanted, after)), MOST_PAGES_OF_CHARGES)
        if not listed.is_complete:
            # The list is newest first: nothing is known of what it did not come to.
            since = listed.items[-1].need_time("created") + timedelta(seconds=1)
        of_intent: dict[str, list[Part]] = {}
        for charge in in_order(listed.items):
            of_intent.setdefault(charge.ref("payment_intent") or "", []).append(charge)
        return Charges(since, until, of_intent)


def _intent_of_settled(invoice: Part) -> str | None:
    """The one payment intent of an invoice that is paid, and for which nothing is tried any more; None for any other invoice."""
    payments = invoice.part("payments")
    intents = [payment.part("payment").ref("payment_intent") for payment in invoice.parts("payments")] or [invoice.ref("payment_intent")]
    is_settled = invoice.text("status") == "paid" and len(intents) == 1 and not payments.flag("has_more")
    return intents[0] if is_settled else None


def _is_within(invoice: Part, charges: Charges) -> bool:
    """Whether all charges for the invoice are among these: none was made before it, nor after it was paid."""
    made, paid = _made_at(invoice), invoice.part("status_transitions").time("paid_at")
    return made is not None and paid is not None and charges.since <= made and paid <= charges.until


def _made_at(invoice: Part) -> datetime | None:
    return invoice.time("created") or invoice.time("date")
