"""The circuit breaker, over time."""

from tools.http_breaker import Breaker


def open_breaker() -> Breaker:
    """One that opened at 100.0 for a second."""
    breaker = Breaker(opens_after=3, first_pause_seconds=1.0, longest_pause_seconds=8.0)
    for _ in range(3):
        assert breaker.enter(100.0)
        breaker.failed(100.0)
    return breaker


def test_it_opens_after_failures_in_a_row_and_an_answer_in_between_starts_the_count_anew() -> None:
    breaker = Breaker(opens_after=3)
    for _ in range(2):
        breaker.failed(100.0)
    breaker.succeeded()
    for _ in range(2):
        breaker.failed(100.0)
    assert breaker.is_closed
    breaker.failed(100.0)
    assert breaker.refuses(100.0)


def test_after_the_pause_one_request_tries_and_the_others_wait_for_it() -> None:
    breaker = open_breaker()
    assert not breaker.enter(100.9)
    assert breaker.enter(101.0)
    assert not breaker.enter(101.0)
    breaker.succeeded()
    assert breaker.enter(101.0)
    assert breaker.enter(101.0)


def test_each_failed_try_doubles_the_pause_up_to_the_longest() -> None:
    breaker, now, pauses = open_breaker(), 101.0, list[float]()
    for _ in range(6):
        assert breaker.enter(now)
        breaker.failed(now)
        pause = next(seconds for seconds in (1.0, 2.0, 4.0, 8.0, 16.0) if not breaker.refuses(now + seconds))
        pauses.append(pause)
        now += pause
    assert pauses == [2.0, 4.0, 8.0, 8.0, 8.0, 8.0]


def test_requests_that_fail_together_open_it_once() -> None:
    breaker = open_breaker()
    for _ in range(50):
        breaker.failed(100.5)
    assert not breaker.refuses(101.0)


def test_a_try_that_taught_nothing_leaves_the_next_one_to_try() -> None:
    breaker = open_breaker()
    assert breaker.enter(101.0)
    breaker.left()
    assert not breaker.is_closed
    assert breaker.enter(101.0)
