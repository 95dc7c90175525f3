"""A history file comes back as it was written, sorted, and what is wrong in it is named by its line."""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evals.history import History, read_history
from evals.history_files import write_history
from evals.history_row import COLUMNS, WORDS, HistoryRow, Problem
from recoup.errors import Malformed

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)
FORMATS = ("csv", "jsonl", "parquet")


def attempt(account: str = "a1", invoice: str = "i1", days: float = 0, **changes: Any) -> HistoryRow:
    told: dict[str, Any] = {
        "amount_minor": 4900,
        "currency": "USD",
        "approved": False,
        "credential_id": "pm_1",
        "processor": "stripe",
        "decline_code": "insufficient_funds",
        "initiator": "platform",
        "rail": "card",
    }
    return HistoryRow(kind="attempt", account_id=account, invoice_id=invoice, at=START + days * DAY, **(told | changes))


def approved(account: str = "a1", invoice: str = "i1", days: float = 0) -> HistoryRow:
    return attempt(account, invoice, days, approved=True, decline_code=None)


ROWS = (
    attempt(country="DE", timezone="Europe/Berlin", segment="smb", plan_tier="pro", customer_since=START - 90 * DAY),
    attempt(days=2.25, network_code="51", advice_code="24", initiator="recoup", propensity=0.85, expires="2027-04", brand="visa"),
    HistoryRow(kind="message", account_id="a1", invoice_id="i1", at=START + 3 * DAY, channel="email", message_kind="reminder"),
    HistoryRow(kind="event", account_id="a1", invoice_id="i1", at=START + 4 * DAY, event="method_updated"),
    approved(days=4.5),
    attempt("a2", "i2", 1, card_country="FR", funding="debit", issuer='bank, "the" one'),
)


def written(path: Path, rows: Sequence[HistoryRow] = ROWS) -> History:
    assert write_history(path, rows) == len(rows)
    return read_history(path)


def lines_written(path: Path, *changed: Mapping[str, str]) -> Path:
    """A CSV file of twenty good rows, and behind them these: each a good row with something changed."""
    good = {
        "kind": "attempt",
        "account_id": "a",
        "at": "2026-03-01T09:30:00Z",
        "amount_minor": "100",
        "currency": "usd",
        "approved": "true",
    }
    rows = [good | {"invoice_id": f"i{number}"} for number in range(20)]
    rows += [rows[0] | {"invoice_id": f"j{number}"} | dict(change) for number, change in enumerate(changed)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list({name: None for row in rows for name in row}))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_rows_come_back_as_they_were_written(tmp_path: Path, suffix: str) -> None:
    history = written(tmp_path / f"history.{suffix}")
    assert history.problems == ()
    first = ROWS[0]
    facts: dict[str, Any] = {
        "country": "DE",
        "timezone": "Europe/Berlin",
        "segment": "smb",
        "plan_tier": "pro",
        "customer_since": first.customer_since,
    }
    later = [HistoryRow(**({name: getattr(row, name) for name in HistoryRow.__slots__} | facts)) for row in ROWS[:5]]
    assert list(history.rows()) == [*later, ROWS[5]]


@pytest.mark.parametrize("suffix", FORMATS)
def test_rows_are_sorted_by_account_invoice_and_time(tmp_path: Path, suffix: str) -> None:
    rows = [attempt(f"a{n * 7 % 5}", f"a{n * 7 % 5}-i{n * 3 % 4}", days=n * 11 % 40) for n in range(40)]
    history = written(tmp_path / f"history.{suffix}", rows)
    keys = [(row.account_id, row.invoice_id, row.at) for row in history.rows()]
    assert keys == sorted(keys)
    assert len(keys) == 40
    assert len(history.invoice_starts) == len({row.invoice_id for row in rows})
    assert [history.row(int(start)).account_id for start in history.account_starts] == ["a0", "a1", "a2", "a3", "a4"]


def test_a_fact_of_the_account_holds_from_the_row_that_tells_it_and_not_before(tmp_path: Path) -> None:
    rows = [attempt(days=0), attempt(invoice="i0", days=5, plan_tier="pro"), attempt(days=9), attempt("a2", "i9", days=10)]
    history = written(tmp_path / "history.csv", rows)
    assert {(row.invoice_id, row.at): row.plan_tier for row in history.rows()} == {
        ("i1", START): None,
        ("i0", START + 5 * DAY): "pro",
        ("i1", START + 9 * DAY): "pro",
        ("i9", START + 10 * DAY): None,
    }


def test_times_are_read_with_any_zone_and_as_epoch_seconds(tmp_path: Path) -> None:
    told = ("2026-03-01T09:30:00Z", "2026-03-01 10:30:00.000+01:00", "2026-03-01T15:00:00+0530", str(int(START.timestamp())))
    path = lines_written(tmp_path / "history.csv", *({"at": at} for at in told))
    history = read_history(path)
    assert history.problems == ()
    assert set(history.at.tolist()) == {START.timestamp()}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"kind": "refund"}, "kind 'refund' is not one of attempt, message, event"),
        ({"kind": ""}, "kind is missing"),
        ({"account_id": " "}, "account_id is missing"),
        ({"invoice_id": ""}, "invoice_id is missing"),
        ({"at": ""}, "at is missing"),
        ({"at": "2026-03-01T09:30:00"}, "at '2026-03-01T09:30:00' is neither an ISO 8601 time with a zone"),
        ({"at": "2026-02-30T09:30:00Z"}, "at '2026-02-30T09:30:00Z' is neither"),
        ({"at": "1772357400000"}, "nor epoch seconds between 2000 and 2100"),
        ({"amount_minor": "49.90"}, "amount_minor '49.90' is not a whole number of minor units"),
        ({"amount_minor": "-1"}, "amount_minor '-1' is negative"),
        ({"amount_minor": ""}, "an attempt needs its amount_minor"),
        ({"currency": "XQX"}, "currency 'XQX' is not an ISO 4217 code"),
        ({"approved": "perhaps"}, "approved 'perhaps' is neither true nor false"),
        ({"decline_code": "do_not_honor", "approved": "false"}, "a code says nothing without its processor"),
        ({"decline_code": "do_not_honor", "processor": "stripe"}, "approved, and yet with a decline_code"),
        ({"initiator": "robot"}, "initiator 'robot' is not one of recoup, platform, customer, merchant"),
        ({"rail": "pigeon"}, "rail 'pigeon' is not one of card, ach, sepa, other"),
        ({"expires": "04/27"}, "expires '04/27' is not a month such as 2027-04"),
        ({"country": "Germany"}, "country 'GERMANY' is not a country's two letters"),
        ({"timezone": "Berlin"}, "timezone 'Berlin' is not an IANA time zone"),
        ({"propensity": "0"}, "propensity '0' is not a probability above 0"),
        ({"customer_since": "long ago"}, "customer_since 'long ago' is neither a day nor a time with a zone"),
        ({"kind": "message"}, "a message needs its channel"),
        ({"kind": "message", "channel": "fax"}, "channel 'fax' is not one of email, sms, in_app, push"),
        ({"kind": "event"}, "an event needs to say which, in the column event"),
        ({"kind": "event", "event": "moved"}, "event 'moved' is not one of method_updated, paid_by_link"),
    ],
)
def test_a_bad_row_is_left_out_and_named_by_its_line(tmp_path: Path, change: dict[str, str], what: str) -> None:
    history = read_history(lines_written(tmp_path / "history.csv", {}, change))
    assert [problem.line for problem in history.problems] == [23]
    assert what in str(history.problems[0])
    assert len(history) == 21
    assert 23 not in history.lines


def test_all_that_is_wrong_with_a_row_is_said_at_once(tmp_path: Path) -> None:
    history = read_history(lines_written(tmp_path / "history.csv", {"kind": "attempts", "at": "soon"}))
    (problem,) = history.problems
    assert "kind 'attempts'" in problem.what
    assert "at 'soon'" in problem.what


def test_a_row_that_is_told_twice_counts_once(tmp_path: Path) -> None:
    history = read_history(lines_written(tmp_path / "history.csv", {}, {"invoice_id": "i4"}))
    assert history.problems == (Problem(23, "tells the same as line 6 again"),)
    assert len(history) == 21


def test_an_invoice_in_two_currencies_keeps_its_first(tmp_path: Path) -> None:
    path = lines_written(tmp_path / "history.csv", {"invoice_id": "i4", "currency": "EUR", "at": "2026-03-02T00:00:00Z"})
    history = read_history(path)
    assert history.problems == (Problem(22, "currency 'EUR', but line 6 of the same invoice is in 'USD'"),)
    assert history.words["currency"].is_word("USD").all()


def test_lines_that_cannot_be_taken_apart_and_blank_ones_do_not_shift_the_count(tmp_path: Path) -> None:
    path = lines_written(tmp_path / "history.csv", {"kind": "refund"})
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[3:3] = ["", "only,three,fields"]
    path.write_text("\n".join([*lines, "", ""]), encoding="utf-8")
    history = read_history(path)
    assert [problem.line for problem in history.problems] == [5, 24]
    assert "has 3 fields, not 7" in str(history.problems[0])
    assert len(history) == 20


def test_bad_lines_of_json_are_named_and_mixed_types_are_read(tmp_path: Path) -> None:
    good = {"kind": "attempt", "account_id": "a", "invoice_id": "i", "amount_minor": 100, "currency": "USD", "approved": True}
    rows = [good | {"at": int((START + number * DAY).timestamp())} for number in range(30)]
    lines = [json.dumps(row) for row in rows]
    lines[7] = json.dumps(rows[7] | {"at": "2026-01-01T00:00:00Z", "account_id": 17})
    lines[10] = "{"
    lines[11] = "[1]"
    lines[12] = json.dumps(rows[12] | {"amount_minor": {"value": 3}})
    lines.insert(4, "")
    path = tmp_path / "history.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    history = read_history(path)
    assert [problem.line for problem in history.problems] == [12, 13, 14]
    assert "is not JSON" in str(history.problems[0])
    assert len(history) == 27
    assert history.words["account_id"].words == ("17", "a")


def test_a_column_that_nobody_knows_is_named_and_left_out(tmp_path: Path) -> None:
    history = read_history(lines_written(tmp_path / "history.csv", {"colour": "red"}))
    assert history.problems == (Problem(1, "column 'colour' is not one of a history file and was left out"),)
    assert len(history) == 21


def test_more_than_a_tenth_of_bad_rows_is_an_error_that_names_them(tmp_path: Path) -> None:
    path = lines_written(tmp_path / "history.csv", *({"at": "soon"} for _ in range(3)))
    with pytest.raises(Malformed, match=r"3 of 23 rows are bad, more than 10%[\s\S]*docs/history\.md[\s\S]*line 22: at 'soon'"):
        read_history(path)


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("history.txt", "x", r"ends in \.csv, \.jsonl or \.parquet"),
        ("history.csv", "", "is empty"),
        ("history.csv", "kind,account_id,invoice_id,at\n", "has no rows"),
        ("history.csv", "kind,account_id,at\nattempt,a,1772357400\n", "has no column invoice_id"),
        ("history.csv", "kind,kind,at\n", "has the column kind twice"),
        ("history.jsonl", '{"kind": "attempt"}\n', "has no column account_id, invoice_id, at"),
        ("history.parquet", "PAR0", "is not a Parquet file"),
    ],
)
def test_what_is_no_history_says_what_it_should_be(tmp_path: Path, name: str, text: str, what: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Malformed, match=what):
        read_history(path)


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match="there is no such file"):
        read_history(tmp_path / "history.parquet")


def test_columns_are_arrays_of_one_length(tmp_path: Path) -> None:
    history = written(tmp_path / "history.parquet")
    assert {len(history.at), len(history.amount_minor), *(len(column.codes) for column in history.words.values())} == {6}
    assert history.is_attempt.tolist() == [True, True, False, False, True, True]
    assert np.isnan(history.propensity).tolist() == [True, False, True, True, True, True]


def test_the_example_of_the_documentation_is_a_history(tmp_path: Path) -> None:
    page = Path("docs/history.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```csv\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "example.csv"
    path.write_text(example, encoding="utf-8")
    history = read_history(path)
    assert history.problems == ()
    assert [row.kind for row in history.rows()] == ["attempt", "message", "attempt", "event", "attempt"]
    assert history.row(2).timezone == "America/Chicago"


def test_every_column_and_every_word_is_documented() -> None:
    page = Path("docs/history.md").read_text(encoding="utf-8")
    words = {*COLUMNS, *(word for known in WORDS.values() for word in known)}
    assert {word for word in words if f"`{word}`" not in page} == set()
