"""The ten invariants of ARCHITECTURE, asked of the whole database and of the other sides' own ledgers. Reads only; safe in production."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg

from evals.checks.approvals import account_actions_were_approved
from evals.checks.audit import audit_covers_every_change
from evals.checks.contact import timers_and_hours_hold
from evals.checks.effects import one_effect_per_action
from evals.checks.intake import events_end_once
from evals.checks.money import money_matches_the_platform
from evals.checks.network import network_rules_hold
from evals.checks.policy import actions_stay_within_policy
from evals.checks.privacy import no_card_or_personal_data
from evals.checks.starts import nothing_starts_after_the_end
from evals.findings import Check, Result, Scope
from evals.ledgers import MailLedger, PlatformLedger
from evals.policy_history import read_policies
from memory.database import Database
from recoup.clock import wall_now

PATIENCE_SECONDS = 900.0
# What a value that nobody of us wrote makes of a statement or of the code that reads it.
UNREADABLE = (psycopg.DataError, LookupError, TypeError, ValueError)

# In the order of ARCHITECTURE's list of invariants.
INVARIANTS: dict[str, Check] = {
    "events_end_once": events_end_once,
    "nothing_starts_after_the_end": nothing_starts_after_the_end,
    "one_effect_per_action": one_effect_per_action,
    "account_actions_were_approved": account_actions_were_approved,
    "network_rules_hold": network_rules_hold,
    "audit_covers_every_change": audit_covers_every_change,
    "timers_and_hours_hold": timers_and_hours_hold,
    "money_matches_the_platform": money_matches_the_platform,
    "actions_stay_within_policy": actions_stay_within_policy,
    "no_card_or_personal_data": no_card_or_personal_data,
}


@dataclass(frozen=True)
class Report:
    """All invariants: how many rows each examined, and what it found."""

    results: dict[str, Result]

    @property
    def violations(self) -> dict[str, int]:
        """Number of violations per invariant."""
        return {name: result.found for name, result in self.results.items()}

    @property
    def examined(self) -> dict[str, int]:
        """Number of rows looked at per invariant."""
        return {name: result.examined for name, result in self.results.items()}

    @property
    def findings(self) -> dict[str, list[dict[str, str]]]:
        """The violations, by invariant: the first few hundred of each."""
        return {name: [asdict(finding) for finding in result.findings] for name, result in self.results.items() if result.findings}

    @property
    def notes(self) -> dict[str, list[str]]:
        """What could not be looked at, by invariant."""
        return {name: result.notes for name, result in self.results.items() if result.notes}

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not any(self.violations.values())


async def check(
    database: Database,
    platforms: dict[str, PlatformLedger],
    mail: MailLedger | None,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    logs: Sequence[Path] = (),
    only: Collection[str] = INVARIANTS.keys(),
    on_checked: Callable[[str], None] | None = None,
) -> Report:
    """Runs every invariant on one snapshot of the database. The ledgers must have been read before: then what they hold is in it.

    ``platforms``: a ledger per connection that has one. ``patience_seconds``: how long an event, a due timer or a difference from the
    platform may stand before it counts; 0 says that all work is done. ``logs``: log files to search for personal data.
    ``only`` names the invariants that are wanted. ``on_checked`` hears each name as it is done.
    """
    results: dict[str, Result] = {}
    async with database.read() as session, session.connection.transaction():
        await session.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        scope = Scope(session, platforms, mail, await read_policies(session), wall_now(), patience_seconds, tuple(logs))
        for name in (name for name in INVARIANTS if name in only):
            results[name] = Result()
            await _look(scope, name, INVARIANTS[name], results[name])
            if on_checked:
                on_checked(name)
    return Report(results)


async def _look(scope: Scope, name: str, invariant: Check, result: Result) -> None:
    """What cannot even be read is a finding too, and no reason to leave the other invariants unchecked."""
    try:
        async with scope.session.connection.transaction():
            await invariant(scope, result)
    except UNREADABLE as exc:
        result.add(name, f"could not be checked to its end: a stored value is not readable ({type(exc).__name__})")
