"""History files as they lie on disk: CSV, JSON lines and Parquet read into columns of text with their line numbers, and written."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from evals.history_row import COLUMNS, REQUIRED, HistoryRow, Problem
from recoup.errors import Malformed

SUFFIXES = ".csv, .jsonl or .parquet"
ROWS_AT_ONCE = 50_000


@dataclass(frozen=True)
class RawColumns:
    """A file's columns as text, ``lines`` beside them; ``problems``: lines that could not be taken apart; ``strangers``: other columns."""

    lines: NDArray[np.int64]
    texts: Mapping[str, Any]
    problems: tuple[Problem, ...]
    strangers: tuple[str, ...]


def read_raw(path: Path) -> RawColumns:
    """The file's columns, by its suffix. Raises Malformed for one that is no history, with what to do."""
    reader = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}.get(path.suffix.lower())
    if reader is None:
        raise Malformed(f"{path.name}: a history file ends in {SUFFIXES}")
    if not path.is_file():
        raise Malformed(f"{path}: there is no such file")
    try:
        raw = reader(path)
    except OSError as exc:
        raise Malformed(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    missing = [name for name in REQUIRED if name not in raw.texts]
    if missing and len(raw.lines):
        raise Malformed(f"{path.name} has no column {', '.join(missing)}; see docs/history.md for the columns of a history file")
    return raw


def write_history(path: Path, rows: Iterable[HistoryRow]) -> int:
    """Writes the rows in the format of the suffix, some tens of thousands in memory at a time, and tells how many there were."""
    writer = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}.get(path.suffix.lower())
    if writer is None:
        raise Malformed(f"{path.name}: a history file ends in {SUFFIXES}")
    return writer(path, rows)


def _read_csv(path: Path) -> RawColumns:
    pa, arrow_csv = _arrow(), _arrow("pyarrow.csv")

    problems: list[Problem] = []

    def note(row: Any) -> str:
        problems.append(Problem(int(row.number), f"has {row.actual_columns} fields, not {row.expected_columns}"))
        return "skip"

    header = _header_of(path)
    try:
        table = arrow_csv.read_csv(
            path,
            # One thread, since only then does a row that cannot be taken apart tell its number.
            read_options=arrow_csv.ReadOptions(use_threads=False, column_names=header, skip_rows=1),
            parse_options=arrow_csv.ParseOptions(invalid_row_handler=note, ignore_empty_lines=False),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False),
        )
    except ValueError as exc:
        raise Malformed(f"{path.name} is not a CSV file in UTF-8: {exc}") from exc
    bad = {problem.line for problem in problems}
    lines = np.arange(2, 2 + table.num_rows + len(bad), dtype=np.int64)
    kept = lines[~np.isin(lines, np.fromiter(bad, np.int64, len(bad)))] if bad else lines
    return _raw(kept, {name: table.column(name) for name in header}, problems)


def _header_of(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header: list[str] = [name.strip().lower() for name in next(csv.reader(file), ())]
    if not header:
        raise Malformed(f"{path.name} is empty; its first line names the columns, see docs/history.md")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise Malformed(f"{path.name} has the column {twice[0]} twice")
    return header


def _read_jsonl(path: Path) -> RawColumns:
    with path.open("rb") as file:
        last = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    table = _read_clean_jsonl(path)
    # Where lines and rows differ in number, only a reader that takes line by line knows which row stood where.
    if table is None or table.num_rows not in {last, last + 1}:
        return _read_jsonl_by_line(path)
    return _raw(np.arange(1, 1 + table.num_rows, dtype=np.int64), _texts_of(table), [])


def _read_clean_jsonl(path: Path) -> Any:
    """The table of a file in which every value is of the type that we write; None for any other."""
    pa, arrow_json = _arrow(), _arrow("pyarrow.json")

    types: dict[str, Any] = {"amount_minor": pa.int64(), "approved": pa.bool_(), "propensity": pa.float64()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
    try:
        table = arrow_json.read_json(path, parse_options=arrow_json.ParseOptions(explicit_schema=schema))
    except ValueError:
        return None
    # A column that no line has comes back all the same; one that is required must not look as if it were there.
    return table.drop_columns([name for name in REQUIRED if table.column(name).null_count == table.num_rows])


def _read_jsonl_by_line(path: Path) -> RawColumns:
    problems: list[Problem] = []
    lines: list[int] = []
    chunks: list[dict[str, Any]] = []
    with path.open("rb") as file:
        numbered = enumerate(file, 1)
        while batch := list(islice(numbered, ROWS_AT_ONCE)):
            objects = [(number, _object_in(number, text, problems)) for number, text in batch if not text.isspace()]
            rows = [(number, row) for number, row in objects if row is not None]
            lines += [number for number, _ in rows]
            names = {name: None for _, row in rows for name in row}
            chunks.append({name: _text_of([row.get(name) for _, row in rows]) for name in names} | {"": len(rows)})
    names = {name: None for chunk in chunks for name in chunk if name}
    return _raw(np.array(lines, np.int64), {name: _joined(name, chunks) for name in names}, problems)


def _object_in(number: int, text: bytes, problems: list[Problem]) -> dict[str, Any] | None:
    try:
        row = json.loads(text)
    except ValueError as exc:
        problems.append(Problem(number, f"is not JSON: {exc}"))
        return None
    if not isinstance(row, dict):
        problems.append(Problem(number, "is not a JSON object"))
        return None
    return cast("dict[str, Any]", row)


def _joined(name: str, chunks: list[dict[str, Any]]) -> Any:
    pa = _arrow()

    return pa.chunked_array([chunk[name] if name in chunk else pa.nulls(chunk[""], pa.string()) for chunk in chunks], pa.string())


def _text_of(values: list[Any]) -> Any:
    pa = _arrow()

    try:
        return pa.array(values).cast(pa.string())
    except (ValueError, TypeError, NotImplementedError):
        # Numbers beside words, or something nested: each says for itself what it is.
        return pa.array([None if value is None else _word_of(value) for value in values], pa.string())


def _word_of(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _read_parquet(path: Path) -> RawColumns:
    parquet = _arrow("pyarrow.parquet")

    try:
        table = parquet.read_table(path)
    except ValueError as exc:
        raise Malformed(f"{path.name} is not a Parquet file: {exc}") from exc
    # A Parquet file has no lines: its first row counts as line 1.
    return _raw(np.arange(1, 1 + table.num_rows, dtype=np.int64), _texts_of(table), [])


def _texts_of(table: Any) -> dict[str, Any]:
    pa = _arrow()

    texts: dict[str, Any] = {}
    for name in table.column_names:
        try:
            texts[name] = table.column(name).cast(pa.string())
        except NotImplementedError:
            texts[name] = pa.chunked_array([_text_of(table.column(name).to_pylist())], pa.string())
    return texts


def _raw(lines: NDArray[np.int64], texts: Mapping[str, Any], problems: list[Problem]) -> RawColumns:
    strangers = tuple(name for name in texts if name not in COLUMNS)
    return RawColumns(lines, {name: column for name, column in texts.items() if name in COLUMNS}, tuple(problems), strangers)


def _write_csv(path: Path, rows: Iterable[HistoryRow]) -> int:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        return _counted(rows, lambda row: writer.writerow([_csv_word(getattr(row, name)) for name in COLUMNS]))


def _csv_word(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else value


def _write_jsonl(path: Path, rows: Iterable[HistoryRow]) -> int:
    def line_of(row: HistoryRow) -> str:
        told = {name: value for name in COLUMNS if (value := getattr(row, name)) is not None}
        return json.dumps(told, default=datetime.isoformat, ensure_ascii=False) + "\n"

    with path.open("w", encoding="utf-8") as file:
        return _counted(rows, lambda row: file.write(line_of(row)))


def _counted(rows: Iterable[HistoryRow], write: Callable[[HistoryRow], object]) -> int:
    count = 0
    for row in rows:
        write(row)
        count += 1
    return count


def _write_parquet(path: Path, rows: Iterable[HistoryRow]) -> int:
    pa, parquet = _arrow(), _arrow("pyarrow.parquet")

    instant = pa.timestamp("us", tz="UTC")
    types: dict[str, Any] = {
        "at": instant,
        "customer_since": instant,
        "amount_minor": pa.int64(),
        "approved": pa.bool_(),
        "propensity": pa.float64(),
    }
    schema = pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
    waiting: list[HistoryRow] = []
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:

        def flush() -> None:
            columns = {name: [getattr(row, name) for row in waiting] for name in COLUMNS}
            writer.write_table(pa.table(columns, schema=schema))
            waiting.clear()

        for row in rows:
            waiting.append(row)
            count += 1
            if len(waiting) == ROWS_AT_ONCE:
                flush()
        flush()
    return count


def _arrow(name: str = "pyarrow") -> Any:
    """pyarrow, which comes without types and is loaded only by who reads or writes a history."""
    return import_module(name)
