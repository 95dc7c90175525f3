"""Drafts that models wrote, by situation: the next customer in the same one gets the same words, with their own values in the slots."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from memory.database import Database, Write
from recoup.clock import wall_now
from recoup.digest import digest
from recoup.drafts import Draft, KeptDraft, Situation
from recoup.record import Record

# Words are written anew from time to time, and a model that wrote unfit ones is asked again the next day.
DRAFTS_KEPT = timedelta(days=90)
REFUSALS_KEPT = timedelta(days=1)


class DraftRow(Record):
    """A row of ``model_drafts``, as far as it is read."""

    model: str
    words: Draft | None
    refused: str | None


class StoredDrafts:
    """The DraftStore over PostgreSQL."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def find(self, situation: Situation, models: Sequence[str]) -> KeptDraft | None:
        """What the first of the models that wrote for this situation has written; a use is counted."""
        wall = wall_now()
        async with self._db.statement() as tx:
            row = await tx.one(
                DraftRow,
                """
                UPDATE model_drafts SET uses = uses + 1
                 WHERE key = (
                     SELECT key FROM model_drafts
                      WHERE key = ANY(%(keys)s) AND created_at > CASE WHEN words IS NULL THEN %(refusals)s ELSE %(drafts)s END
                      ORDER BY array_position(%(keys)s, key) LIMIT 1)
                RETURNING model, words, refused
                """,
                {
                    "keys": [_key(situation, model) for model in models],
                    "refusals": wall - REFUSALS_KEPT,
                    "drafts": wall - DRAFTS_KEPT,
                },
            )
        return KeptDraft(model=row.model, draft=row.words, refused=row.refused) if row else None

    async def keep(self, situation: Situation, kept: KeptDraft) -> None:
        """Keeps it in place of what has grown too old to be found."""
        wall = wall_now()
        async with self._db.statement() as tx:
            await tx.run(
                """
                INSERT INTO model_drafts AS d (key, category, stage, segment, locale, prompt, model, case_id, words, refused, created_at)
                VALUES (%(key)s, %(category)s, %(stage)s, %(segment)s, %(locale)s, %(prompt)s, %(model)s, %(case_id)s, %(words)s,
                        %(refused)s, %(wall)s)
                ON CONFLICT (key) DO UPDATE
                   SET words = EXCLUDED.words, refused = EXCLUDED.refused, created_at = EXCLUDED.created_at
                 WHERE d.created_at <= CASE WHEN d.words IS NULL THEN %(refusals)s ELSE %(drafts)s END
                """,
                situation.model_dump()
                | {
                    "key": _key(situation, kept.model),
                    "model": kept.model,
                    "words": Jsonb(kept.draft.model_dump()) if kept.draft else None,
                    "refused": kept.refused,
                    "wall": wall,
                    "refusals": wall - REFUSALS_KEPT,
                    "drafts": wall - DRAFTS_KEPT,
                },
            )


async def prune(tx: Write, wall: datetime) -> None:
    """Deletes what is too old to be found."""
    await tx.run("DELETE FROM model_drafts WHERE created_at <= %s", (wall - DRAFTS_KEPT,))


def _key(situation: Situation, model: str) -> str:
    return digest([situation.model_dump(), model])
