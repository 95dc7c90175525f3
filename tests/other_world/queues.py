"""Every card has a queue of good days and every customer a queue of moods; nothing else moves this world.

Deliberately unlike the home world: no paydays, no issuers' tempers, no hours of the day, Stripe's words for declines, euros. A good day
pays whatever is asked on it; a message takes the next mood, whatever it says.
"""

import random
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from tools.sandbox.protocol import (
    COSTS,
    WINDOW,
    AttemptResult,
    Channel,
    ContactKind,
    Credential,
    Decline,
    FailedInvoice,
    OracleBound,
    PastAttempt,
    WorldEvent,
)

Mood = Literal["pays", "updates", "leaves", "shrugs"]
DAY = timedelta(days=1)
BEGIN = datetime(2025, 3, 3, 9, tzinfo=UTC)
MOODS: tuple[Mood, ...] = ("pays", "updates", "leaves", "shrugs")
MOOD_WEIGHTS = (6, 5, 1, 88)
MOST_MESSAGES, ANSWERS_AFTER = 12, timedelta(hours=20)
# What the processor says, how often, and how likely a day is a good one behind it.
DECLINES = (
    (Decline("insufficient_funds", network_code="51"), 50, 0.12),
    (Decline("do_not_honor", network_code="05"), 30, 0.05),
    (Decline("expired_card", network_code="54"), 12, 0.0),
    (Decline("authentication_required", network_code="1A"), 8, 0.0),
)
PERSONAL: tuple[Literal["cancelled", "disputed", "replied"], ...] = ("cancelled", "disputed", "replied")
PERSONAL_SHARE = 0.06


@dataclass
class _Card:
    """``good``: the days after the failure on which it pays."""

    credential: Credential
    good: deque[int]


@dataclass
class _Case:
    shown: FailedInvoice
    card: _Card
    moods: deque[Mood]
    pending: list[WorldEvent]
    now: datetime
    over: bool = False


class QueueWorld:
    """See ``tools.sandbox.protocol.World``, which is all that it takes from there."""

    def open(self, count: int, seed: int) -> list[FailedInvoice]:
        """Each case from a stream of its own."""
        self._seed = seed
        self._cases = {f"q{number}": self._draw(number) for number in range(count)}
        return [case.shown for case in self._cases.values()]

    def attempt(self, case: str, at: datetime, credential: str) -> AttemptResult:
        """Approved on a good day."""
        found = self._at(case, at)
        if found.over or credential != found.card.credential.id:
            raise ValueError(f"{case} is over" if found.over else f"{credential} is not on file")
        today = (at - found.shown.failed_at) // DAY
        while found.card.good and found.card.good[0] < today:
            found.card.good.popleft()
        found.over = bool(found.card.good) and found.card.good[0] == today
        return AttemptResult(found.over, None if found.over else found.shown.decline)

    def contact(self, case: str, at: datetime, channel: Channel, kind: ContactKind) -> None:
        """Takes the next mood."""
        found = self._at(case, at)
        mood = found.moods.popleft() if found.moods and not found.over else "shrugs"
        if mood != "shrugs":
            kinds = {"pays": "paid_by_link", "updates": "method_updated", "leaves": "cancelled"}
            renewed = Credential(f"{found.card.credential.id}+", brand="visa", country="NL") if mood == "updates" else None
            found.pending.append(WorldEvent(at + ANSWERS_AFTER, kinds[mood], renewed))  # type: ignore[arg-type]

    def advance(self, case: str, until: datetime) -> list[WorldEvent]:
        """Plays what is pending."""
        found, told = self._at(case, until), list[WorldEvent]()
        found.pending.sort(key=lambda event: event.at)
        while found.pending and found.pending[0].at <= until and not found.over:
            event = found.pending.pop(0)
            if event.credential is not None:
                found.card = _Card(event.credential, deque(range(1000)))
            found.over = event.kind in {"paid_by_link", "cancelled", "disputed"}
            told.append(event)
        return told

    def oracle(self, case: str) -> OracleBound:
        """Who knows the queue of days charges on one of them; else every message is a throw of the dice."""
        fresh = self._draw(int(case.removeprefix("q")))
        amount, days = fresh.shown.amount_minor, WINDOW // DAY
        if any(day < days for day in fresh.card.good):
            return OracleBound(amount - COSTS.attempt_minor, 1.0, amount - COSTS.attempt_minor)
        wins = (MOOD_WEIGHTS[0] + MOOD_WEIGHTS[1]) / sum(MOOD_WEIGHTS)
        chance = 1 - (1 - wins) ** MOST_MESSAGES
        had = amount if {"pays", "updates"} & set(fresh.moods) else 0.0
        return OracleBound(chance * amount, chance, had)

    def _at(self, case: str, at: datetime) -> _Case:
        found = self._cases[case]
        if at < found.now:
            raise ValueError(f"{case} is already at {found.now}")
        found.now = at
        return found

    def _draw(self, number: int) -> _Case:
        dice = random.Random(f"{self._seed}/{number}")
        decline, _, share = dice.choices(DECLINES, [weight for _, weight, _ in DECLINES])[0]
        failed_at = BEGIN + timedelta(minutes=dice.randrange(60 * 24 * 40))
        credential = Credential(
            f"card-{number}", brand=dice.choice(("visa", "mastercard")), funding="debit", country="NL", expires="2029-01"
        )
        good = deque(day for day in range(1, 60) if dice.random() < share)
        moods = deque(dice.choices(MOODS, MOOD_WEIGHTS, k=MOST_MESSAGES))
        amount = dice.randrange(500, 20_000)
        past = [PastAttempt(failed_at - 30 * n * DAY, f"past-{n}", amount, credential.id) for n in range(dice.randrange(9), 0, -1)]
        shown = FailedInvoice(
            case=f"q{number}",
            account=f"a{number}",
            amount_minor=amount,
            currency="EUR",
            failed_at=failed_at,
            decline=decline,
            credential=credential,
            channels=("email", "in_app"),
            country="NL",
            timezone="Europe/Amsterdam",
            history=tuple(past),
        )
        own = dice.random() < PERSONAL_SHARE
        pending = [WorldEvent(failed_at + dice.randrange(1, 28) * DAY, dice.choice(PERSONAL))] if own else []
        return _Case(shown, _Card(credential, good), moods, pending, failed_at)


def other_world() -> QueueWorld:
    """The factory."""
    return QueueWorld()
