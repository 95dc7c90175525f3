"""The port's own adapter for an installation without a model."""

from recoup.model_port import Failure, ModelCall, NoModel
from recoup.record import Record


class Colour(Record):
    name: str


async def test_without_a_model_every_question_ends_in_no_value_and_its_cause():
    call = ModelCall(agent="communication", case_id="case_1", decision_id="dec_1", system="s", user="u", answer=Colour)

    answer = await NoModel().ask(call)

    assert (answer.value, answer.failure) == (None, Failure.NOT_CONFIGURED)
    assert answer.usage.calls == 0
    assert NoModel().chain("communication") == ()
