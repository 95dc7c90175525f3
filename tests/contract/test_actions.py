"""Every action of the closed set under the contract of actions."""

from datetime import timedelta
from typing import Any

import pytest

from recoup.actions import (
    ActionName,
    AgencyArgs,
    CancelArgs,
    Channel,
    ChargeArgs,
    DiscountArgs,
    ExtendGraceArgs,
    IncidentArgs,
    MessageArgs,
    NoArgs,
    NoteArgs,
    PaymentPlanArgs,
    Queue,
    RefundArgs,
    TagArgs,
    TaskArgs,
    WriteOffArgs,
)
from recoup.events import EventKind
from recoup.facts import CaseFacts
from recoup.invoice import AttemptStatus, CredentialSlot, InvoiceStatus
from recoup.record import Record
from tests.contract.action import ActionBench, ActionContract
from tests.factories import (
    NOW,
    attempt_facts,
    attempt_snapshot,
    case_info,
    credential_facts,
    credential_snapshot,
    invoice_snapshot,
    ledger_entry,
    make_facts,
    make_reading,
)

Name = ActionName
RESTED = make_facts(ledger=(ledger_entry(at=NOW - timedelta(days=2)),))
BACKUP = credential_facts(id="crd_2", vendor_id="pm_2", slot=CredentialSlot.BACKUP)
TWO_CARDS = make_reading(
    credentials=(credential_snapshot(), credential_snapshot(vendor_id="pm_2", fingerprint="fp_2", slot=CredentialSlot.BACKUP))
)
PAID_TWICE = make_reading(
    kind=EventKind.PAYMENT_SUCCEEDED,
    occurred_at=NOW,
    invoice=invoice_snapshot(observed_at=NOW, status=InvoiceStatus.PAID, paid_minor=9800, remaining_minor=0),
    attempts=tuple(
        attempt_snapshot(vendor_key=key, charge_vendor_id=key, status=AttemptStatus.SUCCEEDED, occurred_at=NOW, observed_at=NOW, codes=None)
        for key in ("ch_2", "ch_3")
    ),
)
OVERPAID = make_facts(
    case=case_info(overpaid_minor=4900, recovered_attempt_id="att_2"),
    attempts=tuple(attempt_facts(id=f"att_{n}", status=AttemptStatus.SUCCEEDED, codes=None, category=None) for n in (2, 3)),
)


def charge(facts: CaseFacts) -> ChargeArgs:
    assert facts.credential
    return _all_of_it(facts, facts.credential.id)


def backup(facts: CaseFacts) -> ChargeArgs:
    return _all_of_it(facts, facts.backups[0].id)


def _all_of_it(facts: CaseFacts, credential_id: str) -> ChargeArgs:
    return ChargeArgs(credential_id=credential_id, amount_minor=facts.invoice.remaining_minor, currency=facts.invoice.currency)


def letter(facts: CaseFacts) -> MessageArgs:
    return MessageArgs(channel=Channel.EMAIL, template="payment_failed_soft_first", step=1, invoice_ids=(facts.invoice.id,))


def refund(facts: CaseFacts) -> RefundArgs:
    return RefundArgs(attempt_id=facts.attempts[-1].id, amount_minor=facts.case.overpaid_minor, currency="USD")


TASK, NOTHING = TaskArgs(queue=Queue.FRAUD, title="Look", body="At this."), NoArgs()
PLAIN: dict[ActionName, Record] = {
    Name.WRITE_NOTE: NoteArgs(text="They called."),
    Name.TAG_ACCOUNT: TagArgs(tag="vip"),
    Name.CREATE_TASK: TASK,
    Name.CREATE_TICKET: TASK,
    Name.OPEN_INCIDENT: IncidentArgs(kind="gateway_down", title="Every charge fails"),
    Name.TAKE_OVER_COLLECTION: NOTHING,
    Name.HAND_BACK_COLLECTION: NOTHING,
    Name.EXTEND_GRACE: ExtendGraceArgs(until=NOW + timedelta(days=7)),
    Name.OFFER_PAYMENT_PLAN: PaymentPlanArgs(instalments=3),
    Name.OFFER_DISCOUNT: DiscountArgs(percent=10),
    Name.SUSPEND_SERVICE: NOTHING,
    Name.REINSTATE_SERVICE: NOTHING,
    Name.CANCEL_SUBSCRIPTION: CancelArgs(at="period_end"),
    Name.WRITE_OFF: WriteOffArgs(amount_minor=4900, currency="USD"),
    Name.REFER_TO_AGENCY: AgencyArgs(agency="knock-knock"),
}
AGENCIES: dict[str, Any] = {"agencies": ["knock-knock"]}
BENCHES = {
    **{name: ActionBench(name, lambda _, args=args: args, policy=AGENCIES) for name, args in PLAIN.items()},
    Name.SEND_MESSAGE: ActionBench(Name.SEND_MESSAGE, letter),
    Name.REQUEST_METHOD_UPDATE: ActionBench(Name.REQUEST_METHOD_UPDATE, letter),
    Name.RETRY_PAYMENT: ActionBench(Name.RETRY_PAYMENT, charge, RESTED),
    Name.USE_BACKUP_METHOD: ActionBench(Name.USE_BACKUP_METHOD, backup, make_facts(backups=(BACKUP,)), (TWO_CARDS,)),
    Name.REFUND_DUPLICATE: ActionBench(Name.REFUND_DUPLICATE, refund, OVERPAID, (None, PAID_TWICE)),
}


def test_every_action_has_its_bench() -> None:
    assert set(BENCHES) == set(ActionName)


class TestActions(ActionContract):
    @pytest.fixture(params=list(ActionName))
    def bench(self, request: pytest.FixtureRequest) -> ActionBench:
        return BENCHES[request.param]
