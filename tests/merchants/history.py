"""One random history of a merchant: whatever happens in whatever order, by one seed, until all is quiet again and the books are compared.

The dice are thrown in the test's own task; what they order happens at the platform, on the way there, in the database or with people."""

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta

from api.jobs.absorb import hold_case, release_case
from api.jobs.outcome import resolve_unknown
from memory import cases, inbox
from memory.cases import CaseRow
from recoup.case import CaseStatus, Hold
from recoup.errors import RecoupError
from recoup.people import Person, Role
from recoup.policy import HouseRules, Mode, Policy, Steps
from tests.disorder.dying import DyingDatabase, Killed
from tests.factories import on_ladder
from tests.fakes import Behaviour
from tests.merchants.life import Life
from tests.merchants.merchant import Merchant
from tests.merchants.verdict import problems
from tests.vendors.chassis_trouble import Misbehaviour, Misbehaviours, Trouble

OPERATOR = Person(name="Olga", role=Role.OPERATOR)
HOURS = (0.1, 1.2, 6, 24, 72)
DAYS_IN_HOURS = (7, 13, 25, 25, 49)
LASTING = (Trouble.UNAVAILABLE, Trouble.REVOKED_KEY, Trouble.SERVER_ERROR)
ONCE = tuple(trouble for trouble in Trouble if trouble is not Trouble.HELD)
ONCE_QUICKLY = tuple(trouble for trouble in ONCE if trouble is not Trouble.SLOW_BODY)
MAIL_FAULTS: tuple[Behaviour, ...] = ("do", "unavailable", "do and lose the answer", "lose the request")
# A body so slow that nobody waits for it, in real seconds, and one that only takes its time.
HANGS, TAKES_ITS_TIME = 2.5, 0.01


def random_policy(chance: random.Random) -> Policy:
    """Modes that charge, with plans from sparse to dense."""
    mode = chance.choice((Mode.HYBRID, Mode.AUTO, Mode.AUTO, Mode.APPROVE))
    dense = Steps(retry_days=(0, 0.5, 1, 1.5, 2, 3, 4, 5, 6), technical_retry_hours=(1, 2, 6))
    steps = chance.choice((dense, dense, Steps(), Steps(retry_days=(0, 1, 2, 5), last_day=6)))
    return on_ladder(mode=mode, steps=steps, house=HouseRules(hours_between_attempts=chance.choice((1, 6, 24))))


class History:
    """``live`` for so many turns, then ``end``."""

    def __init__(self, made: Merchant, life: Life, db: DyingDatabase, chance: random.Random) -> None:
        self.made, self.life, self.db, self.chance = made, life, db, chance
        self._gates: list[threading.Event] = []
        self._has_lost = False
        self._turns: dict[Callable[[], Awaitable[None]], int] = {
            self.a_day_goes_by: 20,
            self.a_charge_goes_wrong: 9,
            self.somebody_crosses: 4,
            self.time_passes: 2,
            self.webhooks_arrive: 3,
            self.workers_work: 4,
            self.people_answer: 1,
            self.trouble_begins: 2,
            self.trouble_ends: 1,
            self.something_happens: 2,
            self.a_worker_dies: 2,
            self.a_worker_dies_on_the_wire: 2,
            self.everything_restarts: 1,
            self.webhooks_get_lost: 1,
            self.the_platform_is_asked: 1,
            self.mail_fails: 1,
            self.people_hold_or_release: 1,
            self.people_settle_what_nobody_knows: 1,
        }

    async def live(self, turns: int) -> None:
        """So many turns."""
        self.life.begin(self.chance)
        await self.webhooks_arrive()
        await self.made.work(30)
        for turn in self.chance.choices(list(self._turns), list(self._turns.values()), k=turns):
            await turn()

    async def end(self) -> None:
        """Every trouble is over, everything that can be done is done, what was lost is found again; raises AssertionError for what does
        not hold then."""
        made = self.made
        made.double.misbehaviours = Misbehaviours()
        made.messenger.behaviours.clear()
        await self._open_gates()
        await made.settle()
        if self._has_lost or self.chance.random() < 0.2:
            await made.reconcile()
        await self._replay_the_dead()
        await made.settle()
        found = [*(await made.report()).findings.items(), *await problems(made)]
        assert not found, found

    # Time, webhooks, workers

    async def a_day_goes_by(self) -> None:
        """An ordinary day: what is due is done, and somebody answers what is asked."""
        await self._open_gates()
        await self.made.advance(timedelta(hours=self.chance.choice(DAYS_IN_HOURS)))
        await self.webhooks_arrive()
        await self.made.tick()
        await self.made.work(30)
        if self.chance.random() < 0.8:
            await self.made.answer_approvals()
            await self.made.work(10)
        for _ in range(self.chance.choice((0, 1, 2, 3))):
            await self._minutes_go_by()

    async def _minutes_go_by(self) -> None:
        """Pauses end: what was lost is looked up, and sent again where it surely did not happen."""
        await self.made.advance(timedelta(minutes=self.chance.choice((1, 5, 20))))
        await self.made.tick()
        await self.made.work(10)

    async def time_passes(self) -> None:
        await self._open_gates()
        await self.made.advance(timedelta(hours=self.chance.choice(HOURS)))
        await self.made.tick()

    async def webhooks_arrive(self) -> None:
        await self.made.deliver(
            late=self.chance.choice((0, 0, 0.3)), twice=self.chance.choice((0, 0.2)), shuffled=self.chance.random() < 0.5
        )

    async def webhooks_get_lost(self) -> None:
        self._has_lost |= self.made.lose(self.chance.choice((0.3, 1.0))) > 0

    async def workers_work(self) -> None:
        await self.made.work(self.chance.choice((1, 3, 8, 8, 20)), out_of_order=self.chance.choice((0, 0, 0.5)))

    async def everything_restarts(self) -> None:
        await self.made.restart()
        await self.made.tick()

    async def a_worker_dies(self) -> None:
        self.db.dies_in, self.db.dies_after_commit = self.chance.randint(1, 6), self.chance.random() < 0.5
        try:
            await self.made.work(6)
        except Killed:
            pass
        finally:
            self.db.dies_in = None
        if self.chance.random() < 0.7:
            await self.made.tick()

    async def a_worker_dies_on_the_wire(self) -> None:
        """A charge is under way when its worker dies; it is processed later, be it after somebody has looked for it."""
        gate = threading.Event()
        order = self.made.double.misbehaviours.add(Trouble.HELD, *self.life.charges, until=gate)
        work = asyncio.create_task(self.made.work(10))
        taken = asyncio.create_task(asyncio.to_thread(self._wait_until_taken, order, work))
        await asyncio.wait({work, taken}, return_when=asyncio.FIRST_COMPLETED)
        with self.made.double.changed:
            self.made.double.changed.notify_all()
        if await taken:
            work.cancel()
            self._gates.append(gate)
            self.db.dies_in = None
            await asyncio.gather(work, return_exceptions=True)
            if self.chance.random() < 0.5:
                await self._minutes_go_by()
            await self._open_gates()
            await self._minutes_go_by()
        else:
            self.made.double.misbehaviours.lift(order)
            await work

    async def the_platform_is_asked(self) -> None:
        if not self._has_troubles():
            await self.made.reconcile()

    # What goes wrong

    async def a_charge_goes_wrong(self) -> None:
        """The next one, and maybe the looking up that follows."""
        double = self.made.double
        double.misbehaviours.add(self.chance.choice(ONCE_QUICKLY), *self.life.charges, times=self.chance.choice((1, 1, 1, 2, 3)))
        if self.chance.random() < 0.3:
            reads = [place for place in self.life.places if place.method == "GET"]
            double.misbehaviours.add(self.chance.choice(ONCE_QUICKLY), *self.chance.choice(reads), skip=self.chance.choice((2, 5, 9)))

    async def trouble_begins(self) -> None:
        place = self.chance.choice((self.life.charges, self.life.charges, *self.life.places))
        if self.chance.random() < 0.15:
            self.made.double.misbehaviours.add(self.chance.choice(LASTING), *place, times=None)
            return
        trouble = self.chance.choice(ONCE)
        seconds = self.chance.choice((0.0, 2.0, 30.0)) if trouble in {Trouble.RATE_LIMITED, Trouble.UNAVAILABLE} else 0.0
        if trouble is Trouble.SLOW_BODY:
            seconds = HANGS if self.chance.random() < 0.1 else TAKES_ITS_TIME
        times = self.chance.choice((1, 1, 2, 6))
        self.made.double.misbehaviours.add(trouble, *place, times=times, skip=self.chance.choice((0, 0, 1)), seconds=seconds)

    async def trouble_ends(self) -> None:
        self.made.double.misbehaviours = Misbehaviours()

    async def mail_fails(self) -> None:
        self.made.messenger.behaviours.append(self.chance.choice(MAIL_FAULTS))

    async def somebody_crosses(self) -> None:
        """Between what we read and what we do, or while we read."""
        verb = self.chance.choice((self.life.customer_pays, self.life.customer_pays, self.life.platform_tries, self.life.merchant_acts))
        dice = random.Random(self.chance.random())
        place = self.chance.choice((*[self.life.charges] * 6, *self.life.places))
        self.made.double.before_next(place.method or "GET", place.path_prefix, lambda: verb(dice))

    async def something_happens(self) -> None:
        life = self.life
        verbs = (life.customer_pays, life.customer_changes_card, life.merchant_acts, life.bill, life.platform_tries)
        self.chance.choice(verbs)(self.chance)

    # People

    async def people_answer(self) -> None:
        for approval in await self.made.pending():
            await self.made.answer(approval, self.chance.choice(("approve", "approve", "approve", "reject", "edit")))

    async def people_hold_or_release(self) -> None:
        open_cases = [case for case in await self._cases() if case.status is CaseStatus.OPEN]
        if not open_cases:
            return
        chosen = self.chance.choice(open_cases).id
        if self.chance.random() < 0.5:
            await hold_case(self.made.services, OPERATOR, chosen, Hold.PERSON, "to look at")
        else:
            await release_case(self.made.services, OPERATOR, chosen, "looked at")

    async def people_settle_what_nobody_knows(self) -> None:
        """They look at the platform and say what is true; of messages they say that they went."""
        async with self.db.read() as session:
            rows = await session.dicts("SELECT id, risk FROM actions WHERE state = 'unknown' AND next_try_at IS NULL ORDER BY id")
        for row in rows:
            happened = row["risk"] == "contact" or any(one.key == row["id"] for one in self.made.ledger().attempts)
            try:
                await resolve_unknown(self.made.services, OPERATOR, row["id"], happened=happened)
            except RecoupError as exc:
                self.made.errors.append(f"settling: {exc}")

    # How

    async def _cases(self) -> list[CaseRow]:
        async with self.db.read() as session:
            return sorted(await cases.page(session, limit=100), key=lambda row: row.id)

    def _has_troubles(self) -> bool:
        return bool(self.made.double.misbehaviours.pending)

    def _wait_until_taken(self, order: Misbehaviour, work: "asyncio.Task[int]") -> bool:
        changed = self.made.double.changed
        with changed:
            changed.wait_for(lambda: order.times == 0 or work.done())
            return order.times == 0

    async def _open_gates(self) -> None:
        """What was held on the wire is processed now, before anything else."""
        double = self.made.double
        while self._gates:
            logged = len(double.log)
            self._gates.pop().set()
            assert await asyncio.to_thread(self._wait_for_log, logged), "the double never processed what it held"

    def _wait_for_log(self, logged: int) -> bool:
        double = self.made.double
        with double.changed:
            return double.changed.wait_for(lambda: len(double.log) > logged, timeout=10)

    async def _replay_the_dead(self) -> None:
        """A person looks at what was given up during the troubles, and has it processed once more."""
        async with self.db.read() as session:
            dead = await session.dicts("SELECT id, reason FROM inbox WHERE status = 'dead' ORDER BY id")
        for row in dead:
            assert row["reason"].startswith("given up after"), row["reason"]
            async with self.db.write() as tx:
                await inbox.replay(tx, row["id"], actor=OPERATOR.name, at=await self.made.services.clock.now())
