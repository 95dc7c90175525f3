"""Invariants 1, 2, 3 and 8: planted violations of what comes in, what starts, what is done twice, and what is owed."""

from collections.abc import Callable
from dataclasses import replace
from typing import LiteralString

import pytest

from evals.ledgers import MailLedger, PlatformLedger
from tests.integration.invariants.conftest import Copy

Plant = tuple[str, str, tuple[LiteralString, ...]]

# (what happened, what the check says, how it is planted)
EVENTS: list[Plant] = [
    (
        "an event was accepted and forgotten",
        "never finished",
        ("UPDATE inbox SET status = 'accepted', finished_at = NULL WHERE vendor_event_id = 'evt_1'",),
    ),
    (
        "an event was processed nobody knows when",
        "processed without a time",
        ("UPDATE inbox SET finished_at = NULL WHERE vendor_event_id = 'evt_1'",),
    ),
    ("an event is dead nobody knows why", "dead without a reason", ("UPDATE inbox SET reason = NULL WHERE status = 'dead'",)),
    (
        "an event is open and finished at once",
        "although it was finished",
        ("UPDATE inbox SET status = 'accepted' WHERE vendor_event_id = 'evt_1'",),
    ),
    (
        "an event was kept twice",
        "is kept 2 times",
        (
            "ALTER TABLE inbox DROP CONSTRAINT inbox_connection_vendor_event_id_key",
            "INSERT INTO inbox SELECT (jsonb_populate_record(i, '{\"id\": \"evt_again\"}')).* FROM inbox i WHERE vendor_event_id = 'evt_1'",
        ),
    ),
]
STARTS: list[Plant] = [
    ("a charge started after the payment", "started while its case was recovered", ("SELECT starts(charge())",)),
    ("a letter started after the payment", "started while its case was recovered", ("SELECT starts(letter())",)),
    (
        "a charge started under a hold",
        'on hold for ["person"]',
        ("""SELECT tell(grace(), grace(), 'case', 'open', '{"holds": ["person"]}')""", "SELECT starts(grace_charge())"),
    ),
    (
        "a receipt was sent into a dispute",
        'on hold for ["dispute"]',
        ("""SELECT tell(ada(), ada(), 'case', 'recovered', '{"holds": ["dispute"]}')""", "SELECT starts(receipt())"),
    ),
    (
        "the service was extended after a cancellation",
        "started while its case was cancelled",
        ("SELECT tell(grace(), grace(), 'case', 'cancelled')", "SELECT starts(more_time())"),
    ),
    (
        "a letter started after the customer opted out",
        "opted out of email",
        (
            "INSERT INTO suppressions SELECT account_id, 'email', 'opted out', now() FROM cases WHERE id = grace()",
            """SELECT tell('accounts', account_id, 'account', 'suppressed', '{"channel": "email"}') FROM cases WHERE id = grace()""",
            "SELECT starts(grace_letter())",
        ),
    ),
    (
        "a letter started although the customer had opted out of everything long before",
        "opted out of all",
        ("INSERT INTO suppressions SELECT account_id, 'all', 'opted out', '2026-03-01' FROM cases WHERE id = grace()",),
    ),
    (
        "a letter started under the kill switch",
        "while the kill switch was on",
        (
            "SELECT tell('switches', 'kill_switch', 'switch', 'on')",
            "UPDATE audit_log SET recorded_at = recorded_at - interval '1 minute' WHERE chain = 'switches'",
            "SELECT starts(grace_letter())",
        ),
    ),
    (
        "a charge rested on a reading older than the policy allows",
        "on a reading 301 seconds old; 300 are allowed",
        ("SELECT starts(grace_charge(), '2026-03-31T17:00:00Z', '301 seconds')",),
    ),
    ("a charge rested on no reading", "started on no reading", ("SELECT tell(grace(), grace_charge(), 'action', 'started')",)),
    ("an action stayed ready after the end", "is still ready", ("UPDATE actions SET state = 'ready' WHERE id = letter()",)),
    (
        "a question stayed open after the end",
        "approval is still pending",
        ("UPDATE approvals SET status = 'pending' WHERE case_id = ada()",),
    ),
]
EFFECTS: list[Plant] = [
    ("what was done started again", "went on from done to started", ("SELECT starts(grace_charge())",)),
    (
        "what was void was done",
        "went on from void to done",
        ("SELECT tell(grace(), id, 'action', 'done') FROM actions WHERE state = 'void'",),
    ),
    (
        "an ambiguous letter was sent again",
        "although nobody found it absent",
        ("SELECT tell(grace(), grace_letter(), 'action', 'unknown')", "SELECT starts(grace_letter())"),
    ),
    (
        "an ambiguous charge was sent again under a key that its platform had forgotten",
        "no longer valid",
        (
            "SELECT tell(grace(), grace_charge(), 'action', 'unknown')",
            "UPDATE actions SET key_valid_until = now() - interval '1 hour' WHERE id = grace_charge()",
            """SELECT tell(grace(), grace_charge(), 'action', 'started', '{"found": "absent"}')""",
        ),
    ),
    (
        "one action made two attempts",
        "2 attempts in our books",
        (
            'INSERT INTO attempts SELECT (jsonb_populate_record(t, \'{"id": "att_2", "vendor_key": "ch_2"}\')).*'
            " FROM attempts t WHERE action_id = charge()",
        ),
    ),
    (
        "one step was written twice",
        "was written 2 times",
        (
            "DROP INDEX messages_once",
            "UPDATE messages SET step = 0, is_receipt = false, case_id = ada(), channel = 'email', state = 'sent'"
            " WHERE action_id IN (letter(), receipt())",
        ),
    ),
]
OWED: list[Plant] = [
    (
        "a paid invoice has an open case",
        "open although nothing remains",
        ("UPDATE cases SET status = 'open' WHERE id = ada()",),
    ),
    (
        "a case recovered without the money",
        "has 100 remaining",
        ("UPDATE invoices SET remaining_minor = 100 WHERE vendor_id = 'in_1'",),
    ),
    ("a void invoice is dunned", "open although the invoice is void", ("UPDATE invoices SET status = 'void' WHERE vendor_id = 'in_2'",)),
    ("a column was changed by hand", "not those of its snapshot", ("UPDATE invoices SET paid_minor = 1 WHERE vendor_id = 'in_2'",)),
    (
        "an attempt was forgotten",
        "attempt ch_1 of sandbox is not in our books",
        ("DELETE FROM attempts WHERE vendor_key = 'ch_1'",),
    ),
    ("an attempt is told otherwise", "attempt ch_1 is", ("UPDATE attempts SET status = 'succeeded' WHERE vendor_key = 'ch_1'",)),
    (
        "an invoice is of our own making",
        "sandbox does not know this invoice",
        ("UPDATE invoices SET vendor_id = 'in_9' WHERE vendor_id = 'in_2'",),
    ),
    ("an invoice never came", "failed payment that never came here", ("UPDATE invoices SET vendor_id = 'in_9' WHERE vendor_id = 'in_2'",)),
]

PLANTED = [
    (invariant, *plant)
    for invariant, plants in (
        ("events_end_once", EVENTS),
        ("nothing_starts_after_the_end", STARTS),
        ("one_effect_per_action", EFFECTS),
        ("money_matches_the_platform", OWED),
    )
    for plant in plants
]


@pytest.mark.parametrize(("invariant", "happened", "told", "statements"), PLANTED, ids=[happened for _, happened, _, _ in PLANTED])
async def test_it_is_reported_when(copy: Copy, invariant: str, happened: str, told: str, statements: tuple[LiteralString, ...]) -> None:
    await copy.plant(*statements)
    assert any(told in problem for problem in await copy.problems(invariant)), await copy.problems(invariant)


def charges_twice(books: PlatformLedger) -> PlatformLedger:
    [charge] = [attempt for attempt in books.attempts if attempt.initiator == "recoup"]
    return replace(books, attempts=(*books.attempts, replace(charge, id="ch_again")))


def charges_more(books: PlatformLedger) -> PlatformLedger:
    more = [replace(a, amount_minor=9900) if a.initiator == "recoup" else a for a in books.attempts]
    return replace(books, attempts=tuple(more))


def pays_less(books: PlatformLedger) -> PlatformLedger:
    return replace(books, invoices=tuple(replace(i, status="open", remaining_minor=4900, paid_minor=0) for i in books.invoices))


def with_effect(**changes: str) -> Callable[[PlatformLedger], PlatformLedger]:
    def change(books: PlatformLedger) -> PlatformLedger:
        return replace(books, effects=(*books.effects, replace(books.effects[0], **changes)))

    return change


# (what the platform did, the invariant, what the check says, its books)
BOOKS: list[tuple[str, str, str, Callable[[PlatformLedger], PlatformLedger]]] = [
    ("it did an effect twice", "one_effect_per_action", "2 effects on sandbox", with_effect()),
    ("it did what nobody started", "one_effect_per_action", "never started", with_effect(key="act_nobody")),
    ("it did something else", "one_effect_per_action", "sandbox did cancel_subscription on in_1", with_effect(name="cancel_subscription")),
    ("it did it to another invoice", "one_effect_per_action", "on in_7", with_effect(invoice="in_7")),
    ("it charged twice", "one_effect_per_action", "2 charges on sandbox", charges_twice),
    ("it charged another amount", "one_effect_per_action", "charged 9900, committed was 4900", charges_more),
    ("it says that nothing was paid", "money_matches_the_platform", "('open', 4900, 0) on sandbox", pays_less),
]


@pytest.mark.parametrize(("did", "invariant", "told", "change"), BOOKS, ids=[did for did, _, _, _ in BOOKS])
async def test_it_is_reported_when_by_the_platforms_books(
    copy: Copy, did: str, invariant: str, told: str, change: Callable[[PlatformLedger], PlatformLedger]
) -> None:
    problems = await copy.with_books(change(copy.past.platform)).problems(invariant)
    assert any(told in problem for problem in problems), problems


async def test_a_refusal_beside_the_effect_is_no_second_effect(copy: Copy) -> None:
    books = with_effect(state="refused")(copy.past.platform)
    assert await copy.with_books(books).problems("one_effect_per_action") == []


async def test_mail_that_was_taken_twice_or_never_asked_for_is_reported(copy: Copy) -> None:
    taken = dict(copy.past.mail.accepted)
    first = next(iter(taken))
    mail = MailLedger({**taken, first: 2, "<act_nobody@recoup.shop.example>": 1})
    problems = await copy.with_books(mail=mail).problems("one_effect_per_action")
    assert sorted(problems) == ["2 messages at the mail server", "the mail server holds a message of an action that was never started"]


async def test_other_peoples_mail_is_only_counted(copy: Copy) -> None:
    mail = MailLedger({**copy.past.mail.accepted, "<newsletter@elsewhere.example>": 5})
    result = (await copy.with_books(mail=mail).look()).results["one_effect_per_action"]
    assert (result.findings, result.notes) == ([], ["1 messages at the mail server are not ours"])


# What is on its way, or allowed, is no violation


async def test_an_event_may_wait_within_the_patience(copy: Copy) -> None:
    await copy.plant("UPDATE inbox SET status = 'accepted', finished_at = NULL WHERE vendor_event_id = 'evt_1'")
    assert await copy.problems("events_end_once", patience_seconds=900) == []
    await copy.plant("UPDATE inbox SET received_at = received_at - interval '1 hour'")
    assert await copy.problems("events_end_once", patience_seconds=900) != []
    await copy.plant("UPDATE inbox SET lease_until = now() + interval '1 minute' WHERE status = 'accepted'")
    assert await copy.problems("events_end_once", patience_seconds=900) == [], "a worker has it"


async def test_a_difference_from_the_platform_may_be_on_its_way(copy: Copy) -> None:
    differs = copy.with_books(pays_less(copy.past.platform))
    assert await differs.problems("money_matches_the_platform", patience_seconds=900) == []
    await copy.plant("UPDATE inbox SET received_at = received_at - interval '1 hour'")
    assert await differs.problems("money_matches_the_platform", patience_seconds=900) != []


async def test_the_age_of_a_reading_is_what_the_policy_then_in_force_allows(copy: Copy) -> None:
    await copy.plant(
        "INSERT INTO policies VALUES (2, '[freshness]' || chr(10) || 'reading_seconds = 900', '', 'ada', '', '2026-01-01'),"
        " (3, '[freshness]' || chr(10) || 'reading_seconds = 60', '', 'ada', '', '2026-04-01')",
        "SELECT starts(grace_charge(), '2026-03-31T17:00:00Z', '600 seconds')",
    )
    assert await copy.problems("nothing_starts_after_the_end") == []
    await copy.plant("SELECT starts(grace_charge(), '2026-04-02T17:00:00Z', '61 seconds')")
    assert await copy.problems("nothing_starts_after_the_end") == ["retry_payment started on a reading 61 seconds old; 60 are allowed"]


async def test_a_message_on_a_platform_that_nobody_can_read_may_rest_on_an_old_event(copy: Copy) -> None:
    await copy.plant(
        "UPDATE decisions SET facts = jsonb_set(facts, '{connection,capabilities}', '[]') WHERE case_id = grace()",
        "SELECT starts(grace_letter(), '2026-03-31T17:00:00Z', '9 days')",
    )
    assert await copy.problems("nothing_starts_after_the_end") == []


async def test_what_an_account_took_over_in_a_merge_holds_from_the_merge_on(copy: Copy) -> None:
    await copy.plant(
        "INSERT INTO suppressions SELECT account_id, 'email', 'opted out', '2026-03-01' FROM cases WHERE id = grace()",
        "SELECT tell('accounts', 'acc_alias', 'account', 'merged', jsonb_build_object('into', account_id)) FROM cases WHERE id = grace()",
    )
    assert await copy.problems("nothing_starts_after_the_end") == []
    await copy.plant("SELECT starts(grace_letter())")
    assert await copy.problems("nothing_starts_after_the_end") == ["message started after the account opted out of email"]


async def test_who_just_looked_may_start_in_the_moment_the_kill_switch_turns(copy: Copy) -> None:
    await copy.plant("SELECT tell('switches', 'kill_switch', 'switch', 'on')", "SELECT starts(grace_letter())")
    assert await copy.problems("nothing_starts_after_the_end") == []


async def test_what_was_looked_up_and_found_absent_may_be_sent_again(copy: Copy) -> None:
    await copy.plant(
        "UPDATE audit_log SET state = 'unknown' WHERE subject = grace_charge() AND state = 'done'",
        """SELECT tell(grace(), grace_charge(), 'action', 'started', '{"found": "absent"}')""",
    )
    assert await copy.problems("one_effect_per_action") == []
