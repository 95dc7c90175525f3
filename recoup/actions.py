"""The closed set of effects that Recoup can have, their risk classes and the arguments each takes.

An argument is a reference (a row id), a bounded number, a date or one of a few words. The invoice is never an argument: an
action belongs to one case, and the case to one invoice.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, TypeVar

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from recoup.errors import Malformed
from recoup.record import Record


class RiskClass(StrEnum):
    """How much an action can hurt; the gate treats each class differently."""

    INTERNAL = "internal"
    CONTACT = "contact"
    CHARGE = "charge"
    ACCOUNT = "account"


class ActionName(StrEnum):
    """Every effect there is."""

    WRITE_NOTE = "write_note"
    TAG_ACCOUNT = "tag_account"
    CREATE_TASK = "create_task"
    CREATE_TICKET = "create_ticket"
    OPEN_INCIDENT = "open_incident"
    SEND_MESSAGE = "send_message"
    REQUEST_METHOD_UPDATE = "request_method_update"
    RETRY_PAYMENT = "retry_payment"
    USE_BACKUP_METHOD = "use_backup_method"
    TAKE_OVER_COLLECTION = "take_over_collection"
    HAND_BACK_COLLECTION = "hand_back_collection"
    EXTEND_GRACE = "extend_grace"
    OFFER_PAYMENT_PLAN = "offer_payment_plan"
    OFFER_DISCOUNT = "offer_discount"
    SUSPEND_SERVICE = "suspend_service"
    REINSTATE_SERVICE = "reinstate_service"
    CANCEL_SUBSCRIPTION = "cancel_subscription"
    WRITE_OFF = "write_off"
    REFER_TO_AGENCY = "refer_to_agency"
    REFUND_DUPLICATE = "refund_duplicate"


class Channel(StrEnum):
    """How a person is reached."""

    EMAIL = "email"
    SMS = "sms"
    IN_APP = "in_app"
    PUSH = "push"


class Queue(StrEnum):
    """Which people a task or ticket waits for."""

    COLLECTIONS = "collections"
    BILLING_OPS = "billing_ops"
    FRAUD = "fraud"
    DISPUTES = "disputes"
    LEGAL = "legal"


Text = Annotated[str, Field(min_length=1, max_length=4000)]
Title = Annotated[str, Field(min_length=1, max_length=200)]
PositiveMinor = Annotated[int, Field(gt=0)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Tag = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")]
ArgsT = TypeVar("ArgsT", bound=Record)


class NoteArgs(Record):
    """A note on the case, for people; never sent to the customer."""

    text: Text


class TagArgs(Record):
    """A tag on the account."""

    tag: Tag


class TaskArgs(Record):
    """Work for a person, with the case file as ``body``."""

    queue: Queue
    title: Title
    body: Text


class IncidentArgs(Record):
    """A systemic failure pattern that people should look at."""

    kind: Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]
    title: Title


class MessageWords(Record):
    """Words with slots that stand in no template: a model wrote them, or a person."""

    subject: Title
    body: Text


class MessageArgs(Record):
    """A message to the account's contact. ``template`` names a prompt file of words with slots; ``step`` makes it unique:
    (case, step, channel) is sent once, whatever decision asks again. ``invoice_ids`` are the open invoices it lists. ``words``, where
    there are any, are sent in place of the template's, which says what they are about: so they are part of what a person approves."""

    channel: Channel
    template: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,60}$")]
    step: Annotated[int, Field(ge=0, le=50)]
    locale: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")] = "en"
    invoice_ids: tuple[str, ...]
    words: MessageWords | None = None

    @model_serializer(mode="wrap")
    def _without_unwritten(self, to_json: SerializerFunctionWrapHandler) -> dict[str, object]:
        """A templated message is written down as it was before there were other words, or its digest would change."""
        values: dict[str, object] = to_json(self)
        return values if self.words is not None else {key: value for key, value in values.items() if key != "words"}


class ChargeArgs(Record):
    """One try to collect what remains of the case's invoice from one credential."""

    credential_id: str
    amount_minor: PositiveMinor
    currency: Currency


class NoArgs(Record):
    """Takes no arguments."""


class ExtendGraceArgs(Record):
    """Keep the service running until then although the invoice is open."""

    until: datetime


class PaymentPlanArgs(Record):
    """Split what remains."""

    instalments: Annotated[int, Field(ge=2, le=12)]


class DiscountArgs(Record):
    """A one-off reduction of what remains."""

    percent: Annotated[int, Field(ge=1, le=50)]


class CancelArgs(Record):
    """When the subscription ends."""

    at: Literal["now", "period_end"]


class WriteOffArgs(Record):
    """Give up this much of the debt."""

    amount_minor: PositiveMinor
    currency: Currency


class AgencyArgs(Record):
    """Hand the debt to an agency known to policy by this name."""

    agency: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")]


class RefundArgs(Record):
    """Give back what one attempt took too much."""

    attempt_id: str
    amount_minor: PositiveMinor
    currency: Currency


SPECIFICATION: dict[ActionName, tuple[RiskClass, type[Record]]] = {
    ActionName.WRITE_NOTE: (RiskClass.INTERNAL, NoteArgs),
    ActionName.TAG_ACCOUNT: (RiskClass.INTERNAL, TagArgs),
    ActionName.CREATE_TASK: (RiskClass.INTERNAL, TaskArgs),
    ActionName.CREATE_TICKET: (RiskClass.INTERNAL, TaskArgs),
    ActionName.OPEN_INCIDENT: (RiskClass.INTERNAL, IncidentArgs),
    ActionName.SEND_MESSAGE: (RiskClass.CONTACT, MessageArgs),
    ActionName.REQUEST_METHOD_UPDATE: (RiskClass.CONTACT, MessageArgs),
    ActionName.RETRY_PAYMENT: (RiskClass.CHARGE, ChargeArgs),
    ActionName.USE_BACKUP_METHOD: (RiskClass.ACCOUNT, ChargeArgs),
    ActionName.TAKE_OVER_COLLECTION: (RiskClass.ACCOUNT, NoArgs),
    ActionName.HAND_BACK_COLLECTION: (RiskClass.ACCOUNT, NoArgs),
    ActionName.EXTEND_GRACE: (RiskClass.ACCOUNT, ExtendGraceArgs),
    ActionName.OFFER_PAYMENT_PLAN: (RiskClass.ACCOUNT, PaymentPlanArgs),
    ActionName.OFFER_DISCOUNT: (RiskClass.ACCOUNT, DiscountArgs),
    ActionName.SUSPEND_SERVICE: (RiskClass.ACCOUNT, NoArgs),
    ActionName.REINSTATE_SERVICE: (RiskClass.ACCOUNT, NoArgs),
    ActionName.CANCEL_SUBSCRIPTION: (RiskClass.ACCOUNT, CancelArgs),
    ActionName.WRITE_OFF: (RiskClass.ACCOUNT, WriteOffArgs),
    ActionName.REFER_TO_AGENCY: (RiskClass.ACCOUNT, AgencyArgs),
    ActionName.REFUND_DUPLICATE: (RiskClass.ACCOUNT, RefundArgs),
}

MOVES_MONEY = frozenset({ActionName.RETRY_PAYMENT, ActionName.USE_BACKUP_METHOD})

# The one message that a closed case still sends: it says that all is paid, and asks for nothing.
RECEIPT_TEMPLATE = "receipt"


class Action(Record):
    """One effect on one case: a name of the closed set and its checked arguments, as JSON."""

    name: ActionName
    args: dict[str, object]

    @property
    def risk(self) -> RiskClass:
        """The class that the gate judges it by."""
        return SPECIFICATION[self.name][0]

    @property
    def is_receipt(self) -> bool:
        """Whether it only tells the customer that all is paid."""
        return self.name is ActionName.SEND_MESSAGE and self.args.get("template") == RECEIPT_TEMPLATE


def make_action(name: ActionName, args: Record) -> Action:
    """An action from typed arguments; raises Malformed where they are of another action."""
    expected = SPECIFICATION[name][1]
    if type(args) is not expected:
        raise Malformed(f"{name} takes {expected.__name__}, not {type(args).__name__}")
    return Action(name=name, args=args.model_dump(mode="json"))


def check_action(name: str, args: object) -> Action:
    """An action from outside (a person's edit, a stored row); raises Malformed and names what is wrong."""
    try:
        action_name = ActionName(name)
    except ValueError as exc:
        raise Malformed(f"there is no action {name!r}; one of {', '.join(ActionName)}") from exc
    try:
        checked = SPECIFICATION[action_name][1].model_validate(args)
    except ValidationError as exc:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'args'}: {e['msg']}" for e in exc.errors())
        raise Malformed(f"arguments of {action_name} are not valid: {problems}") from exc
    return Action(name=action_name, args=checked.model_dump(mode="json"))


def typed_args(action: Action, expected: type[ArgsT]) -> ArgsT:
    """The arguments as their type; raises Malformed where the action takes another."""
    if SPECIFICATION[action.name][1] is not expected:
        raise Malformed(f"{action.name} does not take {expected.__name__}")
    return expected.model_validate(action.args)
