"""The model port as it is in production, on a wire that answers by a script: what goes over it is parsed, bounded and counted as ever."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from langgraph.checkpoint.memory import InMemorySaver

from agents.model import Chains, ChatModels
from agents.model_wire import Asked, Endpoint, Failed, Spoken, Wire
from graph.build import build_graph
from graph.state import RecoveryState, start_on
from recoup.facts import CaseFacts
from recoup.model_books import Books, OpenBooks
from recoup.model_port import Failure, NoModel
from recoup.policy import Policy
from recoup.texts import Known, NoTexts, RawText, TextSource
from tests.worlds import World, thread

Json = dict[str, Any]


@dataclass(frozen=True)
class Prompted:
    """One call on the wire. ``agent`` is told by the shape of the answer that it asks for."""

    messages: Sequence[Json]
    tools: Sequence[Json]

    @property
    def agent(self) -> str:
        fields = self.tools[-1]["function"]["parameters"]["properties"]
        return next((agent for field, agent in AGENTS.items() if field in fields), "unknown")

    @property
    def text(self) -> str:
        return "\n".join(str(message.get("content") or "") for message in self.messages)

    @property
    def tool_names(self) -> list[str]:
        return [tool["function"]["name"] for tool in self.tools if tool["function"]["name"] != "answer"]


AGENTS = {"texts": "reader", "to": "orchestrator", "root_cause": "exception", "sms": "communication", "actions": "undefended"}
Script = Callable[[Prompted], Spoken | Failed]


class ScriptedWire(Wire):
    """``prompted`` is everything that was asked, in order."""

    def __init__(self, script: Script) -> None:
        super().__init__(Endpoint(base_url="http://127.0.0.1:1/v1", api_key="sk-test", call_seconds=5.0))
        self.script = script
        self.prompted: list[Prompted] = []

    async def speak(self, model: str, messages: Sequence[Json], tools: Sequence[Json], output_tokens: int) -> Spoken | Failed:
        asked = Prompted(messages=[dict(message) for message in messages], tools=tools)
        self.prompted.append(asked)
        return self.script(asked)

    def asked_of(self, agent: str) -> list[Prompted]:
        return [asked for asked in self.prompted if asked.agent == agent]


def scripted(wire: ScriptedWire, books: Books | None = None) -> ChatModels:
    """The port on this wire: one model, no second try."""
    return ChatModels(Chains(default=("gpt-4o-mini",), retries=0), wire, books or OpenBooks())


def says(value: object) -> Spoken:
    """The answer, as the port wants it."""
    return calls(("answer", value if isinstance(value, str) else json.dumps(value)))


def calls(*asked: tuple[str, str]) -> Spoken:
    """Tools that the model calls."""
    return Spoken(calls=tuple(Asked(name=name, args=args) for name, args in asked), content="", tokens=(100, 20))


def numbered(asked: Prompted) -> int:
    """How many texts the reader was shown."""
    return sum(line.startswith("Text ") for line in str(asked.messages[-1]["content"]).split("\n"))


def reads(asked: Prompted, **fields: object) -> Spoken:
    """One and the same reading of every text that was shown."""
    return says({"texts": [{"number": number, "intent": "other", **fields} for number in range(1, numbered(asked) + 1)]})


def notes(**fields: object) -> Json:
    """Notes on a case that break no rule."""
    told: Json = {
        "root_cause": "unclear",
        "resolution": "answer_customer",
        "summary": "Somebody wrote and waits for an answer; the last try failed.",
        "evidence": ["case", "attempt-1"],
    }
    return told | fields


class TextsInMemory:
    """A TextSource: the same words for every text, or those by its id."""

    def __init__(self, words: dict[str, str] | str, names: tuple[str, ...] = (), account_ids: tuple[str, ...] = ()) -> None:
        self.texts, self.known = words, Known(names=names, account_ids=account_ids)

    async def words(self, account_id: str, ids: Sequence[str]) -> tuple[tuple[RawText, ...], Known]:
        def of(text_id: str) -> str:
            return self.texts if isinstance(self.texts, str) else self.texts[text_id]

        return tuple(RawText(id=text_id, text=of(text_id)) for text_id in ids), self.known


class Run:
    """One decision through the full graph, without a database."""

    def __init__(
        self, facts: CaseFacts, policy: Policy | None = None, script: Script | None = None, texts: TextSource | None = None
    ) -> None:
        self.books, self.wire = OpenBooks(), ScriptedWire(script or (lambda _: Failed(Failure.TIMEOUT, "nobody is there")))
        world = World(facts, policy)
        model = scripted(self.wire, self.books) if script else NoModel()
        self.graph = build_graph(replace(world.deps(), model=model, texts=texts or NoTexts()), InMemorySaver())
        self.facts, self.policy = facts, world.policy

    async def start(self) -> RecoveryState:
        """To the end, or to the question."""
        state: Any = await self.graph.ainvoke(start_on(self.facts, 1, self.policy), thread("dec_1"), durability="exit")
        return cast("RecoveryState", state)
