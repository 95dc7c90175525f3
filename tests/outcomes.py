"""Made-up outcomes of policies, as a backtest would hand them over: the same customers for each, some of whom pay whatever is done."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from evals.backtest.outcome import Bound, CaseOutcome, Deed, Ending
from tools.sandbox.protocol import COSTS

START = datetime(2026, 3, 1, tzinfo=UTC)
# How likely cases of a category are, and how recoverable.
CATEGORIES = {
    "funds": (0.4, 0.65),
    "generic": (0.3, 0.5),
    "technical": (0.12, 0.85),
    "new_data": (0.12, 0.35),
    "customer_action": (0.06, 0.3),
}
# How far a policy gets of what is recoverable, in how many attempts and messages a case.
STRENGTHS = {
    "recoup": (1.0, 2, 2),
    "fixed-1-3-5-7": (0.75, 4, 3),
    "kill-bill-8-8-8": (0.6, 3, 1),
    "polar-2-5-7-7": (0.72, 4, 2),
    "stripe-like-8-in-14": (0.9, 6, 3),
    "by-code": (0.88, 3, 3),
    "never": (0.0, 0, 0),
}


def outcome(case: str = "case_0", **changes: Any) -> CaseOutcome:
    """One that was recovered on the third day by the second attempt."""
    deeds = (attempt_deed(1, expected=0.3), attempt_deed(3, expected=0.6, approved=True))
    told: dict[str, Any] = {
        "seed": 1,
        "case": case,
        "account": f"account of {case}",
        "category": "funds",
        "amount_minor": 5000,
        "ending": "recovered",
        "days": 3.0,
        "by_retry": True,
        "deeds": deeds,
        "breaches": 0,
        "costs_minor": 20.0,
    }
    return CaseOutcome(**(told | changes))


def lost(case: str = "case_0", **changes: Any) -> CaseOutcome:
    """One that stayed open after a single attempt."""
    told: dict[str, Any] = {
        "ending": "open",
        "days": None,
        "by_retry": False,
        "deeds": (attempt_deed(1, expected=0.2),),
        "costs_minor": 10.0,
    }
    return outcome(case, **(told | changes))


def attempt_deed(day: float, *, expected: float | None = None, approved: bool = False) -> Deed:
    return Deed(START + timedelta(days=day), "attempt", approved=approved, expected=expected)


def message_deed(day: float) -> Deed:
    return Deed(START + timedelta(days=day), "message", channel="email")


def outcomes_of(policy: str, seeds: tuple[int, ...] = (1, 2, 3), cases: int = 200) -> list[CaseOutcome]:
    """A policy on so many cases of each seed."""
    return [_played(policy, seed, number) for seed in seeds for number in range(cases)]


def bounds_of(seeds: tuple[int, ...] = (1, 2, 3), cases: int = 200) -> list[Bound]:
    """What an oracle would make of the same cases."""
    bounds: list[Bound] = []
    for seed in seeds:
        for number in range(cases):
            category, amount, hope, luck = _customer(seed, number)
            likely = min(1.0, hope * 1.25)
            clairvoyant = amount * 0.99 * (luck < likely)
            bounds.append(Bound(seed, f"case_{number}", _account(number), category, amount, likely * amount * 0.99, likely, clairvoyant))
    return bounds


def _account(number: int) -> str:
    """Every fifth account has two cases."""
    return f"account_{number - 1 if number % 5 == 1 else number}"


def _customer(seed: int, number: int) -> tuple[str, int, float, float]:
    dice = Random(f"{seed} {number}")
    category = dice.choices(list(CATEGORIES), [share for share, _ in CATEGORIES.values()])[0]
    return category, dice.choice((900, 2900, 4900, 19900)), CATEGORIES[category][1], dice.random()


def _played(policy: str, seed: int, number: int) -> CaseOutcome:
    category, amount, hope, luck = _customer(seed, number)
    strength, most_attempts, most_messages = STRENGTHS[policy]
    dice = Random(f"{policy} {seed} {number}")
    by_retry, by_hand = luck < hope * strength * 0.65, hope * strength * 0.65 <= luck < hope * (0.1 + strength * 0.9)
    is_cancelled = not by_retry and not by_hand and dice.random() < 0.02 * most_messages
    attempts = dice.randint(1, max(1, most_attempts)) if most_attempts else 0
    by_retry = by_retry and attempts > 0
    days = sorted(dice.uniform(0.5, 20) for _ in range(attempts))
    deeds = [_try(dice, day, policy, approved=by_retry and place == attempts - 1) for place, day in enumerate(days)]
    deeds += [message_deed(dice.uniform(0, 12)) for _ in range(dice.randint(0, most_messages))]
    paid = days[-1] if by_retry else dice.uniform(1, 16) if by_hand else None
    ending: Ending = "recovered" if paid is not None else "cancelled" if is_cancelled else "open"
    costs = attempts * COSTS.attempt_minor + 0.1 * (len(deeds) - attempts)
    return CaseOutcome(
        seed,
        f"case_{number}",
        _account(number),
        category,
        amount,
        ending,
        paid,
        by_retry,
        tuple(sorted(deeds, key=lambda d: d.at)),
        0,
        costs,
    )


def _try(dice: Random, day: float, policy: str, *, approved: bool) -> Deed:
    expected = min(0.95, max(0.02, (0.55 if approved else 0.25) + dice.gauss(0, 0.18))) if policy == "recoup" else None
    return attempt_deed(day, expected=expected, approved=approved)
