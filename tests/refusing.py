"""A database that does not take something for a while: what a crash between two statements leaves, without the crash."""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from psycopg import sql

FUNCTION = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused by the test'; END $$"
TRIGGER = "CREATE TRIGGER refusing BEFORE INSERT ON {} FOR EACH ROW WHEN (NEW::text LIKE {}) EXECUTE FUNCTION refuse()"


@contextmanager
def refusing_inserts(owner_url: str, table: str, about: str = "") -> Generator[None]:
    """While the block lasts every new row of the table is refused, or every one in which ``about`` stands."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute(FUNCTION)
        owner.execute(sql.SQL(TRIGGER).format(sql.Identifier(table), sql.Literal(f"%{about}%")))
        try:
            yield
        finally:
            owner.execute("DROP FUNCTION refuse CASCADE")
