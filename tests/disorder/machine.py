"""The state machine: whatever happens in whatever order, and whoever dies meanwhile, the invariants hold when all is quiet again."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from psycopg.rows import dict_row

from api.answers import ApprovalAnswer, answer_approval
from api.jobs import decide, execute, intake, resume
from api.jobs.absorb import hold_case, release_case
from api.jobs.tick import tick
from evals.invariants import check
from evals.ledgers import MailLedger
from graph.bootstrap import Services
from memory import approvals, cases, inbox
from memory.approvals import ApprovalRow
from memory.cases import CaseRow
from recoup.case import CaseStatus, Hold
from recoup.clock import FixedClock, wall_now
from recoup.errors import RecoupError
from recoup.invoice import Initiator
from recoup.people import Person, Role
from tests.disorder.databases import Databases
from tests.disorder.dying import DyingDatabase, Killed
from tests.disorder.platform import TOTAL_MINOR, PaperPlatform
from tests.factories import NOW
from tests.fakes import Behaviour, FakeMessenger, make_services

ResultT = TypeVar("ResultT")

JOBS: dict[str, Callable[[Services, str], Awaitable[None]]] = {
    "intake": intake.run,
    "decide": decide.run,
    "resume": resume.run,
    "execute": execute.run,
}
APPROVER = Person(name="Grace", role=Role.APPROVER)
OPERATOR = Person(name="Olga", role=Role.OPERATOR)
CODES = (
    "insufficient_funds",
    "do_not_honor",
    "expired_card",
    "fraudulent",
    "authentication_required",
    "processing_error",
    "never_heard_of",
)
FAULTS: tuple[Behaviour, ...] = ("do", "unavailable", "do and lose the answer", "lose the request")
MOST_ROUNDS = 80

bills = st.sampled_from(("in_1", "in_2", "in_3"))
places = st.integers(min_value=0, max_value=30)


class Disorder(RuleBasedStateMachine):
    """One program of Hypothesis. The suite that runs it gives each program a fresh database, and takes it back."""

    databases: ClassVar[Databases]

    @initialize()
    def start(self) -> None:
        self.loop = asyncio.Runner()
        self.url = self.databases.create()
        self.clock = FixedClock(NOW)
        self.platform = PaperPlatform(self.clock)
        self.messenger = FakeMessenger()
        self.run(self._open())
        for bill in self.platform.bills.values():
            self.platform.attempt(bill, Initiator.PLATFORM, "insufficient_funds")

    def run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        return self.loop.run(work)

    # What happens at the platform

    @rule(bill=bills, code=st.sampled_from(CODES))
    def the_platform_fails_again(self, bill: str, code: str) -> None:
        if self.platform.bills[bill].remaining:
            self.platform.attempt(self.platform.bills[bill], Initiator.PLATFORM, code)

    @rule(bill=bills)
    def the_customer_pays(self, bill: str) -> None:
        if self.platform.bills[bill].remaining:
            self.platform.attempt(self.platform.bills[bill], Initiator.CUSTOMER, None)

    @rule(bill=bills)
    def the_customer_pays_a_part(self, bill: str) -> None:
        if self.platform.bills[bill].remaining == TOTAL_MINOR:
            self.platform.attempt(self.platform.bills[bill], Initiator.CUSTOMER, None, 1000)

    @rule(bill=bills)
    def a_payment_is_reversed(self, bill: str) -> None:
        self.platform.reverse(self.platform.bills[bill])

    @rule(bill=bills, kind=st.sampled_from(("immediate", "period_end", "non_payment")))
    def the_subscription_is_cancelled(self, bill: str, kind: str) -> None:
        self.platform.cancel(self.platform.bills[bill], kind)

    @rule(bill=bills, ends=st.booleans())
    def a_dispute(self, bill: str, *, ends: bool) -> None:
        if ends:
            self.platform.close_dispute(self.platform.bills[bill])
        else:
            self.platform.dispute(self.platform.bills[bill])

    @rule(bill=bills)
    def the_customer_opts_out(self, bill: str) -> None:
        self.platform.opt_out(self.platform.bills[bill])

    @rule(code=st.sampled_from((None, *CODES)), fault=st.sampled_from(FAULTS))
    def the_next_charge_meets(self, code: str | None, fault: Behaviour) -> None:
        self.platform.next_code = code
        self.platform.behaviours.append(fault)

    @rule(fault=st.sampled_from(FAULTS))
    def the_next_mail_meets(self, fault: Behaviour) -> None:
        self.messenger.behaviours.append(fault)

    # What reaches us, in any order and number

    @precondition(lambda self: bool(self.platform.notices))
    @rule(place=places, twice=st.booleans())
    def a_notice_is_delivered(self, place: int, *, twice: bool) -> None:
        notice = self.platform.notices[place % len(self.platform.notices)]
        if not twice:
            self.platform.notices.remove(notice)
        self.run(self._deliver(notice.identity, notice.payload))

    @rule()
    def all_notices_are_delivered(self) -> None:
        for notice in reversed(self.platform.notices):
            self.run(self._deliver(notice.identity, notice.payload))
        self.platform.notices.clear()

    # What we do

    @rule(count=st.integers(min_value=1, max_value=8))
    def workers_work(self, count: int) -> None:
        self.run(self._work(count))

    @rule(transactions=st.integers(min_value=1, max_value=6), after=st.booleans())
    def a_worker_dies(self, transactions: int, *, after: bool) -> None:
        self.db.dies_in, self.db.dies_after_commit = transactions, after
        try:
            self.run(self._work(4))
        except Killed:
            pass
        finally:
            self.db.dies_in = None

    @rule(hours=st.sampled_from((1, 6, 24, 72, 240)))
    def time_passes(self, hours: int) -> None:
        self.clock.at += timedelta(hours=hours)
        self.run(self._tick())

    @rule()
    def everything_restarts(self) -> None:
        self.run(self._restart())

    @rule(place=places, answer=st.sampled_from(("approve", "reject", "edit")))
    def a_person_answers(self, place: int, answer: str) -> None:
        pending = self.run(self._pending())
        if pending:
            self.run(self._answer(pending[place % len(pending)], answer))

    @rule(place=places, releases=st.booleans())
    def a_person_holds_or_releases(self, place: int, *, releases: bool) -> None:
        found = [case for case in self.run(self._cases()) if case.status is CaseStatus.OPEN]
        if not found:
            return
        case_id = found[place % len(found)].id
        if releases:
            self.run(release_case(self.services, OPERATOR, case_id, "looked at"))
        else:
            self.run(hold_case(self.services, OPERATOR, case_id, Hold.PERSON, "to look at"))

    def teardown(self) -> None:
        if not hasattr(self, "db"):
            return
        try:
            self.all_notices_are_delivered()
            self.run(self._settle())
            self.run(self._judge())
        finally:
            self.run(self.db.close())
            self.loop.close()
            self.databases.drop(self.url)

    # How

    async def _deliver(self, identity: Any, payload: str) -> None:
        async with self.db.statement() as session:
            await inbox.accept(session, "sandbox", identity, "application/json", payload, wall_now())

    async def _work(self, count: int) -> int:
        """Does up to ``count`` jobs as a worker would; gives how many there were."""
        for done in range(count):
            job = await self._take_job()
            if job is None:
                return done
            name, row_id = job
            try:
                await JOBS[name](self.services, row_id)
            except RecoupError:
                # It stands on the row, and the sweep wakes it again.
                await asyncio.sleep(0)
        return count

    async def _take_job(self) -> tuple[str, str] | None:
        async with self.db.pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(
                "DELETE FROM procrastinate_jobs WHERE id = (SELECT min(id) FROM procrastinate_jobs WHERE status = 'todo')"
                " RETURNING task_name, args ->> 'row_id' AS row_id"
            )
            row = await cursor.fetchone()
        return (row["task_name"], row["row_id"]) if row else None

    async def _tick(self) -> None:
        """Wall time passes too: leases run out, pauses end, and what nobody woke is stale."""
        past = wall_now() - timedelta(minutes=5)
        async with self.db.pool.connection() as connection:
            for table in ("inbox", "cases", "actions"):
                await connection.execute(
                    f"UPDATE {table} SET lease_until = NULL WHERE lease_until IS NOT NULL"  # type: ignore[arg-type]
                )
            for table in ("inbox", "cases", "actions", "decisions"):
                await connection.execute(f"UPDATE {table} SET woken_at = %s", (past,))  # type: ignore[arg-type]
            await connection.execute("UPDATE actions SET next_try_at = %s WHERE next_try_at IS NOT NULL", (past,))
        await tick(self.services)

    async def _open(self) -> None:
        self.db = DyingDatabase(self.url, max_size=4)
        await self.db.open()
        self.services = make_services(self.db, billing=self.platform, messenger=self.messenger, clock=self.clock)

    async def _restart(self) -> None:
        await self.db.close()
        await self._open()
        await self._tick()

    async def _pending(self) -> list[ApprovalRow]:
        async with self.db.read() as session:
            return list(reversed(await approvals.page(session, status="pending", limit=100)))

    async def _cases(self) -> list[CaseRow]:
        async with self.db.read() as session:
            rows = await cases.page(session, limit=100)
        return sorted(rows, key=lambda row: row.id)

    async def _answer(self, approval: ApprovalRow, how: str) -> None:
        decisions = [self._decision(how, asked.name, dict(asked.args)) for asked in approval.request.action_requests]
        given = ApprovalAnswer.model_validate({"digest": approval.digest, "decisions": decisions, "note": None})
        try:
            await answer_approval(self.services, APPROVER, approval.id, given.digest, given.decisions, given.note)
        except RecoupError:
            # Expired meanwhile, or void: the person is told, and nothing happens.
            return

    def _decision(self, how: str, name: str, args: dict[str, Any]) -> dict[str, Any]:
        if how == "reject":
            return {"type": "reject", "message": "not now"}
        if how == "edit" and "amount_minor" in args:
            return {"type": "edit", "edited_action": {"name": name, "args": args | {"amount_minor": args["amount_minor"] + 1}}}
        return {"type": "approve"}

    async def _settle(self) -> None:
        """All work that can be done is done, at daytime, with nobody dying."""
        self.platform.behaviours.clear()
        self.messenger.behaviours.clear()
        self.clock.at = max(self.clock.at, self._noon(self.clock.at))
        for _ in range(MOST_ROUNDS):
            await self._tick()
            worked = await self._work(200)
            for notice in self.platform.notices:
                await self._deliver(notice.identity, notice.payload)
            is_quiet = not worked and not self.platform.notices
            self.platform.notices.clear()
            if is_quiet:
                return
        raise AssertionError("the world never comes to rest")

    @staticmethod
    def _noon(at: datetime) -> datetime:
        return at.replace(hour=12, minute=0) if at.hour < 12 else at

    async def _judge(self) -> None:
        mail = MailLedger(accepted=Counter(f"<{message.action_id}@shop.example>" for message in self.messenger.accepted))
        report = await check(self.db, {"sandbox": self.platform.ledger()}, mail, patience_seconds=0)
        assert report.violations == dict.fromkeys(report.violations, 0), report.findings
        assert report.examined["events_end_once"] > 0
