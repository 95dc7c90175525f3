"""Messages that a model wrote, from the failed payment to the mail: bound to what a person saw, filled with true values, paid for once."""

import asyncio
import time
from collections.abc import Generator
from typing import Any

import pytest

from api.jobs import decide, execute, resume
from graph.bootstrap import Services
from graph.offline import FilePolicy
from memory import drafts
from memory.approvals import ApprovalRow
from memory.database import Database
from memory.drafts import StoredDrafts
from memory.model_calls import ModelCalls, ModelLimits
from recoup.approval import Edit, EditedAction, HumanDecision
from recoup.clock import wall_now
from recoup.drafts import DraftStore, KeptDraft, NoDrafts, Situation
from recoup.invoice import AttemptStatus, InvoiceStatus
from recoup.model_port import Model
from recoup.policy import Policy
from tests.deciding import YES, Killed, MortalDatabase, actions_of, asked, decisions_of, failure_of, give, holder_died, question, rows
from tests.drafts import GOOD
from tests.factories import NOW, account_snapshot, attempt_snapshot, invoice_snapshot, make_reading
from tests.fakes import FakeMessenger, make_services
from tests.models import models_on
from tests.scenes import absorb_reading, change
from tests.vendors.model_server import ModelServer, Status, answers, one_by_one

GERMAN = make_reading(account=account_snapshot(locale="de-DE"))


@pytest.fixture
def server() -> Generator[ModelServer]:
    with ModelServer(one_by_one(answers(GOOD["de"].model_dump()))).running() as running:
        yield running


def model_on(server: ModelServer, db: Database) -> Model:
    books = ModelCalls(db, FilePolicy(Policy()), ModelLimits(in_flight=100, tokens_a_minute=10**7))
    return models_on(server, books)


def services_on(server: ModelServer, db: Database, messenger: FakeMessenger | None = None, drafts: DraftStore | None = None) -> Services:
    return make_services(db, messenger=messenger, model=model_on(server, db), drafts=drafts)


async def carry_out(services: Services, approval: ApprovalRow) -> None:
    """What was answered has its effect, and everything that is ready then is done."""
    await resume.run(services, approval.decision_id)
    for action in await actions_of(services.db, approval.case_id):
        await execute.run(services, action.id)


def message_position(approval: ApprovalRow) -> int:
    return [request.name for request in approval.request.action_requests].index("send_message")


def with_edit(approval: ApprovalRow, **args: Any) -> list[HumanDecision]:
    """Yes to everything, and the message with other arguments."""
    position = message_position(approval)
    shown = approval.request.action_requests[position]
    given: list[HumanDecision] = [YES] * len(approval.request.action_requests)
    given[position] = Edit(edited_action=EditedAction(name=shown.name, args=shown.args | args))
    return given


async def test_what_a_person_approves_is_sent_in_the_customers_language_with_true_values(db: Database, server: ModelServer) -> None:
    messenger = FakeMessenger()
    services = services_on(server, db, messenger)
    approval = await asked(services, GERMAN)
    assert GOOD["de"].subject in approval.request.action_requests[message_position(approval)].description
    await give(services, approval, *[YES] * len(approval.request.action_requests))
    await carry_out(services, approval)

    [mail] = messenger.accepted
    assert mail.subject == "Ihre Zahlung an The Shop hat nicht geklappt"
    assert "Hallo Ada,\n\nwir konnten 49,00\xa0$ für Ihr Abonnement bei The Shop nicht einziehen:\n\n- A-0001: 49,00\xa0$" in mail.body
    assert "{" not in mail.subject + mail.body
    assert mail.locale == "de-DE"


async def test_a_person_may_write_other_words_and_those_are_sent(db: Database, server: ModelServer) -> None:
    messenger = FakeMessenger()
    services = services_on(server, db, messenger)
    approval = await asked(services, GERMAN)
    await give(services, approval, *with_edit(approval, words={"subject": "Kurze Frage", "body": "Hallo {first_name}, {invoices}"}))
    await carry_out(services, approval)
    [mail] = messenger.accepted
    assert (mail.subject, mail.body) == ("Kurze Frage", "Hallo Ada, - A-0001: 49,00\xa0$")


async def test_words_with_a_slot_that_nobody_fills_void_the_answer(db: Database, server: ModelServer) -> None:
    messenger = FakeMessenger()
    services = services_on(server, db, messenger)
    approval = await asked(services, GERMAN)
    await give(services, approval, *with_edit(approval, words={"subject": "Frage", "body": "Hallo {full_name}"}))
    await carry_out(services, approval)
    assert messenger.accepted == []
    assert (await decisions_of(db, approval.case_id))[0].outcome == "superseded: there is no slot full_name"


async def test_the_next_customer_in_the_same_situation_costs_no_call(db: Database, server: ModelServer) -> None:
    services = services_on(server, db)
    for customer in range(3):
        reading = failure_of(customer)
        await asked(services, reading.model_copy(update={"account": account_snapshot(vendor_id=f"cus_{customer:03}", locale="de-DE")}))
    assert len(server.asked) == 1
    assert await rows(db, "SELECT uses, words IS NOT NULL, case_id FROM model_drafts") == [(2, True, None)]
    assert await rows(db, "SELECT calls, tokens FROM model_spend WHERE scope = 'day'") == [(1, 120)]


async def test_an_answer_is_not_paid_for_again_after_a_crash(db: Database, database_url: str, server: ModelServer) -> None:
    mortal = MortalDatabase(database_url)
    await mortal.open()
    try:
        services = make_services(mortal, model=model_on(server, db), drafts=NoDrafts())
        case_id = await absorb_reading(services, GERMAN)
        assert case_id is not None
        # The first transaction starts the decision, and the second would commit what it came to.
        mortal.writes, mortal.dies_at = 0, (2, "before")
        with pytest.raises(Killed):
            await decide.run(services, case_id)
    finally:
        await mortal.close()
    assert len(server.asked) == 1

    await holder_died(db, case_id)
    await decide.run(services_on(server, db, drafts=NoDrafts()), case_id)
    assert len(server.asked) == 1
    assert "words" in (await question(db, case_id)).request.action_requests[0].args


async def test_a_payment_is_taken_in_while_the_model_thinks_and_nothing_is_sent(db: Database, server: ModelServer) -> None:
    server.script = one_by_one(answers(GOOD["de"].model_dump(), after_seconds=1.0))
    services = services_on(server, db)
    case_id = await absorb_reading(services, GERMAN)
    assert case_id is not None
    deciding = asyncio.create_task(decide.run(services, case_id))
    assert await asyncio.to_thread(server.came.wait, 10)
    began = time.monotonic()
    paid = invoice_snapshot(status=InvoiceStatus.PAID, remaining_minor=0, paid_minor=4900, observed_at=NOW)
    won = attempt_snapshot(vendor_key="ch_2", charge_vendor_id="ch_2", status=AttemptStatus.SUCCEEDED, occurred_at=NOW)
    await absorb_reading(services, make_reading(invoice=paid, attempts=(won,), occurred_at=NOW))
    took = time.monotonic() - began
    assert not deciding.done()
    await deciding

    assert took < 0.5
    assert await rows(db, "SELECT status FROM cases") == [("recovered",)]
    assert await rows(db, "SELECT count(*) FROM actions WHERE name = 'send_message' AND state <> 'void'") == [(0,)]
    assert len(server.asked) == 1


async def test_what_a_model_failed_at_stands_with_its_cause_in_the_books_and_in_the_decision(db: Database, server: ModelServer) -> None:
    server.script = one_by_one(Status(500))
    approval = await asked(services_on(server, db), GERMAN)
    assert await rows(db, "SELECT agent, decision_id, failure, detail FROM model_calls") == [
        ("communication", approval.decision_id, "unavailable", "HTTP 500")
    ]
    [decision] = await decisions_of(db, approval.case_id)
    told = " ".join(line for said in decision.trace or () for line in said["lines"])
    assert "No answer from gpt-4o-mini (unavailable: HTTP 500); the draft of the rules stands." in told


async def test_a_draft_grows_old_and_a_refusal_sooner(db: Database) -> None:
    store = StoredDrafts(db)
    situation = Situation(category="funds", stage="first", segment=None, locale="de", prompt="p")
    refused, draft = KeptDraft(model="a", draft=None, refused="it shouts"), KeptDraft(model="b", draft=GOOD["de"])
    await store.keep(situation, refused)
    await store.keep(situation, draft)
    assert await store.find(situation, ["a", "b"]) == refused
    assert await store.find(situation, ["b", "a"]) == draft
    assert await store.find(situation, ["c"]) is None
    assert await store.find(situation.model_copy(update={"case_id": "case_1"}), ["b"]) is None

    await change(db, "UPDATE model_drafts SET created_at = created_at - interval '25 hours'")
    assert await store.find(situation, ["a", "b"]) == draft
    better = draft.model_copy(update={"model": "a"})
    await store.keep(situation, better)
    await store.keep(situation, draft.model_copy(update={"draft": GOOD["en"]}))
    assert (await store.find(situation, ["a"]), await store.find(situation, ["b"])) == (better, draft)
    await change(db, "UPDATE model_drafts SET created_at = created_at - interval '90 days'")
    assert await store.find(situation, ["a", "b"]) is None
    async with db.write() as tx:
        await drafts.prune(tx, wall_now())
    assert await rows(db, "SELECT count(*) FROM model_drafts") == [(0,)]
