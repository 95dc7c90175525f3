"""What a message does, by when it comes, by which channel and how many came before it."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.planner.response import Response, published_response
from agents.planner.situation import HOUR
from tests.situations import FAILED_AT, on

RESPONSE = published_response()
channels = st.sampled_from(["email", "sms", "in_app", "push", "pigeon"])


def moved(day: float, ordinal: int = 0, channel: str = "email", *, needs_customer: bool = False) -> float:
    return float(RESPONSE.moved(np.array([on(day)]), FAILED_AT, ordinal, channel, needs_customer=needs_customer)[0])


def lost(hours_since: float | None, ordinal: int = 0, channel: str = "email") -> float:
    last = None if hours_since is None else on(5) - hours_since * HOUR
    return float(RESPONSE.lost(np.array([on(5)]), last, ordinal, channel)[0])


def test_on_the_days_of_the_published_figures_a_first_message_does_what_they_say() -> None:
    assert [moved(day) for day in RESPONSE.days] == pytest.approx(RESPONSE.moves)
    assert moved(60) == pytest.approx(RESPONSE.moves[-1])


@given(st.floats(0, 60), st.floats(0, 60), st.integers(0, 6), channels)
def test_a_later_message_and_one_more_move_less(day: float, other: float, ordinal: int, channel: str) -> None:
    early, late = sorted((day, other))
    assert moved(early, ordinal, channel) >= moved(late, ordinal, channel)
    assert moved(day, ordinal, channel) > moved(day, ordinal + 1, channel) > 0


@given(st.floats(0, 60), st.integers(0, 6), channels)
def test_who_alone_can_mend_it_is_moved_more_and_never_for_certain(day: float, ordinal: int, channel: str) -> None:
    assert moved(day, ordinal, channel) < moved(day, ordinal, channel, needs_customer=True) < 1


def test_an_unheard_of_channel_counts_as_an_e_mail() -> None:
    assert moved(2, channel="pigeon") == moved(2)


def test_every_message_annoys_more_than_the_one_before_and_most_of_all_soon_after_it() -> None:
    assert lost(None) == pytest.approx(RESPONSE.annoyed)
    assert lost(None) < lost(100, 1) < lost(100, 2)
    assert lost(RESPONSE.soon_hours - 1, 1) == pytest.approx(lost(RESPONSE.soon_hours + 1, 1) * RESPONSE.annoyed_soon_times)


def test_a_text_annoys_more_than_an_e_mail_and_a_notice_in_the_product_less() -> None:
    assert lost(None, channel="sms") > lost(None) == lost(None, channel="pigeon") > lost(None, channel="in_app")


def test_it_comes_back_from_json_as_it_was() -> None:
    back = Response(**json.loads(json.dumps(RESPONSE.document())))
    at = np.array([on(day) for day in (0.0, 3.5, 40.0)])
    for needs_customer in (True, False):
        ours = RESPONSE.moved(at, FAILED_AT, 2, "sms", needs_customer=needs_customer)
        assert np.allclose(back.moved(at, FAILED_AT, 2, "sms", needs_customer=needs_customer), ours)
