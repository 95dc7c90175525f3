"""Invariant 10: no card number anywhere, no personal data in the audit chain, jobs, decisions, checkpoints or logs."""

import re
from collections.abc import AsyncGenerator, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, LiteralString, NamedTuple

from psycopg import sql

from evals.findings import Result, Scope
from evals.personal_data import emails, has_card_number

COLUMNS = """
SELECT c.relname AS table_name, a.attname AS column_name, format_type(a.atttypid, NULL) AS type,
       coalesce(a.attnum = ANY (k.indkey), false) AS is_key
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_index k ON k.indrelid = c.oid AND k.indisprimary
WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND has_table_privilege(c.oid, 'SELECT')
ORDER BY c.relname, a.attnum
"""
TEXTS = frozenset({"text", "character varying", "jsonb", "json", "text[]", "character varying[]"})
# Stands between two columns of a row: no number reaches across it, and no text that came through our doors holds it.
BETWEEN = "\x1e<\x1e"

# Where personal data may stand: the rows made for it, what a platform calls its customers, and what people write and who they are.
PERSONAL_TABLES = frozenset({"contacts", "message_texts", "texts"})
PERSONAL_COLUMNS = frozenset(
    {
        ("inbox", "payload"),
        ("inbox", "vendor_event_id"),
        ("inbox_awaiting", "ref"),
        ("accounts", "vendor_id"),
        ("accounts", "parent_vendor_id"),
        ("invoices", "snapshot"),
        ("api_keys", "person"),
        ("api_keys", "created_by"),
        ("approvals", "answer"),
        ("approvals", "note"),
        ("approvals", "decided_by"),
        ("approvals", "edited_by"),
        ("audit_log", "actor"),
        ("policies", "text"),
        ("policies", "note"),
        ("policies", "created_by"),
        ("switches", "changed_by"),
        ("tasks", "done_by"),
    }
)
# Colleagues are named by whatever their key says, which may be an address.
STAFF = """
SELECT person AS name FROM api_keys UNION SELECT decided_by FROM approvals WHERE decided_by IS NOT NULL
UNION SELECT created_by FROM policies UNION SELECT DISTINCT actor FROM audit_log
"""

# A case's own texts must not say whose case it is. A name of one word may be a word.
TEXTS_OF_A_CASE: dict[str, LiteralString] = {
    "audit entry": "SELECT chain || '/' || n AS id, chain AS case_id, body AS text FROM audit_log",
    "decision": "SELECT id, case_id, concat_ws(' ', facts, proposals, verdicts, trace, outcome) AS text FROM decisions",
    "action": "SELECT id, case_id, concat_ws(' ', args, reason, verdict, state_reason, result) AS text FROM actions",
    "approval": "SELECT id, case_id, request::text AS text FROM approvals",
    "task": "SELECT id, case_id, concat_ws(' ', title, body) AS text FROM tasks",
    "timer": "SELECT id, case_id, reason AS text FROM timers",
}
NAMES_IN_TEXT: LiteralString = """
WITH known AS (
    SELECT c.id AS case_id, CASE WHEN position(' ' IN p.full_name) > 0 AND length(p.full_name) > 4 THEN p.full_name END AS name,
           CASE WHEN length(p.phone) > 6 THEN p.phone END AS phone, CASE WHEN position('@' IN p.email) > 0 THEN p.email END AS email
    FROM cases c JOIN contacts p ON p.account_id = c.account_id
)
"""
IN_CHECKPOINTS: LiteralString = (
    NAMES_IN_TEXT  # noqa: S608 - constants
    + """, blobs AS (
    SELECT thread_id, blob FROM checkpoint_blobs UNION ALL SELECT thread_id, blob FROM checkpoint_writes
)
SELECT DISTINCT d.id AS subject, 'checkpoint names the customer' AS problem
FROM blobs b JOIN decisions d ON d.id = b.thread_id JOIN known k ON k.case_id = d.case_id
WHERE position(convert_to(k.name, 'UTF8') IN b.blob) > 0 OR position(convert_to(k.phone, 'UTF8') IN b.blob) > 0
   OR position(convert_to(k.email, 'UTF8') IN b.blob) > 0
"""
)

CONTACT_NAMES = "SELECT full_name FROM contacts WHERE position(' ' IN full_name) > 0 AND length(full_name) > 4"
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
MOST_WORDS_IN_A_NAME = 4


class Table(NamedTuple):
    """A table with the columns that hold text, and those that hold it as bytes."""

    name: str
    key: tuple[str, ...]
    texts: tuple[str, ...]
    blobs: tuple[str, ...]


async def no_card_or_personal_data(scope: Scope, result: Result) -> None:
    """Reads every text of every table, and the log files that were given."""
    staff = {row["name"] async for row in scope.stream(STAFF)}
    for table in [table async for table in _tables(scope)]:
        async for row in scope.stream(_everything(table)):
            result.examined += 1
            _check_row(table, row, staff, result)
    for what, texts in TEXTS_OF_A_CASE.items():
        await scope.collect(result, *_naming(what, texts))
    await scope.collect(result, IN_CHECKPOINTS)
    if scope.logs:
        names = {row["full_name"].casefold() async for row in scope.stream(CONTACT_NAMES)}
        for log in scope.logs:
            _check_log(log, names, result)


async def _tables(scope: Scope) -> AsyncGenerator[Table]:
    rows = [row async for row in scope.stream(COLUMNS)]
    for name, group in groupby(rows, key=lambda row: row["table_name"]):
        columns = list(group)
        table = Table(
            name,
            key=tuple(row["column_name"] for row in columns if row["is_key"]),
            texts=tuple(row["column_name"] for row in columns if row["type"] in TEXTS),
            blobs=tuple(row["column_name"] for row in columns if row["type"] == "bytea"),
        )
        if table.texts or table.blobs:
            yield table


def _everything(table: Table) -> sql.Composed:
    """A row's texts arrive as one, which is many times faster to look at than a dozen short ones."""
    key = [sql.SQL("{}::text").format(sql.Identifier(column)) for column in table.key] or [sql.SQL("ctid::text")]
    texts = [sql.SQL("{}::text").format(sql.Identifier(column)) for column in table.texts]
    return sql.SQL(
        "SELECT concat_ws('/', {key}) AS row_key, array_to_string(ARRAY[{texts}]::text[], {between}, '') AS texts, {blobs} AS blobs"
        " FROM {table}"
    ).format(
        key=sql.SQL(", ").join(key),
        texts=sql.SQL(", ").join(texts),
        between=sql.Literal(BETWEEN),
        blobs=sql.SQL("ARRAY[{}]::bytea[]").format(sql.SQL(", ").join(map(sql.Identifier, table.blobs))),
        table=sql.Identifier(table.name),
    )


def _check_row(table: Table, row: dict[str, Any], staff: set[str], result: Result) -> None:
    texts: str = row["texts"]
    if "@" in texts or has_card_number(texts):
        for column, text in zip(table.texts, texts.split(BETWEEN), strict=True):
            _check_text(table, row["row_key"], column, text, staff, result)
    for column, blob in zip(table.blobs, row["blobs"], strict=True):
        _check_text(table, row["row_key"], column, bytes(blob or b"").decode("latin-1"), staff, result)


def _check_text(table: Table, row_key: str, column: str, text: str, staff: set[str], result: Result) -> None:
    if has_card_number(text):
        result.add(f"{table.name} {row_key}", f"{column} holds a card number")
    is_personal = table.name in PERSONAL_TABLES or (table.name, column) in PERSONAL_COLUMNS
    if not is_personal and emails(text) - staff:
        result.add(f"{table.name} {row_key}", f"{column} holds an e-mail address")


def _naming(what: str, texts: LiteralString) -> tuple[LiteralString, dict[str, str]]:
    statement: LiteralString = (
        NAMES_IN_TEXT  # noqa: S608 - constants
        + ", texts AS ("
        + texts
        + """)
        SELECT t.id AS subject, %(what)s || ' names the customer' AS problem FROM texts t JOIN known k ON k.case_id = t.case_id
        WHERE position(k.name IN t.text) > 0 OR position(k.phone IN t.text) > 0 OR position(k.email IN t.text) > 0
        """
    )
    return statement, {"what": what}


def _check_log(log: Path, names: set[str], result: Result) -> None:
    with log.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            result.examined += 1
            if has_card_number(line):
                result.add(f"{log.name}:{number}", "log line holds a card number")
            if emails(line):
                result.add(f"{log.name}:{number}", "log line holds an e-mail address")
            if any(phrase in names for phrase in _phrases(line)):
                result.add(f"{log.name}:{number}", "log line names a customer")


def _phrases(line: str) -> Iterator[str]:
    words = [word.casefold() for word in WORD.findall(line)]
    for length in range(2, MOST_WORDS_IN_A_NAME + 1):
        for start in range(len(words) - length + 1):
            yield " ".join(words[start : start + length])
