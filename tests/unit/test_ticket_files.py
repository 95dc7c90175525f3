"""Every row of a file is a ticket or is told by its line with what is wrong; none disappears, and none is repeated in a message."""

import json
from pathlib import Path

import pytest

from memory.ticket_files import FileTickets
from recoup.errors import Malformed
from recoup.tickets import PAGE_TICKETS, BadRow, Ticket

GOOD = {"connection": "sandbox", "account": "cus_1", "id": "T-1", "opened_at": "2026-11-20T09:00:00Z", "text": "It was declined."}


async def read(path: Path, connection: str | None = None) -> tuple[list[Ticket], list[BadRow]]:
    source, cursor = FileTickets(path, connection), None
    tickets, refused = list[Ticket](), list[BadRow]()
    while True:
        page = await source.page(cursor)
        tickets += page.tickets
        refused += page.refused
        if not page.has_more:
            return tickets, refused
        cursor = page.cursor


async def test_bad_rows_of_jsonl_are_told_by_line(tmp_path: Path) -> None:
    rows = [
        json.dumps(GOOD),
        "",
        "{not json",
        "[1]",
        json.dumps(GOOD | {"id": "T-2", "opened_at": "2026-11-20"}),
        json.dumps(GOOD | {"id": "T-3", "topic": "Jane Doe"}),
        json.dumps(GOOD | {"id": "T-4", "Jane Doe": 1}),
        json.dumps({name: value for name, value in GOOD.items() if name != "account"}),
        json.dumps(GOOD | {"text": "again"}),
        json.dumps(GOOD | {"id": "T-5", "text": "a\0b"}),
        json.dumps(GOOD | {"id": "T-6", "text": "\ud800"}),
        json.dumps(GOOD | {"id": "T-7"}),
    ]
    path = tmp_path / "tickets.jsonl"
    path.write_bytes("\n".join(rows).encode() + b'\n{"id": "\xff"}\n')
    tickets, refused = await read(path)
    assert [ticket.id for ticket in tickets] == ["T-1", "T-7"]
    assert [row.line for row in refused] == [3, 4, 5, 6, 7, 8, 9, 10, 11, 13]
    said = {row.line: row.why for row in refused}
    assert (said[3], said[4], said[13]) == ("not JSON", "not an object", "not UTF-8")
    assert said[8] == "account: Field required"
    assert said[9] == "id: the same ticket as in line 1"
    assert "Jane" not in str(refused)


async def test_csv_of_a_spreadsheet_is_read_with_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "tickets.csv"
    path.write_bytes(
        b"\xef\xbb\xbfid;account;opened_at;text;known\r\n"
        b'T-1;cus_1;2026-11-20T09:00:00Z;"Two\r\nlines; one cell";"Jane Doe;Elm Street 1"\r\n'
        b"T-2;cus_1;yesterday;Hello;\r\n"
        b"T-3;cus_1\r\n"
        b"T-4;cus_2;2026-11-20T09:00:00+01:00;na\xefve;\r\n"
        b"T-5;cus_2;2026-11-20T09:00:00+01:00;Fine;\r\n"
    )
    tickets, refused = await read(path, "sandbox")
    assert [(ticket.id, ticket.known) for ticket in tickets] == [("T-1", ("Jane Doe", "Elm Street 1")), ("T-5", ())]
    assert tickets[0].text == "Two\r\nlines; one cell"
    assert [row.line for row in refused] == [4, 5, 6]
    assert refused[1].why == "2 cells under 5 column names"


@pytest.mark.parametrize(
    ("heading", "mend"),
    [("id,account,text", "lacks connection, opened_at"), ("id,account,text,opened_at,connection,email", "not known"), ("", "lacks")],
)
async def test_a_csv_without_its_columns_is_refused_whole(tmp_path: Path, heading: str, mend: str) -> None:
    path = tmp_path / "tickets.csv"
    path.write_text(f"{heading}\na,b,c\n", encoding="utf-8")
    with pytest.raises(Malformed, match=mend):
        await FileTickets(path).page(None)


async def test_a_long_file_comes_in_pages(tmp_path: Path) -> None:
    path, count = tmp_path / "tickets.jsonl", 2 * PAGE_TICKETS
    path.write_text("\n".join(json.dumps(GOOD | {"id": f"T-{number}"}) for number in range(count)), encoding="utf-8")
    tickets, refused = await read(path)
    assert (len(tickets), refused) == (count, [])
    source = FileTickets(path)
    await source.page(None)
    with pytest.raises(Malformed, match="begin anew"):
        await source.page(None)
