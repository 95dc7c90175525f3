"""Giving back at Recurly what one attempt took too much: by amount, from payments that Recurly chooses itself."""

from datetime import timedelta
from decimal import Decimal

from recoup.errors import Defect
from recoup.invoice import AttemptStatus
from recoup.money import exponent
from recoup.ports import Absent, Effect, EffectLookup, EffectResult, Found, Indeterminate
from tools.billing.json_part import Part
from tools.billing.recurly_http import PAGE, Query, RecurlyHttp, segment
from tools.billing.recurly_snapshots import fingerprint, minor_of, purchases, status_of

# So far the two clocks may be apart without anybody having noticed.
CLOCKS_DIFFER = timedelta(seconds=60)
DID_NOT_MOVE = frozenset({AttemptStatus.FAILED, AttemptStatus.REVERSED})


class Refunds:
    """Refunds of one invoice."""

    def __init__(self, http: RecurlyHttp) -> None:
        self._http = http

    async def give_back(self, effect: Effect) -> EffectResult:
        """Refunds the amount, if it can only go back to where that attempt took it from; otherwise a person has to."""
        path = f"/invoices/{segment(effect.invoice_vendor_id)}"
        invoice = (await self._http.get(path)).document
        why_not = _obstacle(effect, invoice)
        if why_not is not None:
            lookup = await self.find(effect)
            return lookup.result if isinstance(lookup, Found) else EffectResult(state="refused", detail=why_not)
        amount, currency = _asked(effect)
        major = float(Decimal(amount) / 10 ** exponent(currency))
        said = await self._http.send("POST", f"{path}/refund", effect.key, {"type": "amount", "amount": major})
        if said.is_done:
            made = [one for one in said.document.parts("transactions") if one.text("type") == "refund"]
            return _refunded(made[0] if made else None, said.request_id)
        told = said.document.part("transaction_error").text("code") or said.document.text("type")
        return EffectResult(state="refused", detail=f"the refund was declined: {told}", request_id=said.request_id)

    async def find(self, effect: Effect) -> EffectLookup:
        """A refund of that amount of one of the invoice's payments. Refunds stand on credit invoices, so that the account's are read."""
        invoice = (await self._http.get(f"/invoices/{segment(effect.invoice_vendor_id)}")).document
        payments = {one.need_text("id") for one in purchases(invoice)}
        here = f"/accounts/{segment(effect.account_vendor_id)}/transactions"
        query: Query = {"type": "refund", "begin_time": invoice.need_text("created_at"), "limit": PAGE}
        made = [
            one
            async for page in self._http.pages(here, query)
            for one in page.document.parts("data")
            if one.text("original_transaction_id") in payments
            and status_of(one) not in DID_NOT_MOVE
            and _amount(one) == _asked(effect)
            and not _was_there_before(one, effect)
        ]
        if len(made) > 1:
            return Indeterminate(why=f"{len(made)} refunds of that amount were made on the invoice")
        return Found(result=_refunded(made[0])) if made else Absent()


def _was_there_before(refund: Part, effect: Effect) -> bool:
    """Somebody else's, or of an earlier action: it was made before this one was decided on."""
    return effect.decided_at is not None and refund.need_time("created_at") < effect.decided_at - CLOCKS_DIFFER


def _obstacle(effect: Effect, invoice: Part) -> str | None:
    """Why the amount cannot, or might not, go back to where the attempt took it from."""
    payments = [one for one in purchases(invoice) if status_of(one) is AttemptStatus.SUCCEEDED]
    wrong = next((one for one in payments if one.text("id") == effect.args.get("attempt_vendor_key")), None)
    amount, currency = _asked(effect)
    if wrong is None or wrong.text("currency") != currency:
        return "that attempt took no money"
    if (minor_of(invoice, "refundable_amount", currency) or 0) < amount:
        return "so much is not left to be refunded"
    account_id = invoice.part("account").need_text("id")
    marks = {(fingerprint(account_id, one.part("payment_method")), _amount(one)) for one in payments}
    if len(marks) > 1:
        return "the invoice was paid in different ways, and Recurly chooses itself which payment it gives back"
    return None


def _asked(effect: Effect) -> tuple[int, str]:
    amount = effect.args["amount_minor"]
    if not isinstance(amount, int):
        raise Defect(f"{effect.key}: amount_minor is no whole number")
    return amount, str(effect.args["currency"])


def _amount(transaction: Part) -> tuple[int, str]:
    currency = transaction.need_text("currency")
    return minor_of(transaction, "amount", currency) or 0, currency


def _refunded(transaction: Part | None, request_id: str | None = None) -> EffectResult:
    made = transaction.need_text("id") if transaction else None
    return EffectResult(state="done", detail="refunded", vendor_ref=made, request_id=request_id)
