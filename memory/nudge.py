"""Tells workers that there is work: after the commit, and not in it.

A NOTIFY inside a transaction makes all commits of the database stand in line behind one lock while each flushes its log: measured
with 16 writers, four to ten times fewer commits a second. So migrate.py turns the queue's own trigger off, a nudge is sent by itself
once the rows are committed, and one that is lost or left out costs a worker's poll interval.
"""

import time
from collections.abc import Collection
from contextlib import suppress
from typing import Any

import psycopg

LEAST_SECONDS_BETWEEN = 0.02
PAYLOAD = '{"type": "job_inserted", "job_id": 0}'  # procrastinate's form; its workers look for any job


class Nudge:
    """One for each pool; under load a few nudges a second say as much as thousands."""

    def __init__(self) -> None:
        self._next = 0.0

    async def send(self, connection: psycopg.AsyncConnection[Any], jobs: Collection[str]) -> None:
        """Wakes the workers that listen for these jobs. Never raises: what it is about is committed already."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LEAST_SECONDS_BETWEEN
        with suppress(psycopg.Error):
            await connection.execute(
                "SELECT pg_notify('procrastinate_queue_v1#' || job, %s) FROM unnest(%s::text[]) AS job", (PAYLOAD, list(jobs))
            )
