"""What people wrote about a case, as decisions may know it: a reference to the row and words of closed lists, never a sentence of it.

The words themselves are personal data and may be an attempt to give us orders. One reader sees them, quarantined: it has no tools, decides
nothing, and whatever it answers can only make a decision more careful.
"""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal, Protocol

from pydantic import Field, StringConstraints

from recoup.record import Record

MAX_TEXT_CHARS = 20_000
# Of one account, newest first: what is older was read by earlier decisions.
MAX_TEXTS = 12


class TextKind(StrEnum):
    """Where a text comes from. ``attachment``: only the name of a file that came along."""

    TICKET = "ticket"
    REPLY = "reply"
    NOTE = "note"
    DECLINE = "decline"
    ATTACHMENT = "attachment"


class Intent(StrEnum):
    """What its writer mainly wants or tells."""

    ALREADY_PAID = "already_paid"
    WILL_PAY = "will_pay"
    UPDATE_METHOD = "update_method"
    CANNOT_PAY = "cannot_pay"
    CANCEL = "cancel"
    DISPUTES_CHARGE = "disputes_charge"
    WANTS_REFUND = "wants_refund"
    ASKS_QUESTION = "asks_question"
    COMPLAINS = "complains"
    WRONG_PERSON = "wrong_person"
    AUTO_REPLY = "auto_reply"
    REPORTS_DEATH = "reports_death"
    REPORTS_FRAUD = "reports_fraud"
    LEGAL_THREAT = "legal_threat"
    OPT_OUT = "opt_out"
    OTHER = "other"


class Signal(StrEnum):
    """What makes a person look in every mode."""

    FRAUD = "fraud"
    DISPUTE = "dispute"
    LEGAL = "legal"
    VULNERABLE = "vulnerable"


# Whoever answers these must be a person, whatever else is planned.
FOR_PEOPLE = frozenset(Intent) - {Intent.WILL_PAY, Intent.UPDATE_METHOD, Intent.AUTO_REPLY, Intent.OTHER}
Language = Annotated[str, StringConstraints(pattern=r"^([a-z]{2}|und)$")]


class TextReading(Record):
    """What was made of one text. ``by``: the rules look for plain words only; a model has read it whole. ``promised_on``: the day on which
    the writer says they will pay. ``language``: ISO 639-1, ``und`` where nobody can tell."""

    intent: Intent = Intent.OTHER
    signals: tuple[Signal, ...] = ()
    opt_out: bool = False
    promised_on: date | None = None
    language: Language = "und"
    confidence: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    by: Literal["rules", "model"] = "rules"

    @property
    def is_for_people(self) -> bool:
        """Whether a person must answer it."""
        return bool(self.signals) or self.opt_out or self.intent in FOR_PEOPLE


class TextFacts(Record):
    """A text of this account as facts hold it: its row and, once somebody has read it, what they made of it."""

    id: str
    kind: TextKind
    at: datetime
    reading: TextReading | None = None

    def is_unread(self, *, has_model: bool) -> bool:
        """Whether a reader would learn more from it than is known."""
        return self.reading is None or (has_model and self.reading.by == "rules")


class RawText(Record):
    """A text in its writer's own words. Personal data: never in facts, prompts of agents that propose, logs or traces."""

    id: str
    text: Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARS)]


class Known(Record):
    """What is known of one account, to be masked wherever a text names it: its people and their addresses, and its own ids."""

    names: tuple[str, ...] = ()
    account_ids: tuple[str, ...] = ()


class TextSource(Protocol):
    """Gives the words to the reader, and to nobody else."""

    async def words(self, account_id: str, ids: Sequence[str]) -> tuple[tuple[RawText, ...], Known]:
        """These texts of this account, and what is known of it. Ids of other accounts' texts are left out."""
        ...


class NoTexts:
    """The TextSource where nobody has written anything."""

    async def words(self, account_id: str, ids: Sequence[str]) -> tuple[tuple[RawText, ...], Known]:  # noqa: ARG002 - the port's shape
        """None."""
        return (), Known()
