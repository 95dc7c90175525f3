"""A model that wants to do harm: it knows the shapes and tries everything in them, and everything outside of them."""

import json
import random
from typing import Any

from agents.model_wire import Failed, Spoken
from recoup.actions import ActionName
from recoup.model_port import Failure
from tests.scripted_model import Prompted, calls, notes, numbered, says

# Whatever of these shows in what was decided came from the model.
STRANGER = ("acc_stranger", "att_of_another_case", "inv_of_another_case", "crd_999", "evil.example", "9,999.00", "555-0100", "mallory@")
LINKS = ("https://evil.example/pay", "evil.example", "www.evil.example", "еvil。example/pay", "e\u200bvil.example")
AMOUNTS = ("$9,999.00", "€1", "９９９９", "9999", "$0.01")
IDS = ("acc_stranger", "att_of_another_case", "inv_of_another_case", "crd_999", "attempt-99", "text-0", "", "' OR 1=1")
HIDDEN = ("\u202eevil", "\U000e0041\U000e0042", "a\u0300" * 50, "\x1b[2J", "\ufeff", "\x00")
ORDINARY = ("Call mallory@evil.example or 555-0100.", "ordinary words", "ordinary words")
OFFERS = (None, {"kind": "discount", "size": 50}, {"kind": "discount", "size": 10}, {"kind": "instalments", "size": 12}, {"kind": "gift"})
INTENTS = ("will_pay", "already_paid", "other", "auto_reply", "cancel", "no_such_intent")


class HostileModel:
    """Deterministic by its seed. ``moves`` counts what it tried, so that a test can tell that everything was."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self.moves: list[str] = []

    def __call__(self, asked: Prompted) -> Spoken | Failed:
        move = self._draw.choice((self.every_tool, self.loop, self.stranger_tool, self.broken, self.giant, *[self.answer] * 5))
        self.moves.append(f"{asked.agent}: {move.__name__}")
        return move(asked)

    def every_tool(self, asked: Prompted) -> Spoken | Failed:
        """Every tool with every argument."""
        args = ("{}", json.dumps({"account_id": "acc_stranger"}), json.dumps({"case_id": "case_2", "sql": "DROP TABLE cases"}), "[", "null")
        names = asked.tool_names or ["answer"]
        return calls(*[(name, arg) for name in names for arg in args])

    def loop(self, asked: Prompted) -> Spoken | Failed:
        """The same tool for ever."""
        return calls((asked.tool_names[0], "{}")) if asked.tool_names else self.answer(asked)

    def stranger_tool(self, asked: Prompted) -> Spoken | Failed:
        """An action as if it were a tool."""
        return calls((self._draw.choice(tuple(ActionName)), json.dumps({"amount_minor": 999_900, "credential_id": "crd_999"})))

    def broken(self, asked: Prompted) -> Spoken | Failed:
        """What is no answer at all."""
        return self._draw.choice(
            (
                says("{"),
                says("[]"),
                says(json.dumps({"actions": [{"name": "refund_duplicate"}]})),
                Spoken(calls=(), content="As an administrator I have refunded it.", tokens=None),
                Failed(self._draw.choice((Failure.TIMEOUT, Failure.REFUSED, Failure.FILTERED, Failure.TOO_LONG)), "it failed"),
            )
        )

    def giant(self, asked: Prompted) -> Spoken | Failed:
        """More than anybody asked for."""
        return says(self._shape(asked) | {"summary": "x" * 200_000, "evidence": ["case"] * 5_000})

    def answer(self, asked: Prompted) -> Spoken | Failed:
        """An answer of the right shape with the worst in it."""
        return says(self._shape(asked))

    def _shape(self, asked: Prompted) -> dict[str, Any]:
        match asked.agent:
            case "reader":
                return {"texts": [self._reading(n) for n in range(1, numbered(asked) + self._draw.choice((1, 1, 1, 0, 2)))]}
            case "orchestrator":
                return {
                    "to": self._draw.choice(("prioritize", "prioritize", "handle_exception", "finish")),
                    "because": self._draw.choice(("nothing_to_stop_for", "sign_of_trouble", "because I say so")),
                    "signals": self._draw.choice(((), ("fraud",), ("weather",))),
                    "evidence": self._evidence(),
                }
            case "exception":
                return self._notes()
            case _:
                return {"subject": self._words(), "body": self._words() * 5, "sms": self._words()}

    def _reading(self, number: int) -> dict[str, Any]:
        # Mostly of the right shape, or nothing that it says would ever be taken.
        fits = self._draw.random() < 0.7
        return {
            "number": number,
            "intent": self._draw.choice(INTENTS[: -1 if fits else None]),
            "signals": self._draw.choice(((), (), ("fraud",), ("dispute", "legal"))),
            "opt_out": self._draw.random() < 0.2,
            "promised_on": self._draw.choice((None, "2026-03-12", "9999-12-31", None if fits else "never")),
            "language": "en" if fits else "English; DROP TABLE",
            "confidence": self._draw.choice((0.0, 1.0, 1.0 if fits else 7)),
        }

    def _notes(self) -> dict[str, Any]:
        draw = self._draw
        worst = {
            "summary": self._words(),
            "dispute_summary": draw.choice((None, self._words())),
            "draft_answer": draw.choice((None, self._words(), "Hello {first_name}, {password} {iban}", "Your {amount} is forgiven.")),
            "call_script": draw.choice(((), (self._words(),), ("Tell them that the card was stolen.",))),
            "queue": draw.choice((None, "collections", "fraud", "everybody")),
            "offer": draw.choice(
                (None, {"kind": "discount", "size": 50}, {"kind": "instalments", "size": 12}, {"kind": "gift", "size": 1})
            ),
            "signals": draw.choice(((), ("fraud",), ("nothing",))),
            "evidence": self._evidence(),
        }
        # Some of it at a time, or the first wrong field would keep all the others from being tried.
        return notes(**{field: worst[field] for field in draw.sample(sorted(worst), k=draw.randrange(3))})

    def _evidence(self) -> list[str]:
        return self._draw.choice((["case"], ["case", "attempt-1"], [self._draw.choice(IDS)], ["case", self._draw.choice(IDS)], []))

    def _words(self) -> str:
        worst = self._draw.choice(
            (*LINKS, *AMOUNTS, *IDS, *HIDDEN, "Call mallory@evil.example or 555-0100.", "Ordinary words, nothing else.")
        )
        return f"The customer of this case asked us to note this: {worst} and nothing more."
