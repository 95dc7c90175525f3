"""Invariant 10: planted card numbers and personal data, in every form and place, and look-alikes that are none."""

import base64
from pathlib import Path
from typing import LiteralString

import pytest

from evals.personal_data import emails, has_card_number
from tests.integration.invariants.conftest import Copy

VISA, AMEX, MASTERCARD = "4242424242424242", "378282246310005", "5555555555554444"

CARDS = {
    "as it is": f"paid with {VISA} today",
    "in JSON": f'{{"number":"{MASTERCARD}"}}',
    "as a JSON number": f'{{"number":{VISA}}}',
    "in groups": "4242 4242 4242 4242",
    "with dashes": "5555-5555-5555-4444",
    "with dots": "4242.4242.4242.4242",
    "with line breaks": "4242\n4242\n4242\n4242",
    "as Amex groups it": "3782 822463 10005",
    "digit by digit": "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
    "in full-width digits": "４２４２４２４２４２４２４２４２",
    "in Arabic digits": "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢",
    "in JSON escapes": "".join(f"\\u003{digit}" for digit in VISA),
    "percent-encoded": "".join(f"%3{digit}" for digit in VISA),
    "in HTML entities": "".join(f"&#5{int(digit) - 2};" if digit > "1" else digit for digit in VISA),
    "in base64": base64.b64encode(f"card={AMEX}".encode()).decode(),
    "with a point after it": f"It was {VISA}.",
}
LOOKALIKES = {
    "masked": "************4242",
    "our own ids": "act_4242424242424242424242424242424a act_01995555555555554444",
    "a vendor's id": "ch_4242424242424242",
    "a fraction": "0.4242424242424242",
    "a moment": "2026-03-10 15:00:00.123456+00:00",
    "milliseconds": "1773154800000",
    "a UUID": "42424242-4242-4242-4242-424242424242",
    "a hash": "5555555555554444aa5555555555554444",
    "no check digit": "4242424242424241",
    "amounts": '[4900, 4900, 4900, 4900], "a": 4242, "b": 4242, "c": 4242',
    "too long": "424242424242424242424242",
    "a phone number": "+1 202 555 0143",
}


@pytest.mark.parametrize("form", CARDS)
def test_a_card_number_is_seen(form: str) -> None:
    assert has_card_number(CARDS[form])


@pytest.mark.parametrize("form", LOOKALIKES)
def test_a_look_alike_is_none(form: str) -> None:
    assert not has_card_number(LOOKALIKES[form])


def test_addresses_are_seen_and_mentions_are_not() -> None:
    assert emails("to ada@customer.example, cc <bo.x+y@mail.co.uk>") == {"ada@customer.example", "bo.x+y@mail.co.uk"}
    assert emails("@ada act_1@recoup user@localhost") == set()


BLOB = "INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob) SELECT id, '', 'x', '1', 'msgpack', "

# (where, what the check says, how it is planted)
PLACES: list[tuple[str, str, tuple[LiteralString, ...]]] = [
    ("the event", "payload holds a card number", ("UPDATE inbox SET payload = payload || '4242 4242 4242 4242'",)),
    ("the audit log", "body holds a card number", ("UPDATE audit_log SET body = body || '4242424242424242' WHERE n = 1",)),
    ("a letter", "body holds a card number", ("UPDATE message_texts SET body = body || ' 4242424242424242'",)),
    ("a contact", "full_name holds a card number", ("UPDATE contacts SET full_name = 'Ada 4242424242424242'",)),
    ("a tag", "tags holds a card number", ("UPDATE accounts SET tags = '{vip,4242424242424242}'",)),
    ("the facts", "facts holds a card number", ("""UPDATE decisions SET facts = facts || '{"x": "4242424242424242"}'""",)),
    ("a note on an approval", "note holds a card number", ("UPDATE approvals SET note = '4242-4242-4242-4242'",)),
    ("a job", "args holds a card number", ("""UPDATE procrastinate_jobs SET args = args || '{"x": 4242424242424242}'""",)),
    ("a checkpoint", "blob holds a card number", (BLOB + "'\\xa1' || convert_to('4242424242424242', 'UTF8') FROM decisions LIMIT 1",)),
    (
        "a table that nobody has thought of",
        "remark holds a card number",
        (
            "CREATE TABLE later (id text PRIMARY KEY, remark text)",
            "INSERT INTO later VALUES ('1', '5555 5555 5555 4444')",
            "GRANT SELECT ON later TO PUBLIC",
        ),
    ),
    (
        "an address in a reason",
        "reason holds an e-mail address",
        ("UPDATE actions SET reason = 'write to x@customer.example' WHERE id = letter()",),
    ),
    ("an address in a job", "args holds an e-mail address", ("""UPDATE procrastinate_jobs SET args = '{"to": "x@customer.example"}'""",)),
    ("an address in an error", "last_error holds an e-mail address", ("UPDATE inbox SET last_error = 'no mailbox x@customer.example'",)),
    (
        "an address in the audit log",
        "body holds an e-mail address",
        ("""SELECT tell(ada(), letter(), 'action', 'done', '{"to": "x@customer.example"}')""",),
    ),
    (
        "a name in the audit log",
        "audit entry names the customer",
        ("""SELECT tell(ada(), letter(), 'action', 'done', '{"to": "Ada Example"}')""",),
    ),
    ("a name in the facts", "decision names the customer", ("""UPDATE decisions SET facts = facts || '{"x": "Grace Hopper-Lee"}'""",)),
    ("a phone number in a task", "action names the customer", ("UPDATE actions SET reason = 'call +12025550143' WHERE id = letter()",)),
    (
        "a name in a checkpoint",
        "checkpoint names the customer",
        (BLOB + "convert_to('Grace Hopper-Lee', 'UTF8') FROM decisions WHERE case_id = grace() LIMIT 1",),
    ),
]


@pytest.mark.parametrize(("where", "told", "statements"), PLACES, ids=[where for where, _, _ in PLACES])
async def test_it_is_reported_in(copy: Copy, where: str, told: str, statements: tuple[LiteralString, ...]) -> None:
    await copy.plant(*statements)
    problems = await copy.problems("no_card_or_personal_data")
    assert any(told in problem for problem in problems), problems


async def test_colleagues_may_be_named_by_an_address(copy: Copy) -> None:
    await copy.plant(
        "INSERT INTO api_keys VALUES ('key_x', 'bo@shop.example', 'admin', 'x', now(), 'recoup')",
        """SELECT tell(ada(), letter(), 'action', 'done', '{"answered": "bo@shop.example"}')""",
    )
    assert await copy.problems("no_card_or_personal_data") == []


async def test_log_lines_that_tell_too_much_are_reported_by_number(copy: Copy, tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("event evt_1 is dead\nsent to ada@customer.example\ncard 4242 4242 4242 4242\nDear ADA example,\n")
    report = await copy.look(logs=[log])
    assert [(f["subject"], f["problem"]) for f in report.findings["no_card_or_personal_data"]] == [
        ("api.log:2", "log line holds an e-mail address"),
        ("api.log:3", "log line holds a card number"),
        ("api.log:4", "log line names a customer"),
    ]
