"""Invariant 5: planted violations of network rules, in our own books and in the platform's, and what the rules allow."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import LiteralString

import pytest

from evals.ledgers import PlatformAttempt
from tests.factories import NOW
from tests.integration.invariants.conftest import Copy

OUR_BOOKS: list[tuple[str, str, tuple[LiteralString, ...]]] = [
    (
        "a stolen card was charged again",
        "our books: attempt after stolen_card",
        ("UPDATE attempts SET snapshot = jsonb_set(snapshot, '{codes,decline_code}', '\"stolen_card\"') WHERE vendor_key = 'ch_1'",),
    ),
    (
        "a card issued in India was charged by itself",
        "a card issued in IN takes no automatic retry",
        ("UPDATE credentials SET snapshot = jsonb_set(snapshot, '{country}', '\"IN\"')",),
    ),
    (
        "a bank debit was entered again although the money was not what was missing",
        "our books: attempt after generic_decline",
        (
            "UPDATE credentials SET snapshot = jsonb_set(snapshot, '{rail}', '\"ach\"')",
            "UPDATE attempts SET snapshot = jsonb_set(snapshot, '{codes,decline_code}', '\"generic_decline\"') WHERE vendor_key = 'ch_1'",
        ),
    ),
    (
        "a Visa was charged again although the network had the number for lost",
        "our books: attempt after network code 41",
        (
            "UPDATE credentials SET snapshot = jsonb_set(snapshot, '{brand}', '\"visa\"')",
            "UPDATE attempts SET snapshot = jsonb_set(snapshot, '{codes,network_decline_code}', '\"41\"') WHERE vendor_key = 'ch_1'",
        ),
    ),
    (
        "the network's advice was not to try again",
        "our books: attempt after advice 03",
        (
            "UPDATE credentials SET snapshot = jsonb_set(snapshot, '{brand}', '\"mastercard\"')",
            "UPDATE attempts SET snapshot = jsonb_set(snapshot, '{codes,network_advice_code}', '\"03\"') WHERE vendor_key = 'ch_1'",
        ),
    ),
    (
        "the customer still had to authenticate",
        "our books: attempt after authentication_required",
        ("UPDATE attempts SET status = 'requires_action', snapshot = snapshot - 'codes' WHERE vendor_key = 'ch_1'",),
    ),
    (
        "two connections together used a card up",
        "more than 10 attempts in 24 hours (Mastercard)",
        (
            "UPDATE credentials SET snapshot = jsonb_set(snapshot, '{brand}', '\"mastercard\"')",
            "UPDATE invoices SET connection = 'elsewhere' WHERE vendor_id = 'in_2'",
            """INSERT INTO attempts SELECT (jsonb_populate_record(t,
                 jsonb_build_object('id', 'att_000000000000' || n, 'vendor_key', 'x' || n, 'invoice_id', i.id))).*
               FROM attempts t, invoices i, generate_series(10, 20) AS n WHERE t.vendor_key = 'ch_1' AND i.vendor_id = 'in_2'""",
            "UPDATE attempts SET occurred_at = (SELECT occurred_at - interval '1 hour' FROM attempts WHERE action_id = charge())"
            " WHERE vendor_key LIKE 'x%'",
        ),
    ),
]


@pytest.mark.parametrize(("happened", "told", "statements"), OUR_BOOKS, ids=[happened for happened, _, _ in OUR_BOOKS])
async def test_it_is_reported_when(copy: Copy, happened: str, told: str, statements: tuple[LiteralString, ...]) -> None:
    await copy.plant(*statements)
    problems = await copy.problems("network_rules_hold")
    assert any(told in problem for problem in problems), problems


def ours(day: float, code: str | None = "insufficient_funds", **changes: object) -> PlatformAttempt:
    """One charge of ours on a Visa that is on no file of ours; ``code`` None: it went through."""
    one = PlatformAttempt(
        id=f"ch_{day}",
        invoice="in_1",
        fingerprint="fp_x",
        brand="visa",
        amount_minor=4900,
        currency="USD",
        at=NOW + timedelta(days=day),
        initiator="recoup",
        key=f"act_{day}",
        status="failed" if code else "succeeded",
        code=code,
    )
    return replace(one, **changes)


def many(number: int, days: float, code: str | None = "insufficient_funds", **changes: object) -> list[PlatformAttempt]:
    """That many charges, evenly over the days."""
    return [ours(n * days / number, code, **changes) for n in range(number)]  # type: ignore[arg-type]


FORBIDDEN: list[tuple[str, str, Sequence[PlatformAttempt]]] = [
    ("a lost card is charged again", "attempt after lost_card", [ours(0, "lost_card"), ours(9)]),
    ("success does not bring a stolen card back", "attempt after stolen_card", [ours(0, "stolen_card"), ours(1, None), ours(9)]),
    ("a card is charged before the customer authenticated", "after authentication_required", [ours(0, "authentication_required"), ours(9)]),
    ("an expired card is charged again", "attempt after expired_card", [ours(0, "expired_card"), ours(9)]),
    ("a method that may not pay this is charged again", "after transaction_not_allowed", [ours(0, "transaction_not_allowed"), ours(9)]),
    ("a Visa is reattempted 21 times in 30 days", "more than 20 reattempts of one amount in 30 days (Visa)", many(22, 29)),
    ("a Mastercard is tried 11 times in 24 hours", "more than 10 attempts in 24 hours", many(11, 0.9, brand="mastercard")),
    ("a Mastercard is tried 11 times on one day", "more than 10 attempts in one UTC day", many(11, 0.3, brand="mastercard")),
    ("a Mastercard is tried 36 times in 30 days", "more than 35 attempts of one amount in 30 days", many(36, 29, brand="mastercard")),
    ("an Amex is tried 16 times in 30 days", "more than 15 attempts in 30 days", many(16, 29, brand="amex")),
    ("a card of an unknown network falls under every cap", "more than 15 attempts in 30 days", many(16, 29, brand="nova")),
    (
        "two cases charge one card at the same moment",
        "more than 15 attempts",
        [*many(14, 20, brand="amex"), ours(25, brand="amex"), ours(25, brand="amex")],
    ),
]
PERMITTED: list[tuple[str, Sequence[PlatformAttempt]]] = [
    ("the customer has authenticated a payment since", [ours(0, "authentication_required"), ours(1, None, initiator="customer"), ours(9)]),
    ("the customer has paid with the corrected card since", [ours(0, "expired_card"), ours(1, None, initiator="customer"), ours(9)]),
    ("a Visa is reattempted 20 times in 30 days", many(21, 29)),
    ("the customer's own tries are no reattempts of ours on a Visa", [*many(22, 20, initiator="customer"), ours(29)]),
    ("a Visa is tried on other amounts", [*many(21, 21), ours(29, amount_minor=1000)]),
    ("a Mastercard is tried 10 times in a day", many(10, 0.45, "processing_error", brand="mastercard")),
    (
        "what went through is no decline",
        [*many(10, 0.3, brand="mastercard", status="succeeded", code=None), ours(0.35, brand="mastercard")],
    ),
    ("the window has passed", [*many(15, 15, brand="amex"), ours(44, brand="amex")]),
    ("the platform itself goes on", [ours(0, "stolen_card"), ours(1, initiator="platform", key=None)]),
]


async def walked(copy: Copy, attempts: Sequence[PlatformAttempt]) -> list[str]:
    """What the check says of these charges alone."""
    return await copy.with_books(replace(copy.past.platform, attempts=tuple(attempts))).problems("network_rules_hold")


@pytest.mark.parametrize(("happened", "told", "attempts"), FORBIDDEN, ids=[happened for happened, _, _ in FORBIDDEN])
async def test_it_is_reported_by_the_platforms_books_when(
    copy: Copy, happened: str, told: str, attempts: Sequence[PlatformAttempt]
) -> None:
    problems = await walked(copy, attempts)
    assert any(told in problem for problem in problems), problems


@pytest.mark.parametrize(("happened", "attempts"), PERMITTED, ids=[happened for happened, _ in PERMITTED])
async def test_it_is_no_violation_when(copy: Copy, happened: str, attempts: Sequence[PlatformAttempt]) -> None:
    assert await walked(copy, attempts) == []


async def test_data_that_changed_since_lift_what_was_wrong_with_them(copy: Copy) -> None:
    attempts = [ours(0, "expired_card", fingerprint="fp_1"), ours(9, fingerprint="fp_1")]
    assert await walked(copy, attempts) != []
    await copy.plant("UPDATE credentials SET changed_at = '2026-03-12' WHERE vendor_id = 'pm_1'")
    assert await walked(copy, attempts) == []
    assert await walked(copy, [replace(attempts[0], code="lost_card"), attempts[1]]) != [], "the number is still the same"


async def test_before_the_last_change_that_is_known_there_may_have_been_others(copy: Copy) -> None:
    attempts = [ours(0, "expired_card", fingerprint="fp_1"), ours(9, "expired_card", fingerprint="fp_1")]
    await copy.plant("UPDATE credentials SET changed_at = '2026-03-25' WHERE vendor_id = 'pm_1'")
    assert await walked(copy, attempts) == []
    assert await walked(copy, [*attempts, ours(30, fingerprint="fp_1")]) == []
    assert await walked(copy, [*attempts, ours(30, "expired_card", fingerprint="fp_1"), ours(40, fingerprint="fp_1")]) != []


async def test_an_attempt_that_nobody_had_told_us_of_is_noted_and_not_held_against_us(copy: Copy) -> None:
    crossing = [ours(0, "lost_card", initiator="platform", key=None), ours(1)]
    copy = copy.with_books(replace(copy.past.platform, attempts=tuple(crossing)))
    result = (await copy.look()).results["network_rules_hold"]
    assert (result.found, len(result.notes)) == (0, 1)
    # Once our books hold it from before the charge it counts.
    told = replace(crossing[0], id="ch_1")
    assert await walked(copy, [told, replace(crossing[1], key=copy.past.platform.effects[0].key)]) != []
