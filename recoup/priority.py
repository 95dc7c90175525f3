"""Which case comes first: value × recoverability, so that queues start with the money that is most likely to come."""

from decimal import Decimal

from recoup.category import Category
from recoup.money import exponent
from recoup.policy import Escalations

# How likely money is to come, by what the newest decline asks for. Only the order matters: insufficient funds and technical failures
# recover best, a dead or blocked method needs the customer first.
RECOVERABILITY = {
    Category.TECHNICAL: 0.8,
    Category.FUNDS: 0.7,
    Category.UNKNOWN_OUTCOME: 0.6,
    Category.GENERIC: 0.5,
    Category.CUSTOMER_ACTION: 0.5,
    Category.NEW_DATA: 0.4,
    Category.POLICY: 0.2,
    Category.MANDATE_STOPPED: 0.1,
    Category.NEVER: 0.1,
}


def priority(amount_minor: int, currency: str, category: Category, thresholds: Escalations) -> float:
    """Between 0 and 1. An amount counts by its share of what policy calls much in its own currency, so that 150,000 JPY and 1,000 USD
    weigh the same and no exchange rate is needed; it saturates, so that one huge invoice does not make all others equal."""
    much = thresholds.amount_over_major_by_currency.get(currency, thresholds.amount_over_major) or Decimal(1)
    share = float(Decimal(amount_minor) / (10 ** exponent(currency)) / much)
    return share / (1 + share) * RECOVERABILITY[category]
