"""Everything a decision may rest on, read once: references to rows, amounts, dates and words of closed lists. No personal data.

The graph, the gate, recheck, the executor and offline decisions (``recoup decide --facts FILE``) all take this one value.
"""

from datetime import datetime

from recoup.actions import ActionName, RiskClass
from recoup.case import CaseStatus, Hold
from recoup.category import Category
from recoup.digest import digest
from recoup.invoice import (
    AttemptStatus,
    BillingReason,
    CollectionMethod,
    Collector,
    CredentialSlot,
    DeclineCodes,
    Initiator,
    InvoiceStatus,
    Rail,
)
from recoup.record import Record
from recoup.texts import TextFacts


class ConnectionFacts(Record):
    """The link to the platform. ``capabilities`` holds ``read`` and the action names that its adapter can perform.

    ``reserved_platform_attempts``: how many attempts on one payment method are kept for the platform's own retries while it makes any."""

    name: str
    platform: str
    livemode: bool
    simulated: bool
    capabilities: tuple[str, ...]
    reserved_platform_attempts: int = 0


class AccountFacts(Record):
    """Who owes, without saying who. ``reachable`` lists channels with an address that is not suppressed. ``customer_since``: when the
    oldest invoice that we know of was issued."""

    id: str
    locale: str
    timezone: str
    timezone_source: str
    country: str | None
    segment: str | None
    plan_tier: str | None
    reachable: tuple[str, ...]
    suppressed: tuple[str, ...]
    holdout: bool
    customer_since: datetime | None = None


class InvoiceFacts(Record):
    """One invoice as merged from all readings; amounts in minor units.

    ``collector``: who retries it. ``platform_retries``: how often the platform did so, where it counts that itself."""

    id: str
    vendor_id: str
    status: InvoiceStatus
    currency: str
    total_minor: int
    paid_minor: int
    remaining_minor: int
    credited_minor: int
    refunded_minor: int
    collection_method: CollectionMethod
    billing_reason: BillingReason
    subscription_vendor_id: str | None
    next_platform_attempt_at: datetime | None
    payment_link: bool
    observed_at: datetime
    read_at: datetime
    collector: Collector = Collector.RECOUP
    platform_retries: int | None = None


class CredentialFacts(Record):
    """A payment method on file. ``expires`` is YYYY-MM. ``changed_at``: when its data last changed after we had first seen it; declines
    before it were about other data. ``has_fingerprint``: its ledger follows the number itself and not the platform's id for it."""

    id: str
    vendor_id: str
    rail: Rail
    brand: str | None
    funding: str | None
    country: str | None
    expires: str | None
    slot: CredentialSlot
    is_usable: bool
    changed_at: datetime
    has_fingerprint: bool = False


class AttemptFacts(Record):
    """One try to collect this case's invoice, oldest first in ``CaseFacts.attempts``. ``action_id``: the action of ours that made it."""

    id: str
    credential_id: str | None
    status: AttemptStatus
    amount_minor: int
    currency: str
    initiator: Initiator
    customer_initiated: bool | None
    cit_confidence: float
    occurred_at: datetime
    codes: DeclineCodes | None
    reason: str | None
    category: Category | None
    code_known: bool
    action_id: str | None = None

    def as_ledger_entry(self) -> "LedgerEntry":
        """The attempt as the caps count it."""
        return LedgerEntry(
            id=self.id,
            at=self.occurred_at,
            amount_minor=self.amount_minor,
            currency=self.currency,
            state=self.status,
            initiator=self.initiator,
            customer_initiated=self.customer_initiated,
            category=self.category,
            own_case=True,
            cit_confidence=self.cit_confidence,
            codes=self.codes,
        )


class LedgerEntry(Record):
    """One attempt, or one reservation of ours that stands for an attempt, on a credential, whichever case made it.

    ``credential_id`` names the account's credential concerned; None means the case's own (``CaseFacts.credential``). ``category`` is what
    ``codes`` mean; both are None where nobody has answered. ``cit_confidence`` (0 to 1): how sure we are of ``customer_initiated``."""

    id: str
    at: datetime
    amount_minor: int
    currency: str
    state: str
    initiator: Initiator
    customer_initiated: bool | None
    category: Category | None
    own_case: bool
    credential_id: str | None = None
    cit_confidence: float = 0.0
    codes: DeclineCodes | None = None
    invoice_id: str | None = None


class ContactFacts(Record):
    """One message to this account, in whichever case, or a reservation that stands for one."""

    id: str
    at: datetime
    channel: str
    case_id: str
    step: int
    state: str


class CaseInfo(Record):
    """The case itself."""

    id: str
    status: CaseStatus
    holds: tuple[Hold, ...]
    episode: int
    version: int
    opened_at: datetime
    first_failed_at: datetime
    grace_until: datetime | None
    suspended: bool
    overpaid_minor: int
    recovered_attempt_id: str | None


class ActionFacts(Record):
    """One earlier action of this case, oldest first: what was proposed and what became of it. ``at`` is when its decision was made.

    ``settled_at``: when a person finished the task that it made; None while nobody has. ``finished_at``: when it came to its end."""

    id: str
    name: ActionName
    risk: RiskClass
    state: str
    step: int | None
    channel: str | None
    at: datetime
    template: str | None = None
    queue: str | None = None
    confidence: float = 1.0
    settled_at: datetime | None = None
    finished_at: datetime | None = None


class OpenInvoice(Record):
    """Another invoice of the same account that is still owed; a message lists them all."""

    id: str
    currency: str
    remaining_minor: int
    collector: Collector = Collector.RECOUP


class CaseFacts(Record):
    """All facts of one decision. ``attempts`` are this invoice's, ``ledger`` the account's credentials' (see ``ledger_of``),
    ``contacts`` the account's (31 days), ``texts`` what was written about the account since 31 days before the case, oldest first.

    ``now`` is domain time. ``credential`` is the one the platform would charge; ``backups`` are other usable ones.
    ``overridden_rules`` are house rules that a person has lifted for this case, with a reason that the audit holds.
    """

    now: datetime
    kill_switch: bool
    connection: ConnectionFacts
    account: AccountFacts
    case: CaseInfo
    invoice: InvoiceFacts
    credential: CredentialFacts | None
    backups: tuple[CredentialFacts, ...]
    attempts: tuple[AttemptFacts, ...]
    ledger: tuple[LedgerEntry, ...]
    contacts: tuple[ContactFacts, ...]
    other_open_invoices: tuple[OpenInvoice, ...]
    actions: tuple[ActionFacts, ...]
    overridden_rules: tuple[str, ...] = ()
    texts: tuple[TextFacts, ...] = ()

    @property
    def last_failure(self) -> AttemptFacts | None:
        """The newest failed attempt on this invoice."""
        failed = [attempt for attempt in self.attempts if attempt.status is AttemptStatus.FAILED]
        return failed[-1] if failed else None

    @property
    def category(self) -> Category:
        """What the newest failure asks for; ``generic`` where nothing told."""
        failure = self.last_failure
        return failure.category if failure and failure.category else Category.GENERIC

    @property
    def has_open_attempt(self) -> bool:
        """Whether an attempt is in flight or its outcome unknown: no other may start."""
        return any(a.status in OPEN_ATTEMPT for a in self.attempts)

    @property
    def kept_for_platform(self) -> int:
        """How many attempts every cap must leave to the platform: while it retries anything of the account by itself, and cannot be told
        to stop."""
        collectors = {self.invoice.collector if self.invoice.status is InvoiceStatus.OPEN else Collector.RECOUP}
        collectors |= {other.collector for other in self.other_open_invoices}
        if Collector.PLATFORM not in collectors or ActionName.TAKE_OVER_COLLECTION in self.connection.capabilities:
            return 0
        return self.connection.reserved_platform_attempts

    def ledger_of(self, credential_id: str) -> tuple[LedgerEntry, ...]:
        """Everybody's attempts on one of the account's credentials. What nobody says the credential of counts on the case's own."""
        own = self.credential.id if self.credential else None
        told = tuple(entry for entry in self.ledger if (entry.credential_id or own) == credential_id)
        if credential_id != own:
            return told
        known = {entry.id for entry in told}
        return (*told, *(a.as_ledger_entry() for a in self.attempts if a.credential_id is None and a.id not in known))

    def row_ids(self) -> frozenset[str]:
        """Every row that evidence may cite."""
        single = {self.account.id, self.case.id, self.invoice.id}
        rows = (self.backups, self.attempts, self.ledger, self.contacts, self.other_open_invoices, self.texts)
        many = {row.id for group in rows for row in group}
        return frozenset(single | many | ({self.credential.id} if self.credential else set()))

    def digest(self) -> str:
        """SHA-256 of the facts that matter to an approval: money, standing, method, consent. Not the time and not counts that only grow."""
        return digest(
            {
                "case": [self.case.id, self.case.status, sorted(self.case.holds), self.case.episode, self.case.overpaid_minor],
                "invoice": [self.invoice.id, self.invoice.status, self.invoice.currency, self.invoice.remaining_minor],
                "attempts": [[a.id, a.status] for a in self.attempts],
                "credential": [self.credential.id, self.credential.is_usable] if self.credential else None,
                "backups": sorted(b.id for b in self.backups),
                "reachable": sorted(self.account.reachable),
                "others": sorted([o.id, o.currency, o.remaining_minor] for o in self.other_open_invoices),
            }
        )


OPEN_ATTEMPT = frozenset({AttemptStatus.PENDING, AttemptStatus.PROCESSING, AttemptStatus.UNKNOWN})
