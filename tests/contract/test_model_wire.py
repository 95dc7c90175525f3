"""Everything that the wire to a language model can produce ends in an answer, or in no value and its cause, kept in the books."""

import asyncio
import json
import time

import pytest

from recoup.errors import Defect
from recoup.model_books import OpenBooks
from recoup.model_port import Bounds, Failure, ToolSpec, ToolUse
from recoup.record import Record
from tests.models import MODEL, Town, models_on, question
from tests.vendors.model_server import Asked, Call, ModelServer, Raw, Reply, Reset, Says, Status, answers, one_by_one

TOWN = {"name": "Ulm", "souls": 126_000}
CUT = Call("answer", '{"name": "Ulm", "souls": 126000')

FAILURES: dict[str, tuple[Reply, Failure]] = {
    "429 without Retry-After": (Status(429), Failure.RATE_LIMITED),
    "429 with Retry-After": (Status(429, {"Retry-After": "30"}), Failure.RATE_LIMITED),
    "500": (Status(500), Failure.UNAVAILABLE),
    "503 with Retry-After": (Status(503, {"Retry-After": "30"}), Failure.UNAVAILABLE),
    "401": (Status(401), Failure.REJECTED),
    "404": (Status(404), Failure.REJECTED),
    "reset": (Reset(), Failure.CONNECTION),
    "reset in the middle of the stream": (Says(calls=(CUT,), ends=False, resets=True), Failure.CONNECTION),
    "stream that breaks off as if it had ended": (Says(calls=(Call("answer", json.dumps(TOWN)),), ends=False), Failure.TRUNCATED),
    "empty choices": (Says(choices=False), Failure.EMPTY),
    "neither words nor a call": (Says(), Failure.EMPTY),
    "error in the middle of the stream": (Raw(b'data: {"error": {"message": "overloaded"}}\n\n'), Failure.UNAVAILABLE),
    "stream of no JSON": (Raw(b"data: {nope\n\n"), Failure.MALFORMED),
    "a web page": (Raw(b"<html>Sign in</html>", "text/html"), Failure.EMPTY),
    "null choices": (Raw(b'{"choices": null}', "application/json"), Failure.EMPTY),
    "malformed JSON, which the client library mends": (answers('{"name": "Ulm", "souls": 126000'), Failure.MALFORMED),
    "JSON nested without end": (answers("[" * 20_000), Failure.TOO_LONG),
    "wrong shape": (answers({"name": "Ulm", "souls": "many"}), Failure.WRONG_SHAPE),
    "a NUL in the stream": (Says(content="Ulm\x00"), Failure.MALFORMED),
    "half of a surrogate pair": (answers('{"name": "\ud800", "souls": 1}'), Failure.MALFORMED),
    "a NUL behind an escape": (answers('{"name": "U\\u0000lm", "souls": 1}'), Failure.MALFORMED),
    "half of a pair behind an escape": (answers('{"name": "\\ud800", "souls": 1}'), Failure.MALFORMED),
    "Retry-After of digits that are none": (Status(429, {"Retry-After": "\u00b2"}), Failure.RATE_LIMITED),
    "Retry-After without end": (Status(429, {"Retry-After": "9" * 400}), Failure.RATE_LIMITED),
    "a field too many": (answers(TOWN | {"send_to": "a stranger"}), Failure.WRONG_SHAPE),
    "no object": (answers("[]"), Failure.WRONG_SHAPE),
    "unknown tool": (Says(calls=(Call("refund", "{}"),), finish_reason="tool_calls"), Failure.UNKNOWN_TOOL),
    "words instead of an answer": (Says(content="Ulm, I think."), Failure.NO_ANSWER),
    "refusal": (Says(refusal="I can't help with that."), Failure.REFUSED),
    "content filter": (Says(content="Ul", finish_reason="content_filter"), Failure.FILTERED),
    "length stop": (Says(calls=(CUT,), finish_reason="length"), Failure.TOO_LONG),
    "giant output": (Says(content="Ulm " * 500_000), Failure.TOO_LONG),
    "a finish reason that nobody knows": (Says(calls=(CUT,), finish_reason="gave_up"), Failure.TRUNCATED),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_failure_of_the_wire_ends_in_no_value_and_its_cause(name: str) -> None:
    reply, cause = FAILURES[name]
    books = OpenBooks()
    with ModelServer(one_by_one(reply)).running() as server:
        answer = await models_on(server, books).ask(question())

    assert (answer.value, answer.failure) == (None, cause)
    assert answer.model == MODEL
    assert answer.usage.calls == 1
    [(_, ending)] = books.calls
    assert ending is not None
    # What is wrong with the answer itself is no failure of the wire: the books keep it as it came, so that it is never paid for twice.
    assert ending.failure == (None if ending.answer else cause)


async def test_what_a_model_calls_its_fields_is_not_repeated() -> None:
    with ModelServer(one_by_one(answers({"name": 1, "ada@customer.example": 2}))).running() as server:
        answer = await models_on(server, OpenBooks()).ask(question())
    assert answer.detail == "the answer is not of the asked shape: a field that there is not, name, souls"


async def test_a_server_that_miscounts_does_not_break_the_account() -> None:
    with ModelServer(one_by_one(answers(TOWN, usage=(10**30, -5)))).running() as server:
        answer = await models_on(server, OpenBooks()).ask(question())
    assert (answer.value is not None, answer.usage.input_tokens, answer.usage.output_tokens) == (True, 10_000_000, 0)


async def test_a_model_that_thinks_too_long_ends_in_a_timeout_in_time() -> None:
    with ModelServer(one_by_one(answers(TOWN, after_seconds=60))).running() as server:
        began = time.monotonic()
        answer = await models_on(server, OpenBooks(), call_seconds=0.3).ask(question())

    assert answer.failure is Failure.TIMEOUT
    assert time.monotonic() - began < 3


async def test_a_question_ends_in_its_own_time_whatever_steps_and_models_are_left() -> None:
    with ModelServer(one_by_one(answers(TOWN, after_seconds=60))).running() as server:
        began = time.monotonic()
        answer = await models_on(server, OpenBooks(), "first", "second", retries=2).ask(question(bounds=Bounds(seconds=0.3)))
    assert (answer.failure, [asked.model for asked in server.asked]) == (Failure.TIMEOUT, ["first"])
    assert time.monotonic() - began < 3


async def test_a_server_that_is_not_there_ends_in_its_cause() -> None:
    with ModelServer(one_by_one(answers(TOWN))).running() as server:
        gone = server
    answer = await models_on(gone, OpenBooks()).ask(question())
    assert answer.failure is Failure.CONNECTION


async def test_an_answer_comes_with_its_usage_and_its_price() -> None:
    with ModelServer(one_by_one(answers(TOWN, usage=(1_000, 100)))).running() as server:
        answer = await models_on(server, OpenBooks()).ask(question())

    assert answer.value == Town(name="Ulm", souls=126_000)
    assert (answer.usage.calls, answer.usage.input_tokens, answer.usage.output_tokens) == (1, 1_000, 100)
    # 1000 tokens at 0.15 dollars a million and 100 at 0.60.
    assert answer.cost_usd_micro == 210


async def test_a_model_without_a_known_price_says_so() -> None:
    with ModelServer(one_by_one(answers(TOWN))).running() as server:
        answer = await models_on(server, OpenBooks(), "our-own-llama").ask(question())
    assert (answer.value is not None, answer.cost_usd_micro) == (True, None)


async def test_the_request_bounds_the_answer_and_asks_for_the_usage() -> None:
    with ModelServer(one_by_one(answers(TOWN))).running() as server:
        await models_on(server, OpenBooks()).ask(question())
    [asked] = server.asked
    assert asked.body["max_completion_tokens"] == 100
    assert asked.body["stream_options"] == {"include_usage": True}
    assert asked.body["tool_choice"] == {"type": "function", "function": {"name": "answer"}}
    assert asked.tools == ("answer",)
    assert asked.texts == ("Name a town.", "Which town?")


async def test_what_fails_for_a_moment_is_tried_again_after_the_pause_that_was_asked_for() -> None:
    script = one_by_one(Status(429, {"Retry-After": "0.2"}), answers(TOWN))
    with ModelServer(script).running() as server:
        began = time.monotonic()
        answer = await models_on(server, OpenBooks(), retries=1).ask(question())

    assert answer.value is not None
    assert answer.usage.calls == 2
    assert time.monotonic() - began >= 0.2


async def test_a_long_silence_is_not_waited_for() -> None:
    with ModelServer(one_by_one(Status(429, {"Retry-After": "600"}))).running() as server:
        began = time.monotonic()
        answer = await models_on(server, OpenBooks(), retries=3).ask(question())
    assert (answer.failure, answer.usage.calls) == (Failure.RATE_LIMITED, 1)
    assert time.monotonic() - began < 3


async def test_where_a_model_is_away_the_next_one_in_the_chain_answers() -> None:
    def script(asked: Asked) -> Reply:
        return Status(500) if asked.model == "first" else answers(TOWN)

    with ModelServer(script).running() as server:
        answer = await models_on(server, OpenBooks(), "first", "second").ask(question())

    assert (answer.value, answer.model) == (Town(name="Ulm", souls=126_000), "second")
    assert [asked.model for asked in server.asked] == ["first", "second"]


async def test_a_bad_answer_is_not_paid_for_again_at_the_next_model() -> None:
    with ModelServer(one_by_one(answers({"name": "Ulm"}))).running() as server:
        answer = await models_on(server, OpenBooks(), "first", "second").ask(question())
    assert answer.failure is Failure.WRONG_SHAPE
    assert [asked.model for asked in server.asked] == ["first"]


class River(Record):
    """Arguments of a tool."""

    name: str


async def towns_on(river: River) -> str:
    return f"Towns on the {river.name}: Ulm. " * 100


TOWNS = ToolSpec(name="towns_on", description="Towns on a river.", args=River, run=towns_on)
LOOKS = Says(calls=(Call("towns_on", '{"name": "Danube"}'),), finish_reason="tool_calls")


async def test_a_tool_is_run_and_its_bounded_result_is_shown_to_the_model() -> None:
    with ModelServer(one_by_one(LOOKS, answers(TOWN))).running() as server:
        answer = await models_on(server, OpenBooks()).ask(
            question(tools=(TOWNS,), bounds=Bounds(output_tokens=100, steps=2, tool_chars=50))
        )

    assert answer.value == Town(name="Ulm", souls=126_000)
    assert answer.tool_uses == (ToolUse(tool="towns_on", args={"name": "Danube"}, chars=50),)
    assert server.asked[0].body["tool_choice"] == "required"
    said, told = server.asked[1].body["messages"][-2:]
    assert said["tool_calls"][0]["function"] == {"name": "towns_on", "arguments": '{"name": "Danube"}'}
    assert (told["role"], len(told["content"]), told["tool_call_id"]) == ("tool", 50, said["tool_calls"][0]["id"])


async def test_a_model_that_never_stops_asking_ends_with_its_steps() -> None:
    with ModelServer(one_by_one(LOOKS)).running() as server:
        answer = await models_on(server, OpenBooks()).ask(question(tools=(TOWNS,), bounds=Bounds(output_tokens=100, steps=3)))
    assert (answer.failure, answer.usage.calls) == (Failure.STEPS, 3)


async def test_a_model_that_asks_for_too_much_at_once_gets_only_so_much() -> None:
    greedy = Says(calls=tuple(Call("towns_on", '{"name": "Danube"}') for _ in range(20)), finish_reason="tool_calls")
    with ModelServer(one_by_one(greedy, answers(TOWN))).running() as server:
        answer = await models_on(server, OpenBooks()).ask(question(tools=(TOWNS,), bounds=Bounds(output_tokens=100, steps=2)))
    assert len(answer.tool_uses) == 4
    assert [m["role"] for m in server.asked[1].body["messages"]].count("tool") == 20


async def test_arguments_outside_the_schema_run_nothing() -> None:
    stranger = Says(
        calls=(Call("towns_on", '{"name": "Danube", "account_id": "acc_2"}'), Call("towns_on", "nope")), finish_reason="tool_calls"
    )
    with ModelServer(one_by_one(stranger, answers(TOWN))).running() as server:
        answer = await models_on(server, OpenBooks()).ask(question(tools=(TOWNS,), bounds=Bounds(output_tokens=100, steps=2)))
    assert (answer.value is not None, answer.tool_uses) == (True, ())
    said, *told = server.asked[1].body["messages"][-3:]
    assert said["tool_calls"][1]["function"]["arguments"] == "{}"
    assert all("Not answered" in message["content"] for message in told)


async def test_a_tool_may_not_be_called_answer() -> None:
    with ModelServer(one_by_one(answers(TOWN))).running() as server, pytest.raises(Defect, match="answer"):
        await models_on(server, OpenBooks()).ask(question(tools=(ToolSpec("answer", "", River, towns_on),)))


async def test_many_questions_are_under_way_at_once_over_one_client() -> None:
    with ModelServer(one_by_one(answers(TOWN, after_seconds=0.3))).running() as server:
        models = models_on(server, OpenBooks())
        found = await asyncio.gather(*(models.ask(question(case_id=f"case_{n}")) for n in range(20)))
    assert all(answer.value for answer in found)
    assert server.most_at_once >= 15
