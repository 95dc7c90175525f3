"""What the inner packages need of the outer ones, as protocols; graph/bootstrap.py passes the adapters in."""

from datetime import datetime, timedelta
from typing import Literal, Protocol

from recoup.events import ObjectRef, Reading
from recoup.facts import CaseFacts
from recoup.mirror import MirrorNote
from recoup.policy import Policy
from recoup.record import Record

# How long an answer is waited for, whatever it waits behind: longer than a gateway takes over a charge, and an adapter's own limits
# are tighter. After that an effect's outcome is unknown, and a reading is tried again.
LONGEST_EFFECT_SECONDS = 40.0
LONGEST_READING_SECONDS = 30.0


class Effect(Record):
    """One committed action on its way out. ``key`` is the action's id: the idempotency key and the name to find it by.

    ``args`` hold vendor ids already resolved (``credential_vendor_id``, ``attempt_vendor_key``) beside the action's own arguments.
    ``known_transactions``: ids of the attempts on the invoice that we knew before it was first sent. None of them can be its outcome,
    and nothing can that was there before ``decided_at``.
    """

    key: str
    name: str
    invoice_vendor_id: str
    subscription_vendor_id: str | None
    account_vendor_id: str
    args: dict[str, object]
    known_transactions: tuple[str, ...] = ()
    decided_at: datetime | None = None


class EffectResult(Record):
    """What the other side answered. ``refused``: it was understood and declined to do it (a declined card is ``done``: an attempt was
    made, and the next reading tells its outcome). ``detail`` is safe to show and to audit: no personal data. ``request_id``: the other
    side's own name for the exchange that had the effect, by which its support finds it."""

    state: Literal["done", "refused"]
    detail: str
    vendor_ref: str | None = None
    request_id: str | None = None


class Found(Record):
    """The effect exists on the other side."""

    result: EffectResult


class Absent(Record):
    """The effect surely does not exist there, and its key still protects a repetition."""


class Indeterminate(Record):
    """Nobody can tell; a person must."""

    why: str


EffectLookup = Found | Absent | Indeterminate


# Vendors try to deliver a webhook for about three days; a day more for those who gave up just before Recoup was first connected.
FIRST_LOOK_BACK = timedelta(days=4)


class ChangedPage(Record):
    """Objects that changed, oldest first. ``cursor`` goes into the next call; pages overlap, so that a ref may come twice.

    ``begins``: from when on changes are told, on a page that does not go on from the one before: the first of all, and one before which
    the platform has forgotten what had changed."""

    refs: tuple[ObjectRef, ...]
    cursor: str
    has_more: bool
    begins: datetime | None = None


class Unread(Record):
    """An invoice that is there and could not be read, and why. No personal data."""

    invoice_vendor_id: str
    why: str


class HistoryPage(Record):
    """Invoices of the past, each a complete reading as of now, newest first. ``cursor`` goes into the next call.

    ``reached``: every invoice issued after it has been told, here or on earlier pages; None where this page has none."""

    readings: tuple[Reading, ...]
    unread: tuple[Unread, ...] = ()
    cursor: str | None
    has_more: bool
    reached: datetime | None


class CheckResult(Record):
    """One thing that a connection needs: whether it holds, what was found, and how to mend it where it does not. No secrets.

    ``is_seen``: False where the platform does not show it, so that nobody can say more than that nothing speaks against it; ``fix`` then
    says how a person can see for themselves. ``only_to_act``: watching in shadow mode does without it."""

    name: str
    ok: bool
    found: str
    fix: str | None = None
    is_seen: bool = True
    only_to_act: bool = False


class BillingPlatform(Protocol):
    """A billing platform, reached over HTTP. Raises BillingUnavailable (surely nothing happened) or OutcomeUnknown (it may have).

    **Links.** The link in a message is ``payment_link`` of the reading that precedes it: Stripe's ``hosted_invoice_url``, at Recurly the
    account's page with its hosted login token. Neither API has a call that closes one of these while the invoice is owed, and no checkout
    session or payment link is ever made here that would have to be. So an open link is not closed before a charge: the invoice is read,
    what is paid or under way on it keeps the charge from starting, the platform refuses what was paid in between, and what goes through
    twice all the same comes back as an overpayment.

    **Whose retries.** A reading says who collects (``InvoiceSnapshot.collector``). ``take_over_collection`` ends the platform's own
    retries of one invoice, and with them the action that it would have ended with (Stripe: cancelling the subscription or marking it
    unpaid). ``hand_back_collection`` gives both back: Stripe plans its next attempt anew if its schedule has any left, else it ends as it
    was set up to. A platform that can do neither retries beside us, and room is kept for it under every cap."""

    @property
    def capabilities(self) -> frozenset[str]:
        """``read``, ``note`` and ``tag`` (what ``mirror`` can write), and the names of the actions that ``perform`` can do."""
        ...

    @property
    def key_valid_seconds(self) -> float:
        """How long the platform remembers an idempotency key."""
        ...

    async def read_invoice(self, invoice_vendor_id: str) -> Reading:
        """The invoice as it stands now, with account, attempts and credentials, complete."""
        ...

    async def fetch(self, ref: ObjectRef) -> Reading:
        """The object that a thin event points at; raises NotFetchable where this platform cannot be read."""
        ...

    async def perform(self, effect: Effect) -> EffectResult:
        """Do it once: the same ``effect.key`` never has a second effect while the key is valid."""
        ...

    async def find_effect(self, effect: Effect) -> EffectLookup:
        """Whether it happened. Reads only."""
        ...

    async def mirror(self, note: MirrorNote) -> None:
        """Shows the note to the people who look at the platform; written twice, it stands there once. It moves no money and changes
        nothing that the platform acts on. Raises Refused where it does not take it."""
        ...

    async def changed_since(self, cursor: str | None) -> ChangedPage:
        """What changed since the cursor was given; None begins FIRST_LOOK_BACK ago, and what is older is history's. Raises NotFetchable
        where the platform cannot tell."""
        ...

    async def history(self, since: datetime, cursor: str | None) -> HistoryPage:
        """One page of the invoices issued since then, newest first, drafts left out; ``since`` stays the same from page to page. None
        begins with the newest. Raises NotFetchable where they cannot be listed, Malformed for a cursor of somebody else's."""
        ...

    async def examine(self, *, to_act: bool = True) -> tuple[CheckResult, ...]:
        """Whether the connection is set up: credentials, permissions, webhooks, clock, live or test. Changes nothing. Without ``to_act``
        it only reads, and what is needed to write is left out."""
        ...


class OutgoingMessage(Record):
    """A rendered message. Personal data: never logged, never in a job's arguments."""

    action_id: str
    channel: str
    to: str
    subject: str
    body: str
    locale: str


class Messenger(Protocol):
    """Sends messages on one or more channels. Raises MessagingUnavailable (surely not accepted) or OutcomeUnknown."""

    @property
    def channels(self) -> frozenset[str]:
        """The channels it can send on."""
        ...

    async def send(self, message: OutgoingMessage) -> EffectResult:
        """Hand it over; ``Message-ID`` comes from the action's id."""
        ...

    async def find(self, action_id: str) -> EffectLookup:
        """Whether the message was accepted. Reads only."""
        ...


class FactsSource(Protocol):
    """Reads the facts of a case in one consistent snapshot of the database."""

    async def load(self, case_id: str, now: datetime) -> CaseFacts:
        """All facts; raises NotFound."""
        ...


class PolicySource(Protocol):
    """Gives the policy in force, and old versions for the decisions that rested on them."""

    async def current(self) -> tuple[int, Policy]:
        """(version, policy) in force."""
        ...

    async def version(self, number: int) -> Policy:
        """One version; raises NotFound."""
        ...
