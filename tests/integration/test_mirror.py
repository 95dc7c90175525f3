"""What was decided and done is shown at the platform: once, never in shadow mode, never where it is off, and nothing waits for it."""

from dataclasses import replace
from typing import Any

import pytest

from api.jobs import execute, mirror, resume
from api.jobs.tick import tick
from memory import standing
from memory.database import Database
from memory.mirror import Mirror, claim
from recoup.actions import ActionName, Queue, TaskArgs, make_action
from recoup.clock import wall_now
from tests.deciding import Killed, MortalDatabase, asked, audit_agrees, give, rows, set_policy
from tests.factories import NOW, make_connection
from tests.fakes import FakeBilling
from tests.integration.test_execute import paid
from tests.mirroring import AUTO, charged, decided, decided_again, hold, mirroring, newest, shown, told
from tests.scenes import absorb_reading, change, commit


@pytest.fixture
def billing() -> FakeBilling:
    return FakeBilling()


# What is shown


async def test_a_question_to_a_person_is_shown_with_its_decision(db: Database, billing: FakeBilling) -> None:
    services = mirroring(db, billing)
    case_id = await decided(services)
    await shown(services, case_id)
    [note] = billing.notes
    [(decision_id,)] = await rows(db, "SELECT id FROM decisions")
    assert (note.case_id, note.decision_id, note.status) == (case_id, decision_id, "open")
    assert note.next.startswith("asks a person: ")
    assert (note.to.invoice_vendor_id, note.to.account_vendor_id) == ("in_1", "cus_1")
    assert await told(db) == [("settled", 0, None)]
    await audit_agrees(db)


async def test_the_outcome_of_a_charge_is_shown(db: Database, billing: FakeBilling) -> None:
    services = mirroring(db, billing)
    case_id = await charged(services)
    await shown(services, case_id)
    assert (await newest(billing)).last == f"retry_payment 49.00 USD done {NOW:%Y-%m-%d %H:%M}Z"


async def test_the_end_of_a_case_is_shown_with_its_reason(db: Database, billing: FakeBilling) -> None:
    services = mirroring(db, billing)
    case_id = await decided(services)
    await shown(services, case_id)
    await absorb_reading(services, paid())
    await shown(services, case_id)
    [asks, ended] = billing.notes
    assert asks.next
    assert ended.status.startswith("recovered by ")
    assert ended.next == ""


async def test_a_hold_is_shown(db: Database, billing: FakeBilling) -> None:
    services = mirroring(db, billing)
    case_id = await decided(services)
    await hold(services, case_id)
    await shown(services, case_id)
    assert (await newest(billing)).status == "open, held: person"


async def test_an_answer_is_shown(db: Database, billing: FakeBilling) -> None:
    services = mirroring(db, billing)
    approval = await asked(services)
    await give(services, approval)
    await resume.run(services, approval.decision_id)
    await shown(services, approval.case_id)
    assert not (await newest(billing)).next.startswith("asks a person")


async def test_only_tags_that_the_connection_names_are_shown(db: Database, billing: FakeBilling) -> None:
    services = mirroring(db, billing, mirror_tags=("vip", "had-dispute"))
    case_id = await decided(services)
    async with db.write() as tx:
        [(account_id,)] = await rows(db, "SELECT account_id FROM cases")
        for tag in ("vip", "ada-lovelace", "4242424242424242"):
            await standing.add_tag(tx, account_id, tag, at=NOW)
    await shown(services, case_id)
    assert (await newest(billing)).to.tags == ("vip",)


async def test_words_of_people_and_agents_do_not_leave(db: Database, billing: FakeBilling) -> None:
    services = mirroring(db, billing, mirror_tags=("vip",))
    secret = "Ada Lovelace, ada@customer.example, 4242 4242 4242 4242"
    case_id = await decided(services)
    await change(
        db,
        "UPDATE actions SET reason = %s, state_reason = %s, verdict = jsonb_set(verdict, '{reason}', to_jsonb(%s::text))",
        secret,
        secret,
        secret,
    )
    await change(db, "UPDATE decisions SET outcome = %s, trigger = %s", secret, secret)
    await change(db, "UPDATE timers SET reason = %s", secret)
    await change(db, "UPDATE accounts SET segment = %s, tags = %s", secret, [secret])
    facts = await services.facts.load(case_id, NOW)
    task = make_action(ActionName.CREATE_TASK, TaskArgs(queue=Queue.BILLING_OPS, title="Ada Lovelace", body=secret))
    await execute.run(services, await commit(services, facts, task))
    await hold(services, case_id)
    await shown(services, case_id)
    [note] = billing.notes
    written = note.model_dump_json()
    assert not any(word in written for word in ("Ada", "Lovelace", "@", "4242"))
    [(body,)] = await rows(db, "SELECT body FROM audit_log WHERE kind = 'mirror'")
    assert "Ada" not in body


# What is not shown


@pytest.mark.parametrize(
    "quiet",
    [{"mirror": False}, {"mirror": True, "policy": 'mode = "shadow"'}, {"mirror": True, "policy": "holdout_share = 1.0"}],
    ids=["off", "shadow", "held out"],
)
async def test_nothing_is_written_where_it_is_off_or_only_watched(db: Database, billing: FakeBilling, quiet: dict[str, Any]) -> None:
    services = mirroring(db, billing, mirror=quiet["mirror"])
    case_id = await decided(services, quiet.get("policy"))
    await absorb_reading(services, paid())
    await shown(services, case_id)
    assert (billing.note_calls, await told(db)) == (0, [])


@pytest.mark.parametrize("how", ["off", "shadow", "taken away"])
async def test_what_is_turned_off_meanwhile_writes_nothing_any_more(db: Database, billing: FakeBilling, how: str) -> None:
    services = mirroring(db, billing)
    case_id = await decided(services)
    if how == "shadow":
        await set_policy(services, 'mode = "shadow"')
    else:
        services = replace(services, connections={"sandbox": make_connection()} if how == "off" else {})
    await shown(services, case_id)
    assert (billing.note_calls, await told(db)) == (0, [("settled", 0, None)])


async def test_a_platform_that_takes_no_notes_gets_none(db: Database) -> None:
    billing = FakeBilling(capabilities=frozenset({"read", "retry_payment"}))
    await decided(mirroring(db, billing))
    assert await told(db) == []


# Once


async def test_what_comes_together_is_told_together(db: Database, billing: FakeBilling) -> None:
    services = mirroring(db, billing)
    case_id = await decided(services, AUTO)
    for _ in range(4):
        await decided_again(services, case_id)
    assert (await tick(services)).woken.get("mirror") is None, "it waits for what else comes"
    await shown(services, case_id)
    assert len(billing.notes) == 1


async def test_repeated_decisions_that_come_to_the_same_are_written_once(db: Database, billing: FakeBilling) -> None:
    services = mirroring(db, billing)
    case_id = await decided(services)
    for _ in range(4):
        await shown(services, case_id)
        await decided_again(services, case_id)
    await shown(services, case_id)
    assert billing.note_calls == 1
    assert await told(db) == [("settled", 0, None)]


async def test_a_note_that_was_written_by_a_worker_that_died_is_written_again_and_stands_once(
    db: Database, database_url: str, billing: FakeBilling
) -> None:
    mortal = MortalDatabase(database_url)
    await mortal.open()
    try:
        services = mirroring(mortal, billing)
        case_id = await decided(services)
        await change(db, "UPDATE mirrors SET next_try_at = now()")
        mortal.dies_at = (mortal.writes + 2, "before")
        with pytest.raises(Killed):
            await mirror.run(services, case_id)
        await mirror.run(services, case_id)
        assert billing.note_calls == 1, "its lease still holds"
        await shown(services, case_id)
        assert (billing.note_calls, len(billing.notes)) == (2, 1)
        assert await told(db) == [("settled", 0, None)]
    finally:
        await mortal.close()


async def test_a_wake_up_that_was_lost_is_made_up_for(db: Database, billing: FakeBilling) -> None:
    services = mirroring(db, billing)
    case_id = await decided(services)
    await change(db, "UPDATE cases SET needs_decision = false")
    await change(db, "DELETE FROM procrastinate_jobs")
    await change(db, "UPDATE mirrors SET next_try_at = now()")
    assert (await tick(services)).woken == {"mirror": 1}
    assert await rows(db, "SELECT task_name, args ->> 'row_id' FROM procrastinate_jobs") == [("mirror", case_id)]
    [(priority,)] = await rows(db, "SELECT priority FROM procrastinate_jobs")
    assert priority < 0


async def test_what_changes_while_it_is_written_is_written_next(db: Database, billing: FakeBilling) -> None:
    services = mirroring(db, billing)
    case_id = await decided(services)
    await change(db, "UPDATE mirrors SET next_try_at = now()")
    async with db.write() as tx:
        held = await claim(tx, case_id, wall_now())
    assert isinstance(held, Mirror)
    await absorb_reading(services, paid())
    await change(db, "UPDATE mirrors SET lease_until = NULL")
    await shown(services, case_id)
    assert (await newest(billing)).status.startswith("recovered")


async def test_two_workers_write_one_note(db: Database, billing: FakeBilling) -> None:
    services = mirroring(db, billing)
    case_id = await decided(services)
    await change(db, "UPDATE mirrors SET next_try_at = now()")
    async with db.write() as tx:
        assert await claim(tx, case_id, wall_now())
    await mirror.run(services, case_id)
    assert billing.note_calls == 0
