"""One clean past, lived through once; every test gets a copy of it, plants a violation and looks."""

import secrets
from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from evals.invariants import INVARIANTS, Report, check
from evals.ledgers import MailLedger, PlatformLedger
from memory.database import Database
from tests.conftest import APP_ROLE, database_url_of, execute
from tests.past import CONNECTION, Past, live_through

# Names for the rows that violations are planted in, and ``tell``, which appends an audit entry with a chain that verifies.
NAMES: LiteralString = """
CREATE FUNCTION case_of(vendor text) RETURNS text STABLE LANGUAGE sql AS
    $$ SELECT c.id FROM cases c JOIN invoices i ON i.id = c.invoice_id WHERE i.vendor_id = vendor $$;
CREATE FUNCTION ada() RETURNS text STABLE LANGUAGE sql AS $$ SELECT case_of('in_1') $$;
CREATE FUNCTION grace() RETURNS text STABLE LANGUAGE sql AS $$ SELECT case_of('in_2') $$;
CREATE FUNCTION act(of_case text, named text, of_template text DEFAULT NULL) RETURNS text STABLE LANGUAGE sql AS
    $$ SELECT id FROM actions WHERE case_id = of_case AND name = named AND state = 'done'
        AND (of_template IS NULL OR args ->> 'template' = of_template) ORDER BY id LIMIT 1 $$;
CREATE FUNCTION charge() RETURNS text STABLE LANGUAGE sql AS $$ SELECT act(ada(), 'retry_payment') $$;
CREATE FUNCTION letter() RETURNS text STABLE LANGUAGE sql AS $$ SELECT act(ada(), 'send_message') $$;
CREATE FUNCTION receipt() RETURNS text STABLE LANGUAGE sql AS $$ SELECT act(ada(), 'send_message', 'receipt') $$;
CREATE FUNCTION grace_letter() RETURNS text STABLE LANGUAGE sql AS $$ SELECT act(grace(), 'send_message') $$;
CREATE FUNCTION grace_charge() RETURNS text STABLE LANGUAGE sql AS $$ SELECT act(grace(), 'retry_payment') $$;
CREATE FUNCTION more_time() RETURNS text STABLE LANGUAGE sql AS $$ SELECT act(grace(), 'extend_grace') $$;
CREATE FUNCTION its_approval() RETURNS text STABLE LANGUAGE sql AS $$ SELECT approval_id FROM actions WHERE id = more_time() $$;
CREATE FUNCTION tell(p_chain text, p_subject text, p_kind text, p_state text, p_data jsonb DEFAULT '{}',
                     p_at timestamptz DEFAULT '2026-03-31T17:00:00Z') RETURNS bigint LANGUAGE sql AS $$
    SELECT audit_append(p_chain, p_subject, p_kind, p_state, 'worker', p_at, jsonb_build_object('chain', p_chain, 'subject', p_subject,
        'kind', p_kind, 'state', p_state, 'actor', 'worker', 'at', to_jsonb(p_at) #>> '{}', 'data', p_data)::text) $$;
-- One outward action starts once more, on a reading just made.
CREATE FUNCTION starts(p_action text, p_at timestamptz DEFAULT '2026-03-31T17:00:00Z', p_age interval DEFAULT '0') RETURNS bigint
    LANGUAGE sql AS $$ SELECT tell((SELECT case_id FROM actions WHERE id = p_action), p_action, 'action', 'started',
                      jsonb_build_object('read_at', p_at - p_age), p_at) $$;
"""


@dataclass(frozen=True)
class Copy:
    """A copy of the past that a test may spoil: by SQL as the owner whom no trigger stops, or in the other sides' books."""

    db: Database
    owner_url: str
    past: Past

    async def plant(self, *statements: LiteralString) -> None:
        """Does what the application may not."""
        async with await psycopg.AsyncConnection.connect(self.owner_url) as owner:
            await owner.execute("SET session_replication_role = replica")
            for statement in statements:
                await owner.execute(statement)

    def with_books(self, platform: PlatformLedger | None = None, mail: MailLedger | None = None) -> "Copy":
        """The same with other books on the other side."""
        return replace(self, past=Past(platform or self.past.platform, mail or self.past.mail))

    async def look(self, *only: str, patience_seconds: float = 0, logs: Sequence[Path] = ()) -> Report:
        """Checks every invariant, or those that are named."""
        books = {CONNECTION: self.past.platform}
        return await check(self.db, books, self.past.mail, patience_seconds=patience_seconds, logs=logs, only=only or INVARIANTS)

    async def problems(self, invariant: str, patience_seconds: float = 0) -> list[str]:
        """What the check of one invariant says."""
        report = await self.look(invariant, patience_seconds=patience_seconds)
        return [finding.problem for finding in report.results[invariant].findings]


@pytest.fixture(scope="session")
async def lived(server_url: str, template: str) -> AsyncGenerator[tuple[str, Past]]:
    """The name of a database with the clean past that nobody is connected to, and the other sides' books."""
    name = f"recoup_past_{secrets.token_hex(4)}"
    execute(server_url, "CREATE DATABASE {} TEMPLATE {}", name, template)
    try:
        db = Database(database_url_of(server_url, name, APP_ROLE))
        await db.open()
        try:
            past = await live_through(db)
        finally:
            await db.close()
        async with await psycopg.AsyncConnection.connect(database_url_of(server_url, name)) as owner:
            await owner.execute(NAMES)
        yield name, past
    finally:
        execute(server_url, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def database_name(server_url: str, lived: tuple[str, Past]) -> Generator[str]:
    """A copy of the past's database, dropped at the end."""
    name = f"recoup_copy_{secrets.token_hex(4)}"
    execute(server_url, "CREATE DATABASE {} TEMPLATE {}", name, lived[0])
    try:
        yield name
    finally:
        execute(server_url, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def copy(db: Database, owner_url: str, lived: tuple[str, Past]) -> Copy:
    """A past to spoil."""
    return Copy(db, owner_url, lived[1])
