"""Tickets out of a file, JSONL or CSV, as a source: page by page, and every row that is none told by its line."""

import csv
import json
from collections.abc import Generator, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from recoup.errors import Malformed
from recoup.tickets import PAGE_TICKETS, BadRow, Ticket, TicketPage

FORMATS = ("jsonl", "csv")
LONGEST_ROW_CHARS = 1_000_000
REQUIRED = ("connection", "account", "id", "opened_at", "text")
COLUMNS = tuple(Ticket.model_fields)
KNOWN_SEPARATOR = ";"
BETWEEN_MESSAGES = "; "

Row = tuple[int, Ticket | BadRow]


class FileTickets:
    """``recoup.tickets.TicketSource`` over one file; ``connection`` is that of every row that names none. To be paged from the beginning
    to the end, once.

    A CSV has a line of column names first; commas or semicolons are told apart by it, and ``known`` is separated by semicolons. A row
    with the id of a row before it is refused: of two, nobody knows which one is meant."""

    def __init__(self, path: Path, connection: str | None = None, form: str | None = None) -> None:
        self._path, self._connection = path, connection
        self._form = form or ("csv" if path.suffix.lower() == ".csv" else "jsonl")
        self._rows: Iterator[Row] | None = None
        self._read = 0

    async def page(self, cursor: str | None) -> TicketPage:
        """See the protocol. The cursor is how many rows were read, and must be that of the page before."""
        if self._rows is None:
            self._rows = self._all()
        if cursor != (str(self._read) if self._read else None):
            raise Malformed("a file is read from its beginning to its end; begin anew")
        rows = list(islice(self._rows, PAGE_TICKETS))
        self._read += len(rows)
        return TicketPage(
            tickets=tuple(row for _, row in rows if isinstance(row, Ticket)),
            refused=tuple(row for _, row in rows if isinstance(row, BadRow)),
            cursor=str(self._read),
            has_more=len(rows) == PAGE_TICKETS,
        )

    def _all(self) -> Generator[Row]:
        first_of: dict[tuple[str, str], int] = {}
        for line, row in self._csv() if self._form == "csv" else self._jsonl():
            if isinstance(row, BadRow):
                yield line, row
            elif (before := first_of.setdefault((row.connection, row.id), line)) != line:
                yield line, BadRow(line=line, why=f"id: the same ticket as in line {before}")
            else:
                yield line, row

    def _jsonl(self) -> Generator[Row]:
        with self._path.open("rb") as file:
            for line, raw in enumerate(file, 1):
                if not raw.strip():
                    continue
                try:
                    values = json.loads(raw.decode("utf-8-sig")) if len(raw) <= LONGEST_ROW_CHARS else "too long"
                except UnicodeDecodeError:
                    yield line, BadRow(line=line, why="not UTF-8")
                except (ValueError, RecursionError):
                    yield line, BadRow(line=line, why="not JSON")
                else:
                    yield line, self._ticket(line, cast("object", values))

    def _csv(self) -> Generator[Row]:
        # What is not UTF-8 spoils its own row alone: it comes in as a character that no text has.
        with self._path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            delimiter = ";" if (heading := file.readline()).count(";") > heading.count(",") else ","
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            names = self._heading(reader)
            while True:
                line = reader.line_num + 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as exc:
                    yield line, BadRow(line=line, why=f"not CSV: {exc}")
                    continue
                if cells:
                    yield line, self._cells(line, names, cells)

    def _heading(self, reader: Iterator[list[str]]) -> list[str]:
        try:
            names = [name.strip().lower() for name in next(reader, list[str]())]
        except csv.Error as exc:
            raise Malformed(f"{self._path.name} is not CSV: {exc}") from exc
        missing = [name for name in REQUIRED if name not in names and not (name == "connection" and self._connection)]
        unknown = [name for name in names if name not in COLUMNS]
        if missing or unknown or len(set(names)) < len(names):
            what = f"lacks {', '.join(missing)}" if missing else "has a column twice, or one that is not known"
            raise Malformed(f"the first line of {self._path.name} {what}; columns are {', '.join(COLUMNS)}")
        return names

    def _cells(self, line: int, names: list[str], cells: list[str]) -> Ticket | BadRow:
        if len(cells) != len(names):
            return BadRow(line=line, why=f"{len(cells)} cells under {len(names)} column names")
        values: dict[str, Any] = {name: cell for name, cell in zip(names, cells, strict=True) if cell.strip()}
        if "known" in values:
            values["known"] = [part for part in values["known"].split(KNOWN_SEPARATOR) if part.strip()]
        return self._ticket(line, values)

    def _ticket(self, line: int, values: object) -> Ticket | BadRow:
        if not isinstance(values, Mapping):
            return BadRow(line=line, why="not an object" if values != "too long" else f"longer than {LONGEST_ROW_CHARS} characters")
        given = {"connection": self._connection} if self._connection else {}
        try:
            return Ticket.model_validate(given | dict(cast("Mapping[str, Any]", values)))
        except ValidationError as exc:
            # Neither the value nor a column's name that we do not know is repeated: both may be personal.
            return BadRow(
                line=line, why=BETWEEN_MESSAGES.join(f"{_column(part['loc'])}: {_said(part['type'], part['msg'])}" for part in exc.errors())
            )


def _column(place: tuple[int | str, ...]) -> str:
    return str(place[0]) if place and place[0] in COLUMNS else "a column that is not known"


def _said(kind: str, message: str) -> str:
    """Pydantic's messages for these types tell what was expected; only one of them would repeat what was there."""
    return "holds what is not Unicode" if kind == "string_unicode" else message
