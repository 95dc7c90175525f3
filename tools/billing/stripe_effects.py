"""What Recoup can do at Stripe: each action as one request under the action's own key, and the answer in our words."""

from collections.abc import Awaitable, Callable
from typing import cast

import stripe
from stripe.params import InvoicePayParams, RefundCreateParams, SubscriptionUpdateParams

from recoup.actions import ActionName
from recoup.errors import Conflict, NotFound, Refused
from recoup.invoice import AttemptSnapshot, AttemptStatus
from recoup.masking import redact_text
from recoup.ports import Effect, EffectResult
from tools.billing.json_part import Part
from tools.billing.stripe_api import StripeApi, answer_of, request_of
from tools.billing.stripe_payments import attempt_of_intent
from tools.billing.stripe_reading import intents_of

# What a refund carries, so that it can be found by the action that made it.
ACTION = "recoup_action"
# What a subscription carries while we have paused it.
PAUSED_BY = "recoup_paused_by"
# Methods from before payment methods go by another parameter.
SOURCES = ("src_", "ba_")
INTENTS = ["payments.data.payment.payment_intent"]
INTENTS_BEFORE_INVOICE_PAYMENTS = ["payment_intent"]


class StripeEffects:
    """Sends effects. A key is on every request; ``DELETE`` knows none, and ends a subscription only once by itself."""

    def __init__(self, api: StripeApi) -> None:
        self._api = api
        self._ways: dict[str, Callable[[Effect], Awaitable[EffectResult]]] = {
            ActionName.RETRY_PAYMENT: self._pay,
            ActionName.USE_BACKUP_METHOD: self._pay,
            ActionName.TAKE_OVER_COLLECTION: self._take_over,
            ActionName.HAND_BACK_COLLECTION: self._hand_back,
            ActionName.SUSPEND_SERVICE: self._suspend,
            ActionName.REINSTATE_SERVICE: self._reinstate,
            ActionName.CANCEL_SUBSCRIPTION: self._cancel,
            ActionName.WRITE_OFF: self._write_off,
            ActionName.REFUND_DUPLICATE: self._refund,
        }

    @property
    def names(self) -> frozenset[str]:
        """The actions that Stripe has an equivalent of."""
        return frozenset(str(name) for name in self._ways)

    async def perform(self, effect: Effect) -> EffectResult:
        """Does it once while the key is valid. Raises BillingUnavailable, OutcomeUnknown, Misconfigured, Refused, Defect."""
        way = self._ways.get(effect.name)
        if way is None:
            raise Refused(f"{self._api.connection.name}: capability missing: Stripe has no equivalent of {effect.name}")
        try:
            return await way(effect)
        except (Conflict, NotFound) as exc:
            return EffectResult(state="refused", detail=str(exc))
        except stripe.InvalidRequestError as exc:
            if exc.code == "rate_limit":
                raise self._api.translated(exc, is_effect=True) from exc
            return EffectResult(state="refused", detail=_words_of(exc), request_id=request_of(exc))
        except stripe.StripeError as exc:
            raise self._api.translated(exc, is_effect=True) from exc

    async def _pay(self, effect: Effect) -> EffectResult:
        """Charges all that remains: Stripe knows no part of it. The customer is not there, so no bank may ask for one."""
        method = effect.args.get("credential_vendor_id")
        if not isinstance(method, str):
            raise Conflict("no payment method is named")
        wanted: InvoicePayParams = {
            "off_session": True,
            "expand": INTENTS if self._api.has_invoice_payments else INTENTS_BEFORE_INVOICE_PAYMENTS,
        }
        if method.startswith(SOURCES):
            wanted["source"] = method
        else:
            wanted["payment_method"] = method
        try:
            answered = await self._api.v1.invoices.pay_async(effect.invoice_vendor_id, wanted, _under(effect))
        except stripe.CardError as exc:
            return _declined(exc)
        invoice = answer_of(answered)
        payments = invoice.body.parts("payments")
        intents = intents_of(invoice.body, sorted(payments, key=lambda payment: payment.flag("is_default") is not True))
        if not intents:
            return EffectResult(state="done", detail="accepted", vendor_ref=effect.invoice_vendor_id, request_id=request_of(answered))
        return result_of(attempt_of_intent(intents[0], invoice.at), request_of(answered))

    async def _take_over(self, effect: Effect) -> EffectResult:
        answered = await self._api.v1.invoices.update_async(effect.invoice_vendor_id, {"auto_advance": False}, _under(effect))
        return standing(effect, request_of(answered))

    async def _hand_back(self, effect: Effect) -> EffectResult:
        answered = await self._api.v1.invoices.update_async(effect.invoice_vendor_id, {"auto_advance": True}, _under(effect))
        return standing(effect, request_of(answered))

    async def _suspend(self, effect: Effect) -> EffectResult:
        """What would be billed meanwhile stays a draft, which people can finalise or delete: nothing is lost and nothing collected. A
        pause of somebody else's stays as it is; ours carries the action that made it."""
        found = await self._subscription(effect)
        if found.has("pause_collection") and not stands(effect, found):
            raise Conflict("somebody else has paused the subscription, and the pause is theirs")
        wanted: SubscriptionUpdateParams = {"pause_collection": {"behavior": "keep_as_draft"}, "metadata": {PAUSED_BY: effect.key}}
        answered = await self._api.v1.subscriptions.update_async(subscription_of(effect), wanted, _under(effect))
        return standing(effect, request_of(answered))

    async def _reinstate(self, effect: Effect) -> EffectResult:
        found = await self._subscription(effect)
        if found.has("pause_collection") and not found.part("metadata").text(PAUSED_BY):
            raise Conflict("somebody else has paused the subscription, so they have to lift the pause")
        wanted: SubscriptionUpdateParams = {"pause_collection": "", "metadata": {PAUSED_BY: ""}}
        answered = await self._api.v1.subscriptions.update_async(subscription_of(effect), wanted, _under(effect))
        return standing(effect, request_of(answered))

    async def _subscription(self, effect: Effect) -> Part:
        return (await self._api.ask(self._api.v1.subscriptions.retrieve_async(subscription_of(effect)))).body

    async def _cancel(self, effect: Effect) -> EffectResult:
        service, subscription_id = self._api.v1.subscriptions, subscription_of(effect)
        if effect.args.get("at") == "period_end":
            answered = await service.update_async(subscription_id, {"cancel_at_period_end": True}, _under(effect))
            return standing(effect, request_of(answered))
        try:
            ended = await service.cancel_async(subscription_id, {"invoice_now": False, "prorate": False})
        except stripe.InvalidRequestError:
            # One that has ended is not found any more, though it can be read: the same answer, however often it is asked.
            now = await self._api.ask(service.retrieve_async(subscription_id))
            if not stands(effect, now.body):
                raise
            return standing(effect)
        return standing(effect, request_of(ended))

    async def _write_off(self, effect: Effect) -> EffectResult:
        """All that remains: Stripe cannot give up a part. It stops collecting it, though a customer can still pay."""
        invoice = (await self._api.ask(self._api.v1.invoices.retrieve_async(effect.invoice_vendor_id))).body
        if stands(effect, invoice):
            return standing(effect)
        _must_be_all(effect, invoice)
        answered = await self._api.v1.invoices.mark_uncollectible_async(effect.invoice_vendor_id, {}, _under(effect))
        return standing(effect, request_of(answered))

    async def _refund(self, effect: Effect) -> EffectResult:
        key, amount = effect.args.get("attempt_vendor_key"), effect.args.get("amount_minor")
        if not isinstance(key, str) or not isinstance(amount, int) or not key.startswith(("ch_", "py_", "pi_")):
            raise Conflict("no charge of Stripe's is named")
        wanted: RefundCreateParams = {"amount": amount, "reason": "duplicate", "metadata": {ACTION: effect.key}}
        if key.startswith("pi_"):
            wanted["payment_intent"] = key
        else:
            wanted["charge"] = key
        answered = await self._api.v1.refunds.create_async(wanted, _under(effect))
        return refunded(answer_of(answered).body, request_of(answered))


def result_of(attempt: AttemptSnapshot, request_id: str | None) -> EffectResult:
    """An attempt as the answer to the action that made it: a decline is an answer too."""
    if attempt.status is AttemptStatus.FAILED:
        return _decline(attempt.vendor_key, attempt.codes.decline_code if attempt.codes else None, request_id)
    return EffectResult(state="done", detail=str(attempt.status), vendor_ref=attempt.vendor_key, request_id=request_id)


def refunded(refund: Part, request_id: str | None = None) -> EffectResult:
    """A refund as the answer to the action that made it."""
    detail = refund.text("status") or "accepted"
    return EffectResult(state="done", detail=detail, vendor_ref=refund.need_text("id"), request_id=request_id)


def standing(effect: Effect, request_id: str | None = None) -> EffectResult:
    """The answer to an action that only sets how something stands: the same, whoever set it and however often."""
    subject = effect.subscription_vendor_id if effect.name in OF_SUBSCRIPTIONS else effect.invoice_vendor_id
    return EffectResult(state="done", detail="stands", vendor_ref=subject, request_id=request_id)


def stands(effect: Effect, subject: Part) -> bool:
    """Whether the invoice or the subscription is as such an action would leave it."""
    match effect.name:
        case ActionName.TAKE_OVER_COLLECTION:
            return subject.flag("auto_advance") is False
        case ActionName.HAND_BACK_COLLECTION:
            return subject.flag("auto_advance") is True
        case ActionName.SUSPEND_SERVICE:
            return subject.has("pause_collection") and subject.part("metadata").text(PAUSED_BY) == effect.key
        case ActionName.REINSTATE_SERVICE:
            return not subject.has("pause_collection")
        case ActionName.WRITE_OFF:
            return subject.text("status") == "uncollectible"
        case _:
            ended = subject.text("status") == "canceled"
            return ended or (effect.args.get("at") == "period_end" and subject.flag("cancel_at_period_end") is True)


OF_SUBSCRIPTIONS = frozenset({ActionName.SUSPEND_SERVICE, ActionName.REINSTATE_SERVICE, ActionName.CANCEL_SUBSCRIPTION})


def subscription_of(effect: Effect) -> str:
    """The subscription that the effect is about; raises Conflict where the invoice has none."""
    if effect.subscription_vendor_id is None:
        raise Conflict("the invoice belongs to no subscription")
    return effect.subscription_vendor_id


def _under(effect: Effect) -> stripe.RequestOptions:
    return {"idempotency_key": effect.key}


def _declined(error: stripe.CardError) -> EffectResult:
    told = Part(cast("dict[str, object]", error.json_body or {}), "").part("error")
    intent = told.part("payment_intent")
    ref = told.ref("charge") or intent.ref("latest_charge") or intent.text("id")
    return _decline(ref, told.text("decline_code") or told.text("code"), request_of(error))


def _decline(ref: str | None, code: str | None, request_id: str | None) -> EffectResult:
    return EffectResult(state="done", detail=f"declined: {code or 'no reason given'}", vendor_ref=ref, request_id=request_id)


def _must_be_all(effect: Effect, invoice: Part) -> None:
    remaining, wanted = invoice.integer("amount_remaining"), effect.args.get("amount_minor")
    if remaining != wanted:
        raise Conflict(f"Stripe can only give up all that remains, which is {remaining} and not {wanted}")


def _words_of(error: stripe.InvalidRequestError) -> str:
    return redact_text(f"Stripe refuses it: {error.user_message or error.code or 'no reason given'}")
