"""Invariants 4, 6, 7 and 9: planted violations of approvals, the audit log, timers and hours, and the policy."""

from typing import LiteralString

import pytest

from tests.integration.invariants.conftest import Copy

Plant = tuple[str, str, tuple[LiteralString, ...]]

# (what happened, what the check says, how it is planted)
APPROVALS: list[Plant] = [
    ("an account action names no approval", "done without an approval", ("UPDATE actions SET approval_id = NULL WHERE id = more_time()",)),
    (
        "it names the approval of another decision",
        "on an approval of something else",
        ("UPDATE actions SET approval_id = (SELECT id FROM approvals WHERE case_id = ada() LIMIT 1) WHERE id = more_time()",),
    ),
    ("its approval expired", "on an approval that is expired", ("UPDATE approvals SET status = 'expired' WHERE id = its_approval()",)),
    ("its approval was never used", "that was never used", ("UPDATE approvals SET used_at = NULL WHERE id = its_approval()",)),
    (
        "it was answered too late",
        "that had expired",
        ("UPDATE approvals SET expires_at = decided_at - interval '1 second' WHERE id = its_approval()",),
    ),
    ("a viewer approved it", "approved by a viewer", ("UPDATE approvals SET decided_role = 'viewer' WHERE id = its_approval()",)),
    ("an operator approved it", "approved by a operator", ("UPDATE approvals SET decided_role = 'operator' WHERE id = its_approval()",)),
    ("nobody approved it", "on an approval of nobody", ("UPDATE approvals SET decided_by = NULL WHERE id = its_approval()",)),
    (
        "the answer was no",
        "although its approval says reject",
        (
            'UPDATE approvals SET answer = (SELECT jsonb_agg(\'{"type": "reject"}\'::jsonb) FROM unnest(action_ids))'
            " WHERE id = its_approval()",
        ),
    ),
    (
        "it was used twice",
        "was used 2 times",
        ("""SELECT tell(grace(), its_approval(), 'approval', 'decided', '{"used": true}')""",),
    ),
    (
        "somebody else is written down",
        "the answer in the audit log is another",
        ("UPDATE approvals SET decided_by = 'mallory' WHERE id = its_approval()",),
    ),
    (
        "it ran before it was approved",
        "allowed to run before its approval was answered",
        (
            "UPDATE audit_log SET subject = 'elsewhere' WHERE subject = its_approval() AND state = 'decided'",
            "SELECT tell(grace(), id, 'approval', 'decided', jsonb_build_object('digest', digest, 'role', decided_role, 'used', true))"
            " FROM approvals WHERE id = its_approval()",
        ),
    ),
    ("the digest is another", "the digest is not that of what", ("UPDATE approvals SET digest = '0' WHERE id = its_approval()",)),
    (
        "something else was shown",
        "the digest is not that of what",
        ("""UPDATE approvals SET request = jsonb_set(request, '{action_requests,0,args}', '{"x": 1}') WHERE id = its_approval()""",),
    ),
    (
        "the facts were changed afterwards",
        "the facts of the decision are not those",
        ("UPDATE decisions SET facts = jsonb_set(facts, '{invoice,remaining_minor}', '1') WHERE case_id = grace()",),
    ),
    (
        "the graph had asked something else",
        "something else than the decision asked",
        ("UPDATE approvals SET interrupt_digest = '0' WHERE id = its_approval()",),
    ),
    (
        "something else was done than approved",
        "differs from what was approved",
        ("""UPDATE actions SET args = '{"until": "2031-01-01T00:00:00Z"}' WHERE id = more_time()""",),
    ),
    (
        "the digest of the arguments is another",
        "not those of its digest",
        ("UPDATE actions SET args_digest = '0' WHERE id = more_time()",),
    ),
    (
        "with four eyes on the editor approved",
        "who edited it approved it",
        (
            "INSERT INTO policies VALUES (2, '[approvals]' || chr(10) || 'four_eyes = true', '', 'ada', '', '2026-01-01')",
            "UPDATE approvals SET edited_by = ARRAY[decided_by] WHERE id = its_approval()",
        ),
    ),
]
AUDIT: list[Plant] = [
    ("a state changed silently", "case is open but", ("UPDATE cases SET status = 'open' WHERE id = ada()",)),
    ("a hold was placed silently", "on hold for dispute but", ("UPDATE cases SET holds = '{dispute}' WHERE id = grace()",)),
    ("a hold was lifted silently", "says otherwise", ("""SELECT tell(grace(), grace(), 'case', 'open', '{"holds": ["reply"]}')""",)),
    ("a body was changed", "the hash of entry 2 does not hold", ("UPDATE audit_log SET body = body || ' ' WHERE chain = ada() AND n = 2",)),
    (
        "a body was changed and hashed again",
        "the hash of entry 3 does not hold",
        (
            "UPDATE audit_log SET body = body || ' ', hash = encode(sha256(convert_to(prev || body || ' ', 'UTF8')), 'hex')"
            " WHERE chain = ada() AND n = 2",
        ),
    ),
    ("a column was changed", "entry 1 says something else", ("UPDATE audit_log SET actor = 'mallory' WHERE chain = ada() AND n = 1",)),
    ("an entry was taken out", "entry 2 is missing", ("DELETE FROM audit_log WHERE chain = ada() AND n = 2",)),
    (
        "the newest entries were cut off",
        "does not end where its head says",
        ("DELETE FROM audit_log l USING audit_heads h WHERE l.chain = ada() AND h.chain = l.chain AND l.n = h.n",),
    ),
    ("a head was lost", "the chain has no head", ("DELETE FROM audit_heads WHERE chain = ada()",)),
    ("a row was deleted", "timer stands in the audit log and nowhere else", ("DELETE FROM timers WHERE state = 'fired'",)),
    ("a decision was added silently", "decision is done but", ("UPDATE audit_log SET subject = 'x' WHERE kind = 'decision'",)),
    (
        "a start was not written down",
        "does not say so",
        ("UPDATE audit_log SET subject = 'x' WHERE subject = charge() AND state = 'started'",),
    ),
    ("an action is done that never started", "done but never started", ("UPDATE actions SET started_at = NULL WHERE id = charge()",)),
    (
        "an opt-out was not written down",
        "opted out of sms but",
        ("INSERT INTO suppressions SELECT account_id, 'sms', 'x', now() FROM cases WHERE id = ada()",),
    ),
    (
        "a policy came in force silently",
        "policy is in_force but",
        ("INSERT INTO policies VALUES (2, 'mode = \"auto\"', '', 'mallory', '', now())",),
    ),
    (
        "a key was made silently",
        "key is active but",
        ("INSERT INTO api_keys VALUES ('key_x', 'mallory', 'admin', 'x', now(), 'mallory')",),
    ),
    ("the kill switch turned silently", "switch is on but", ("INSERT INTO switches VALUES ('kill_switch', 'true', 'mallory', now())",)),
]
TIMERS: list[Plant] = [
    (
        "a timer fired twice",
        "timer fired 2 times",
        ("SELECT tell(case_id, id, 'timer', 'fired') FROM timers WHERE state = 'fired' LIMIT 1",),
    ),
    (
        "a cancelled timer fired",
        "timer fired 1 times, cancelled 1 times",
        ("SELECT tell(case_id, id, 'timer', 'fired') FROM timers WHERE state = 'cancelled' LIMIT 1",),
    ),
    ("a timer fired too early", "before it was due", ("UPDATE timers SET fired_at = due_at - interval '1 second' WHERE state = 'fired'",)),
    ("a timer is both", "fired and was cancelled", ("UPDATE timers SET cancelled_at = due_at WHERE state = 'fired'",)),
    ("a timer fired nobody knows when", "timer is fired without a time", ("UPDATE timers SET fired_at = NULL WHERE state = 'fired'",)),
    ("a due timer never fired", "and never fired", ("UPDATE timers SET due_at = '2026-03-12' WHERE kind = 'end_grace'",)),
    (
        "a timer outlived its case",
        "end_case timer is pending although its case ended",
        ("UPDATE timers SET state = 'pending' WHERE kind = 'end_case' AND case_id = ada()",),
    ),
    (
        "a timer outlived its question",
        "timer of an approval that is",
        ("UPDATE timers SET state = 'pending' WHERE kind = 'expire_approval'",),
    ),
    ("a letter left at night", "outside the allowed hours", ("SELECT starts(grace_letter(), '2026-03-31T03:00:00Z')",)),
    (
        "a letter left at half past eight in India",
        "outside the allowed hours",
        (
            """UPDATE decisions SET facts = jsonb_set(facts, '{account}', facts -> 'account' ||
                '{"timezone": "Asia/Kolkata", "country": "IN"}') WHERE case_id = grace()""",
            "UPDATE accounts SET timezone = 'Asia/Kolkata', country = 'IN'",
            "SELECT starts(grace_letter(), '2026-03-31T03:00:00Z')",
        ),
    ),
]
POLICY: list[Plant] = [
    (
        "an action has no such name",
        "no account action send_everything",
        ("UPDATE actions SET name = 'send_everything' WHERE id = more_time()",),
    ),
    (
        "an action passes for a smaller risk",
        "no internal action extend_grace",
        ("UPDATE actions SET risk = 'internal' WHERE id = more_time()",),
    ),
    (
        "a denied action was executed",
        "although the gate said deny",
        ("UPDATE actions SET verdict = jsonb_set(verdict, '{answer}', '\"deny\"') WHERE id = charge()",),
    ),
    (
        "an account action ran by itself",
        "that the gate let run by itself",
        ("UPDATE actions SET verdict = jsonb_set(verdict, '{answer}', '\"run\"') WHERE id = more_time()",),
    ),
    (
        "a held-out account was charged",
        "retry_payment was executed in shadow mode",
        ("UPDATE decisions SET facts = jsonb_set(facts, '{account,holdout}', 'true')",),
    ),
    ("shadow mode executed something", "was executed in shadow mode", ("UPDATE policies SET text = 'mode = \"shadow\"'",)),
    (
        "a shadow cohort executed something",
        "was executed in shadow mode",
        (
            """UPDATE policies SET text = E'[[cohorts]]\\nname = "x"\\nmode = "shadow"\\n[cohorts.match]\\ncurrencies = ["USD"]\\n'
               'amount_under_major = 50\\ncategories = ["funds"]\\ncountries = ["US"]\\nshare = 1.0'""",
        ),
    ),
    (
        "a charge ran in approve mode without a person",
        "without a person although its mode is approve",
        ("UPDATE actions SET approval_id = NULL, verdict = jsonb_set(verdict, '{answer}', '\"run\"') WHERE id = charge()",),
    ),
    (
        "a charge of no low risk ran in hybrid mode",
        "its risk is not low",
        (
            "UPDATE policies SET text = E'mode = \"hybrid\"\\n[low_risk]\\namount_under_major = 49'",
            "UPDATE actions SET approval_id = NULL WHERE id = charge()",
        ),
    ),
    (
        "a large amount ran in auto mode",
        "the amount is over the threshold",
        (
            "UPDATE policies SET text = E'mode = \"auto\"\\n[escalations]\\namount_over_major = 48.99'",
            "UPDATE actions SET approval_id = NULL WHERE id = charge()",
        ),
    ),
    (
        "an unsure action ran in auto mode",
        "the confidence is under the threshold",
        (
            "UPDATE policies SET text = 'mode = \"auto\"'",
            "UPDATE actions SET approval_id = NULL, confidence = 0.49 WHERE id = charge()",
        ),
    ),
    (
        "a charge ran in auto mode on signs of fraud",
        "there are signs of fraud",
        (
            "UPDATE policies SET text = 'mode = \"auto\"'",
            "UPDATE actions SET approval_id = NULL WHERE id = charge()",
            "UPDATE decisions SET facts = jsonb_set(facts, '{attempts,0,reason}', '\"fraudulent\"')",
        ),
    ),
    ("the charge took another amount", "where the attempt took 1", ("UPDATE attempts SET amount_minor = 1 WHERE action_id = charge()",)),
    (
        "the charge was for another invoice",
        "for another invoice than its case",
        ("UPDATE attempts SET invoice_id = (SELECT id FROM invoices WHERE vendor_id = 'in_2') WHERE action_id = charge()",),
    ),
    (
        "another account's card was charged",
        "payment method of another account",
        ("UPDATE credentials SET account_id = (SELECT account_id FROM cases WHERE id = grace()) WHERE vendor_id = 'pm_1'",),
    ),
    (
        "another amount was charged than remained",
        "another amount than remained",
        ("UPDATE decisions SET facts = jsonb_set(facts, '{invoice,remaining_minor}', '4000')",),
    ),
    (
        "the letter went to somebody else",
        "message to another account",
        ("UPDATE messages SET account_id = (SELECT account_id FROM cases WHERE id = grace()) WHERE action_id = letter()",),
    ),
    (
        "the letter was about somebody else's invoice",
        "an invoice of another account",
        ("UPDATE messages SET invoice_ids = ARRAY[(SELECT id FROM invoices WHERE vendor_id = 'in_2')] WHERE action_id = letter()",),
    ),
    ("a letter is done that was never written", "there is no message of it", ("DELETE FROM messages WHERE action_id = letter()",)),
    (
        "a customer had two letters in a day",
        "had 1 messages in 1 days already; 1 are allowed",
        (
            "INSERT INTO reservations SELECT 'rsv_x', receipt(), kind, scope, case_id, channel, NULL, NULL, state, at + interval '1 hour'"
            " FROM reservations WHERE action_id = letter()",
            "SELECT tell(ada(), 'rsv_x', 'reservation', 'reserved', '{}', at) FROM reservations WHERE id = 'rsv_x'",
        ),
    ),
    (
        "a case had more charges than allowed",
        "1 attempts of ours in one case; 0 are allowed",
        ("UPDATE policies SET text = E'[house]\\nattempts_per_case = 0'",),
    ),
]

PLANTED = [
    (invariant, *plant)
    for invariant, plants in (
        ("account_actions_were_approved", APPROVALS),
        ("audit_covers_every_change", AUDIT),
        ("timers_and_hours_hold", TIMERS),
        ("actions_stay_within_policy", POLICY),
    )
    for plant in plants
]


@pytest.mark.parametrize(("invariant", "happened", "told", "statements"), PLANTED, ids=[happened for _, happened, _, _ in PLANTED])
async def test_it_is_reported_when(copy: Copy, invariant: str, happened: str, told: str, statements: tuple[LiteralString, ...]) -> None:
    await copy.plant(*statements)
    problems = await copy.problems(invariant)
    assert any(told in problem for problem in problems), problems


# What is allowed is no violation

ALLOWED: list[tuple[str, str, tuple[LiteralString, ...]]] = [
    (
        "a letter leaves at night where the policy then in force opens the hours",
        "timers_and_hours_hold",
        (
            "INSERT INTO policies VALUES (2, E'[house.contact_hours]\\nstart = 00:00:00\\nend = 23:59:59', '', 'ada', '', '2026-01-01')",
            "SELECT starts(grace_letter(), '2026-03-31T03:00:00Z')",
        ),
    ),
    (
        "a letter leaves at night where a person lifted the rule",
        "timers_and_hours_hold",
        ("UPDATE cases SET overridden_rules = '{contact-hours}'", "SELECT starts(grace_letter(), '2026-03-31T03:00:00Z')"),
    ),
    ("a receipt leaves at night", "timers_and_hours_hold", ("SELECT starts(receipt(), '2026-03-31T03:00:00Z')",)),
    (
        "a customer moved after the letter",
        "timers_and_hours_hold",
        ("UPDATE accounts SET timezone = 'Asia/Tokyo'",),
    ),
    (
        "a charge of low risk runs in hybrid mode",
        "actions_stay_within_policy",
        (
            "UPDATE policies SET text = 'mode = \"hybrid\"'",
            "UPDATE actions SET approval_id = NULL, verdict = jsonb_set(verdict, '{answer}', '\"run\"') WHERE id = charge()",
        ),
    ),
    (
        "a letter runs in the auto cohort of an approving policy",
        "actions_stay_within_policy",
        (
            """UPDATE policies SET text = E'[[cohorts]]\\nname = "x"\\nmode = "auto"\\n[cohorts.match]\\ncountries = ["US"]'""",
            "UPDATE actions SET approval_id = NULL, verdict = jsonb_set(verdict, '{answer}', '\"run\"') WHERE id = letter()",
        ),
    ),
    (
        "a customer has two letters in a day where a person lifted the rule",
        "actions_stay_within_policy",
        (
            "UPDATE cases SET overridden_rules = '{messages-per-day}'",
            "INSERT INTO reservations SELECT 'rsv_x', receipt(), kind, scope, case_id, channel, NULL, NULL, state, at + interval '1 hour'"
            " FROM reservations WHERE action_id = letter()",
            "SELECT tell(ada(), 'rsv_x', 'reservation', 'reserved', '{}', at) FROM reservations WHERE id = 'rsv_x'",
        ),
    ),
    (
        "with four eyes on, somebody else approves what was edited",
        "account_actions_were_approved",
        (
            "INSERT INTO policies VALUES (2, '[approvals]' || chr(10) || 'four_eyes = true', '', 'ada', '', '2026-01-01')",
            "UPDATE approvals SET edited_by = '{bo}' WHERE id = its_approval()",
        ),
    ),
]


@pytest.mark.parametrize(("happened", "invariant", "statements"), ALLOWED, ids=[happened for happened, _, _ in ALLOWED])
async def test_it_is_no_violation_when(copy: Copy, happened: str, invariant: str, statements: tuple[LiteralString, ...]) -> None:
    await copy.plant(*statements)
    assert await copy.problems(invariant) == []


async def test_a_timer_that_fell_due_just_now_may_still_fire(copy: Copy) -> None:
    await copy.plant("UPDATE timers SET due_at = '2026-03-12' WHERE kind = 'end_grace'")
    assert await copy.problems("timers_and_hours_hold", patience_seconds=900) == []
    await copy.plant("UPDATE audit_log SET recorded_at = recorded_at - interval '1 hour'")
    assert await copy.problems("timers_and_hours_hold", patience_seconds=900) != []


async def test_what_nobody_can_read_is_reported_and_the_rest_is_still_checked(copy: Copy) -> None:
    await copy.plant(
        "UPDATE audit_log SET body = 'no JSON' WHERE chain = ada() AND state = 'started'", "UPDATE inbox SET finished_at = NULL"
    )
    report = await copy.look()
    assert "is no JSON" in str(report.findings["audit_covers_every_change"])
    assert "could not be checked to its end" in str(report.findings["nothing_starts_after_the_end"])
    assert "without a time" in str(report.findings["events_end_once"])
