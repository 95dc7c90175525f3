"""What a platform says of an invoice, its attempts, credentials and account: snapshots in our words, before they are merged."""

from datetime import datetime
from enum import StrEnum

from recoup.record import Record


class InvoiceStatus(StrEnum):
    """Where the invoice stands on its platform. Past due is ``open``."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


class CollectionMethod(StrEnum):
    """Who starts a payment: the platform by itself, or the customer who was sent the invoice."""

    CHARGE_AUTOMATICALLY = "charge_automatically"
    SEND_INVOICE = "send_invoice"


class BillingReason(StrEnum):
    """Why the invoice was made. A first-payment invoice (``subscription_create``) is not dunned."""

    SUBSCRIPTION_CREATE = "subscription_create"
    SUBSCRIPTION_CYCLE = "subscription_cycle"
    SUBSCRIPTION_UPDATE = "subscription_update"
    MANUAL = "manual"
    OTHER = "other"


class AttemptStatus(StrEnum):
    """What became of one try to collect."""

    PENDING = "pending"
    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REVERSED = "reversed"
    UNKNOWN = "unknown"


class Initiator(StrEnum):
    """Who made the attempt."""

    RECOUP = "recoup"
    PLATFORM = "platform"
    CUSTOMER = "customer"
    MERCHANT = "merchant"


class Collector(StrEnum):
    """Who retries an invoice: its platform by itself, or nobody but us."""

    PLATFORM = "platform"
    RECOUP = "recoup"


class Rail(StrEnum):
    """The kind of payment network a credential belongs to."""

    CARD = "card"
    ACH = "ach"
    SEPA = "sepa"
    OTHER = "other"


class CredentialSlot(StrEnum):
    """Where the platform keeps the credential; the subscription's own comes before the customer's default."""

    SUBSCRIPTION = "subscription"
    CUSTOMER = "customer"
    BACKUP = "backup"


class DeclineCodes(Record):
    """The raw codes as the processor gave them; ``processor`` says whose words they are, ``gateway_code`` is the gateway's behind it."""

    processor: str
    decline_code: str | None = None
    network_decline_code: str | None = None
    advice_code: str | None = None
    network_advice_code: str | None = None
    gateway_code: str | None = None


class InvoiceSnapshot(Record):
    """One reading of an invoice. A field is None where this reading does not tell.

    Amounts are integer minor units of ``currency``. ``revision`` is the platform's own version counter (0 where it has none),
    ``observed_at`` the platform's time of this reading; together they order readings of one invoice. ``platform_retries``: how often the
    platform itself has tried again after the first attempt, where it counts that.
    """

    vendor_id: str
    observed_at: datetime
    revision: int = 0
    number: str | None = None
    account_vendor_id: str | None = None
    currency: str | None = None
    status: InvoiceStatus | None = None
    total_minor: int | None = None
    tax_minor: int | None = None
    due_minor: int | None = None
    paid_minor: int | None = None
    remaining_minor: int | None = None
    credited_minor: int | None = None
    refunded_minor: int | None = None
    collection_method: CollectionMethod | None = None
    billing_reason: BillingReason | None = None
    subscription_vendor_id: str | None = None
    attempt_count: int | None = None
    platform_retries: int | None = None
    next_platform_attempt_at: datetime | None = None
    collector: Collector | None = None
    payment_link: str | None = None
    issued_at: datetime | None = None
    due_at: datetime | None = None


class CredentialSnapshot(Record):
    """A payment method. ``fingerprint`` names the card or account itself; a payment-method id (``vendor_id``) does not.

    ``expires`` is ``YYYY-MM``. ``country`` is the issuer's, ISO 3166 alpha-2.
    """

    vendor_id: str
    fingerprint: str | None = None
    rail: Rail = Rail.CARD
    brand: str | None = None
    funding: str | None = None
    country: str | None = None
    last4: str | None = None
    expires: str | None = None
    slot: CredentialSlot = CredentialSlot.SUBSCRIPTION
    mandate_vendor_id: str | None = None
    mandate_status: str | None = None
    mandate_scope: str | None = None
    mandate_maximum_minor: int | None = None
    is_usable: bool = True


class AttemptSnapshot(Record):
    """One try to collect an invoice, whoever made it.

    ``vendor_key`` identifies it within its invoice: the charge id where there is one, else the intent's, else the invoice's attempt number.
    ``customer_initiated`` is the CIT/MIT flag (None: not told) and ``cit_confidence`` (0 to 1) how sure we are of it.
    """

    vendor_key: str
    occurred_at: datetime
    observed_at: datetime
    status: AttemptStatus
    amount_minor: int | None = None
    currency: str | None = None
    charge_vendor_id: str | None = None
    intent_vendor_id: str | None = None
    payment_vendor_id: str | None = None
    credential_vendor_id: str | None = None
    initiator: Initiator = Initiator.PLATFORM
    customer_initiated: bool | None = None
    cit_confidence: float = 0.0
    codes: DeclineCodes | None = None
    action_id: str | None = None


class AccountSnapshot(Record):
    """The customer behind an invoice. Names, e-mail and phone are personal: they go to the contacts table and nowhere else."""

    vendor_id: str
    observed_at: datetime
    first_name: str | None = None
    full_name: str | None = None
    email: str | None = None
    phone: str | None = None
    locale: str | None = None
    timezone: str | None = None
    timezone_source: str | None = None
    country: str | None = None
    segment: str | None = None
    plan_tier: str | None = None
    parent_vendor_id: str | None = None
    merged_into_vendor_id: str | None = None
