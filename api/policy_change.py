"""Putting a policy in force: one transaction, by a person who may, for the HTTP API and the command line alike."""

from graph.bootstrap import Services

from memory import policies
from memory.policies import PolicyRow
from recoup.people import Permission, Person


async def set_policy(services: Services, person: Person, text: str, note: str) -> PolicyRow:
    """The new version. Raises Forbidden, or Misconfigured where the text does not validate."""
    person.must_have(Permission.ADMINISTER)
    now = await services.clock.now()
    async with services.db.write() as tx:
        return await policies.save(tx, text, by=person.name, note=note, at=now)
