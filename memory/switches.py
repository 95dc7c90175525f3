"""The few facts of the whole installation: the kill switch, and the sandbox's clock."""

from datetime import UTC, datetime, timedelta

from psycopg.types.json import Jsonb

from memory import audit
from memory.database import Database, Read, Write
from recoup.clock import wall_now
from recoup.errors import Conflict

CHAIN = "switches"
KILL_SWITCH = "kill_switch"
CLOCK = "clock"


async def kill_switch_is_on(session: Read) -> bool:
    """While it is on, nothing leaves: no charge, no message, no account action."""
    return bool(await session.value("SELECT value FROM switches WHERE name = %s", (KILL_SWITCH,)))


async def set_kill_switch(tx: Write, on: bool, *, by: str, at: datetime) -> None:
    """Turns it on or off."""
    await _set(tx, KILL_SWITCH, on, by, at)
    await audit.append(tx, chain=CHAIN, subject=KILL_SWITCH, kind="switch", state="on" if on else "off", actor=by, at=at)


class StoredClock:
    """The domain clock of sandbox mode, the same in every process.

    It runs ahead of wall time by a stored offset; once it has been ``set`` to an instant it stands there until it is moved, so that
    whoever drives it can wait for the work that is due before going on. It never goes back.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def now(self) -> datetime:
        """The domain's time."""
        async with self._db.read() as session:
            return _time(await session.value("SELECT value FROM switches WHERE name = %s", (CLOCK,)))

    async def advance(self, seconds: float) -> datetime:
        """Moves it forward and gives the new time."""
        async with self._db.write() as tx:
            value = await _locked_clock(tx)
            if "at" in value:
                value["at"] = (_time(value) + timedelta(seconds=seconds)).isoformat()
            else:
                value["offset_seconds"] = float(value["offset_seconds"]) + seconds
            await _set(tx, CLOCK, value, "clock", wall_now())
            return _time(value)

    async def set(self, at: datetime) -> None:
        """Stops it at an instant; raises Conflict where it stands at a later one already."""
        async with self._db.write() as tx:
            current = await _locked_clock(tx)
            if "at" in current and at < _time(current):
                raise Conflict(f"the clock shows {_time(current).isoformat()} and does not go back")
            await _set(tx, CLOCK, {"at": at.astimezone(UTC).isoformat()}, "clock", wall_now())


def _time(value: dict[str, str | float] | None) -> datetime:
    if value and "at" in value:
        return datetime.fromisoformat(str(value["at"]))
    return wall_now() + timedelta(seconds=float(value["offset_seconds"]) if value else 0.0)


async def _locked_clock(tx: Write) -> dict[str, str | float]:
    await tx.run(
        "INSERT INTO switches (name, value, changed_by, changed_at) VALUES (%s, %s, 'clock', %s) ON CONFLICT (name) DO NOTHING",
        (CLOCK, Jsonb({"offset_seconds": 0}), wall_now()),
    )
    return await tx.value("SELECT value FROM switches WHERE name = %s FOR UPDATE", (CLOCK,))


async def _set(tx: Write, name: str, value: object, by: str, at: datetime) -> None:
    await tx.run(
        "INSERT INTO switches (name, value, changed_by, changed_at) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value, changed_by = EXCLUDED.changed_by, changed_at = EXCLUDED.changed_at",
        (name, Jsonb(value), by, at),
    )
