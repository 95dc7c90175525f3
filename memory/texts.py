"""What people wrote about an account: kept as they wrote it, read once, and from then on known by what was read in it."""

from collections.abc import Sequence
from datetime import datetime

from psycopg.types.json import Jsonb

from memory import cases
from memory.database import Database, Write
from memory.invoices import lock_account
from recoup.ids import new_id
from recoup.masking import mask_cards
from recoup.record import Record
from recoup.texts import MAX_TEXT_CHARS, Known, RawText, TextFacts, TextKind


class NewText(Record):
    """A text on its way in. ``source_id`` is whoever told it's own name for it: the same one comes in once."""

    kind: TextKind
    source_id: str
    body: str
    at: datetime


async def add(tx: Write, account_id: str, text: NewText) -> str | None:
    """Keeps the text and asks for a decision on every open case of the account; gives its id, None where it is known. The account's lock
    is taken here."""
    account_id = await lock_account(tx, account_id)
    text_id: str | None = await tx.value(
        """
        INSERT INTO texts (id, account_id, kind, source_id, body, at) VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (account_id, kind, source_id) DO NOTHING RETURNING id
        """,
        (new_id("text"), account_id, text.kind, text.source_id, mask_cards(text.body)[:MAX_TEXT_CHARS], text.at),
    )
    if text_id is not None:
        for case in await cases.open_of_account(tx, account_id):
            await cases.want_decision(tx, case.id, f"a {text.kind}")
    return text_id


async def keep_readings(tx: Write, texts: Sequence[TextFacts]) -> None:
    """Stores what a decision's reader made of them; what a model has read is not forgotten for what the rules saw."""
    for text in texts:
        if text.reading is not None:
            await tx.run(
                "UPDATE texts SET reading = %(reading)s WHERE id = %(id)s"
                " AND (reading IS NULL OR reading ->> 'by' = 'rules') AND reading IS DISTINCT FROM %(reading)s",
                {"id": text.id, "reading": Jsonb(text.reading.model_dump(mode="json"))},
            )


class StoredTexts:
    """The TextSource over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def words(self, account_id: str, ids: Sequence[str]) -> tuple[tuple[RawText, ...], Known]:
        """The texts in the order of ``ids``, and every name and address that we know of the account."""
        async with self._database.read() as session:
            rows = await session.all(
                RawText, "SELECT id, body AS text FROM texts WHERE account_id = %s AND id = ANY (%s)", (account_id, list(ids))
            )
            known = await session.dicts("SELECT first_name, full_name, email, phone FROM contacts WHERE account_id = %s", (account_id,))
            vendor_ids = await session.dicts("SELECT vendor_id FROM accounts WHERE %s IN (id, merged_into)", (account_id,))
        by_id = {row.id: row for row in rows}
        names = tuple(str(value) for row in known for value in row.values() if value)
        account_ids = (account_id, *(str(row["vendor_id"]) for row in vendor_ids))
        return tuple(by_id[text_id] for text_id in ids if text_id in by_id), Known(names=names, account_ids=account_ids)
