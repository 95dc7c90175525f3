"""Invariant 5: no attempt of ours breaks a network rule, counting everyone's. It shares no code and no data with the rule engine."""

from collections import defaultdict
from datetime import timedelta

from evals.findings import Result, Scope
from evals.ledgers import PlatformAttempt

# (brand, attempts allowed in the window, window, counted per amount)
CAPS = (
    ("visa", 20, timedelta(days=30), True),
    ("mastercard", 10, timedelta(hours=24), False),
    ("mastercard", 35, timedelta(days=30), True),
)
NEVER_AGAIN = frozenset(
    {
        "lost_card",
        "stolen_card",
        "pickup_card",
        "fraudulent",
        "merchant_blacklist",
        "highest_risk_level",
        "previously_declined_do_not_retry",
        "security_violation",
        "revocation_of_authorization",
        "revocation_of_all_authorizations",
        "stop_payment_order",
        "authentication_required",
        "authentication_not_handled",
    }
)


async def network_rules_hold(scope: Scope, result: Result) -> None:
    """Walks the platform's own ledger card by card."""
    if not scope.platforms:
        result.examined = await scope.count("SELECT count(*) FROM attempts")
        result.notes.append("no platform ledger to read: only our own attempts were counted")
    for connection, ledger in scope.platforms.items():
        cards: dict[str, list[PlatformAttempt]] = defaultdict(list)
        for attempt in ledger.attempts:
            cards[attempt.fingerprint].append(attempt)
        for attempts in cards.values():
            result.examined += len(attempts)
            _walk(connection, sorted(attempts, key=lambda attempt: attempt.at), result)


def _walk(connection: str, attempts: list[PlatformAttempt], result: Result) -> None:
    for index, attempt in enumerate(attempts):
        if attempt.initiator != "recoup":
            continue
        before = attempts[:index]
        if any(earlier.status == "failed" and earlier.code in NEVER_AGAIN for earlier in before):
            result.add(attempt.key or attempt.invoice, f"{connection}: attempt on a credential that said never again")
        for brand, most, window, per_amount in CAPS:
            if attempt.brand != brand:
                continue
            counted = [
                earlier
                for earlier in before
                if earlier.at > attempt.at - window and (not per_amount or earlier.amount_minor == attempt.amount_minor)
            ]
            # The first attempt is no reattempt; Mastercard counts declines, of which an attempt too many would be the next.
            if len(counted) > most:
                result.add(attempt.key or attempt.invoice, f"{connection}: more than {most} {brand} attempts in {window.days or 1} days")
