"""The ledger of one case of a world as the rules read it: what may be charged and when, what a decline meant, what broke a rule."""

from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from evals.network_checker import Card, Try, breaches
from recoup.category import Category, Retry
from recoup.decline import Treatment, decline_of, treat
from recoup.facts import CredentialFacts, InvoiceFacts, LedgerEntry
from recoup.invoice import BillingReason, CollectionMethod, CredentialSlot, DeclineCodes, Initiator, InvoiceStatus, Rail
from recoup.ledger import Ledger
from recoup.network import Allowed, Denied, NotBefore, permit
from tools.sandbox.protocol import Credential, Decline, FailedInvoice

REMEMBERED = timedelta(days=190)  # the longest window of a cap is 180 days
FAILED, SUCCEEDED = "failed", "succeeded"


class Standing:
    """Attempts on the credential that is on file now, whoever made them; the credential's data may change under way."""

    def __init__(self, invoice: FailedInvoice) -> None:
        self._invoice = invoice
        self._facts = _invoice_facts(invoice.amount_minor, invoice.currency)
        self._credential = _credential(invoice.credential, invoice.failed_at - REMEMBERED * 20)
        self._entries = [
            _entry(past.at, past.amount_minor, invoice.currency, past.decline, past.credential, invoice.credential)
            for past in invoice.history
            if past.credential == invoice.credential.id and past.at > invoice.failed_at - REMEMBERED
        ]
        self._changes: tuple[datetime, ...] = ()
        self._closed: list[tuple[CredentialFacts, list[LedgerEntry], tuple[datetime, ...]]] = []
        self._own: set[str] = set()
        self._categories: dict[datetime, Category] = {}
        self.treatment = self._note(invoice.failed_at, invoice.decline)
        self.first_category = self.treatment.category

    @property
    def category(self) -> Category:
        """What the newest decline meant."""
        return self.treatment.category

    @property
    def retry(self) -> Retry:
        """What the newest decline permits."""
        return self.treatment.retry

    def permit(self, at: datetime) -> Allowed | NotBefore | Denied:
        """Whether what remains may be charged on the credential at ``at``."""
        return permit(Ledger(self._entries), self._credential, self._facts, at)

    def update(self, credential: Credential, at: datetime) -> None:
        """Another credential is on file, or the same with new data."""
        if credential.id == self._credential.id:
            self._changes = (*self._changes, at)
        else:
            self._closed.append((self._credential, self._entries, self._changes))
            self._entries, self._changes = [], (at,)
        self._credential = _credential(credential, at)

    def declined(self, at: datetime, decline: Decline) -> Category:
        """A charge of ours came back; gives what it meant."""
        self.treatment = self._note(at, decline, is_ours=True)
        self._categories[at] = self.treatment.category
        return self.treatment.category

    def category_at(self, at: datetime) -> Category | None:
        """What the decline of a charge of ours meant."""
        return self._categories.get(at)

    def approved(self, at: datetime) -> None:
        """A charge of ours went through."""
        self._add(at, None, is_ours=True)

    def breaches(self) -> int:
        """How many of our charges the independent checker objects to."""
        books = [*self._closed, (self._credential, self._entries, self._changes)]
        return sum(
            len({b.subject for b in breaches(_card(facts, changes), [_try(e, is_ours=e.id in self._own) for e in entries])})
            for facts, entries, changes in books
            if any(e.id in self._own for e in entries)
        )

    def _note(self, at: datetime, decline: Decline, *, is_ours: bool = False) -> Treatment:
        self._add(at, decline, is_ours=is_ours)
        return _treated(decline, self._credential, at)

    def _add(self, at: datetime, decline: Decline | None, *, is_ours: bool) -> None:
        entry = _entry(at, self._invoice.amount_minor, self._invoice.currency, decline, self._credential.id, self._credential)
        entry = entry.model_copy(update={"id": f"a{len(self._entries)}", "own_case": True})
        if is_ours:
            self._own.add(entry.id)
        self._entries.append(entry)


def category_of(decline: Decline, credential: Credential, at: datetime) -> Category:
    """What a decline of the account's past meant."""
    return _category(decline, credential.brand, credential.country, credential.rail, at.replace(hour=0, minute=0, second=0, microsecond=0))


@lru_cache(maxsize=65536)
def _category(decline: Decline, brand: str | None, country: str | None, rail: str, day: datetime) -> Category:
    return treat(decline_of(_codes(decline), brand, country, Rail(rail)), day).category


@lru_cache(maxsize=64)
def zone(name: str | None) -> ZoneInfo:
    """The customer's time zone, UTC where nobody told."""
    return ZoneInfo(name or "UTC")


@lru_cache(maxsize=4096)
def _codes(decline: Decline) -> DeclineCodes:
    return DeclineCodes(
        processor=decline.processor,
        decline_code=decline.code,
        network_decline_code=decline.network_code,
        network_advice_code=decline.advice,
    )


def _treated(decline: Decline, credential: CredentialFacts, at: datetime) -> Treatment:
    return treat(decline_of(_codes(decline), credential.brand, credential.country, credential.rail), at)


def _entry(
    at: datetime, amount_minor: int, currency: str, decline: Decline | None, credential_id: str, credential: Credential | CredentialFacts
) -> LedgerEntry:
    category = None
    if decline is not None:
        category = _category(
            decline, credential.brand, credential.country, str(credential.rail), at.replace(hour=0, minute=0, second=0, microsecond=0)
        )
    return LedgerEntry.model_construct(
        id=f"h{at.timestamp():.0f}",
        at=at,
        amount_minor=amount_minor,
        currency=currency,
        state=SUCCEEDED if decline is None else FAILED,
        initiator=Initiator.PLATFORM,
        customer_initiated=False,
        category=category,
        own_case=False,
        credential_id=credential_id,
        cit_confidence=1.0,
        codes=_codes(decline) if decline else None,
        invoice_id=None,
    )


def _try(entry: LedgerEntry, *, is_ours: bool) -> Try:
    codes = entry.codes
    return Try(
        subject=entry.id,
        at=entry.at,
        amount=entry.amount_minor,
        currency=entry.currency,
        is_ours=is_ours,
        by_customer_surely=False,
        status=entry.state,
        processor=codes.processor if codes else None,
        code=codes.decline_code if codes else None,
        network_code=codes.network_decline_code if codes else None,
        advice=codes.network_advice_code if codes else None,
    )


def _card(credential: CredentialFacts, changes: tuple[datetime, ...]) -> Card:
    return Card(rail=credential.rail, brand=credential.brand, country=credential.country, has_fingerprint=False, changes=changes)


def _credential(credential: Credential, changed_at: datetime) -> CredentialFacts:
    return CredentialFacts.model_construct(
        id=credential.id,
        vendor_id=credential.id,
        rail=Rail(credential.rail),
        brand=credential.brand,
        funding=credential.funding,
        country=credential.country,
        expires=credential.expires,
        slot=CredentialSlot.SUBSCRIPTION,
        is_usable=True,
        changed_at=changed_at,
        has_fingerprint=False,
    )


def _invoice_facts(amount_minor: int, currency: str) -> InvoiceFacts:
    now = datetime.fromisoformat("2100-01-01T00:00:00+00:00")  # readings are always fresh here: the world answers at once
    return InvoiceFacts.model_construct(
        id="invoice",
        vendor_id="invoice",
        status=InvoiceStatus.OPEN,
        currency=currency,
        total_minor=amount_minor,
        paid_minor=0,
        remaining_minor=amount_minor,
        credited_minor=0,
        refunded_minor=0,
        collection_method=CollectionMethod.CHARGE_AUTOMATICALLY,
        billing_reason=BillingReason.SUBSCRIPTION_CYCLE,
        subscription_vendor_id=None,
        next_platform_attempt_at=None,
        payment_link=True,
        observed_at=now,
        read_at=now,
    )
