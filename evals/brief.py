"""A case in a few words, as datasets write it, and the facts that it stands for. What a brief leaves out is the most ordinary case."""

from datetime import UTC, datetime, timedelta

from recoup.actions import SPECIFICATION, ActionName
from recoup.case import CaseStatus, Hold
from recoup.decline import decline_of, treat
from recoup.errors import Malformed
from recoup.facts import (
    AccountFacts,
    ActionFacts,
    AttemptFacts,
    CaseFacts,
    CaseInfo,
    ConnectionFacts,
    ContactFacts,
    CredentialFacts,
    InvoiceFacts,
    LedgerEntry,
    OpenInvoice,
)
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

# A Tuesday, at an hour when people may be written to in America and in Europe.
OPENED = datetime(2026, 11, 3, 14, 0, tzinfo=UTC)


class Tried(Record):
    """One attempt. ``code`` is ``processor:code``; ``day`` counts from the opening; ``on`` names the payment method; ``invoice`` another
    invoice than the case's own."""

    code: str | None = None
    network: str | None = None
    advice: str | None = None
    day: float = 0.0
    status: AttemptStatus = AttemptStatus.FAILED
    by: Initiator = Initiator.PLATFORM
    on: str | None = "card"
    amount: int | None = None
    invoice: str | None = None


class Method(Record):
    """A payment method on file."""

    name: str = "card"
    rail: Rail = Rail.CARD
    brand: str | None = "visa"
    funding: str | None = "debit"
    country: str | None = "US"
    expires: str | None = "2029-12"
    usable: bool = True
    changed_day: float = -200.0


class Did(Record):
    """One earlier action of the case."""

    name: ActionName
    day: float
    state: str = "done"
    queue: str | None = None
    settled_day: float | None = None
    step: int | None = None
    channel: str | None = None


class Brief(Record):
    """Days count from the opening of the case. Money in minor units of ``currency``. ``other``: open invoices besides, by id."""

    day: float = 0.04
    status: CaseStatus = CaseStatus.OPEN
    holds: tuple[Hold, ...] = ()
    episode: int = 1
    overpaid: int = 0
    suspended: bool = False
    total: int = 4900
    paid: int = 0
    currency: str = "USD"
    invoice_status: InvoiceStatus = InvoiceStatus.OPEN
    link: bool = True
    locale: str = "en"
    timezone: str = "America/New_York"
    country: str | None = "US"
    segment: str | None = None
    tier: str | None = None
    reachable: tuple[str, ...] = ("email",)
    suppressed: tuple[str, ...] = ()
    holdout: bool = False
    kill_switch: bool = False
    platform: str = "sandbox"
    capabilities: tuple[str, ...] | None = None
    collector: Collector = Collector.RECOUP
    platform_next_day: float | None = None
    method: Method | None = Method()
    backups: tuple[Method, ...] = ()
    tried: tuple[Tried, ...] = (Tried(code="stripe:insufficient_funds"),)
    did: tuple[Did, ...] = ()
    wrote_days: tuple[float, ...] = ()
    other: dict[str, int] = {}


def facts_of_brief(brief: Brief) -> CaseFacts:
    """The facts of one decision on that case."""
    now = at(brief.day)
    own = [tried for tried in brief.tried if tried.invoice is None]
    attempts = tuple(_attempt(number, tried, brief) for number, tried in enumerate(own, start=1))
    elsewhere = [tried for tried in brief.tried if tried.invoice is not None]
    return CaseFacts(
        now=now,
        kill_switch=brief.kill_switch,
        connection=_connection(brief),
        account=_account(brief),
        case=_case(brief),
        invoice=_invoice(brief, now),
        credential=_method(brief.method, CredentialSlot.SUBSCRIPTION) if brief.method else None,
        backups=tuple(_method(method, CredentialSlot.BACKUP) for method in brief.backups),
        attempts=attempts,
        ledger=(
            *(attempt.as_ledger_entry().model_copy(update={"credential_id": attempt.credential_id}) for attempt in attempts),
            *(_elsewhere(number, tried, brief) for number, tried in enumerate(elsewhere, start=1)),
        ),
        contacts=tuple(
            ContactFacts(id=f"msg_{number}", at=at(day), channel="email", case_id="case_1", step=number - 1, state="sent")
            for number, day in enumerate(brief.wrote_days, start=1)
        ),
        other_open_invoices=tuple(OpenInvoice(id=i, currency=brief.currency, remaining_minor=minor) for i, minor in brief.other.items()),
        actions=tuple(_did(number, did) for number, did in enumerate((*_wrote(brief), *brief.did), start=1)),
    )


def at(day: float) -> datetime:
    """That many days after the case opened."""
    return OPENED + timedelta(days=day)


def codes_of(code: str | None, network: str | None = None, advice: str | None = None) -> DeclineCodes | None:
    """Raw codes; ``code`` is ``processor:code``. None where nothing was said. Raises Malformed without a processor."""
    if code is None:
        return None
    processor, colon, word = code.partition(":")
    if not colon:
        raise Malformed(f"{code!r} does not say whose code it is, such as stripe:{code}")
    return DeclineCodes(processor=processor, decline_code=word or None, network_decline_code=network, network_advice_code=advice)


def _attempt(number: int, tried: Tried, brief: Brief) -> AttemptFacts:
    codes = codes_of(tried.code, tried.network, tried.advice)
    method = next((m for m in (brief.method, *brief.backups) if m and m.name == tried.on), None)
    told = None
    if codes is not None:
        brand, country, rail = (method.brand, method.country, method.rail) if method else (None, None, None)
        told = treat(decline_of(codes, brand, country, rail), at(brief.day))
    return AttemptFacts(
        id=f"att_{number}",
        credential_id=f"crd_{tried.on}" if tried.on else None,
        status=tried.status,
        amount_minor=tried.amount or brief.total,
        currency=brief.currency,
        initiator=tried.by,
        customer_initiated=tried.by is Initiator.CUSTOMER,
        cit_confidence=0.9,
        occurred_at=at(tried.day),
        codes=codes,
        reason=told.reason if told else None,
        category=told.category if told else None,
        code_known=told.known if told else False,
    )


def _elsewhere(number: int, tried: Tried, brief: Brief) -> LedgerEntry:
    attempt = _attempt(number, tried, brief)
    update = {"id": f"oth_{number}", "credential_id": attempt.credential_id, "invoice_id": tried.invoice, "own_case": False}
    return attempt.as_ledger_entry().model_copy(update=update)


def _connection(brief: Brief) -> ConnectionFacts:
    everything = ("read", *(str(name) for name in ActionName))
    capabilities = everything if brief.capabilities is None else brief.capabilities
    return ConnectionFacts(name=brief.platform, platform=brief.platform, livemode=False, simulated=True, capabilities=capabilities)


def _account(brief: Brief) -> AccountFacts:
    return AccountFacts(
        id="acc_1",
        locale=brief.locale,
        timezone=brief.timezone,
        timezone_source="platform",
        country=brief.country,
        segment=brief.segment,
        plan_tier=brief.tier,
        reachable=brief.reachable,
        suppressed=brief.suppressed,
        holdout=brief.holdout,
    )


def _case(brief: Brief) -> CaseInfo:
    return CaseInfo(
        id="case_1",
        status=brief.status,
        holds=brief.holds,
        episode=brief.episode,
        version=1,
        opened_at=OPENED,
        first_failed_at=OPENED,
        grace_until=None,
        suspended=brief.suspended,
        overpaid_minor=brief.overpaid,
        recovered_attempt_id=None,
    )


def _invoice(brief: Brief, now: datetime) -> InvoiceFacts:
    return InvoiceFacts(
        id="inv_1",
        vendor_id="in_1",
        status=brief.invoice_status,
        currency=brief.currency,
        total_minor=brief.total,
        paid_minor=brief.paid,
        remaining_minor=max(0, brief.total - brief.paid),
        credited_minor=0,
        refunded_minor=0,
        collection_method=CollectionMethod.CHARGE_AUTOMATICALLY,
        billing_reason=BillingReason.SUBSCRIPTION_CYCLE,
        subscription_vendor_id="sub_1",
        next_platform_attempt_at=None if brief.platform_next_day is None else at(brief.platform_next_day),
        payment_link=brief.link,
        observed_at=now,
        read_at=now,
        collector=brief.collector,
    )


def _method(method: Method, slot: CredentialSlot) -> CredentialFacts:
    return CredentialFacts(
        id=f"crd_{method.name}",
        vendor_id=f"pm_{method.name}",
        rail=method.rail,
        brand=method.brand,
        funding=method.funding,
        country=method.country,
        expires=method.expires,
        slot=slot,
        is_usable=method.usable,
        changed_at=at(method.changed_day),
    )


def _wrote(brief: Brief) -> tuple[Did, ...]:
    """What the customer was written is an action of the case as well: one step after another."""
    return tuple(Did(name=ActionName.SEND_MESSAGE, day=day, step=step, channel="email") for step, day in enumerate(brief.wrote_days))


def _did(number: int, did: Did) -> ActionFacts:
    return ActionFacts(
        id=f"act_{number}",
        name=did.name,
        risk=SPECIFICATION[did.name][0],
        state=did.state,
        step=did.step,
        channel=did.channel,
        at=at(did.day),
        queue=did.queue,
        settled_at=None if did.settled_day is None else at(did.settled_day),
    )
