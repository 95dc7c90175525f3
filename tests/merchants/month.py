"""Thirty days of a merchant: bills fail, the platform retries, webhooks come badly, a person answers, and what was lost is asked for."""

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from tests.merchants.merchant import Merchant
from tests.merchants.month_people import Customer, Deed, Household, Town

LASTS = timedelta(days=30)
STEP = timedelta(hours=3)
# When a person sits down and answers, and when the platform is asked what changed.
OFFICE_HOUR, ASKING_HOUR, ASKING_EVERY = 15, 0, timedelta(days=2)
READS_MAIL_AFTER = timedelta(hours=20)
# A share of the webhooks is late by a step or more, and of the rest a share comes twice.
LATE, TWICE = 0.2, 0.2


@dataclass
class Month:
    """``live`` once; then ``households`` tell whose the invoices are, and ``lost`` what changed without a word: kind and vendor id."""

    made: Merchant
    town: Town
    people: Sequence[Customer]
    households: list[Household] = field(default_factory=list[Household])
    lost: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    _agenda: list[tuple[datetime, int, Customer | tuple[Household, Deed]]] = field(
        default_factory=list[tuple[datetime, int, Customer | tuple[Household, Deed]]]
    )
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def live(self) -> None:
        """The whole month, and then until all that is on its way has arrived."""
        began = self._now
        for one in self.people:
            self._note(began + one.begins, one)
        while self._now < began + LASTS:
            await self._live_through(STEP)
        await self._end()

    async def _live_through(self, step: timedelta) -> None:
        ends = self._now + step
        while self._agenda and self._agenda[0][0] <= ends:
            at, _, what = heapq.heappop(self._agenda)
            await self.made.advance(max(at - self._now, timedelta()))
            await self._happen(what)
        await self.made.advance(max(ends - self._now, timedelta()))
        await self.made.deliver(late=LATE, twice=TWICE, shuffled=True)
        await self._work()
        hour = ends.hour - ends.hour % (STEP.seconds // 3600)
        if hour == OFFICE_HOUR:
            await self.made.answer_approvals()
            await self._work()
        if hour == ASKING_HOUR and (ends.date() - date.min) % ASKING_EVERY == timedelta():
            await self.made.reconcile()
            await self._work()
        self._react()

    async def _happen(self, what: Customer | tuple[Household, Deed]) -> None:
        if isinstance(what, Customer):
            household = Household(what, self.town.bill(what))
            self.households.append(household)
            for deed in what.deeds:
                self._note(self._now + deed.after, (household, deed))
            return
        household, deed = what
        if deed.is_lost:
            await self._happen_unheard(household, deed)
        else:
            household.do(self.town, deed.does)

    async def _happen_unheard(self, household: Household, deed: Deed) -> None:
        """Only of this is nobody told."""
        await self.made.deliver()
        known = {one.id for one in self.made.ledger().attempts}
        household.do(self.town, deed.does)
        assert self.made.lose(1.0) > 0, "there is nothing to lose"
        for one in self.made.ledger().attempts:
            if one.id not in known:
                self.lost |= {("invoice", one.invoice), ("attempt", one.id), ("payment_method", self.town.method_of(one))}

    async def _work(self) -> None:
        await self.made.tick()
        await self.made.work()

    async def _end(self) -> None:
        await self.made.settle()
        await self.made.reconcile()
        await self.made.settle()

    def _react(self) -> None:
        """Who is written to reads it, and does what they do about it, once."""
        written_to = {message.to for message in self.made.messenger.accepted}
        for household in self.households:
            verb = household.customer.on_mail
            if verb and not household.has_reacted and self.town.email_of(household.invoices[0]) in written_to:
                household.has_reacted = True
                self._note(self._now + READS_MAIL_AFTER, (household, Deed(READS_MAIL_AFTER, verb)))

    def _note(self, at: datetime, what: Customer | tuple[Household, Deed]) -> None:
        heapq.heappush(self._agenda, (at, next(self._numbers), what))

    @property
    def _now(self) -> datetime:
        now: datetime = self.made.double.clock.now()
        return now
