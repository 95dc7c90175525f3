"""The policy's versions: rows that never change, so that an old decision is understood by the policy it was made under."""

from datetime import datetime

from memory import audit
from memory.database import Database, Read, Write
from recoup.digest import digest
from recoup.errors import Defect, NotFound
from recoup.policy import Policy, parse_policy
from recoup.policy_changes import key_changes
from recoup.record import Record

CHAIN = "policy"


class PolicyRow(Record):
    """One version as a person wrote it, with its comments; the newest is in force."""

    version: int
    text: str
    digest: str
    created_by: str
    note: str
    created_at: datetime


async def newest(session: Read) -> PolicyRow:
    """The version in force."""
    row = await session.one(PolicyRow, "SELECT * FROM policies ORDER BY version DESC LIMIT 1")
    if row is None:
        raise Defect("no policy is stored; run 'recoup migrate'")
    return row


async def get(session: Read, version: int) -> PolicyRow:
    """One version; raises NotFound."""
    row = await session.one(PolicyRow, "SELECT * FROM policies WHERE version = %s", (version,))
    if row is None:
        raise NotFound(f"there is no policy version {version}")
    return row


async def all_versions(session: Read) -> list[PolicyRow]:
    """Every version, newest first."""
    return await session.all(PolicyRow, "SELECT * FROM policies ORDER BY version DESC")


async def save(tx: Write, text: str, *, by: str, note: str, at: datetime) -> PolicyRow:
    """Puts a new version in force. Raises Misconfigured, naming each key that is wrong; the very text in force is no new version."""
    policy = parse_policy(text)
    # Two people at once must not both write version N + 1.
    await tx.run("SELECT pg_advisory_xact_lock(hashtextextended('policies', 0))")
    before = await newest(tx)
    if before.text == text:
        return before
    row = PolicyRow(version=before.version + 1, text=text, digest=digest(text), created_by=by, note=note, created_at=at)
    await tx.run(
        "INSERT INTO policies (version, text, digest, created_by, note, created_at)"
        " VALUES (%(version)s, %(text)s, %(digest)s, %(created_by)s, %(note)s, %(created_at)s)",
        row.model_dump(),
    )
    changed = [change.key for change in key_changes(parse_policy(before.text), policy)]
    data: dict[str, object] = {"digest": row.digest, "changed": changed}
    await audit.append(tx, chain=CHAIN, subject=str(row.version), kind="policy", state="in_force", actor=by, at=at, data=data)
    return row


class StoredPolicies:
    """The PolicySource over PostgreSQL. Versions never change, so each is read and parsed once; only the newest number is asked again."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._parsed: dict[int, Policy] = {}

    async def current(self) -> tuple[int, Policy]:
        """(version, policy) in force."""
        async with self._db.read() as session:
            number = await session.value("SELECT max(version) FROM policies")
        if number is None:
            raise Defect("no policy is stored; run 'recoup migrate'")
        return number, await self.version(number)

    async def version(self, number: int) -> Policy:
        """One version; raises NotFound."""
        if number not in self._parsed:
            async with self._db.read() as session:
                row = await get(session, number)
            self._parsed[number] = parse_policy(row.text)
        return self._parsed[number]
