"""Rules of every strength and origin under the contract of rules."""

from datetime import timedelta
from typing import Any

import pytest

from recoup.actions import Action
from recoup.case import CaseStatus, Hold
from recoup.category import Category
from recoup.facts import CaseFacts, LedgerEntry
from recoup.invoice import AttemptStatus, Rail
from recoup.policy import Mode, Policy
from tests.contract.rule import RuleBench, RuleContract
from tests.factories import (
    NOW,
    account_facts,
    attempt_facts,
    case_info,
    contact_facts,
    credential_facts,
    invoice_facts,
    ledger_entry,
    make_facts,
    make_message,
    make_retry,
)

LETTER, CHARGE = make_message(), make_retry()
RESTED = make_facts(ledger=(ledger_entry(at=NOW - timedelta(days=2)),))
NIGHT = NOW.replace(hour=4)  # in New York
# Many attempts a day are our own to forbid; a network's rule is shown without ours.
UNHURRIED: dict[str, Any] = {"hours_between_attempts": 0, "attempts_per_credential_30_days": 1000, "messages_per_week": 100}
PATIENT = Policy.model_validate({"mode": Mode.AUTO, "house": UNHURRIED})


def tries(count: int, **changes: Any) -> tuple[LedgerEntry, ...]:
    """So many failed attempts, the newest two hours ago, each half an hour after the other."""
    return tuple(ledger_entry(id=f"att_{n}", at=NOW - timedelta(hours=2, minutes=30 * n), **changes) for n in reversed(range(count)))


def charged(count: int, brand: str = "visa", rail: Rail = Rail.CARD, **changes: Any) -> CaseFacts:
    return make_facts(credential=credential_facts(brand=brand, rail=rail), ledger=tries(count, **changes))


def wrote(count: int, gap: timedelta) -> CaseFacts:
    """So many messages of other cases to the customer."""
    return make_facts(contacts=tuple(contact_facts(id=f"msg_{n}", case_id="case_2", at=NOW - n * gap) for n in range(1, count + 1)))


def bench(rule: str, action: Action, silent: CaseFacts, *speaks: CaseFacts, policy: Policy = PATIENT, signals: tuple[str, ...] = ()) -> Any:
    return pytest.param(RuleBench(rule, action, silent, speaks[0], speaks[-1], policy, signals), id=rule)


def failed(category: Category, count: int) -> CaseFacts:
    return make_facts(
        attempts=tuple(attempt_facts(id=f"att_{n}", category=category, reason="told") for n in range(count)),
        ledger=tries(count, category=category),
    )


def held(*holds: Hold) -> CaseFacts:
    return make_facts(case=case_info(holds=holds))


BENCHES = [
    bench("kill-switch", LETTER, make_facts(), make_facts(kill_switch=True)),
    bench("case-closed", LETTER, make_facts(), make_facts(case=case_info(status=CaseStatus.RECOVERED))),
    bench("hold-dispute", CHARGE, RESTED, held(Hold.DISPUTE), held(Hold.DISPUTE, Hold.PERSON)),
    bench("suppressed", LETTER, make_facts(), make_facts(account=account_facts(reachable=(), suppressed=("email",)))),
    bench("attempt-in-flight", CHARGE, RESTED, make_facts(attempts=(attempt_facts(status=AttemptStatus.UNKNOWN),))),
    bench(
        "platform-retry-planned",
        CHARGE,
        RESTED,
        make_facts(invoice=invoice_facts(next_platform_attempt_at=NOW + timedelta(minutes=20))),
    ),
    bench(
        "confirmation-open",
        CHARGE,
        RESTED,
        make_facts(attempts=(attempt_facts(status=AttemptStatus.REQUIRES_ACTION, occurred_at=NOW - timedelta(minutes=20)),)),
    ),
    bench("visa-reattempts-30-days", CHARGE, charged(20), charged(21), charged(22)),
    bench("mastercard-declines-24-hours", CHARGE, charged(9, "mastercard"), charged(10, "mastercard"), charged(11, "mastercard")),
    bench("ach-entries-180-days", CHARGE, charged(2, rail=Rail.ACH), charged(3, rail=Rail.ACH), charged(4, rail=Rail.ACH)),
    bench("never-code", CHARGE, RESTED, failed(Category.NEVER, 1), failed(Category.NEVER, 2)),
    bench("new-data-needed", CHARGE, RESTED, failed(Category.NEW_DATA, 1), failed(Category.NEW_DATA, 2)),
    bench("india-issued", CHARGE, RESTED, make_facts(credential=credential_facts(country="IN"))),
    bench("contact-hours", LETTER, make_facts(), make_facts(now=NIGHT)),
    bench("messages-per-day", LETTER, make_facts(), wrote(1, timedelta(hours=5)), wrote(2, timedelta(hours=5))),
    bench("messages-per-week", LETTER, wrote(2, timedelta(days=2)), wrote(3, timedelta(days=2)), policy=Policy(mode=Mode.AUTO)),
    bench("hours-between-attempts", CHARGE, RESTED, charged(1), charged(2), policy=Policy(mode=Mode.AUTO)),
    bench("amount-over", LETTER, make_facts(), make_facts(invoice=invoice_facts(remaining_minor=100_001))),
]


class TestRules(RuleContract):
    @pytest.fixture(params=BENCHES)
    def bench(self, request: pytest.FixtureRequest) -> RuleBench:
        return request.param
