"""The ledger of a backtest's case: what the rules count, what they do not, and that who asks them never breaks one."""

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest

from evals.backtest.standing import Standing, category_of
from recoup.category import Category, Retry
from recoup.network import Allowed, Denied, NotBefore
from tests.scripted import AWAY, CARD, EXPIRED, FUNDS, NEW_CARD, STOLEN, day, failed_invoice
from tools.sandbox.protocol import Credential, Decline, PastAttempt

HOUR = timedelta(hours=1)
MASTERCARD = replace(CARD, brand="mastercard")
VISA_REATTEMPTS = 20  # of one amount in 30 days


def past(at: float, decline: Decline | None = FUNDS, credential: str = "card", amount_minor: int = 4900) -> PastAttempt:
    return PastAttempt(day(at), "before", amount_minor, credential, decline)


def said(decline: Decline, card: Credential = CARD) -> Standing:
    return Standing(failed_invoice(decline=decline, credential=card))


@pytest.mark.parametrize(
    ("decline", "category", "retry"),
    [
        (FUNDS, Category.FUNDS, Retry.ALLOWED),
        (AWAY, Category.TECHNICAL, Retry.ALLOWED),
        (EXPIRED, Category.NEW_DATA, Retry.AFTER_UPDATE),
        (STOLEN, Category.NEVER, Retry.NEVER),
    ],
)
def test_what_the_first_decline_meant(decline: Decline, category: Category, retry: Retry) -> None:
    standing = said(decline)
    assert (standing.category, standing.first_category, standing.retry) == (category, category, retry)
    assert category_of(decline, CARD, day(0)) is category


def test_the_newest_decline_counts_and_each_is_remembered() -> None:
    standing = said(AWAY)
    assert standing.declined(day(1), FUNDS) is Category.FUNDS
    assert standing.declined(day(3), STOLEN) is Category.NEVER
    assert (standing.first_category, standing.category) == (Category.TECHNICAL, Category.NEVER)
    assert [standing.category_at(day(at)) for at in (1, 3, 2)] == [Category.FUNDS, Category.NEVER, None]


def test_after_a_never_code_no_charge_is_allowed_on_that_card_and_on_another_one_is() -> None:
    standing = said(STOLEN)
    assert isinstance(standing.permit(day(20)), Denied)
    standing.update(NEW_CARD, day(5))
    assert isinstance(standing.permit(day(5)), Allowed)


def test_new_data_under_the_old_name_lift_what_the_old_data_barred() -> None:
    standing = said(EXPIRED)
    assert isinstance(standing.permit(day(4)), Denied)
    standing.update(replace(CARD, expires="2031-01"), day(5))
    assert isinstance(standing.permit(day(5) + HOUR), Allowed)


def test_a_wait_that_a_network_asks_for_is_a_time() -> None:
    answer = said(Decline("insufficient_funds", network_code="51")).permit(day(0) + HOUR)
    assert isinstance(answer, NotBefore)
    assert answer.at == day(1)


@pytest.mark.parametrize(
    ("kept", "is_allowed"),
    [
        (past(-10), False),
        (past(-10, credential="another"), True),
        (past(-10, amount_minor=1), True),
        (past(-40), True),
    ],
    ids=["this card and amount", "another card", "another amount", "too long ago"],
)
def test_charges_of_the_past_count_against_the_same_cap(kept: PastAttempt, *, is_allowed: bool) -> None:
    history = (past(-41, None), *(replace(kept, at=kept.at + number * HOUR) for number in range(VISA_REATTEMPTS + 1)))
    assert isinstance(Standing(failed_invoice(history=history)).permit(day(2)), Allowed) is is_allowed


def test_the_independent_checker_objects_to_charges_that_did_not_ask() -> None:
    standing = said(STOLEN)
    assert standing.breaches() == 0
    standing.declined(day(2), STOLEN)
    standing.declined(day(3), STOLEN)
    assert standing.breaches() == 2
    standing.update(NEW_CARD, day(4))
    standing.approved(day(5))
    assert standing.breaches() == 2


def test_what_a_platform_did_before_is_no_breach_of_ours() -> None:
    history = tuple(past(-10 + number / 48) for number in range(VISA_REATTEMPTS * 2))
    assert Standing(failed_invoice(history=history)).breaches() == 0


@pytest.mark.parametrize("card", [CARD, MASTERCARD, replace(MASTERCARD, country="BR"), replace(CARD, brand=None)], ids=str)
def test_who_always_asks_never_breaks_a_rule(card: Credential) -> None:
    dice = Random(f"{card.brand} {card.country}")
    declines = (FUNDS, AWAY, Decline("do_not_honor", network_code="05"), Decline("try_again_later", advice="25"))
    standing, at, tried = said(FUNDS, card), day(0), 0
    while at < day(120):
        at = _next(standing, at + timedelta(minutes=dice.randrange(1, 120)), day(121))
        if isinstance(standing.permit(at), Allowed):
            standing.declined(at, dice.choice(declines))
            tried += 1
    assert tried > 10
    assert standing.breaches() == 0


def _next(standing: Standing, at: datetime, never: datetime) -> datetime:
    answer = standing.permit(at)
    return answer.at if isinstance(answer, NotBefore) else never if isinstance(answer, Denied) else at
