"""Support tickets as Recoup remembers them: what one is, where they come from, and what may be asked about them.

Two questions may be asked, and they answer differently. An account's own tickets come back with their words, masked. Of everybody
else's only words of closed lists come back, never a sentence, so that no search, however it is put, shows one customer's text to another.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import AwareDatetime, Field, StringConstraints

from recoup.category import Category
from recoup.record import Record

MAX_TEXT_CHARS = 20_000
MAX_FOUND = 20
PAGE_TICKETS = 200

# No store takes a NUL character; in a name no character of its kind has any business.
STORABLE, PRINTABLE = r"^[^\x00]*$", r"^[^\x00-\x1f\x7f]+$"

Id = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=PRINTABLE)]
ConnectionName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
KnownWords = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Topic(StrEnum):
    """What a ticket is about."""

    DECLINED = "declined"
    METHOD_UPDATE = "method_update"
    AUTHENTICATION = "authentication"
    BANK_DEBIT = "bank_debit"
    DOUBLE_CHARGE = "double_charge"
    AMOUNT = "amount"
    REFUND = "refund"
    DISPUTE = "dispute"
    CANCELLATION = "cancellation"
    ACCESS = "access"
    INVOICE = "invoice"
    HARDSHIP = "hardship"
    OTHER = "other"


class Resolution(StrEnum):
    """How a ticket ended."""

    PAID = "paid"
    METHOD_UPDATED = "method_updated"
    RETRIED = "retried"
    REFUNDED = "refunded"
    CREDITED = "credited"
    PLAN_AGREED = "plan_agreed"
    CANCELLED = "cancelled"
    EXPLAINED = "explained"
    ESCALATED = "escalated"
    OPEN = "open"
    UNKNOWN = "unknown"


class AccountRef(Record):
    """An account as the platform names it, which may be before Recoup has a row of it."""

    connection: ConnectionName
    account: Id

    def __hash__(self) -> int:
        return hash((self.connection, self.account))


class Ticket(Record):
    """One ticket on its way in. ``id`` is the ticket system's, ``account`` the platform's customer. ``known``: names and addresses of the
    people in it, as the ticket system has them; they are masked in the text and kept nowhere."""

    connection: ConnectionName
    account: Id
    id: Id
    opened_at: AwareDatetime
    subject: Annotated[str, StringConstraints(max_length=500, pattern=STORABLE)] = ""
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT_CHARS, pattern=STORABLE)]
    locale: Annotated[str | None, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = None
    topic: Topic = Topic.OTHER
    resolution: Resolution = Resolution.UNKNOWN
    category: Category | None = None
    known: Annotated[tuple[KnownWords, ...], Field(max_length=20)] = ()

    @property
    def owner(self) -> AccountRef:
        """Whose it is."""
        return AccountRef(connection=self.connection, account=self.account)


class BadRow(Record):
    """A row that was not taken. ``why`` repeats nothing of the row: it may be personal."""

    line: int
    why: str


class TicketPage(Record):
    """Some tickets of a source, and the rows between them that are none. ``cursor`` goes into the next call."""

    tickets: tuple[Ticket, ...]
    refused: tuple[BadRow, ...] = ()
    cursor: str | None = None
    has_more: bool = False


class TicketSource(Protocol):
    """Where tickets come from: a file, a help desk."""

    async def page(self, cursor: str | None) -> TicketPage:
        """The next page, of up to PAGE_TICKETS tickets; None begins. Raises Malformed where there is nothing that could be read."""
        ...


class Imported(Record):
    """What became of tickets: put in or replaced, or found as they were."""

    written: int = 0
    unchanged: int = 0

    def __add__(self, other: "Imported") -> "Imported":
        return Imported(written=self.written + other.written, unchanged=self.unchanged + other.unchanged)


class OwnTicket(Record):
    """A ticket of the account itself. ``id`` is what is cited, ``ticket_id`` the ticket system's. ``excerpt`` is the customer's own text,
    masked: for people and for the reader, never for an agent that proposes. ``score`` orders the tickets of one answer and no more."""

    id: str
    ticket_id: str
    opened_at: datetime
    topic: Topic
    resolution: Resolution
    category: Category | None
    excerpt: str
    score: float


class SimilarCase(Record):
    """A case like this one of somebody else, without a word of it: everything here but the id is of a closed list or a number.

    ``id`` is what is cited, and tells nothing of whose it is. ``opened`` is a month, YYYY-MM."""

    id: str
    opened: str
    language: str | None
    topic: Topic
    resolution: Resolution
    category: Category | None
    score: float


class TicketMemory(Protocol):
    """What the agents' tools may ask. ``account_id`` is the row's id, bound by code; never what a model wrote.

    Raises TicketsUnavailable where it cannot be asked now, Misconfigured where it is not set up."""

    async def own(self, account_id: str, query: str, *, now: datetime, limit: int = 5) -> tuple[OwnTicket, ...]:
        """The account's tickets that answer the query best, at most ``limit``."""
        ...

    async def similar(self, account_id: str, query: str, *, now: datetime, limit: int = 5) -> tuple[SimilarCase, ...]:
        """Others' tickets that are most like the query, at most ``limit``; live and test accounts never see each other's."""
        ...
