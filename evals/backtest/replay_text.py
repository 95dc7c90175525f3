"""A replayed history for people: what is known of each policy, how far the rest leaves it open, and why."""

from datetime import timedelta

from evals.backtest.replay import PolicyReplay, Replay
from evals.backtest.wording import percent
from evals.html import listed, paragraph, table

UNKNOWABLE = (
    "Where a policy would have tried at a time at which nobody tried, no record says what the bank would have answered.",
    "Where a charge that the policy would not have made was approved, the invoice was settled from then on: what the policy's later"
    " charges, or the customer, would have brought is not in the history.",
    "Nor does a history tell what other messages would have done. Customers are taken to act as they did.",
    "Whether a charge is approved is taken to depend on when it is made, not on how many were made before. Banks that punish repeated"
    " attempts make that untrue.",
    "What is known is no fair sample: it is known because the policy did what was done anyway. So compare the bounds, not the known cases"
    " alone. Where the bounds of two policies overlap, this history cannot tell which is better; a holdout can.",
)


def replay_html(replay: Replay) -> str:
    """The section of the report."""
    hours = replay.tolerance / timedelta(hours=1)
    rate = percent(replay.recovered / replay.cases if replay.cases else None)
    said = (
        f"In the history that was given {replay.cases:,} payments failed, and {rate} of them were recovered within 28 days."
        f" {replay.too_young:,} more failed less than 28 days before the history ends, and are left out. A planned charge counts as known"
        f" where the history has one within {hours:g} hours of it, and nothing between the two changed anything."
    )
    heads = ("Policy", "Known", "Recovered of the known", "If the rest is lost", "If the rest goes as it went", "If the rest is won")
    heads += ("Tried when the history did not", "Went on after its success", "Stopped before its success")
    counted = table(heads, [_row(name, one) for name, one in replay.policies.items()], above="By number of payments.")
    currencies = sorted({currency for one in replay.policies.values() for currency in one.amounts})
    by_amount = "".join(
        table(heads[:6], [_amount_row(name, one, code) for name, one in replay.policies.items()], above=f"By amount, in {code}.")
        for code in currencies
    )
    return paragraph(said) + counted + by_amount + paragraph("What cannot be known from a history:") + listed(UNKNOWABLE)


def _row(name: str, one: PolicyReplay) -> tuple[str, ...]:
    reasons = ("tried_when_history_did_not", "went_on_after_its_success", "stopped_before_its_success")
    known = (percent(one.counts.known_share), percent(one.counts.recovered_of_known))
    return (name, *known, *map(percent, one.counts.bounds().values()), *(f"{one.unknown.get(reason, 0):,}" for reason in reasons))


def _amount_row(name: str, one: PolicyReplay, currency: str) -> tuple[str, ...]:
    shares = one.amounts[currency]
    return (name, percent(shares.known_share), percent(shares.recovered_of_known), *map(percent, shares.bounds().values()))
