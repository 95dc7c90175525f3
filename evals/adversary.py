"""An adversary that tries to break every network rule through ``permit``: it asks at the worst moments and charges whenever it is let.

The provider beside it keeps a ledger of its own, in the words of the independent checker; only that ledger is judged.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from evals.network_checker import Breach, Card, Try, breaches
from recoup.category import Category
from recoup.decline import decline_of, treat
from recoup.facts import CredentialFacts, InvoiceFacts, LedgerEntry
from recoup.invoice import BillingReason, CollectionMethod, CredentialSlot, DeclineCodes, Initiator, InvoiceStatus, Rail
from recoup.ledger import Ledger
from recoup.network import Allowed, Denied, NotBefore, permit

SECOND = timedelta(seconds=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# The ends of every wait and window that any rule knows, from an earlier attempt.
BOUNDARIES = (HOUR, DAY, 2 * DAY, 3 * DAY, 4 * DAY, 6 * DAY, 8 * DAY, 10 * DAY, 30 * DAY, 31 * DAY, 42 * DAY, 180 * DAY)
# Shortly before a rule switches, and an ordinary day.
STARTS = tuple(datetime(*day, tzinfo=UTC) for day in ((2025, 4, 8), (2025, 5, 10), (2026, 10, 18), (2026, 1, 20)))
AMOUNTS = (4900, 4900, 4900, 100)
MOST_ON_A_CARD = 250
LONGEST = timedelta(days=400)  # longer than every window
PATIENCE = 40  # questions in a row that were denied, before another card is taken

CARDS: tuple[tuple[Rail, str | None, str | None], ...] = (
    (Rail.CARD, "visa", "US"),
    (Rail.CARD, "Visa", "US"),
    (Rail.CARD, "mastercard", "US"),
    (Rail.CARD, "MasterCard", "US"),
    (Rail.CARD, "mastercard", "BR"),
    (Rail.CARD, "American Express", "US"),
    (Rail.CARD, "discover", "US"),
    (Rail.CARD, None, None),
    (Rail.CARD, "visa", "IN"),
    (Rail.ACH, None, "US"),
    (Rail.SEPA, None, "DE"),
)
SOFT: dict[Rail, tuple[tuple[str, str], ...]] = {
    Rail.CARD: (
        ("stripe", "insufficient_funds"),
        ("stripe", "insufficient_funds"),
        ("stripe", "card_velocity_exceeded"),
        ("stripe", "processing_error"),
        ("stripe", "issuer_not_available"),
        ("recurly", "insufficient_funds"),
        ("braintree", "2001"),
        ("braintree", "3000"),
        ("iso8583", "51"),
        ("iso8583", "91"),
    ),
    Rail.ACH: (("ach", "R01"), ("ach", "R09")),
    Rail.SEPA: (("sepa", "AM04"), ("sepa", "MS03")),
    Rail.OTHER: (("stripe", "insufficient_funds"),),
}
RARE: dict[Rail, tuple[tuple[str, str], ...]] = {
    Rail.CARD: (
        ("stripe", "do_not_honor"),
        ("stripe", "generic_decline"),
        ("stripe", "made_up"),
        ("recurly", "declined"),
        ("iso8583", "05"),
        ("iso8583", "57"),
        ("iso8583", "83"),
        ("iso8583", "5C"),
        ("stripe", "expired_card"),
        ("stripe", "authentication_required"),
        ("stripe", "card_not_supported"),
        ("stripe", "lock_timeout"),
        ("stripe", "lost_card"),
        ("iso8583", "41"),
    ),
    Rail.ACH: (("ach", "R08"), ("ach", "R02"), ("ach", "R07"), ("stripe", "generic_decline")),
    Rail.SEPA: (("sepa", "AC01"), ("sepa", "MD01"), ("sepa", "MS02"), ("sepa", "MD06"), ("sepa", "AC04")),
    Rail.OTHER: (("stripe", "lost_card"),),
}
ADVICE = (None, None, None, None, None, "02", "24", "24", "25", "26", "27", "28", "29", "30", "43", "01", "03", "21", "40")


@dataclass
class Report:
    """What came of it. ``attempts``: of ours in the provider's ledger; ``spoken``: how often each rule kept the adversary back."""

    seed: int
    attempts: int = 0
    asked: int = 0
    cards: int = 0
    spoken: Counter[str] = field(default_factory=Counter[str])
    breaches: list[Breach] = field(default_factory=list[Breach])


Permit = Callable[[Ledger, CredentialFacts, InvoiceFacts, datetime], Allowed | NotBefore | Denied]


def attack(seed: int, attempts: int, ask: Permit = permit) -> Report:
    """Makes at least so many attempts, card after card, and has each card's ledger checked. Deterministic by its seed."""
    report, draw = Report(seed), random.Random(seed)
    while report.attempts < attempts:
        siege = _Siege(draw, report, CARDS[report.cards % len(CARDS)], ask)
        siege.run(most=min(MOST_ON_A_CARD, attempts - report.attempts))
        report.cards += 1
        report.breaches += breaches(siege.card(), siege.tries)
    return report


class _Siege:
    """One card, several cases, everybody charging it."""

    def __init__(self, draw: random.Random, report: Report, kind: tuple[Rail, str | None, str | None], ask: Permit) -> None:
        self.draw, self.report, self.permit = draw, report, ask
        self.rail, self.brand, self.country = kind
        self.now = draw.choice(STARTS) + timedelta(seconds=draw.randrange(3 * 86400))
        self.ends = self.now + LONGEST
        self.has_fingerprint = draw.random() < 0.5
        self.changes: list[datetime] = []
        self.known: list[LedgerEntry] = []
        self.tries: list[Try] = []
        self.numbers = count()
        self.cit = draw.choice((0.0, 0.3))
        # The issuer of some cards is never there: the shortest wait of all, so that the longest counts fill.
        self.is_away = self.rail is Rail.CARD and draw.random() < 0.2

    def card(self) -> Card:
        """The card as the checker knows it."""
        return Card(self.rail, self.brand, self.country, has_fingerprint=self.has_fingerprint, changes=tuple(self.changes))

    def run(self, most: int) -> None:
        """Charges until ``most`` attempts were made or nothing moves any more."""
        self._somebody(Initiator.PLATFORM)
        made = denied = 0
        wished: datetime | None = None
        while made < most and denied < PATIENCE:
            self.now = self._moment(wished)
            if self.now > self.ends:
                break
            amount = AMOUNTS[0] if self.is_away else self.draw.choice(AMOUNTS)
            answer = self._ask(amount)
            wished = answer.at if isinstance(answer, NotBefore) else None
            if isinstance(answer, Allowed):
                made += self._charge(amount)
                denied = 0
            else:
                denied += 1
                self.report.spoken.update(hit.rule for hit in answer.rules)
                if isinstance(answer, Denied):
                    self._stir()
            if self.draw.random() < 0.05:
                self._somebody(Initiator.CUSTOMER if self.draw.random() < self.cit else Initiator.PLATFORM)

    def _moment(self, wished: datetime | None) -> datetime:
        """Mostly as early as possible, often a second beside the end of a wait or window."""
        candidates = [self.now + SECOND, self.now + timedelta(minutes=self.draw.randrange(1, 600))]
        if wished:
            candidates = [wished, wished, wished, wished - SECOND, wished + SECOND]
        elif self.known and self.draw.random() < 0.5:
            edge = self.draw.choice(self.known[-40:]).at + self.draw.choice(BOUNDARIES)
            candidates += [edge - SECOND, edge, edge + SECOND]
        midnight = (self.now + DAY).replace(hour=0, minute=0, second=0, microsecond=0)
        if self.draw.random() < 0.05:
            candidates = [midnight - SECOND, midnight]
        return max(self.now, self.draw.choice(candidates))

    def _ask(self, amount: int) -> Allowed | NotBefore | Denied:
        self.report.asked += 1
        return self.permit(Ledger(self.known), self._facts(), _invoice(amount, self.now), self.now)

    def _charge(self, amount: int) -> int:
        """Charges once; sometimes another case of the same card races with it: both reserve before they are sent."""
        wanted = [amount]
        self.known.append(self._entry(amount, "reserved"))
        while self.draw.random() < 0.3:
            other = self.draw.choice(AMOUNTS)
            if not isinstance(self._ask(other), Allowed):
                break
            self.known.append(self._entry(other, "reserved"))
            wanted.append(other)
        del self.known[-len(wanted) :]
        for one in wanted:
            self._attempt(one, Initiator.RECOUP, sure=False)
        return len(wanted)

    def _stir(self) -> None:
        """Where time does not help: the customer pays or corrects the data, or a long time passes."""
        chance = self.draw.random()
        if chance < 0.15:
            self._attempt(self.draw.choice(AMOUNTS), Initiator.CUSTOMER, sure=True, succeeds=True)
        elif chance < 0.4:
            self.changes.append(self.now)
        elif chance < 0.5:
            self.now += timedelta(days=self.draw.randrange(1, 40))
        self.now += SECOND

    def _somebody(self, initiator: Initiator) -> None:
        for _ in range(self.draw.choice((1, 1, 2, 5))):
            sure = initiator is Initiator.CUSTOMER and self.draw.random() < 0.7
            self._attempt(self.draw.choice(AMOUNTS), initiator, sure=sure)
            self.now += SECOND

    def _attempt(self, amount: int, initiator: Initiator, *, sure: bool, succeeds: bool = False) -> None:
        """The provider answers, books it, and tells us."""
        self.report.attempts += initiator is Initiator.RECOUP
        chance = self.draw.random()
        if succeeds or chance < 0.04:
            status, codes = "succeeded", None
        elif chance < 0.08:
            status, codes = self.draw.choice(("unknown", "processing")), None
        else:
            status, codes = "failed", self._answer()
        self.known.append(self._entry(amount, status, initiator, codes, sure=sure))
        self.tries.append(
            Try(
                subject=self.known[-1].id,
                at=self.now,
                amount=amount,
                currency="USD",
                is_ours=initiator is Initiator.RECOUP,
                by_customer_surely=sure,
                status=status,
                processor=codes.processor if codes else None,
                code=codes.decline_code if codes else None,
                network_code=codes.network_decline_code if codes else None,
                advice=codes.network_advice_code if codes else None,
            )
        )

    def _answer(self) -> DeclineCodes:
        if self.is_away:
            return DeclineCodes(processor="stripe", decline_code="issuer_not_available")
        words = RARE if self.draw.random() < 0.06 else SOFT
        processor, code = self.draw.choice(words[self.rail])
        is_mastercard = (self.brand or "mastercard").lower() == "mastercard" and self.rail is Rail.CARD
        advice = self.draw.choice(ADVICE) if is_mastercard and self.draw.random() < 0.5 else None
        network_code = self.draw.choice(("51", "05", "91", "61")) if self.rail is Rail.CARD and self.draw.random() < 0.1 else None
        if processor == "iso8583":
            network_code = None
        return DeclineCodes(processor=processor, decline_code=code, network_decline_code=network_code, network_advice_code=advice)

    def _entry(
        self, amount: int, state: str, initiator: Initiator = Initiator.RECOUP, codes: DeclineCodes | None = None, *, sure: bool = False
    ) -> LedgerEntry:
        return LedgerEntry(
            id=f"{self.report.cards}:{next(self.numbers)}",
            at=self.now,
            amount_minor=amount,
            currency="USD",
            state=state,
            initiator=initiator,
            customer_initiated=(True if sure else None) if initiator is Initiator.CUSTOMER else False,
            cit_confidence=0.9 if sure else 0.4,
            category=self._category(state, codes),
            own_case=self.draw.random() < 0.5,
            codes=codes,
        )

    def _category(self, state: str, codes: DeclineCodes | None) -> Category | None:
        facts = self._facts()
        if codes:
            return treat(decline_of(codes, facts.brand, facts.country, facts.rail), self.now).category
        return Category.GENERIC if state == "failed" else None

    def _facts(self) -> CredentialFacts:
        return CredentialFacts(
            id="crd_1",
            vendor_id="pm_1",
            rail=self.rail,
            brand=self.brand,
            funding=None,
            country=self.country,
            expires=None,
            slot=CredentialSlot.SUBSCRIPTION,
            is_usable=True,
            changed_at=self.changes[-1] if self.changes else STARTS[0] - 365 * DAY,
            has_fingerprint=self.has_fingerprint,
        )


def _invoice(amount: int, read_at: datetime) -> InvoiceFacts:
    return InvoiceFacts(
        id="inv_1",
        vendor_id="in_1",
        status=InvoiceStatus.OPEN,
        currency="USD",
        total_minor=amount,
        paid_minor=0,
        remaining_minor=amount,
        credited_minor=0,
        refunded_minor=0,
        collection_method=CollectionMethod.CHARGE_AUTOMATICALLY,
        billing_reason=BillingReason.SUBSCRIPTION_CYCLE,
        subscription_vendor_id=None,
        next_platform_attempt_at=None,
        payment_link=False,
        observed_at=read_at,
        read_at=read_at,
    )
