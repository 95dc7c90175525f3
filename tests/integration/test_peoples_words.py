"""What people write is kept for good, some of it in a chain that nobody may change: no card number and no address gets into it."""

import pytest

from api import policy_change
from api.answers import answer_approval, override_rule
from api.jobs import resume
from api.jobs.absorb import hold_case, release_case
from memory import keys
from memory.database import Database
from recoup.approval import Reject
from recoup.case import Hold
from recoup.errors import Malformed
from recoup.people import Person, Role
from tests.deciding import ADA, asked, rows
from tests.factories import NOW
from tests.fakes import make_services

SLIP = "they sent 4242 4242 4242 4242 and ada@example.com"
KEPT = "they sent **** **** **** 4242 and [email]"


async def stored(db: Database) -> str:
    """Every text that a person's word may have come into."""
    found = await rows(
        db,
        """
        SELECT t::text FROM audit_log t UNION ALL SELECT t::text FROM actions t UNION ALL SELECT t::text FROM approvals t
        UNION ALL SELECT t::text FROM decisions t UNION ALL SELECT t::text FROM policies t UNION ALL SELECT t::text FROM api_keys t
        UNION ALL SELECT encode(blob, 'escape') FROM checkpoint_blobs
        """,
    )
    return "\n".join(text for (text,) in found)


async def test_what_people_write_is_masked_before_it_is_kept(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)
    await answer_approval(services, ADA, approval.id, approval.digest, [Reject(message=SLIP)], SLIP)
    await resume.run(services, approval.decision_id)
    await override_rule(services, ADA, approval.case_id, "messages-per-week", SLIP)
    await hold_case(services, ADA, approval.case_id, Hold.PERSON, SLIP)
    await release_case(services, ADA, approval.case_id, SLIP)
    await policy_change.set_policy(services, Person(name="eve", role=Role.ADMIN), 'mode = "auto"', SLIP)

    words = await stored(db)
    assert "4242 4242" not in words
    assert "ada@example.com" not in words
    assert words.count(KEPT) >= 6


async def test_a_key_is_for_a_name(db: Database) -> None:
    with pytest.raises(Malformed, match="name"):
        async with db.write() as tx:
            await keys.create(tx, person="4242424242424242", role=Role.VIEWER, by="test", at=NOW)
    assert "4242424242424242" not in await stored(db)
