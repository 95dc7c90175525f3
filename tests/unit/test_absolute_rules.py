"""What nobody can lift, rule by rule: each row is one reason why an action is denied."""

from datetime import timedelta
from typing import Any

import pytest

from recoup.absolute_rules import hard_rules, tried_meanwhile
from recoup.actions import Action, ActionName, AgencyArgs, CancelArgs, ExtendGraceArgs, NoArgs, RefundArgs, RiskClass, make_action
from recoup.case import CaseStatus, Hold
from recoup.category import Category
from recoup.facts import CaseFacts
from recoup.invoice import AttemptStatus, Initiator, InvoiceStatus
from tests.factories import (
    FAILED_AT,
    NOW,
    account_facts,
    action_facts,
    attempt_facts,
    case_info,
    connection_facts,
    contact_facts,
    credential_facts,
    invoice_facts,
    ledger_entry,
    make_facts,
    make_message,
    make_note,
    make_retry,
)

RETRY, MESSAGE, NOTE = make_retry(), make_message(), make_note()
RECEIPT = make_message(template="receipt")
BACKUP = make_retry(ActionName.USE_BACKUP_METHOD, credential_id="crd_2")
SUSPEND = make_action(ActionName.SUSPEND_SERVICE, NoArgs())
REINSTATE = make_action(ActionName.REINSTATE_SERVICE, NoArgs())
CANCEL = make_action(ActionName.CANCEL_SUBSCRIPTION, CancelArgs(at="now"))
AGENCY = make_action(ActionName.REFER_TO_AGENCY, AgencyArgs(agency="first"))
GRACE = make_action(ActionName.EXTEND_GRACE, ExtendGraceArgs(until=NOW + timedelta(days=7)))
REFUND = make_action(ActionName.REFUND_DUPLICATE, RefundArgs(attempt_id="att_1", amount_minor=4900, currency="USD"))


def world(**changes: Any) -> CaseFacts:
    """The default world two days after the failure, when no wait is left."""
    at = NOW - timedelta(days=2)
    return make_facts(**{"ledger": (ledger_entry(at=at),), "attempts": (attempt_facts(occurred_at=at),), **changes})


def denied_by(action: Action, facts: CaseFacts) -> set[str]:
    return {hit.rule for hit in hard_rules(action, facts)}


def closed(status: CaseStatus = CaseStatus.RECOVERED) -> dict[str, Any]:
    return {
        "case": case_info(status=status, overpaid_minor=4900),
        "invoice": invoice_facts(status=InvoiceStatus.PAID, remaining_minor=0, paid_minor=9800),
    }


def held(*holds: Hold) -> dict[str, Any]:
    return {"case": case_info(holds=holds)}


BACKUP_CARD = credential_facts(id="crd_2", vendor_id="pm_2")


def test_in_the_default_world_nothing_is_denied() -> None:
    facts = world(backups=(BACKUP_CARD,))
    for action in (RETRY, MESSAGE, NOTE, BACKUP, SUSPEND, CANCEL, AGENCY, GRACE):
        assert denied_by(action, facts) == set(), action.name


DENIALS: list[tuple[str, Action, dict[str, Any], str]] = [
    ("the kill switch stops charges", RETRY, {"kill_switch": True}, "kill-switch"),
    ("the kill switch stops messages", MESSAGE, {"kill_switch": True}, "kill-switch"),
    ("the kill switch stops account actions", SUSPEND, {"kill_switch": True}, "kill-switch"),
    ("the kill switch stops receipts too", RECEIPT, {"kill_switch": True}, "kill-switch"),
    (
        "a connection cannot be live and simulated",
        RETRY,
        {"connection": connection_facts(livemode=True, simulated=True)},
        "live-simulated-mixed",
    ),
    ("a closed case charges nobody", RETRY, closed(), "case-closed"),
    ("a closed case duns nobody", MESSAGE, closed(), "case-closed"),
    ("a handed-off case suspends nothing", SUSPEND, {"case": case_info(status=CaseStatus.HANDED_OFF)}, "case-closed"),
    ("a paid invoice is not charged even before the case knows", RETRY, {"invoice": closed()["invoice"]}, "invoice-not-owed"),
    ("a void invoice is not dunned", MESSAGE, {"invoice": invoice_facts(status=InvoiceStatus.VOID)}, "invoice-not-owed"),
    ("a paid invoice suspends nothing", SUSPEND, {"invoice": closed()["invoice"]}, "invoice-not-owed"),
    ("nobody is thanked for what is still owed", RECEIPT, {}, "receipt-too-early"),
    ("a part is no payment in full", RECEIPT, {"case": case_info(status=CaseStatus.RECOVERED)}, "receipt-too-early"),
    (
        "a debt that was written off was not paid",
        RECEIPT,
        closed(CaseStatus.WRITTEN_OFF),
        "receipt-too-early",
    ),
    ("a dispute stops charges", RETRY, held(Hold.DISPUTE), "hold-dispute"),
    ("a dispute stops messages", MESSAGE, held(Hold.DISPUTE), "hold-dispute"),
    ("a dispute stops receipts", RECEIPT, held(Hold.DISPUTE), "hold-dispute"),
    ("a dispute stops the backup card", BACKUP, {**held(Hold.DISPUTE), "backups": (BACKUP_CARD,)}, "hold-dispute"),
    ("a reversal stops charges", RETRY, held(Hold.REVERSAL), "hold-reversal"),
    ("nobody writes to the dead", MESSAGE, held(Hold.DECEASED), "hold-deceased"),
    ("nobody sends an agency to the bereaved", AGENCY, held(Hold.DECEASED), "hold-deceased"),
    ("an open reply stops messages", MESSAGE, held(Hold.REPLY), "hold-reply"),
    ("an incident stops charges", RETRY, held(Hold.INCIDENT), "hold-incident"),
    ("a person's hold stops messages", MESSAGE, held(Hold.PERSON), "hold-person"),
    ("who opted out gets nothing", MESSAGE, {"account": account_facts(reachable=(), suppressed=("email",))}, "suppressed"),
    ("who opted out of all gets no receipt", RECEIPT, {"account": account_facts(reachable=(), suppressed=("all",))}, "suppressed"),
    ("an SMS needs a number", make_message(channel="sms"), {}, "no-address"),
    (
        "a step is written once: an earlier action",
        MESSAGE,
        {"actions": (action_facts(state="done"),)},
        "message-already-sent",
    ),
    ("a step is written once: nobody knows", MESSAGE, {"actions": (action_facts(state="unknown"),)}, "message-already-sent"),
    ("a step is written once: a contact", MESSAGE, {"contacts": (contact_facts(state="confirmed"),)}, "message-already-sent"),
    (
        "one receipt is enough",
        RECEIPT,
        {**closed(), "actions": (action_facts(state="done", step=0, template="receipt"),)},
        "message-already-sent",
    ),
    ("who cannot be asked cannot charge", RETRY, {"connection": connection_facts(capabilities=())}, "capability-missing"),
    ("who cannot be asked cannot suspend", SUSPEND, {"connection": connection_facts(capabilities=("read",))}, "capability-missing"),
    ("a stranger's card", make_retry(credential_id="crd_9"), {}, "not-of-this-case"),
    ("more than remains", make_retry(amount_minor=5000), {}, "not-of-this-case"),
    ("another currency", make_retry(currency="EUR"), {}, "not-of-this-case"),
    ("a stranger's invoice", make_message(invoice_ids=("inv_1", "inv_9")), {}, "not-of-this-case"),
    ("less than remains", make_retry(amount_minor=100), {}, "amount-not-remaining"),
    ("a removed card", RETRY, {"credential": credential_facts(is_usable=False)}, "credential-unusable"),
    ("an attempt is processing", RETRY, {"attempts": (attempt_facts(status=AttemptStatus.PROCESSING),)}, "attempt-in-flight"),
    ("an outcome is unknown", RETRY, {"attempts": (attempt_facts(status=AttemptStatus.UNKNOWN),)}, "attempt-in-flight"),
    ("another charge of this case is reserved", RETRY, {"ledger": (ledger_entry(id="rsv_1", state="reserved"),)}, "attempt-in-flight"),
    (
        "a lock timeout and no reading since",
        RETRY,
        {
            "ledger": (ledger_entry(category=Category.UNKNOWN_OUTCOME),),
            "invoice": invoice_facts(read_at=FAILED_AT - timedelta(seconds=1)),
        },
        "outcome-unread",
    ),
    (
        "the platform charges in half an hour",
        RETRY,
        {"invoice": invoice_facts(next_platform_attempt_at=NOW + timedelta(minutes=30))},
        "platform-retry-planned",
    ),
    (
        "the platform's next attempt is in three days",
        RETRY,
        {"invoice": invoice_facts(next_platform_attempt_at=NOW + timedelta(days=3))},
        "platform-retry-planned",
    ),
    (
        "the platform is about to charge, whatever method is ours",
        BACKUP,
        {"backups": (BACKUP_CARD,), "invoice": invoice_facts(next_platform_attempt_at=NOW - timedelta(minutes=59))},
        "platform-retry-planned",
    ),
    ("the network forbids", RETRY, {"ledger": (ledger_entry(category=Category.NEVER),)}, "never-code"),
    (
        "the network forbids though the ledger does not know the card of the attempt",
        RETRY,
        {"ledger": (), "attempts": (attempt_facts(credential_id=None, category=Category.NEVER),)},
        "never-code",
    ),
    (
        "the backup card has its own ledger",
        BACKUP,
        {"backups": (BACKUP_CARD,), "ledger": (ledger_entry(id="att_8", category=Category.NEVER, credential_id="crd_2"),)},
        "never-code",
    ),
    ("too much is refunded", REFUND, {"case": case_info(overpaid_minor=100)}, "not-of-this-case"),
]


@pytest.mark.parametrize(("why", "action", "changes", "rule"), DENIALS, ids=[row[0] for row in DENIALS])
def test_an_absolute_rule_denies(why: str, action: Action, changes: dict[str, Any], rule: str) -> None:
    assert rule in denied_by(action, world(**changes))


ALLOWED: list[tuple[str, Action, dict[str, Any]]] = [
    ("a closed case sends its receipt", RECEIPT, closed()),
    (
        "a person's hold does not keep back a receipt",
        RECEIPT,
        {**closed(), "case": case_info(status=CaseStatus.RECOVERED, holds=(Hold.PERSON,))},
    ),
    ("a closed case takes notes", NOTE, closed()),
    ("a closed case refunds what was paid twice", REFUND, closed()),
    ("a closed case reinstates the service", REINSTATE, closed()),
    ("a held case takes notes", NOTE, held(Hold.DECEASED)),
    ("a held case may give more time", GRACE, held(Hold.REPLY)),
    ("notes pass the kill switch", NOTE, {"kill_switch": True}),
    (
        "the never-code of one card says nothing of the backup card",
        BACKUP,
        {"backups": (BACKUP_CARD,), "ledger": (ledger_entry(category=Category.NEVER),)},
    ),
    ("a message that was voided may be sent", MESSAGE, {"actions": (action_facts(state="void"),)}),
    ("another step may be sent", make_message(step=2), {"actions": (action_facts(state="done"),)}),
    ("the same step of another case is another step", MESSAGE, {"contacts": (contact_facts(case_id="case_2"),)}),
    (
        "another case's reservation of yesterday is no attempt of this invoice",
        RETRY,
        {"ledger": (ledger_entry(id="rsv_1", at=NOW - timedelta(days=1), state="reserved", own_case=False, category=None),)},
    ),
    (
        "the platform's last announced attempt is long past",
        RETRY,
        {"invoice": invoice_facts(next_platform_attempt_at=NOW - timedelta(days=1))},
    ),
    (
        "a customer's failed try is no attempt in flight",
        RETRY,
        {"attempts": (attempt_facts(initiator=Initiator.CUSTOMER, occurred_at=NOW - timedelta(days=2)),)},
    ),
]


@pytest.mark.parametrize(("why", "action", "changes"), ALLOWED, ids=[row[0] for row in ALLOWED])
def test_no_absolute_rule_denies(why: str, action: Action, changes: dict[str, Any]) -> None:
    assert denied_by(action, world(**changes)) == set()


def test_a_missing_capability_is_named() -> None:
    (hit,) = hard_rules(SUSPEND, make_facts(connection=connection_facts(capabilities=("read",))))
    assert hit.detail == "capability missing: suspend_service"


def test_after_the_platforms_own_attempt_the_charge_may_follow() -> None:
    facts = world(invoice=invoice_facts(next_platform_attempt_at=NOW))
    (hit,) = hard_rules(RETRY, facts)
    assert hit.not_before == NOW + timedelta(hours=1)
    assert hard_rules(RETRY, facts.model_copy(update={"now": hit.not_before})) == ()


def test_an_attempt_of_somebody_elses_since_the_decision_undoes_a_charge() -> None:
    decided_at = FAILED_AT + timedelta(seconds=1.5)
    for who, denied in ((Initiator.PLATFORM, True), (Initiator.CUSTOMER, True), (Initiator.MERCHANT, True), (Initiator.RECOUP, False)):
        # Platforms tell whole seconds: what happened in the second of the decision may have come after it.
        facts = make_facts(attempts=(attempt_facts(initiator=who, occurred_at=FAILED_AT + timedelta(seconds=1)),))
        assert (tried_meanwhile(RETRY, facts, decided_at) is not None) is denied
        assert tried_meanwhile(RETRY, facts, FAILED_AT + timedelta(seconds=2)) is None
        assert tried_meanwhile(MESSAGE, facts, decided_at) is None


def test_no_absolute_rule_can_be_overridden_by_a_person() -> None:
    for _, action, changes, rule in DENIALS:
        facts = world(**changes, overridden_rules=(rule,))
        assert rule in denied_by(action, facts)
        assert not any(hit.overridable for hit in hard_rules(action, facts))


def test_internal_actions_are_never_denied() -> None:
    for _, _, changes, _ in DENIALS:
        assert hard_rules(NOTE, make_facts(**changes)) == ()
    assert NOTE.risk is RiskClass.INTERNAL
