"""Reads what people wrote, in quarantine: it has no tools and decides nothing, and words of closed lists are all that leaves it.

Whatever it answers can only make a decision more careful: the signs that plain words show are kept, and what a model adds may add a sign.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from pydantic import Field

from agents.signs import read_by_rules
from prompts.examples import examples_of
from prompts.quote import mark_of, quoted, visible
from prompts.render import load, render_text
from recoup.facts import CaseFacts
from recoup.model_port import Bounds, Model, ModelCall, ModelUse
from recoup.personal_data import mask_personal
from recoup.record import Record
from recoup.texts import MAX_TEXTS, Intent, Known, Language, RawText, Signal, TextFacts, TextReading, TextSource

AGENT = "reader"
BOUNDS = Bounds(output_tokens=1_200, steps=1, seconds=30.0)
# Of one text; the plain words of the rest are seen by the rules.
MOST_CHARS = 2_500
LONGEST_PROMISE = timedelta(days=90)


class ReadText(Record):
    """What a model makes of one text, by its number. ``promised_on``: the day on which the writer says that they will pay."""

    number: Annotated[int, Field(ge=1, le=MAX_TEXTS)]
    intent: Intent
    signals: Annotated[tuple[Signal, ...], Field(max_length=4)] = ()
    opt_out: bool = False
    promised_on: date | None = None
    language: Language = "und"
    confidence: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5


class Readings(Record):
    """One reading for every text."""

    texts: Annotated[tuple[ReadText, ...], Field(max_length=MAX_TEXTS)]


@dataclass(frozen=True)
class Read:
    """All texts with what is known of them now. ``fresh``: ids of those that were read just now. ``use`` is None where none was asked."""

    texts: tuple[TextFacts, ...]
    fresh: tuple[str, ...] = ()
    use: ModelUse | None = None


async def read(facts: CaseFacts, source: TextSource, model: Model, decision_id: str) -> Read:
    """The facts' texts, read: each once by a model where one is configured, by plain words where none is or none answers."""
    has_model = bool(model.chain(AGENT))
    unread = [text for text in facts.texts if text.is_unread(has_model=has_model)]
    if not unread:
        return Read(facts.texts)
    raw, known = await source.words(facts.account.id, [text.id for text in unread])
    floor = propose(raw)
    readings, use = floor, None
    if has_model and raw:
        readings, use = await _revised(floor, raw, known, facts, model, decision_id)
    texts = tuple(text.model_copy(update={"reading": readings.get(text.id, text.reading)}) for text in facts.texts)
    return Read(texts, fresh=tuple(readings), use=use)


def propose(raw: Sequence[RawText]) -> dict[str, TextReading]:
    """What plain words say of each text, by its id."""
    return {text.id: read_by_rules(text.text) for text in raw}


def check(floor: Mapping[str, TextReading], order: Sequence[str], said: Readings, today: date) -> dict[str, TextReading] | str:
    """The readings that stand, or why none of them does. Every text must have exactly one; what plain words show is never taken back."""
    if sorted(one.number for one in said.texts) != list(range(1, len(order) + 1)):
        return "there is not one reading for every text"
    return {order[one.number - 1]: _joined(floor[order[one.number - 1]], one, today) for one in said.texts}


async def _revised(
    floor: dict[str, TextReading], raw: Sequence[RawText], known: Known, facts: CaseFacts, model: Model, decision_id: str
) -> tuple[dict[str, TextReading], ModelUse]:
    system, user = prompt(raw, known, facts)
    call = ModelCall(agent=AGENT, case_id=facts.case.id, decision_id=decision_id, system=system, user=user, answer=Readings, bounds=BOUNDS)
    answer = await model.ask(call)
    if answer.value is None:
        return floor, ModelUse.of(AGENT, answer)
    checked = check(floor, [text.id for text in raw], answer.value, facts.now.date())
    if isinstance(checked, str):
        return floor, ModelUse.of(AGENT, answer, checked)
    return checked, ModelUse.of(AGENT, answer)


def prompt(raw: Sequence[RawText], known: Known, facts: CaseFacts) -> tuple[str, str]:
    """The rules of reading and the quotes. Masked first and quoted then, so that an invisible character hides nothing from the masking."""
    kinds = {text.id: (text.kind, f"{text.at:%Y-%m-%d}") for text in facts.texts}
    masked = [(text.id, masked_for_model(text.text, known)) for text in raw]
    mark = mark_of("\n".join(text for _, text in masked))
    quotes = [
        f"Text {number}, a {kinds[text_id][0]} of {kinds[text_id][1]}:\n{quoted(text, mark)}"
        for number, (text_id, text) in enumerate(masked, start=1)
    ]
    context = {"mark": mark, "count": str(len(raw)), "today": f"{facts.now:%Y-%m-%d}", "quotes": "\n\n".join(quotes)}
    return render_text(load("reader_system"), {"examples": examples_of("reader")}), render_text(load("reader_texts"), context)


def masked_for_model(text: str, known: Known) -> str:
    """The text without what says who wrote it, as far as anybody knows."""
    seen = visible(text)
    for account_id in known.account_ids:
        seen = seen.replace(account_id, "[account]")
    return mask_personal(seen, known.names)[:MOST_CHARS]


def _joined(floor: TextReading, said: ReadText, today: date) -> TextReading:
    """The model's reading on top of the floor. A day long past or far ahead is no promise."""
    promised = said.promised_on if said.promised_on and today <= said.promised_on <= today + LONGEST_PROMISE else None
    return TextReading(
        intent=said.intent,
        signals=tuple(signal for signal in Signal if signal in {*floor.signals, *said.signals}),
        opt_out=floor.opt_out or said.opt_out or said.intent is Intent.OPT_OUT,
        promised_on=promised,
        language=said.language,
        confidence=said.confidence,
        by="model",
    )
