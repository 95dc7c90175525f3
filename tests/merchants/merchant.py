"""The stage: the whole of Recoup in process, over a real database, before a double of Stripe or Recurly served on loopback.

Nothing of Recoup is replaced but what is outside of it: the real adapters on the guarded way out, the real web application for signed
webhooks, the real jobs, ticks and answers of people. Time is the double's: ``advance`` moves both sides, and what rests on wall time
(leases, pauses, the lives of idempotency keys) is made older by as much.
"""

import random
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx

from api.answers import ApprovalAnswer, answer_approval
from api.app import create_app
from api.jobs import reconcile
from api.jobs.tick import tick
from api.worker import BODIES
from evals.invariants import Report, check
from evals.ledgers import MailLedger, PlatformLedger
from graph.bootstrap import Services, make_ticket_store
from graph.build import build_graph
from graph.deps import GraphDeps
from memory import approvals, policies
from memory.approvals import ApprovalRow
from memory.checkpoints import PooledSaver
from memory.database import Database
from memory.facts import DatabaseFacts
from memory.policies import StoredPolicies
from memory.queue import make_app
from recoup.clock import wall_now
from recoup.errors import Defect, RecoupError
from recoup.ids import new_id
from recoup.people import Person, Role
from recoup.policy import Policy
from recoup.settings import Connection
from tests.fakes import FakeMessenger, make_settings
from tests.merchants.aging import Aging
from tests.merchants.policy_text import policy_text
from tests.merchants.recurly_shop import RecurlyShop
from tests.merchants.shop import Adapter, Kind, Shop
from tests.merchants.stripe_shop import StripeShop
from tests.merchants.times import DoubleClock, DoubleTime
from tests.vendors.chassis import Site
from tests.vendors.stripe_state import Version
from tools.http import Bounds, GuardedTransport
from tools.http_limits import Limits

APPROVER = Person(name="Grace", role=Role.APPROVER)
DOOR = "http://recoup.test"
# So wide that nobody queues; how queues form has tests of its own.
WIDE = Limits(requests=1_000_000, window_seconds=1, endpoint_requests=None, in_flight=64)
# How long a slow body is put up with, in real seconds.
BOUNDS = Bounds(exchange_seconds=2.0)
MOST_ROUNDS = 80
NEVER = timedelta(days=3650)


@dataclass
class Merchant:
    """A merchant whose platform is ``double`` and whose Recoup is ``services``. ``errors``: what jobs raised; it stands on their rows."""

    shop: Shop
    services: Services
    platforms: dict[str, Adapter]
    connection_name: str
    messenger: FakeMessenger
    chance: random.Random
    aging: Aging
    door: httpx.AsyncClient
    errors: list[str] = field(default_factory=list[str])

    @property
    def double(self) -> Any:
        """The platform: StripeDouble or RecurlyDouble."""
        return self.shop.double

    @property
    def clock(self) -> DoubleClock:
        """The domain's clock, which is the double's."""
        return DoubleClock(self.shop.double)

    async def advance(self, passed: timedelta) -> None:
        """Time goes by on both sides; what falls due at the platform happens at its own instant, what is due with us waits for ``tick``."""
        self.shop.double.advance(passed)
        await self.aging.catch_up()

    async def deliver(self, *, late: float = 0.0, twice: float = 0.0, shuffled: bool = False) -> None:
        """The platform's signed webhooks go to the real application; what it does not accept waits for the next time."""
        await self.shop.double.courier.deliver(self.door, late=late, twice=twice, shuffled=shuffled)

    def lose(self, share: float) -> int:
        """That share of the waiting webhooks never arrives; gives how many those are."""
        waiting = self.shop.double.courier.drop()
        kept = [parcel for parcel in waiting if self.chance.random() >= share]
        self.shop.double.courier.waiting += kept
        return len(waiting) - len(kept)

    async def work(self, most: int = 200, *, out_of_order: float = 0.0) -> int:
        """Does up to ``most`` jobs as a worker would and tells how many there were; each takes a second. Raises Defect and what no job
        may raise. With probability ``out_of_order`` a job is taken that was not the next one."""
        for done in range(most):
            job = await self._take_job(any_job=self.chance.random() < out_of_order)
            if job is None:
                return done
            try:
                await BODIES[job[0]](self.services, job[1])
            except Defect:
                raise
            except RecoupError as exc:
                self.errors.append(f"{job[0]}: {type(exc).__name__}: {exc}")
            await self.advance(timedelta(seconds=1))
        return most

    async def tick(self) -> None:
        """Leases run out and pauses end, in wall time, then what is due is done and what was forgotten is woken."""
        await self.aging.let_leases_run_out()
        await tick(self.services)

    async def answer_approvals(self, how: str = "approve") -> int:
        """A person answers everything that is asked: ``approve``, ``reject`` or ``edit``; gives how many answers were taken."""
        return sum([await self.answer(approval, how) for approval in await self.pending()])

    async def pending(self) -> list[ApprovalRow]:
        """What waits for a person, oldest first."""
        async with self.services.db.read() as session:
            return list(reversed(await approvals.page(session, status="pending", limit=100)))

    async def answer(self, approval: ApprovalRow, how: str) -> bool:
        """One answer; False where it came too late."""
        told = [_decision(how, asked.name, dict(asked.args)) for asked in approval.request.action_requests]
        given = ApprovalAnswer.model_validate({"digest": approval.digest, "decisions": told, "note": None})
        try:
            await answer_approval(self.services, APPROVER, approval.id, given.digest, given.decisions, given.note)
        except Defect:
            raise
        except RecoupError:
            return False
        return True

    async def settle(self) -> None:
        """Everything that can be done is done, until all is quiet. What is tried again and again has longer and longer pauses, up to an
        hour, so that it comes to its end."""
        for number in range(MOST_ROUNDS):
            await self.deliver()
            await self.tick()
            if not await self.work() and not self.shop.double.courier.waiting:
                return
            await self.advance(timedelta(minutes=min(60, 1.3**number)))
        refused = [f"{one.parcel.event_type}: {one.status}" for one in self.shop.double.courier.delivered if not one.accepted]
        raise AssertionError(f"it never comes to rest: {self.errors[-5:]}, refused {refused[-5:]}")

    async def reconcile(self) -> None:
        """The platform is asked what changed, until it has told everything; what was missed waits in the inbox."""
        name = self.connection_name
        for _ in range(MOST_ROUNDS):
            now = await self.services.clock.now()
            async with self.services.db.write() as tx:
                await tx.run("UPDATE reconciliations SET due_at = %s, lease_until = NULL WHERE id = %s", (now, name))
            await reconcile.run(self.services, name)
            await self.aging.catch_up()
            async with self.services.db.write() as tx:
                rests = await tx.value(
                    "SELECT due_at > %s AND failures = 0 FROM reconciliations WHERE id = %s", (now, self.connection_name)
                )
                # From here on only ``reconcile`` makes it due.
                await tx.run("UPDATE reconciliations SET due_at = %s WHERE id = %s", (now + NEVER, self.connection_name))
            if rests:
                return
            await self.work()
            await self.advance(timedelta(minutes=1))
        raise AssertionError("the platform is never done with telling what changed")

    def ledger(self) -> PlatformLedger:
        """The double's own books."""
        return self.shop.ledger()

    async def report(self) -> Report:
        """All invariants, against the double's books and the messenger's, with all work done."""
        mail = MailLedger(accepted=Counter(f"<{message.action_id}@recoup.shop.example>" for message in self.messenger.accepted))
        async with self.aging.undone():
            return await check(self.services.db, {self.connection_name: self.ledger()}, mail, patience_seconds=0)

    async def judge(self) -> Report:
        """Raises AssertionError unless every invariant holds; gives what was examined."""
        found = await self.report()
        assert found.holds, found.findings
        return found

    async def restart(self) -> None:
        """The process is started anew: the adapter forgets what it knew and the circuit breaker is closed."""
        platforms = self.platforms
        connection = self.services.connections[self.connection_name]
        old = platforms[self.connection_name]
        platforms[self.connection_name] = open_adapter(self.shop, connection, BOUNDS)
        await old.aclose()

    async def _take_job(self, *, any_job: bool) -> tuple[Any, str] | None:
        async with self.services.db.statement() as session:
            if any_job:
                rows = await session.dicts("SELECT id FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id")
                wanted = self.chance.choice(rows)["id"] if rows else None
            else:
                wanted = await session.value("SELECT id FROM procrastinate_jobs WHERE status = 'todo' ORDER BY priority DESC, id LIMIT 1")
            found = await session.dicts(
                "DELETE FROM procrastinate_jobs WHERE id = %s RETURNING task_name, args ->> 'row_id' AS row_id", (wanted,)
            )
        return (found[0]["task_name"], found[0]["row_id"]) if found else None


@asynccontextmanager
async def merchant(
    db: Database,
    kind: Kind,
    *,
    seed: int,
    policy: Policy | None = None,
    version: Version = Version.NEW,
    bounds: Bounds = BOUNDS,
    **connection_changes: Any,
) -> AsyncGenerator[Merchant]:
    """A merchant on a migrated database that nobody else uses; ``version`` is Stripe's. At the end every exchange is held against the
    vendor's specification where that is at hand; raises ContractBroken."""
    shop: Shop = StripeShop(seed, version) if kind == "stripe" else RecurlyShop(seed)
    double, name = shop.double, str(connection_changes.get("name", kind))
    # The receiver checks the age of signatures by the wall.
    double.courier.signs_at = wall_now
    async with AsyncExitStack() as stack:
        base_url = stack.enter_context(double.serve())
        connection = shop.connection(name, base_url, f"{DOOR}/webhooks/{name}").model_copy(update=connection_changes)
        platforms = {name: open_adapter(shop, connection, bounds)}
        stack.push_async_callback(_close, platforms)
        messenger = FakeMessenger()
        services = _services(db, double, connection, platforms, messenger)
        door = await stack.enter_async_context(httpx.AsyncClient(transport=httpx.ASGITransport(create_app(services)), base_url=DOOR))
        chance = random.Random(seed)
        aging = Aging(db, double)
        await aging.begin()
        made = Merchant(shop, services, platforms, name, messenger, chance, aging, door)
        if policy is not None:
            async with db.write() as tx:
                await policies.save(tx, policy_text(policy), by="Ada", note="for the test", at=double.clock.now())
        await reconcile.begin(services)
        await made.reconcile()
        yield made
    shop.hold_against_specification()


def open_adapter(shop: Shop, connection: Connection, bounds: Bounds) -> Adapter:
    """The adapter on the guarded way out, as at work but for limits that would only make waiting longer."""
    way_out = GuardedTransport(connection, limits=WIDE, bounds=bounds, time=DoubleTime(shop.double))
    return shop.billing(connection, way_out)


async def _close(platforms: Mapping[str, Adapter]) -> None:
    for adapter in platforms.values():
        await adapter.aclose()


def _services(db: Database, double: Site, connection: Connection, platforms: Mapping[str, Adapter], messenger: FakeMessenger) -> Services:
    clock, connections = DoubleClock(double), {connection.name: connection}
    stored, facts = StoredPolicies(db), DatabaseFacts(db, connections, platforms)
    deps = GraphDeps(facts=facts, policies=stored, clock=clock, new_id=new_id)
    return Services(
        settings=make_settings(),
        db=db,
        clock=clock,
        policies=stored,
        facts=facts,
        connections=connections,
        billing=platforms,
        messenger=messenger,
        graph=build_graph(deps, PooledSaver.over(db.pool)),
        app=make_app(db.url),
        ticket_store=make_ticket_store(make_settings()),
    )


def _decision(how: str, name: str, args: dict[str, Any]) -> dict[str, Any]:
    if how == "reject":
        return {"type": "reject", "message": "not now"}
    if how == "edit" and "amount_minor" in args:
        return {"type": "edit", "edited_action": {"name": name, "args": args | {"amount_minor": args["amount_minor"] + 1}}}
    return {"type": "approve"}
