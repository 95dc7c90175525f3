"""Whether Recurly still retries an invoice by itself, as far as its API tells: never when, and never how often."""

from datetime import datetime, timedelta

from recoup.category import Retry
from recoup.decline import decline_of, treat
from recoup.invoice import AttemptStatus, Collector
from tools.billing.json_part import Part
from tools.billing.recurly_snapshots import Wallet, codes_of, credential_of, purchases, slot_of, status_of

COLLECTED = frozenset({"pending", "processing", "past_due"})
# Whichever comes first ends Recurly's retries; where intelligent retries are on, the seventh decline does not.
MOST_TRANSACTIONS = 20
MOST_DAYS = timedelta(days=60)
HARD = frozenset({Retry.NEVER, Retry.AFTER_UPDATE})


def collector_of(invoice: Part, wallet: Wallet, at: datetime) -> Collector:
    """The platform while its dunning runs and it has a payment method that it would try; otherwise nobody but us."""
    tries = purchases(invoice)
    runs = (
        invoice.text("collection_method") == "automatic"
        and invoice.text("state") in COLLECTED
        and invoice.flag("final_dunning_event") is not True
        and len(tries) < MOST_TRANSACTIONS
        and at - invoice.need_time("created_at") < MOST_DAYS
    )
    return Collector.PLATFORM if runs and any(_is_retried(info, wallet, tries) for info in wallet.charged) else Collector.RECOUP


def _is_retried(info: Part, wallet: Wallet, tries: list[Part]) -> bool:
    """A method that was declined for good is left alone until it is changed."""
    newest = next((one for one in reversed(tries) if wallet.of(one) is info), None)
    if newest is None or status_of(newest) is not AttemptStatus.FAILED:
        return True
    changed_at = info.time("updated_at")
    if changed_at is not None and changed_at > newest.need_time("created_at"):
        return True
    card = credential_of(info, wallet.account_id, slot_of(info, wallet.chosen_id))
    return treat(decline_of(codes_of(newest), card.brand, card.country, card.rail), newest.need_time("created_at")).retry not in HARD
