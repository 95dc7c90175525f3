"""The report on shadow mode: what was noted beside what others did, what followed, and no claim about what nobody knows."""

import ast
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from api.cli.shadow import CAUTION, lines_of, lines_of_total
from api.jobs import decide
from api.shadow import ShadowCase, Total, plus, shadow_cases
from evals.personal_data import emails
from graph.bootstrap import Services
from memory.database import Database
from recoup.actions import ActionName
from recoup.case import Attribution, CaseStatus
from recoup.clock import FixedClock
from recoup.events import EventKind, Reading
from recoup.invoice import AttemptStatus, Initiator, InvoiceStatus
from tests.command import run_recoup
from tests.deciding import actions_of, failure_of, rows, set_policy
from tests.factories import NOW, account_snapshot
from tests.fakes import make_services
from tests.scenes import absorb_reading, change

ROOT = Path(__file__).parents[2]
DAY = timedelta(days=1)
CLAIM = re.compile(r"would\s+(?:\w+\s+)?have\s+(?:\w+\s+)?recovered", re.IGNORECASE)
EUR, JPY = "EUR", "JPY"


def at(db: Database, moment: datetime) -> Services:
    return make_services(db, clock=FixedClock(moment))


def in_currency(reading: Reading, currency: str) -> Reading:
    assert reading.invoice
    invoice = reading.invoice.model_copy(update={"currency": currency})
    attempts = tuple(attempt.model_copy(update={"currency": currency}) for attempt in reading.attempts)
    return reading.model_copy(update={"invoice": invoice, "attempts": attempts})


def paid_by(reading: Reading, initiator: Initiator, days: float = 2) -> Reading:
    """The same invoice once somebody collected it."""
    assert reading.invoice
    when = NOW + days * DAY
    money = {"status": InvoiceStatus.PAID, "paid_minor": 4900, "remaining_minor": 0, "observed_at": when}
    attempt = reading.attempts[0].model_copy(
        update={
            "vendor_key": f"{reading.attempts[0].vendor_key}_paid",
            "charge_vendor_id": f"{reading.attempts[0].vendor_key}_paid",
            "status": AttemptStatus.SUCCEEDED,
            "codes": None,
            "initiator": initiator,
            "occurred_at": when,
            "observed_at": when,
        }
    )
    told = {"kind": EventKind.PAYMENT_SUCCEEDED, "occurred_at": when, "attempts": (attempt,)}
    return reading.model_copy(update={**told, "invoice": reading.invoice.model_copy(update=money)})


async def decided(db: Database, reading: Reading, moment: datetime = NOW, policy: str | None = 'mode = "shadow"') -> str:
    """A case of the reading, with a decision."""
    services = at(db, moment)
    if policy is not None:
        await set_policy(services, policy)
    case_id = await absorb_reading(services, reading)
    assert case_id is not None
    await decide.run(services, case_id)
    return case_id


async def reported(db: Database, since: datetime | None = None) -> list[ShadowCase]:
    async with db.read() as session:
        return [case async for case in shadow_cases(session, make_services(db).policies, since)]


def totalled(cases: Sequence[ShadowCase]) -> dict[str, Total]:
    totals: dict[str, Total] = {}
    for case in cases:
        totals[case.currency] = plus(totals.get(case.currency, Total(currency=case.currency, simulated=case.simulated)), case)
    return totals


async def test_what_was_noted_stands_beside_what_the_platform_did_and_what_followed(db: Database) -> None:
    failure = failure_of(1)
    case_id = await decided(db, failure)
    await absorb_reading(at(db, NOW + 2 * DAY), paid_by(failure, Initiator.PLATFORM))

    [case] = await reported(db)
    [action] = [action for action in await actions_of(db, case_id) if action.state == "shadowed" and action.created_at == NOW]
    assert [(noted.name, noted.at, noted.why) for noted in case.noted][:1] == [(action.name, NOW, action.reason)]
    assert all(noted.rule for noted in case.noted)
    assert (case.owed_minor, case.currency, case.held_out, case.had_effects) == (4900, "USD", False, False)
    assert [(attempt.by, attempt.status, attempt.reason) for attempt in case.platform.attempts] == [
        (Initiator.PLATFORM, AttemptStatus.FAILED, "insufficient_funds"),
        (Initiator.PLATFORM, AttemptStatus.SUCCEEDED, None),
    ]
    assert case.platform.messages == "unknown"
    followed = case.followed
    assert (followed.status, followed.attribution) == (CaseStatus.RECOVERED, Attribution.PLATFORM)
    assert (followed.collected_minor, followed.remaining_minor) == (4900, 0)
    assert case.outcome_of_noted == "unknown"


async def test_what_a_rule_denied_is_told_with_that_rule(db: Database) -> None:
    services = at(db, NOW)
    await set_policy(services, 'mode = "shadow"\n[house]\nhours_between_attempts = 200')
    case_id = await absorb_reading(services, failure_of(1))
    assert case_id is not None
    await decide.run(at(db, NOW + DAY), case_id)
    [case] = await reported(db)
    assert [(denied.name, denied.rule) for denied in case.denied] == [(ActionName.RETRY_PAYMENT, "hours-between-attempts")]
    assert case.denied[0].amount_minor == 4900


async def test_only_what_was_decided_in_shadow_is_in_it(db: Database) -> None:
    asked = await decided(db, failure_of(1), policy='mode = "approve"')
    watched = await decided(db, failure_of(2))
    assert [case.case_id for case in await reported(db)] == [watched] != [asked]


async def test_a_held_out_account_is_watched_in_every_mode(db: Database) -> None:
    await decided(db, failure_of(1), policy='mode = "auto"\nholdout_share = 1.0')
    [case] = await reported(db)
    assert case.held_out


async def test_a_case_that_recoup_acted_on_as_well_says_so(db: Database) -> None:
    case_id = await decided(db, failure_of(1))
    await change(db, "UPDATE actions SET state = 'done' WHERE case_id = %s", case_id)
    [case] = await reported(db)
    assert case.had_effects
    assert any("Recoup acted on this case as well" in line for line in lines_of(case))


async def test_since_leaves_out_what_was_decided_before(db: Database) -> None:
    await decided(db, failure_of(1), NOW)
    late = await decided(db, failure_of(2), NOW + 3 * DAY, policy=None)
    assert [case.case_id for case in await reported(db, NOW + DAY)] == [late]
    assert len(await reported(db, NOW)) == 2


async def test_more_than_a_page_is_told_once(db: Database) -> None:
    made = [await decided(db, failure_of(number)) for number in range(53)]
    assert [case.case_id for case in await reported(db)] == sorted(made)


async def test_money_is_added_up_for_each_currency_alone(db: Database) -> None:
    failures = [failure_of(1), in_currency(failure_of(2), EUR), in_currency(failure_of(3), EUR), in_currency(failure_of(4), JPY)]
    for failure in failures:
        await decided(db, failure)
    await absorb_reading(at(db, NOW + 2 * DAY), paid_by(failures[2], Initiator.CUSTOMER))
    totals = totalled(await reported(db))
    assert {currency: (t.cases, t.owed_minor, t.collected_minor, t.remaining_minor) for currency, t in totals.items()} == {
        "USD": (1, 4900, 0, 4900),
        "EUR": (2, 9800, 4900, 4900),
        "JPY": (1, 4900, 0, 4900),
    }
    assert totals["EUR"].by_status == {CaseStatus.OPEN: 1, CaseStatus.RECOVERED: 1}
    assert totals["EUR"].attempts == {Initiator.PLATFORM: 2, Initiator.CUSTOMER: 1}
    assert all(total.outcome_of_noted == "unknown" for total in totals.values())


async def test_an_episode_tells_only_its_own_money(db: Database) -> None:
    failure = failure_of(1)
    await decided(db, failure)
    paid = paid_by(failure, Initiator.PLATFORM)
    await absorb_reading(at(db, NOW + 2 * DAY), paid)
    assert paid.invoice
    back = paid.model_copy(
        update={
            "kind": EventKind.PAYMENT_REVERSED,
            "occurred_at": NOW + 5 * DAY,
            "attempts": (paid.attempts[0].model_copy(update={"status": AttemptStatus.REVERSED, "observed_at": NOW + 5 * DAY}),),
            "invoice": paid.invoice.model_copy(update={"observed_at": NOW + 5 * DAY}),
        }
    )
    services = at(db, NOW + 5 * DAY)
    second = await absorb_reading(services, back)
    assert second is not None
    await decide.run(services, second)
    first, again = await reported(db)
    assert (first.followed.remaining_minor, again.followed.remaining_minor) == (0, 4900)
    assert totalled([first, again])["USD"].collected_minor == 0


# The command


async def recoup(database_url: str, home: Path, *arguments: str) -> tuple[str, str]:
    """What ``recoup shadow report`` prints, and what it complains of."""
    (home / "recoup.toml").write_text("", encoding="utf-8")
    places = {"RECOUP_DATABASE_URL": database_url, "RECOUP_HOME": str(home), "RECOUP_CONFIG": str(home / "recoup.toml")}
    said = await run_recoup(places, "shadow", "report", *arguments)
    assert said.code == 0, said.err
    return said.out, said.err


async def test_the_command_tells_people_and_programs_the_same(db: Database, database_url: str, tmp_path: Path) -> None:
    for number, currency in enumerate(("USD", EUR, JPY)):
        await decided(db, in_currency(failure_of(number), currency))
    text, _ = await recoup(database_url, tmp_path)
    told = json.loads((await recoup(database_url, tmp_path, "--json"))[0])
    cases = await reported(db)
    assert told["cases"] == [case.model_dump(mode="json") for case in cases]
    assert [total["currency"] for total in told["totals"]] == [EUR, JPY, "USD"]
    assert told["outcome_of_noted"] == "unknown"
    for case in cases:
        assert "\n".join(lines_of(case)) in text
    assert CAUTION in text
    nothing, _ = await recoup(database_url, tmp_path, "--since", "2999-01-01")
    assert nothing == "Nothing has been decided in shadow mode.\n"


async def test_nobody_can_be_recognised_in_it(db: Database, database_url: str, tmp_path: Path) -> None:
    name, email, phone = "Grace Unmistakable", "grace@unmistakable.example", "+12025550143"
    account = account_snapshot(vendor_id="cus_001", full_name=name, first_name="Grace", email=email, phone=phone)
    await decided(db, failure_of(1).model_copy(update={"account": account}))
    for arguments in ((), ("--json",)):
        out, _ = await recoup(database_url, tmp_path, *arguments)
        assert "case_" in out
        assert list(emails(out)) == []
        assert not [word for word in ("Grace", "Unmistakable", "2025550143", "cus_001", "0341") if word in out]


def texts_of(path: Path) -> list[str]:
    """Every string in a module, docstrings and the parts of f-strings too; a page as it is."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return [text]
    return [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def strings_in(value: Any) -> list[str]:
    """Every string of a JSON value, names too."""
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (str(key), *strings_in(item))]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list):
        return [text for item in value for text in strings_in(item)]  # pyright: ignore[reportUnknownVariableType]
    return [value] if isinstance(value, str) else []


def test_nothing_anywhere_claims_what_nobody_knows() -> None:
    packages = ("agents", "api", "docs", "evals", "graph", "memory", "prompts", "recoup", "tools")
    paths = [path for package in packages for path in (ROOT / package).rglob("*") if path.suffix in {".py", ".md", ".toml", ".sql"}]
    assert len(paths) > 100
    assert [str(path) for path in (*paths, *ROOT.glob("*.md")) for text in texts_of(path) if CLAIM.search(" ".join(text.split()))] == []


async def test_no_string_of_a_report_claims_it(db: Database) -> None:
    failures = [failure_of(number) for number in range(4)]
    for failure in failures:
        await decided(db, failure)
    for failure, by in zip(failures, (Initiator.PLATFORM, Initiator.CUSTOMER, Initiator.MERCHANT), strict=False):
        await absorb_reading(at(db, NOW + 2 * DAY), paid_by(failure, by))
    cases = await reported(db)
    said = [line for case in cases for line in (*lines_of(case), *strings_in(case.model_dump(mode="json")))]
    said += [line for total in totalled(cases).values() for line in (*lines_of_total(total), *strings_in(total.model_dump(mode="json")))]
    assert len(cases) == 4
    assert [text for text in said if CLAIM.search(text)] == []
    assert await rows(db, "SELECT 1 FROM messages UNION ALL SELECT 1 FROM reservations") == []
