"""Whether an effect whose answer was lost happened at Stripe: by the key that its charge's event names, and never by guessing."""

from datetime import datetime, timedelta

from stripe.params import RefundListParams

from recoup.actions import MOVES_MONEY, ActionName
from recoup.errors import BillingUnavailable
from recoup.invoice import AttemptStatus
from recoup.ports import Absent, Effect, EffectLookup, Found, Indeterminate
from tools.billing.json_part import Part
from tools.billing.stripe_api import PAGE_SIZE, StripeApi, next_page
from tools.billing.stripe_effects import ACTION, OF_SUBSCRIPTIONS, refunded, result_of, standing, stands
from tools.billing.stripe_origins import Origins
from tools.billing.stripe_payments import INTENT_STATUS, attempt_of_charge
from tools.billing.stripe_reading import InvoiceReader, intents_of

# Events may come a little later than what they tell of.
EVENTS_COME_WITHIN = timedelta(minutes=5)


class StripeLookup:
    """Looks effects up. Reads only."""

    def __init__(self, api: StripeApi, reader: InvoiceReader, origins: Origins) -> None:
        self._api, self._reader, self._origins = api, reader, origins

    async def find(self, effect: Effect) -> EffectLookup:
        """Whether it happened; raises NotFound, Misconfigured, or BillingUnavailable where it cannot be told yet."""
        if effect.name in MOVES_MONEY:
            return await self._charge(effect)
        if effect.name == ActionName.REFUND_DUPLICATE:
            return await self._refund(effect)
        if effect.name in OF_SUBSCRIPTIONS:
            if effect.subscription_vendor_id is None:
                return Absent()
            subject = await self._api.ask(self._api.v1.subscriptions.retrieve_async(effect.subscription_vendor_id))
        else:
            subject = await self._api.ask(self._api.v1.invoices.retrieve_async(effect.invoice_vendor_id))
        return Found(result=standing(effect)) if stands(effect, subject.body) else Absent()

    async def _charge(self, effect: Effect) -> EffectLookup:
        """Every charge that was not known before it was sent is asked for its cause: ours, somebody else's, or nobody can tell."""
        invoice, at = await self._reader.invoice(effect.invoice_vendor_id)
        payments = await self._reader.payments_of(invoice)
        charges = await self._reader.charges_of(invoice, payments)
        unexplained: list[Part] = []
        for charge in charges:
            if charge.need_text("id") in effect.known_transactions:
                continue
            origin = await self._origins.of(charge, at)
            if origin is None:
                unexplained.append(charge)
            elif origin.key == effect.key:
                return Found(result=result_of(attempt_of_charge(charge, at), origin.request_id))
        if unexplained:
            return self._nobody_knows(unexplained, at)
        if _is_on_its_way(intents_of(invoice, payments), charges, at):
            raise BillingUnavailable(self._api.connection.name, "a payment is on its way that no charge shows yet")
        return Absent()

    def _nobody_knows(self, charges: list[Part], at: datetime) -> Indeterminate:
        newest = max(charge.need_time("created") for charge in charges)
        if at - newest < EVENTS_COME_WITHIN:
            raise BillingUnavailable(self._api.connection.name, "a charge is so new that no event tells who made it yet")
        ids = ", ".join(charge.need_text("id") for charge in charges)
        return Indeterminate(why=f"Nobody can tell who made {ids}: Stripe keeps no event of it any more")

    async def _refund(self, effect: Effect) -> EffectLookup:
        key = effect.args.get("attempt_vendor_key")
        if not isinstance(key, str):
            return Absent()
        wanted: RefundListParams = {"payment_intent": key} if key.startswith("pi_") else {"charge": key}
        wanted["limit"] = PAGE_SIZE
        refunds = await self._api.all_of(lambda after: self._api.v1.refunds.list_async(next_page(wanted, after)))
        for refund in refunds.items:
            if refund.part("metadata").text(ACTION) == effect.key:
                return Found(result=refunded(refund))
        return Absent()


def _is_on_its_way(intents: list[Part], charges: list[Part], at: datetime) -> bool:
    """Whether an intent is processing without a charge: some banks tell the cardholder first, for a day and more."""
    pending = {charge.ref("payment_intent") for charge in charges if attempt_of_charge(charge, at).status is AttemptStatus.PROCESSING}
    return any(
        INTENT_STATUS.get(intent.text("status") or "") is AttemptStatus.PROCESSING and intent.text("id") not in pending
        for intent in intents
    )
