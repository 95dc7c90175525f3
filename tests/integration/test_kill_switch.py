"""The kill switch from end to end: while it is on nothing is decided to leave, and what it stopped is decided anew when it goes off."""

from api.jobs import decide
from memory import cases
from memory.database import Database
from tests.fakes import make_services
from tests.scenes import change, open_case


async def test_what_the_kill_switch_denied_is_wanted_again_when_it_goes_off(db: Database) -> None:
    services = make_services(db)
    await change(db, "INSERT INTO switches (name, value, changed_by, changed_at) VALUES ('kill_switch', 'true', 'Ada', clock_timestamp())")
    case_id = (await open_case(services)).case.id
    await decide.run(services, case_id)
    async with db.read() as session:
        assert await session.value("SELECT count(*) FROM actions WHERE denied_rule = 'kill-switch'")
        assert not (await cases.get(session, case_id)).needs_decision
    async with db.write() as tx:
        await cases.want_decisions_denied_by(tx, "kill-switch", "the kill switch is off")
    async with db.read() as session:
        assert (await cases.get(session, case_id)).wanted_because == "the kill switch is off"
