"""A model port on a double's server, as tests of agents and of the graph want it."""

from agents.model import Chains, ChatModels
from agents.model_wire import Endpoint, Wire
from recoup.model_books import Books
from recoup.model_port import Bounds, ModelCall, ToolSpec
from recoup.record import Record
from tests.vendors.model_server import ModelServer

MODEL = "gpt-4o-mini"


class Town(Record):
    """An answer for tests."""

    name: str
    souls: int


def models_on(server: ModelServer, books: Books, *chain: str, retries: int = 0, call_seconds: float = 5.0) -> ChatModels:
    """The port as it is in production, on this server and these books."""
    wire = Wire(Endpoint(base_url=server.base_url, api_key="sk-test", call_seconds=call_seconds))
    return ChatModels(Chains(default=chain or (MODEL,), retries=retries), wire, books)


def question(
    *,
    agent: str = "communication",
    case_id: str = "case_1",
    decision_id: str = "dec_1",
    user: str = "Which town?",
    tools: tuple[ToolSpec, ...] = (),
    bounds: Bounds | None = None,
) -> ModelCall[Town]:
    """A question that is answered by a town."""
    return ModelCall(
        agent=agent,
        case_id=case_id,
        decision_id=decision_id,
        system="Name a town.",
        user=user,
        answer=Town,
        tools=tools,
        bounds=bounds or Bounds(output_tokens=100),
    )
