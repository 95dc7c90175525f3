"""What Recurly can be asked to do, and how to see afterwards whether it did.

It cannot suspend at once (a pause begins with the next renewal), nor leave one invoice's retries to us (another dunning campaign of the
account counts from its next invoice on), nor put off what is due, nor write off a part: none of that is a capability."""

from collections.abc import Awaitable, Callable

from recoup.actions import ActionName
from recoup.errors import Defect, NotFound, OutcomeUnknown, Refused
from recoup.invoice import AttemptStatus
from recoup.ports import Absent, Effect, EffectLookup, EffectResult, Found, Indeterminate
from tools.billing.json_part import Part
from tools.billing.recurly_http import PLAIN_ID, RecurlyHttp, Said, segment
from tools.billing.recurly_refunds import Refunds
from tools.billing.recurly_snapshots import COLLECTED_BY_API, ORIGINS, minor_of, purchases, status_of
from tools.http_errors import request_named

CHARGES = frozenset({ActionName.RETRY_PAYMENT, ActionName.USE_BACKUP_METHOD})
CAPABILITIES = frozenset(
    {"read", *(str(name) for name in (*CHARGES, ActionName.REFUND_DUPLICATE, ActionName.CANCEL_SUBSCRIPTION, ActionName.WRITE_OFF))}
)
# Where the gateway did not answer and Recurly tells of no transaction, money may have moved all the same.
NOBODY_KNOWS = frozenset({"communication", "unknown"})
WORDS = {
    AttemptStatus.SUCCEEDED: "succeeded",
    AttemptStatus.PROCESSING: "processing",
    AttemptStatus.PENDING: "processing",
    AttemptStatus.REVERSED: "reversed",
}


class RecurlyEffects:
    """Sends effects and looks them up. Each name has a pair: how it is done, and how it is found."""

    def __init__(self, http: RecurlyHttp) -> None:
        self._http, self._refunds = http, Refunds(http)

    async def perform(self, effect: Effect) -> EffectResult:
        """Does it; raises BillingUnavailable, Misconfigured, OutcomeUnknown, or Refused for what Recurly cannot do at all."""
        do = self._ways(effect)[0]
        try:
            return await do(effect)
        except NotFound as exc:
            return EffectResult(state="refused", detail=str(exc))

    async def find(self, effect: Effect) -> EffectLookup:
        """Whether it happened; raises BillingUnavailable, and Refused for what Recurly cannot do at all."""
        return await self._ways(effect)[1](effect)

    def _ways(self, effect: Effect) -> tuple[Callable[[Effect], Awaitable[EffectResult]], Callable[[Effect], Awaitable[EffectLookup]]]:
        match effect.name:
            case ActionName.RETRY_PAYMENT | ActionName.USE_BACKUP_METHOD:
                return self._collect, self._find_charge
            case ActionName.REFUND_DUPLICATE:
                return self._refunds.give_back, self._refunds.find
            case ActionName.CANCEL_SUBSCRIPTION:
                return self._cancel, self._find_end
            case ActionName.WRITE_OFF:
                return self._write_off, self._find_write_off
            case _:
                raise Refused(f"{self._http.name}: capability missing: Recurly cannot do {effect.name}")

    async def _collect(self, effect: Effect) -> EffectResult:
        """One attempt for the whole balance, beside whatever Recurly has planned itself."""
        info_id, path = str(effect.args.get("credential_vendor_id")), f"/invoices/{segment(effect.invoice_vendor_id)}/collect"
        if not PLAIN_ID.fullmatch(info_id):
            return EffectResult(state="refused", detail="that payment method is no billing info of Recurly's")
        said = await self._http.send("PUT", path, effect.key, {"billing_info_id": info_id})
        if not said.is_done and said.document.text("type") == "missing_feature":
            # Without the Wallet feature an account has one billing info, and none may be named. The refusal stays under its key.
            only = await self._http.get(f"/accounts/{segment(effect.account_vendor_id)}/billing_info")
            if only.document.text("id") != info_id:
                return EffectResult(state="refused", detail="the account has another billing info now")
            said = await self._http.send("PUT", path, f"{effect.key}:only")
        if not said.is_done:
            return self._declined(effect, said)
        made = [one for one in _told_since(effect, said.document) if one.text("origin") == COLLECTED_BY_API]
        if made:
            return result_of(made[-1], said.request_id)
        detail = f"no attempt was needed: the invoice is {said.document.text('state')}"
        return EffectResult(state="done", detail=detail, request_id=said.request_id)

    def _declined(self, effect: Effect, said: Said) -> EffectResult:
        if said.document.text("type") != "transaction":
            return refused(said)
        told = said.document.part("transaction_error")
        code, transaction_id = told.text("code"), told.text("transaction_id")
        if transaction_id is not None:
            return EffectResult(state="done", detail=f"declined: {code}", vendor_ref=transaction_id, request_id=said.request_id)
        if told.text("category") in NOBODY_KNOWS:
            named = request_named(said.request_id)
            raise OutcomeUnknown(f"{self._http.name}: {effect.key} was answered {code} without a transaction{named}")
        return EffectResult(state="refused", detail=f"no attempt was made: {code}", request_id=said.request_id)

    async def _find_charge(self, effect: Effect) -> EffectLookup:
        """The transaction that was not there before. Recurly's own retries have another origin than what its API was asked to collect."""
        invoice = (await self._http.get(f"/invoices/{segment(effect.invoice_vendor_id)}")).document
        new = _told_since(effect, invoice)
        if any(one.text("origin") not in ORIGINS for one in new):
            return Indeterminate(why="a new transaction on the invoice does not tell who asked for it")
        made = [one for one in new if one.text("origin") == COLLECTED_BY_API]
        if not made:
            return Absent()
        if len(made) > 1:
            return Indeterminate(why=f"{len(made)} new transactions on the invoice were asked for over the API")
        currency = made[0].need_text("currency")
        if (minor_of(made[0], "amount", currency), currency) != (effect.args.get("amount_minor"), effect.args.get("currency")):
            return Indeterminate(why="a new transaction on the invoice was asked for over the API, for another amount")
        return Found(result=result_of(made[0]))

    async def _cancel(self, effect: Effect) -> EffectResult:
        """At once without a refund, or at the end of what was paid for, which Recurly calls the next billing date."""
        if effect.subscription_vendor_id is None:
            return EffectResult(state="refused", detail="the invoice belongs to no subscription")
        path = f"/subscriptions/{segment(effect.subscription_vendor_id)}"
        if effect.args.get("at") == "now":
            said = await self._http.send("DELETE", path, effect.key, query={"refund": "none"})
        else:
            said = await self._http.send("PUT", f"{path}/cancel", effect.key, {"timeframe": "bill_date"})
        return _ended(said.document, said.request_id) if said.is_done else await self._unless_so(effect, said)

    async def _find_end(self, effect: Effect) -> EffectLookup:
        if effect.subscription_vendor_id is None:
            return Absent()
        subscription = (await self._http.get(f"/subscriptions/{segment(effect.subscription_vendor_id)}")).document
        wanted = {"expired"} if effect.args.get("at") == "now" else {"canceled", "expired"}
        return Found(result=_ended(subscription)) if subscription.text("state") in wanted else Absent()

    async def _write_off(self, effect: Effect) -> EffectResult:
        """Marks the whole invoice as failed, which also ends Recurly's own retries."""
        path = f"/invoices/{segment(effect.invoice_vendor_id)}"
        invoice = (await self._http.get(path)).document
        currency = invoice.need_text("currency")
        owed = (minor_of(invoice, "balance", currency), currency)
        if invoice.text("state") != "failed" and owed != (effect.args.get("amount_minor"), effect.args.get("currency")):
            return EffectResult(
                state="refused", detail=f"Recurly writes off whole invoices, and {owed[0]} {currency} (minor units) is owed"
            )
        said = await self._http.send("PUT", f"{path}/mark_failed", effect.key)
        return _written_off(said.document, said.request_id) if said.is_done else await self._unless_so(effect, said)

    async def _find_write_off(self, effect: Effect) -> EffectLookup:
        invoice = (await self._http.get(f"/invoices/{segment(effect.invoice_vendor_id)}")).document
        return Found(result=_written_off(invoice)) if invoice.text("state") == "failed" else Absent()

    async def _unless_so(self, effect: Effect, said: Said) -> EffectResult:
        """A refusal, unless things stand already as they were wanted."""
        lookup = await self.find(effect)
        return lookup.result if isinstance(lookup, Found) else refused(said)


def result_of(transaction: Part, request_id: str | None = None) -> EffectResult:
    """An attempt was made, whatever came of it."""
    status = status_of(transaction)
    if status is AttemptStatus.FAILED:
        detail = f"declined: {transaction.text('status_code')}"
    else:
        detail = WORDS.get(status, "its status is unknown")
    return EffectResult(state="done", detail=detail, vendor_ref=transaction.need_text("id"), request_id=request_id)


def refused(said: Said) -> EffectResult:
    """Recurly's no, in its type and the names of parameters; its sentences may quote a customer."""
    named = ", ".join(sorted({name for one in said.document.parts("params") if (name := one.text("param"))}))
    detail = f"Recurly answers {said.document.text('type')}" + (f" ({named})" if named else "")
    return EffectResult(state="refused", detail=detail, request_id=said.request_id)


def _told_since(effect: Effect, invoice: Part) -> list[Part]:
    known = frozenset(effect.known_transactions)
    return [one for one in purchases(invoice) if one.need_text("id") not in known]


def _ended(subscription: Part, request_id: str | None = None) -> EffectResult:
    detail = f"subscription {subscription.text('state')}"
    return EffectResult(state="done", detail=detail, vendor_ref=subscription.need_text("id"), request_id=request_id)


def _written_off(invoice: Part, request_id: str | None = None) -> EffectResult:
    if invoice.text("state") != "failed":
        raise Defect(f"an invoice that was marked as failed is {invoice.text('state')}")
    return EffectResult(state="done", detail="invoice failed", vendor_ref=invoice.need_text("id"), request_id=request_id)
