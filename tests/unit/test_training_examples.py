"""What training sees of a retry is what a decision at that moment saw: no less, and nothing that came later."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from agents.planner.situation import Situation
from evals.backtest.explorer import Explorer, explored
from evals.backtest.rollout import Move, Seen, play
from evals.backtest.situations import situation_of
from evals.history import read_history
from evals.history_files import write_history
from evals.history_row import HistoryRow
from evals.training.episodes import Example, examples_of
from evals.training.records import Records, records_of
from recoup.category import Category
from tools.sandbox.protocol import AttemptResult
from tools.sandbox.world import HomeWorld, home

CASES, SEED = 300, 4
START = datetime(2026, 3, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def records(path: Path, rows: Iterable[HistoryRow]) -> Records:
    write_history(path, rows)
    return records_of(read_history(path))


def charge(days: float, *, approved: bool = False, **told: Any) -> HistoryRow:
    """A charge of Ada's invoice on her Visa card, declined for insufficient funds unless it is approved."""
    code: dict[str, Any] = {} if approved else {"processor": "stripe", "decline_code": "insufficient_funds"}
    ada: dict[str, Any] = {"account_id": "ada", "invoice_id": "inv", "credential_id": "pm", "rail": "card"}
    values: dict[str, Any] = {"amount_minor": 4900, "currency": "USD", **ada}
    return HistoryRow(kind="attempt", at=START + days * DAY, approved=approved, **(values | code | told))


def event(days: float, what: Any) -> HistoryRow:
    return HistoryRow(kind="event", account_id="ada", invoice_id="inv", at=START + days * DAY, event=what)


@pytest.fixture(scope="module")
def rows() -> list[HistoryRow]:
    return list(explored(home(), CASES, SEED))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.parquet"


class Witness(HomeWorld):
    """The world and its explorer, with what was known each time that a charge was made."""

    name = "explorer"

    def __init__(self) -> None:
        super().__init__()
        self.known: list[tuple[Situation, bool]] = []

    def next(self, seen: Seen) -> Move | None:
        self.seen = seen
        return Explorer(SEED).next(seen)

    def attempt(self, case: str, at: datetime, credential: str) -> AttemptResult:
        situation = situation_of(self.seen)
        result = super().attempt(case, at, credential)
        self.known.append((situation, result.approved))
        return result


def comparable(situation: Situation) -> Situation:
    """Without what only matters to planning, and what a single case cannot know of its bank's other customers."""
    return replace(situation, channels=(), may_retry=True, needs_customer=False, issuer_share=None)


def test_training_sees_exactly_what_was_known_when_the_charge_was_made(rows: list[HistoryRow], file: Path) -> None:
    witness, twice = Witness(), set[str]()
    invoices = witness.open(CASES, SEED)
    accounts = [invoice.account for invoice in invoices]
    for invoice in invoices:
        if accounts.count(invoice.account) > 1:
            twice.add(invoice.account)  # their past is told once, as it was before the first of their invoices
        else:
            play(witness, invoice, witness, seed=SEED)
    seen = records(file, (row for row in rows if row.account_id not in twice))
    learned = {(e.situation.failed_at, e.situation.now): (comparable(e.situation), e.approved) for e in examples_of(seen)}
    known = {(s.failed_at, s.now): (comparable(s), approved) for s, approved in witness.known}
    assert len(known) > 300
    assert learned == known


def test_what_came_later_changes_no_example(rows: list[HistoryRow], file: Path) -> None:
    then = sorted(row.at for row in rows)[len(rows) * 4 // 5]
    dice = Random(1)
    earlier, later = [row for row in rows if row.at < then], [row for row in rows if row.at >= then]
    shuffled = [
        replace(row, at=other.at, amount_minor=row.amount_minor and dice.randrange(100, 9000))
        for row, other in zip(later, dice.sample(later, len(later)), strict=True)
    ]
    told = [
        replace(row, approved=not row.approved, decline_code=None, network_code=None) if row.approved is False else row for row in shuffled
    ]
    before = [known(e) for e in examples_of(records(file, rows)) if e.situation.now < then.timestamp()]
    after = [known(e) for e in examples_of(records(file, [*earlier, *told])) if e.situation.now < then.timestamp()]
    assert len(before) > 150
    assert before == after


def known(example: Example) -> tuple[Situation, bool]:
    """All that training sees of it; NaN never stands in a situation."""
    return example.situation, example.approved


def test_only_retries_of_what_failed_first_are_examples(file: Path) -> None:
    paid = [charge(0, approved=True), charge(30, approved=True)]
    course = [charge(0), charge(1), charge(3, approved=True), charge(9)]
    assert list(examples_of(records(file, paid))) == []
    assert [(e.situation.now - START.timestamp(), e.approved) for e in examples_of(records(file, course))] == [
        (86400, False),
        (3 * 86400, True),
    ]


def test_what_a_customer_paid_by_hand_is_no_example_but_ends_the_case(file: Path) -> None:
    own = charge(2, approved=True, initiator="customer")
    assert [e.situation.now for e in examples_of(records(file, [charge(0), charge(1), own, charge(4)]))] == [(START + DAY).timestamp()]


@pytest.mark.parametrize("ending", ["paid_by_link", "cancelled", "disputed"])
def test_nothing_is_learned_from_charges_after_the_debt_is_gone(file: Path, ending: str) -> None:
    assert len(list(examples_of(records(file, [charge(0), charge(1), event(2, ending), charge(3)])))) == 1


def test_another_card_counts_as_new_since_the_last_charge_where_nobody_told_when_it_came(file: Path) -> None:
    *_, told = examples_of(records(file, [charge(0), charge(1), event(2, "method_updated"), charge(4, credential_id="new")]))
    *_, untold = examples_of(records(file, [charge(0), charge(1), charge(4, credential_id="new")]))
    assert told.situation.updated_at == pytest.approx((START + 2 * DAY).timestamp(), abs=1e-5)
    assert untold.situation.updated_at == (START + DAY).timestamp()
    assert told.situation.is_fresh
    assert untold.situation.is_fresh


def test_a_card_that_is_charged_in_the_moment_that_it_comes_is_new_then_and_not_after(file: Path) -> None:
    *_, at_once, later = examples_of(records(file, [charge(0), event(2, "method_updated"), charge(2), charge(5)]))
    assert at_once.situation.is_fresh
    assert not later.situation.is_fresh


def test_declines_are_understood_as_the_rules_understand_them(file: Path) -> None:
    course = [charge(0, decline_code="expired_card"), charge(1, decline_code="processing_error"), charge(2)]
    first, second = examples_of(records(file, course))
    assert (first.situation.category, first.situation.needs_customer) == (Category.NEW_DATA, True)
    assert (second.situation.category, second.situation.needs_customer) == (Category.TECHNICAL, False)


def test_where_all_are_in_the_history_because_they_were_logged_only_what_was_logged_is_learned_from(file: Path) -> None:
    past = [charge(-30, invoice_id="before"), charge(-29, invoice_id="before")]
    logged = [charge(0), charge(1, propensity=0.5)]
    others = [charge(day, account_id=f"other {n}", invoice_id=f"i{n}") for n in range(9) for day in (0, 1)]
    assert [e.situation.now for e in examples_of(records(file, [*past, *logged]))] == [(START + DAY).timestamp()]
    assert len(list(examples_of(records(file, [*past, *logged, *others])))) == 11
