"""A backtest's findings in plain words, for who runs revenue and not statistics."""

from evals.backtest.bootstrap import Estimate
from evals.backtest.figures import FIXED, RECOUP, Comparison
from recoup.category import Category

POLICIES = {
    RECOUP: "Decides for each payment when to retry, when to write and when to stop, from what is known at that moment.",
    FIXED: "Retries on days 1, 3, 5 and 7, whatever the bank said.",
    "kill-bill-8-8-8": "Retries every eight days, three times.",
    "polar-2-5-7-7": "Retries after two days, then after five, seven and seven more.",
    "stripe-like-8-in-14": "Up to eight retries within fourteen days.",
    "by-code": "A table that says for each kind of decline when to retry and when to write.",
    "never": "Neither retries nor writes. What is recovered is what customers and banks mend by themselves.",
    "oracle": "Not a policy but a bound: the best plan of one who sees what is hidden (balances, paydays, outages), not the dice to come.",
}
CATEGORIES = {
    Category.FUNDS: "not enough funds",
    Category.GENERIC: "declined without a reason",
    Category.TECHNICAL: "technical fault",
    Category.NEW_DATA: "card data out of date",
    Category.CUSTOMER_ACTION: "customer must confirm",
    Category.POLICY: "not allowed on this card",
    Category.NEVER: "never to be retried",
    Category.MANDATE_STOPPED: "mandate stopped",
    Category.UNKNOWN_OUTCOME: "outcome unknown",
}


def category_words(category: str) -> str:
    """What a decline category means; a word that is none of ours stays as it is."""
    return CATEGORIES[Category(category)] if category in set(Category) else category


def headline(found: Comparison) -> str:
    """The one sentence that everything else supports."""
    begin = f"On {found.cases:,} simulated failed payments"
    if found.lift.value is None or found.best_baseline is None:
        missing = "Recoup was not among the policies" if RECOUP not in found.policies else "there was no other policy that earned anything"
        return f"{begin} nothing can be said of how much better Recoup is: {missing}."
    size, rival = f"{abs(found.lift.value):.1%}", found.best_baseline
    if found.lift.ci is None:
        more = "more" if found.lift.value >= 0 else "less"
        return (
            f"{begin} Recoup brought in {size} {more} than {rival}, the best other policy; how sure that is, so few accounts cannot tell."
        )
    low, high = found.lift.ci
    if low <= 0 <= high:
        return f"{begin} no difference between Recoup and {rival}, the best other policy, can be shown: {signed(found.lift)}."
    more = "more" if low > 0 else "less"
    ends = sorted((abs(low), abs(high)))
    return (
        f"{begin} Recoup brought in {size} {more} net value than {rival}, the best other policy."
        f" With 95% confidence it is between {ends[0]:.1%} and {ends[1]:.1%} {more}."
    )


def supporting(found: Comparison) -> list[str]:
    """What else belongs to the headline, a sentence each."""
    said: list[str] = []
    ours, rival = found.policies.get(RECOUP), found.policies.get(found.best_baseline or "")
    if ours is not None and rival is not None:
        said.append(
            f"It recovered {percent(ours.recovery_rate.value)} of them ({percent(ours.recovery_amount_share.value)} of the amount);"
            f" {found.best_baseline} recovered {percent(rival.recovery_rate.value)} ({percent(rival.recovery_amount_share.value)})."
        )
        said.append(
            f"For each recovery it made {number(ours.attempts_per_recovery)} attempts; {found.best_baseline} made"
            f" {number(rival.attempts_per_recovery)}. Of its customers {percent(ours.cancel_rate)} cancelled, of the other's"
            f" {percent(rival.cancel_rate)}."
        )
    if found.edge.value is not None:
        said.append(
            f"Of what could still be gained beyond {found.best_baseline} by one who sees everything hidden, it gained {spread(found.edge)}."
        )
    broken = {name: figures.cap_breaches for name, figures in found.policies.items() if figures.cap_breaches}
    told = ", ".join(f"{name}: {count:,}" for name, count in broken.items())
    said.append(
        f"Attempts that broke a network's rule, by an independent checker: {told}."
        if broken
        else "No attempt of any policy broke a network's rule, by an independent checker."
    )
    return said


def signed(estimate: Estimate) -> str:
    """A share with its interval, such as ``+4.2% (+3.1% to +5.2%)``."""
    if estimate.value is None:
        return "not known"
    if estimate.ci is None:
        return f"{estimate.value:+.1%}"
    return f"{estimate.value:+.1%} ({estimate.ci[0]:+.1%} to {estimate.ci[1]:+.1%})"


def spread(estimate: Estimate) -> str:
    """A share with its interval, without signs."""
    if estimate.value is None:
        return "–"
    return f"{estimate.value:.1%}" if estimate.ci is None else f"{estimate.value:.1%} ({estimate.ci[0]:.1%}–{estimate.ci[1]:.1%})"


def percent(value: float | None) -> str:
    """A share."""
    return "–" if value is None else f"{value:.1%}"


def number(value: float | None, digits: int = 1) -> str:
    """A plain number."""
    return "–" if value is None else f"{value:,.{digits}f}"
