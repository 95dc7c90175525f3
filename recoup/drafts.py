"""What a model wrote for one situation, kept so that the next customer in it costs no call: slots only, nobody's data."""

from collections.abc import Sequence
from typing import Annotated, Protocol

from pydantic import Field

from recoup.record import Record


class Draft(Record):
    """The words of one message in two forms, with slots in braces. ``sms`` is the short form; it may not name a debt."""

    subject: Annotated[str, Field(max_length=200, description="Subject line of the e-mail.")]
    body: Annotated[str, Field(max_length=4000, description="Body of the e-mail: plain text, paragraphs separated by an empty line.")]
    sms: Annotated[
        str, Field(max_length=500, description="The same in one or two sentences for a text message, without slots for amounts.")
    ]


class Situation(Record):
    """Whose words may be the same: same cause, stage, segment and language, asked for by the same prompt (its digest). ``case_id``: words
    for this case alone."""

    category: str
    stage: str
    segment: str | None
    locale: str
    prompt: str
    case_id: str | None = None


class KeptDraft(Record):
    """What ``model`` wrote; without ``draft`` it was ``refused``, and asking again so soon would cost the same and bring the same."""

    model: str
    draft: Draft | None
    refused: str | None = None


class DraftStore(Protocol):
    """Drafts by situation and model."""

    async def find(self, situation: Situation, models: Sequence[str]) -> KeptDraft | None:
        """What the first of the models that wrote for this situation has written; None where none has."""
        ...

    async def keep(self, situation: Situation, kept: KeptDraft) -> None:
        """Keeps it; what is kept already stays."""
        ...


class NoDrafts:
    """Keeps nothing."""

    async def find(self, situation: Situation, models: Sequence[str]) -> KeptDraft | None:  # noqa: ARG002 - the port's shape
        return None

    async def keep(self, situation: Situation, kept: KeptDraft) -> None:  # noqa: ARG002 - the port's shape
        return None
