"""The rows of the sandbox's store as values."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator

from recoup.record import Record
from tools.sandbox.cards import Method
from tools.sandbox.population import Bill, Person


def _from_json(model: type[Record]) -> BeforeValidator:
    return BeforeValidator(lambda value: model.model_validate_json(value) if isinstance(value, str) else value)


class CustomerRow(Record):
    """A customer with the truth about them."""

    id: str
    person: Annotated[Person, _from_json(Person)]
    opted_out: bool
    changed_at: datetime


class MethodRow(Record):
    """A payment method on file."""

    id: str
    customer: str
    method: Annotated[Method, _from_json(Method)]
    slot: Literal["subscription", "backup"]
    usable: bool


class NoteRow(Record):
    """A line about an invoice."""

    text: str


class SubscriptionRow(Record):
    """``ending``: cancelled, but paid service runs until the period is over."""

    id: str
    customer: str
    status: Literal["active", "ending", "cancelled"]
    suspended: bool
    grace_until: datetime | None


class InvoiceRow(Record):
    """An invoice. ``failed_at``: when its first charge failed."""

    id: str
    customer: str
    subscription: str | None
    bill: Annotated[Bill, _from_json(Bill)]
    status: Literal["draft", "open", "paid", "uncollectible"]
    revision: int
    total_minor: int
    paid_minor: int
    credited_minor: int
    refunded_minor: int
    collector: Literal["platform", "recoup"]
    failed_at: datetime | None

    @property
    def remaining_minor(self) -> int:
        """What is still to be paid."""
        return max(0, self.total_minor - self.credited_minor - self.paid_minor)


class AttemptRow(Record):
    """One try to collect. ``key``: the idempotency key of the client that asked for it. ``code``: the decline, as JSON."""

    n: int
    id: str
    invoice: str
    at: datetime
    status: Literal["processing", "succeeded", "failed", "reversed"]
    amount_minor: int
    method: str | None
    fingerprint: str
    brand: str | None
    initiator: Literal["recoup", "platform", "customer"]
    customer_present: bool
    key: str | None
    code: str | None
    refunded_minor: int


class EffectRow(Record):
    """One effect that was accepted."""

    key: str
    name: str
    invoice: str
    at: datetime
    state: Literal["done", "refused"]
    detail: str
    vendor_ref: str | None


class AgendaRow(Record):
    """Something that is going to happen."""

    key: str
    at: datetime
    doing: str
    invoice: str
    attempt: str | None


class DeliveryRow(Record):
    """One copy of a webhook on its way."""

    event: str
    copy_number: int
    body: str
    tries: int


class AnswerRow(Record):
    """What was answered under an idempotency key."""

    request: str
    status: int
    body: str
