"""A case of a world as the planner knows it: the same plain numbers that the product reads out of its facts."""

from datetime import datetime, timedelta
from functools import lru_cache

from agents.planner.situation import Past, Situation, Tried, Written
from evals.backtest.rollout import Seen
from evals.backtest.standing import category_of, zone
from recoup.category import Retry
from tools.sandbox.protocol import FailedInvoice

DAY_SECONDS = 86_400.0
MONTH_DAYS = 30.4
JUST_BEFORE = timedelta(microseconds=1)


def situation_of(seen: Seen, issuer_share: float | None = None) -> Situation:
    """What is known at ``seen.now``."""
    invoice, now = seen.invoice, seen.now
    tries = [Tried(invoice.failed_at.timestamp(), seen.standing.first_category)]
    tries += [Tried(t.at.timestamp(), seen.standing.category_at(t.at) if t.decline else None) for t in seen.tried]
    return Situation(
        now=now.timestamp(),
        failed_at=invoice.failed_at.timestamp(),
        amount_minor=float(invoice.amount_minor),
        category=seen.category,
        tries=tuple(tries),
        past=past_of(invoice),
        written=tuple(Written(s.at.timestamp(), s.channel) for s in seen.sent),
        channels=invoice.channels,
        offset_hours=offset_hours(invoice.timezone, now),
        updated_at=_updated_at(seen),
        may_retry=not seen.barred,
        needs_customer=seen.barred or seen.standing.retry in {Retry.NEVER, Retry.AFTER_UPDATE, Retry.CUSTOMER_ACTION},
        usual_amount_minor=usual_amount(invoice),
        tenure_days=(now - invoice.customer_since).total_seconds() / DAY_SECONDS if invoice.customer_since else None,
        valid_months=valid_months(seen.credential.expires, now),
        funding=seen.credential.funding,
        brand=seen.credential.brand,
        issuer_share=issuer_share,
        replied_at=seen.replied_at.timestamp() if seen.replied_at else None,
    )


def _updated_at(seen: Seen) -> float | None:
    """When the method changed; just before the charge where it was tried at that very instant, so that it is fresh no more."""
    if seen.updated_at is None:
        return None
    is_tried_then = any(tried.at == seen.updated_at for tried in seen.tried)
    return (seen.updated_at - JUST_BEFORE if is_tried_then else seen.updated_at).timestamp()


@lru_cache(maxsize=64)
def past_of(invoice: FailedInvoice) -> tuple[Past, ...]:
    """The account's charges before."""
    seen: set[str] = set()
    past: list[Past] = []
    for one in invoice.history:
        category = category_of(one.decline, invoice.credential, one.at) if one.decline else None
        past.append(Past(one.at.timestamp(), one.decline is None, one.invoice in seen, category))
        seen.add(one.invoice)
    return tuple(past)


@lru_cache(maxsize=64)
def usual_amount(invoice: FailedInvoice) -> float | None:
    """The median of what the customer was charged before."""
    amounts = sorted(one.amount_minor for one in invoice.history)
    return float(amounts[len(amounts) // 2]) if amounts else None


@lru_cache(maxsize=4096)
def _offset(name: str | None, day: int) -> float:
    at = datetime.fromordinal(day).replace(tzinfo=zone(name))
    return (at.utcoffset() or timedelta()).total_seconds() / 3600


def offset_hours(name: str | None, at: datetime) -> float:
    """The customer's local time on that day, from UTC."""
    return _offset(name, at.toordinal())


def valid_months(expires: str | None, now: datetime) -> float | None:
    """Until the card expires, negative after."""
    if expires is None:
        return None
    year, month = (int(part) for part in expires.split("-"))
    return (year - now.year) * 12 + month - now.month + 1 - now.day / MONTH_DAYS
