"""``recoup train --from-ledger``: what is stored is told as a history, and money of two kinds is never learned from together."""

from datetime import timedelta

import pytest

from evals.history import History
from evals.training.episodes import examples_of
from evals.training.records import records_of
from evals.training.stored import stored_history
from memory.database import Database
from recoup.errors import Malformed, Misconfigured
from recoup.events import Reading
from recoup.invoice import AttemptStatus, Initiator
from tests.deciding import failure_of
from tests.factories import FAILED_AT, NOW, make_connection
from tests.fakes import make_services
from tests.scenes import a_message, a_retry, absorb_reading, change, commit, open_case

DAY = timedelta(days=1)


def retried(reading: Reading, *, approved: bool) -> Reading:
    """The same invoice after another charge a day later."""
    first = reading.attempts[0]
    status = AttemptStatus.SUCCEEDED if approved else AttemptStatus.FAILED
    told = {"vendor_key": f"{first.vendor_key}_2", "charge_vendor_id": f"{first.vendor_key}_2", "occurred_at": first.occurred_at + DAY}
    second = first.model_copy(update=told | {"status": status, "codes": None if approved else first.codes, "initiator": Initiator.PLATFORM})
    return reading.model_copy(update={"attempts": (first, second)})


async def stored(db: Database, *readings: Reading) -> History:
    services = make_services(db)
    for reading in readings:
        await absorb_reading(services, reading)
    return await stored_history(db, services.connections["sandbox"], simulated=True)


def known(history: History) -> list[tuple[str | None, float, bool, str | None]]:
    words = history.words
    rows = range(len(history))
    return [(words["kind"].at(n), float(history.at[n]), bool(history.approved[n]), words["decline_code"].at(n)) for n in rows]


async def test_charges_are_told_with_their_outcome_and_codes_and_their_retries_are_examples(db: Database) -> None:
    history = await stored(db, retried(failure_of(1), approved=True), retried(failure_of(2), approved=False))
    first, second = (FAILED_AT - DAY).timestamp(), FAILED_AT.timestamp()
    failed = ("attempt", first, False, "insufficient_funds")
    assert sorted(known(history), key=str) == sorted(
        [failed, ("attempt", second, True, None), failed, ("attempt", second, False, "insufficient_funds")], key=str
    )
    assert sorted(e.approved for e in examples_of(records_of(history))) == [False, True]
    assert not history.problems


async def test_a_charge_whose_outcome_nobody_knows_is_left_out(db: Database) -> None:
    reading = failure_of(1)
    pending = reading.attempts[0].model_copy(update={"vendor_key": "ch_p", "charge_vendor_id": "ch_p", "status": AttemptStatus.PENDING})
    history = await stored(db, reading.model_copy(update={"attempts": (reading.attempts[0], pending)}))
    assert len(history) == 1


async def test_messages_and_what_customers_did_are_told(db: Database) -> None:
    services = make_services(db)
    facts = await open_case(services)
    action = await commit(services, facts, a_message(facts))
    await change(db, "UPDATE messages SET state = 'sent', sent_at = %s WHERE action_id = %s", NOW, action)
    await change(
        db,
        "INSERT INTO inbox (id, connection, vendor_event_id, event_type, content_type, payload, status, kind, case_id, received_at,"
        " occurred_at, woken_at) VALUES ('evt', 'sandbox', 'v', 't', 'c', '{}', 'processed', 'method_updated', %s, %s, %s, %s)",
        facts.case.id,
        *3 * (NOW + DAY,),
    )
    words = (await stored_history(db, services.connections["sandbox"], simulated=True)).words
    assert [words["kind"].at(n) for n in range(3)] == ["attempt", "message", "event"]
    assert (words["channel"].at(1), words["event"].at(2)) == ("email", "method_updated")


async def test_how_likely_a_charge_of_ours_was_comes_with_it(db: Database) -> None:
    services = make_services(db)
    facts = await open_case(services)
    action = await commit(services, facts, a_retry(facts))
    await change(
        db,
        "UPDATE decisions SET proposals = jsonb_build_array(jsonb_build_object('actions', jsonb_build_array("
        "jsonb_build_object('id', %s::text, 'propensity', 0.25))))",
        action,
    )
    await change(db, "UPDATE attempts SET action_id = %s", action)
    history = await stored_history(db, services.connections["sandbox"], simulated=True)
    assert history.propensity.tolist() == [0.25]


async def test_real_and_simulated_money_are_never_learned_from_together(db: Database) -> None:
    simulated, real = make_connection(), make_connection(simulated=False, livemode=True)
    await absorb_reading(make_services(db), failure_of(1))
    with pytest.raises(Misconfigured, match="pass --simulated"):
        await stored_history(db, simulated, simulated=False)
    with pytest.raises(Misconfigured, match="leave --simulated out"):
        await stored_history(db, real, simulated=True)
    # The case was opened while the connection's money was simulated: it is not taken for real money now.
    with pytest.raises(Malformed, match="no rows"):
        await stored_history(db, real, simulated=False)
