"""A policy is replayed on a merchant's own history as far as it can be known, and no further."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evals.backtest.baselines import Ladder
from evals.backtest.past_cases import PastCase, past_cases
from evals.backtest.replay import fate_of, replay
from evals.backtest.replay_text import replay_html
from evals.backtest.rollout import Policy
from evals.history import read_history
from evals.history_files import write_history
from evals.history_row import HistoryRow
from tools.sandbox.protocol import EventKind

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def ladder(*days: float) -> Policy:
    """Charges so many days after the failure, and writes to nobody."""
    return Ladder("ladder", lambda seen: tuple(seen.invoice.failed_at + day * DAY for day in days), message_days=())


def charge(days: float, invoice: str = "i1", account: str = "a1", *, approved: bool = False, **changes: Any) -> HistoryRow:
    told: dict[str, Any] = {"amount_minor": 4900, "currency": "USD", "credential_id": "pm", "processor": "stripe", "initiator": "platform"}
    told |= {"decline_code": None if approved else "insufficient_funds"}
    return HistoryRow(kind="attempt", account_id=account, invoice_id=invoice, at=START + days * DAY, approved=approved, **(told | changes))


def event(days: float, kind: EventKind, invoice: str = "i1") -> HistoryRow:
    return HistoryRow(kind="event", account_id="a1", invoice_id=invoice, at=START + days * DAY, event=kind)


# A charge much later, so that the window of the others is over.
LATER = charge(90, "i99", "a9", approved=True)


def case_of(tmp_path: Path, *rows: HistoryRow) -> PastCase:
    (case,) = cases_of(tmp_path, *rows)
    return case


def cases_of(tmp_path: Path, *rows: HistoryRow) -> tuple[PastCase, ...]:
    write_history(tmp_path / "history.parquet", [*rows, LATER])
    return past_cases(read_history(tmp_path / "history.parquet")).cases


def fate(case: PastCase, *days: float) -> str:
    return fate_of(case, ladder(*days))


def test_a_case_is_what_was_known_at_its_first_failure(tmp_path: Path) -> None:
    before = [charge(-30, "i0", approved=True), charge(-60, "i00"), charge(-59, "i00", approved=True)]
    first = charge(0, network_code="51", brand="visa", card_country="US", issuer="bank_1", country="US", timezone="America/Chicago")
    case = cases_of(tmp_path, *before, first, charge(3, approved=True))[-1]
    invoice = case.invoice
    assert (invoice.case, invoice.account, invoice.amount_minor, invoice.currency) == ("i1", "a1", 4900, "USD")
    assert (invoice.failed_at, invoice.decline.code, invoice.decline.network_code) == (START, "insufficient_funds", "51")
    assert (invoice.credential.brand, invoice.credential.country, invoice.credential.issuer) == ("visa", "US", "bank_1")
    assert invoice.timezone == "America/Chicago"
    assert [(past.invoice, past.decline is None) for past in invoice.history] == [("i00", False), ("i00", True), ("i0", True)]
    assert [past.at for past in case.course] == [START + 3 * DAY]


def test_an_invoice_that_went_through_at_once_is_no_case(tmp_path: Path) -> None:
    assert case_of(tmp_path, charge(0, approved=True), charge(1, "i2")).invoice.case == "i2"


def test_a_policy_that_charges_when_the_history_did_has_the_history_s_outcome(tmp_path: Path) -> None:
    case = case_of(tmp_path, charge(0), charge(2), charge(5, approved=True))
    assert fate(case, 2, 5) == "recovered"
    assert fate(case, 2.3, 4.7) == "recovered"
    assert fate(case, 5) == "recovered"


def test_a_policy_that_charges_when_the_history_did_not_is_unknown(tmp_path: Path) -> None:
    case = case_of(tmp_path, charge(0), charge(2), charge(5, approved=True))
    assert fate(case, 3.5) == "tried_when_history_did_not"
    assert fate(case, 2, 2.2) == "tried_when_history_did_not"
    assert fate_of(case, ladder(5.125), tolerance=HOUR) == "went_on_after_its_success"


def test_beyond_a_success_that_it_did_not_have_nothing_is_known(tmp_path: Path) -> None:
    case = case_of(tmp_path, charge(0), charge(2), charge(5, approved=True))
    assert fate(case, 2, 8) == "went_on_after_its_success"
    assert fate(case, 2) == "stopped_before_its_success"
    assert fate(case) == "stopped_before_its_success"


def test_what_customers_do_by_themselves_they_do_under_any_policy(tmp_path: Path) -> None:
    paid = case_of(tmp_path, charge(0), charge(2), event(4, "paid_by_link"))
    by_hand = case_of(tmp_path, charge(0), charge(2), charge(4, approved=True, initiator="customer"))
    cancelled = case_of(tmp_path, charge(0), charge(2), event(4, "cancelled"))
    for plan in ((), (2,), (2, 9)):
        assert fate(paid, *plan) == fate(by_hand, *plan) == "recovered"
        assert fate(cancelled, *plan) == "lost"
    assert fate(paid, 3) == "tried_when_history_did_not"


def test_a_charge_is_not_taken_for_one_on_the_other_side_of_a_new_card(tmp_path: Path) -> None:
    case = case_of(tmp_path, charge(0), event(2.2, "method_updated"), charge(2.4, approved=True))
    assert fate(case, 2.0) == "tried_when_history_did_not"
    assert fate(case, 2.3) == "recovered"


def test_what_stayed_open_is_lost_to_who_tried_no_more_than_the_history(tmp_path: Path) -> None:
    case = case_of(tmp_path, charge(0), charge(2), charge(40, approved=True))
    assert not case.was_recovered
    assert fate(case) == fate(case, 2) == fate(case, 2, 30) == "lost"


def test_shares_and_bounds_are_those_that_one_counts_by_hand(tmp_path: Path) -> None:
    rows = [
        *(charge(0, "known won"), charge(2, "known won", approved=True)),
        *(charge(0, "known lost", amount_minor=1000), charge(2, "known lost", amount_minor=1000)),
        *(charge(0, "other time", currency="EUR"), charge(3, "other time", approved=True, currency="EUR")),
        charge(0, "never tried", amount_minor=100),
        charge(80, "too young", amount_minor=100),
        LATER,
    ]
    write_history(tmp_path / "history.csv", rows)
    found = replay(read_history(tmp_path / "history.csv"), {"on day 2": ladder(2), "nothing": ladder()})
    assert (found.cases, found.recovered, found.too_young) == (4, 2, 1)
    one = found.policies["on day 2"]
    assert (one.counts.known_share, one.counts.recovered_of_known) == (0.5, 0.5)
    assert one.counts.bounds() == {"all_unknown_lost": 0.25, "unknown_as_in_history": 0.5, "all_unknown_recovered": 0.75}
    assert one.unknown == {"tried_when_history_did_not": 2}
    assert one.amounts["USD"].bounds()["all_unknown_lost"] == pytest.approx(4900 / 6000)
    assert one.amounts["EUR"].known_share == 0
    assert one.amounts["EUR"].recovered_of_known is None
    nothing = found.as_json()["policies"]["nothing"]
    assert nothing["known_share"] == 0.5
    assert nothing["unknown"] == {"stopped_before_its_success": 2}


def test_the_report_says_what_cannot_be_known(tmp_path: Path) -> None:
    write_history(tmp_path / "history.jsonl", [charge(0), charge(2, approved=True), LATER])
    page = replay_html(replay(read_history(tmp_path / "history.jsonl"), {"<fixed>": ladder(2)}))
    assert "What cannot be known from a history" in page
    assert "&lt;fixed&gt;" in page
    assert "1 payments failed, and 100.0% of them were recovered" in page


def test_a_history_without_cases_has_shares_of_nothing(tmp_path: Path) -> None:
    write_history(tmp_path / "history.csv", [LATER])
    found = replay(read_history(tmp_path / "history.csv"), {"nothing": ladder()}).as_json()
    assert found["recovery_rate"] is None
    assert found["policies"]["nothing"]["known_share"] is None
