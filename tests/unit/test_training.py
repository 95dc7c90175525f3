"""Training: better than each category's own rate on customers it never saw, calibrated, repeatable, and silent where little is known."""

import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import lightgbm
import numpy as np
import pytest

from agents.planner.model import COLD, cold_model, load_model, model_text, parse_model
from agents.planner.paydays import Floats
from agents.planner.prior import published
from agents.planner.response import published_response
from agents.planner.situation import Situation, Tried
from agents.planner.trees import trees_of
from evals.backtest.explorer import explored
from evals.history import History, read_history
from evals.history_files import write_history
from evals.history_row import HistoryRow
from evals.training.boosting import PARAMETERS, chances
from evals.training.folder import write
from evals.training.measures import category_rates, measure
from evals.training.reactions import fit_response
from evals.training.records import records_of
from evals.training.tables import Table, table_of
from evals.training.train import Trained, train
from evals.training.weights import TRUTHS_COUNT, fit_weights
from recoup.category import Category
from recoup.errors import Misconfigured
from tools.sandbox.world import home

CASES = 1500
START = datetime(2026, 3, 1, 9, tzinfo=UTC)
FOREVER = float("inf")
DECLINED: dict[str, Any] = {
    "approved": False,
    "amount_minor": 4900,
    "currency": "USD",
    "credential_id": "pm",
    "processor": "stripe",
    "decline_code": "insufficient_funds",
}


def read(folder: Path, rows: Iterable[HistoryRow], name: str = "history.parquet") -> History:
    path = folder / name
    write_history(path, rows)
    return read_history(path)


def table(history: History, trained: Trained) -> Table:
    return table_of(records_of(history), trained.model.prior, 0.0, processes=1)


@pytest.fixture(scope="module")
def everybody() -> list[HistoryRow]:
    return list(explored(home(), 2 * CASES, 1))


@pytest.fixture(scope="module")
def rows(everybody: list[HistoryRow]) -> list[HistoryRow]:
    """Those of half of the customers."""
    return [row for row in everybody if int(row.account_id[-6:]) < CASES]


@pytest.fixture(scope="module")
def others(everybody: list[HistoryRow]) -> list[HistoryRow]:
    return [row for row in everybody if int(row.account_id[-6:]) >= CASES]


@pytest.fixture(scope="module")
def history(rows: list[HistoryRow], tmp_path_factory: pytest.TempPathFactory) -> History:
    return read(tmp_path_factory.mktemp("history"), rows)


@pytest.fixture(scope="module")
def trained(history: History) -> Trained:
    return train(history, processes=1)


def some(rows: list[HistoryRow], customers: int) -> list[HistoryRow]:
    first = sorted({row.account_id for row in rows})[:customers]
    return [row for row in rows if row.account_id in set(first)]


def asked(day: float) -> tuple[Situation, Floats]:
    situation = Situation(1.77e9, 1.77e9, 4900.0, Category.FUNDS, (Tried(1.77e9, Category.FUNDS),))
    return situation, np.array([1.77e9 + 86400 * day])


def test_on_customers_it_never_saw_it_beats_each_categorys_own_rate_and_its_chances_come_true(
    rows: list[HistoryRow], others: list[HistoryRow], history: History, trained: Trained, tmp_path: Path
) -> None:
    assert not {row.account_id for row in rows} & {row.account_id for row in others}
    unseen = table(read(tmp_path, others), trained)
    found = measure(unseen, chances(unseen, trained.model.trees), category_rates(table(history, trained)))
    assert found is not None
    assert found.calibration is not None
    assert len(unseen) > 3000
    assert found.skill >= 0.10
    assert found.skill_over_cold > 0
    assert found.calibration.error <= 0.03


def test_it_is_judged_on_unseen_customers_and_on_a_later_time(trained: Trained) -> None:
    assert set(trained.measured) == {"customers", "later", "both"}
    assert all(one.skill > 0.05 for one in trained.measured.values())


def test_the_same_history_gives_the_same_model_in_whatever_order_its_lines_stand(
    rows: list[HistoryRow], trained: Trained, tmp_path: Path
) -> None:
    shuffled = Random(3).sample(rows, len(rows))
    again = train(read(tmp_path, shuffled, "shuffled.csv"), processes=1)
    assert again.model.name == trained.model.name
    assert model_text(again.model) == model_text(trained.model)


def test_a_model_says_the_same_after_its_file(trained: Trained, history: History, tmp_path: Path) -> None:
    write(tmp_path, trained, history, "history.csv")
    loaded = load_model(tmp_path)
    assert loaded.name == trained.model.name
    for day in (0.5, 3.0, 11.0):
        assert [float(one[0]) for one in loaded.chance(*asked(day))] == [float(one[0]) for one in trained.model.chance(*asked(day))]
    assert parse_model(model_text(loaded)).told["retries"] == trained.retries


def test_the_trees_come_to_what_lightgbm_itself_makes_of_them(history: History, trained: Trained) -> None:
    known = table(history, trained)
    data = lightgbm.Dataset(known.features, label=known.approved.astype(float), init_score=known.prior_logit)
    booster = lightgbm.train(PARAMETERS, data, 20)
    read_off = trees_of([one["tree_structure"] for one in booster.dump_model()["tree_info"]])
    assert np.isnan(known.features).any()
    assert read_off.add(known.features) == pytest.approx(np.asarray(booster.predict(known.features, raw_score=True)), abs=1e-9)


def test_with_nothing_to_learn_from_it_is_the_published_model(tmp_path: Path) -> None:
    paid = HistoryRow(
        kind="attempt", account_id="ada", invoice_id="inv", at=START, amount_minor=4900, currency="USD", approved=True, credential_id="pm"
    )
    trained = train(read(tmp_path, [paid, replace(paid, invoice_id="next", at=START + timedelta(days=30))]))
    assert trained.model.name == COLD
    assert model_text(trained.model) == model_text(cold_model())
    assert trained.measured == {}


def test_a_few_customers_move_the_prior_a_little_and_grow_no_trees(rows: list[HistoryRow], tmp_path: Path) -> None:
    few = train(read(tmp_path, some(rows, 60)), processes=1)
    before, now = published(), few.model.prior
    assert few.model.name != COLD
    assert not len(few.model.trees.roots)
    assert 0 < few.courses < 60
    for group, weights in before.truths.items():
        at_most = few.courses / (few.courses + TRUTHS_COUNT)
        assert np.abs(now.truths[group] - weights / weights.sum()).sum() / 2 <= at_most
    assert few.model.chance(*asked(3))[0] == pytest.approx(cold_model().chance(*asked(3))[0], abs=0.05)


def test_what_the_data_say_takes_over_with_their_number(rows: list[HistoryRow], tmp_path: Path) -> None:
    """A merchant whose insufficient funds are never mended."""
    dead = [replace(row, approved=False, processor="stripe", decline_code="insufficient_funds") for row in rows if row.kind == "attempt"]
    hopeful = [
        fit_weights(records_of(read(tmp_path, some(dead, customers))), published(), FOREVER, processes=1)[0].truths["funds"][0]
        for customers in (20, 200, 1000)
    ]
    assert published().truths["funds"][0] > hopeful[0] > hopeful[1] > hopeful[2]
    assert hopeful[2] < 0.45


def written_to(moved: int, of: int) -> list[HistoryRow]:
    """So many customers who got a message on the day after a failure, some of whom changed their card a day later, beside as many who
    got none and did nothing."""
    rows: list[HistoryRow] = []
    for number in range(2 * of):
        told: dict[str, Any] = {"account_id": f"a{number}", "invoice_id": f"i{number}"}
        rows += [HistoryRow(kind="attempt", at=START + timedelta(days=day), **told, **DECLINED) for day in (0, 27)]
        if number < of:
            rows.append(HistoryRow(kind="message", at=START + timedelta(days=1), channel="email", **told))
        if number < moved:
            rows.append(HistoryRow(kind="event", at=START + timedelta(days=2), event="method_updated", **told))
    return rows


def test_what_messages_do_is_told_by_those_who_got_one_and_little_by_a_few(tmp_path: Path) -> None:
    before = published_response()

    def at_first(moved: int, of: int) -> float:
        return fit_response(records_of(read(tmp_path, written_to(moved, of))), before)[0].moves[0]

    assert at_first(400, 2000) == pytest.approx(0.20, rel=0.15)
    assert before.moves[0] < at_first(4, 20) < 1.4 * before.moves[0]
    assert at_first(0, 2000) < 0.4 * before.moves[0]


def test_the_card_says_what_was_learned_from_how_good_it_is_and_where_it_ends(trained: Trained, history: History, tmp_path: Path) -> None:
    write(tmp_path, trained, history, "history.csv")
    card, page = ((tmp_path / name).read_text(encoding="utf-8") for name in ("card.md", "card.html"))
    unseen = trained.measured["customers"]
    for said in (trained.model.name, "history.csv", f"{trained.retries:,} retries", f"{unseen.skill:.3f}", "Limits", "not trained on"):
        assert said in card
        assert said in page
    assert (tmp_path / "calibration.png").read_bytes().startswith(b"\x89PNG")
    assert "data:image/png;base64," in page
    assert ("importance.png" in card) == bool(len(trained.model.trees.roots))
    assert "No row was bad." in card
    assert not (tmp_path / "bad_rows.csv").exists()


def test_where_there_is_too_little_the_card_says_so(rows: list[HistoryRow], tmp_path: Path) -> None:
    history = read(tmp_path, some(rows, 60))
    write(tmp_path, train(history, processes=1), history, "history.csv")
    card = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert "There are no trees" in card
    assert "retries are few" in card


def test_without_lightgbm_whoever_has_much_to_learn_is_told_how_to_install_it(
    rows: list[HistoryRow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    assert train(read(tmp_path, some(rows, 60)), processes=1).courses
    with pytest.raises(Misconfigured, match="pip install"):
        train(read(tmp_path, rows), processes=1)
