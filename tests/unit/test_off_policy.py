"""What another policy would have come to, held against a decision process so small that the truth is worked out exactly.

A case is tried on up to three days, early or late on each; how likely a try goes through depends on the day, on the hour, and on whether
the customer can pay at all, which nobody sees.
"""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product
from random import Random

import pytest

from evals.decision_log import Logged
from evals.off_policy import ENOUGH, estimate

AMOUNT, COST, DAYS = 4900.0, 10.0, 3
EARLY, LATE = 0, 1
CAN_PAY = Fraction(1, 2)
# By day: how likely an early try of one who can pay goes through, and a late one.
PAYS = ((Fraction(1, 2), Fraction(1, 4)), (Fraction(1, 4), Fraction(3, 4)), (Fraction(1, 2), Fraction(1, 2)))
RAN = (Fraction(1, 2), Fraction(1, 2))  # how often the policy that ran tried early, and late
ASKED = (
    (Fraction(1), Fraction(0)),
    (Fraction(0), Fraction(1)),
    (Fraction(1, 4), Fraction(3, 4)),
)  # and the one that is asked about, by day
RUNS = 200

Course = list[tuple[int, bool]]  # of each day: early or late, and whether it went through


def truth(policy: tuple[tuple[Fraction, Fraction], ...] = ASKED) -> float:
    """What a case brings on average."""
    worth, still_open = 0.0, 1.0
    for day in range(DAYS):
        pays = float(sum(policy[day][hour] * PAYS[day][hour] for hour in (EARLY, LATE)))
        worth += still_open * pays * AMOUNT - COST * (still_open + float((1 - CAN_PAY) / CAN_PAY))
        still_open *= 1 - pays
    return worth * float(CAN_PAY)


def courses() -> Iterator[tuple[Course, Fraction]]:
    """Every way in which a case can go under the policy that ran, and how likely it is."""
    for hours in product((EARLY, LATE), repeat=DAYS):
        chosen = Fraction(1)
        for hour in hours:
            chosen *= RAN[hour]
        yield [(hour, False) for hour in hours], (1 - CAN_PAY) * chosen
        still_open = CAN_PAY * chosen
        for day, hour in enumerate(hours):
            # The days after are not seen, so each way to a payment comes up once for every way in which they could have been chosen.
            yield [*((h, False) for h in hours[:day]), (hour, True)], still_open * PAYS[day][hour]
            still_open *= 1 - PAYS[day][hour]
        yield [(hour, False) for hour in hours], still_open


def rows(course: Course, name: str, account: str | None = None) -> list[Logged]:
    return [
        Logged(account or name, name, day, float(RAN[hour]), float(ASKED[day][hour]), AMOUNT * paid - COST)
        for day, (hour, paid) in enumerate(course)
    ]


def whole_population() -> list[Logged]:
    """Each course as often as it is likely."""
    found, whole = list(courses()), 4096
    counts = [(course, share * whole) for course, share in found]
    assert all(count.denominator == 1 for _, count in counts)
    assert sum(count for _, count in counts) == whole
    return [row for n, (course, count) in enumerate(counts) for c in range(int(count)) for row in rows(course, f"case_{n}_{c}")]


def drawn(seed: int, accounts: int, cases_each: int = 1) -> list[Logged]:
    """A log of that many accounts. All cases of an account fare as the first one does: they are one customer's."""
    dice = Random(seed)
    found: list[Logged] = []
    for account in range(accounts):
        can_pay, luck = dice.random() < CAN_PAY, [dice.random() for _ in range(DAYS)]
        hours = [LATE if draw < RAN[LATE] else EARLY for draw in (dice.random() for _ in range(DAYS))]
        course: Course = []
        for day, hour in enumerate(hours):
            paid = can_pay and luck[day] < PAYS[day][hour]
            course.append((hour, paid))
            if paid:
                break
        found += [row for case in range(cases_each) for row in rows(course, f"case_{account}_{case}", f"account_{account}")]
    return found


def test_on_the_whole_population_it_is_the_truth() -> None:
    found = estimate(whole_population())
    assert found.value_minor == pytest.approx(truth())
    assert found.logged_minor == pytest.approx(truth((RAN,) * DAYS))
    assert abs(truth() - truth((RAN,) * DAYS)) > 100


def test_whoever_asks_about_the_policy_that_ran_gets_what_it_came_to() -> None:
    as_it_was = [replace(row, target=row.propensity) for row in drawn(1, 300)]
    found = estimate(as_it_was)
    assert found.value_minor == pytest.approx(found.logged_minor)
    assert found.effective_accounts == pytest.approx(found.accounts) == pytest.approx(300)


def covered(runs: int, cases_each: int = 1) -> int:
    """In how many of so many logs the truth lies within the interval."""
    hits = 0
    for seed in range(runs):
        found = estimate(drawn(seed, 400, cases_each), enough=30)
        assert found.ci_minor is not None, seed
        hits += found.ci_minor[0] <= truth() <= found.ci_minor[1]
    return hits


def test_intervals_hold_the_truth_as_often_as_they_claim() -> None:
    assert 0.92 * RUNS <= covered(RUNS) <= 0.98 * RUNS


def test_several_cases_of_one_customer_tell_no_more_than_one() -> None:
    alone, thrice = estimate(drawn(3, 400), enough=30), estimate(drawn(3, 400, cases_each=3), enough=30)
    assert thrice.cases == 1200
    assert thrice.effective_accounts == pytest.approx(alone.effective_accounts)
    assert thrice.value_minor == pytest.approx(alone.value_minor)
    assert thrice.ci_minor == pytest.approx(alone.ci_minor)
    apart = estimate([replace(row, account=row.case) for row in drawn(3, 400, cases_each=3)], enough=30)
    assert width(apart.ci_minor) < 0.7 * width(thrice.ci_minor)


def test_the_more_is_logged_the_narrower_it_gets() -> None:
    assert width(estimate(drawn(4, 3200)).ci_minor) == pytest.approx(width(estimate(drawn(4, 800), enough=30).ci_minor) / 2, rel=0.25)


def width(interval: tuple[float, float] | None) -> float:
    assert interval is not None
    return interval[1] - interval[0]


def test_it_declines_to_answer_where_too_few_accounts_speak_for_the_target() -> None:
    log = drawn(5, 300)
    found = estimate(log)
    assert found.effective_accounts < ENOUGH < found.accounts
    assert (found.value_minor, found.ci_minor) == (None, None)
    assert found.why_not == f"to this target the log is worth {found.effective_accounts:.0f} of its 300 accounts, and 100 are needed"
    assert found.logged_minor is not None
    assert estimate(log, enough=found.effective_accounts).why_not is None


def test_a_target_that_never_does_what_was_done_gets_no_answer() -> None:
    found = estimate([replace(row, target=0.0) for row in drawn(6, 400)])
    assert (found.effective_accounts, found.value_minor) == (0, None)


def test_an_empty_log_tells_nothing() -> None:
    found = estimate([])
    assert (found.accounts, found.value_minor, found.why_not) == (0, None, "the log holds no decision")
    assert found.as_json()["logged_minor"] is None


def test_neither_the_order_of_lines_nor_of_accounts_matters() -> None:
    log = drawn(7, 500)
    mixed = Random(0).sample(log, len(log))
    one, other = estimate(log), estimate(mixed)
    assert other.value_minor == pytest.approx(one.value_minor)
    assert width(other.ci_minor) == pytest.approx(width(one.ci_minor), rel=0.1)
    assert estimate(log) == one


def test_once_a_case_is_over_the_target_gets_nothing_more_either() -> None:
    """Those who pay on the first day are as many under any later choice: what they brought is not weighed by it."""
    paid = [row for account in range(200) for row in rows([(EARLY, True)], f"paid_{account}")]
    open_ = [row for account in range(200) for row in rows([(EARLY, False), (LATE, False)], f"open_{account}")]
    found = estimate([*paid, *open_])
    # Both halves chose alike on the first day, so each brings what it brought, and the second day's try costs the open half once more.
    assert found.logged_minor == pytest.approx(AMOUNT / 2 - COST - COST / 2)
    weights = 2 * 200, 4 * 200  # the open half counts twice as much on the second day
    assert found.value_minor == pytest.approx(AMOUNT / 2 - COST - COST * weights[1] / sum(weights))
