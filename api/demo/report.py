"""What the demo came to: one JSON object for programs, one page of tables for people."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from api.demo.scene import Stage
from evals.invariants import Report, check
from evals.sources import read_ledgers
from memory import audit_log, counts
from memory.database import Read
from recoup.money import format_money
from recoup.record import Record
from tools.sandbox.people import CURRENCY


class Group(Record):
    """Cases of one kind and how many of them were recovered; amounts in minor units."""

    name: str
    cases: int
    recovered: int
    amount_minor: int
    recovered_minor: int


class Tally(Record):
    """How often something was."""

    name: str
    times: int


@dataclass(frozen=True)
class Outcome:
    """Everything that is reported."""

    by_category: list[Group]
    by_attribution: list[Tally]
    states: Mapping[str, Mapping[str, int]]
    denied: list[Tally]
    done: list[Tally]
    audit: audit_log.Verification
    invariants: Report
    model_calls: int
    elapsed_seconds: float

    @property
    def total(self) -> Group:
        """All cases as one group."""
        sums = {field: sum(getattr(group, field) for group in self.by_category) for field in Group.model_fields if field != "name"}
        return Group(name="all", **sums)

    def document(self) -> dict[str, object]:
        """The one object of ``recoup demo --json``. ``model_calls`` is 0 where no model is configured: rules propose and check."""
        total = self.total
        return {
            "events": sum(self.states.get("events", {}).values()),
            "cases": dict(self.states.get("cases", {})),
            "recovered_share": _share(total.recovered, total.cases),
            "recovered_amount_share": _share(total.recovered_minor, total.amount_minor),
            "decisions": sum(self.states.get("decisions", {}).values()),
            "actions": dict(self.states.get("actions", {})),
            "denied": {tally.name: tally.times for tally in self.denied},
            "approvals": dict(self.states.get("approvals", {})),
            "messages": self.states.get("messages", {}).get("sent", 0),
            "model_calls": self.model_calls,
            "audit": {"entries": self.audit.entries, "verified": self.audit.verified},
            "violations": self.invariants.violations,
            "examined": self.invariants.examined,
            "elapsed_seconds": round(self.elapsed_seconds, 1),
        }


BY_CATEGORY = """
WITH first AS (
    SELECT DISTINCT ON (invoice_id) invoice_id, coalesce(category, 'generic') AS category
    FROM attempts WHERE status IN ('failed', 'requires_action') ORDER BY invoice_id, occurred_at, id
)
SELECT coalesce(f.category, 'none') AS name, count(*) AS cases,
       count(*) FILTER (WHERE c.status IN ('recovered', 'recovered_late')) AS recovered,
       coalesce(sum((i.snapshot ->> 'total_minor')::bigint), 0)::bigint AS amount_minor,
       coalesce(sum((i.snapshot ->> 'total_minor')::bigint) FILTER (WHERE c.status IN ('recovered', 'recovered_late')), 0)::bigint
           AS recovered_minor
FROM cases c JOIN invoices i ON i.id = c.invoice_id LEFT JOIN first f ON f.invoice_id = i.id
GROUP BY 1 ORDER BY 2 DESC, 1
"""
BY_ATTRIBUTION = """
SELECT coalesce(attribution, 'not told') AS name, count(*) AS times FROM cases
WHERE status IN ('recovered', 'recovered_late') GROUP BY 1 ORDER BY 2 DESC, 1
"""
DENIED = "SELECT denied_rule AS name, count(*) AS times FROM actions WHERE denied_rule IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
DONE = "SELECT risk || ' ' || name AS name, count(*) AS times FROM actions WHERE state = 'done' GROUP BY 1 ORDER BY 1"


async def outcome_of(stage: Stage, elapsed_seconds: float) -> Outcome:
    """Reads everything, verifies the audit log and checks the invariants, the outer ledgers included."""
    platforms, mail = await read_ledgers(stage.settings, stage.connections)
    async with stage.db.read() as session:
        return Outcome(
            by_category=await session.all(Group, BY_CATEGORY),
            by_attribution=await session.all(Tally, BY_ATTRIBUTION),
            states=await _states(session),
            denied=await session.all(Tally, DENIED),
            done=await session.all(Tally, DONE),
            audit=await audit_log.verify(session),
            invariants=await check(stage.db, platforms, mail, patience_seconds=0),
            model_calls=await session.value("SELECT count(*) FROM model_calls"),
            elapsed_seconds=elapsed_seconds,
        )


def show(outcome: Outcome, console: Console) -> None:
    """The page of tables."""
    console.print(_recovered(outcome))
    told = Table.grid(padding=(0, 2))
    for title, tallies in (
        ("Recovered by", outcome.by_attribution),
        ("Cases", _tallies(outcome, "cases")),
        ("Done", outcome.done),
        ("Approvals", _tallies(outcome, "approvals")),
        ("Denied by rule", outcome.denied),
    ):
        told.add_row(f"[bold]{title}[/bold]", ", ".join(f"{tally.name} {tally.times}" for tally in tallies) or "none")
    console.print(told)
    broken = {name: times for name, times in outcome.invariants.violations.items() if times}
    violations = ", ".join(f"{name} {times}" for name, times in broken.items()) or "none"
    verified = f"{outcome.audit.verified} of {outcome.audit.entries} audit entries verify"
    console.print(
        f"Messages sent: {outcome.states.get('messages', {}).get('sent', 0)}. {verified}. Violations of invariants: {violations}."
    )
    console.print(f"Calls to language models: {outcome.model_calls}.")
    console.print(f"{outcome.elapsed_seconds:.0f} seconds. Money is simulated.")


async def _states(session: Read) -> dict[str, dict[str, int]]:
    states: dict[str, dict[str, int]] = {}
    for count in await counts.by_state(session):
        states.setdefault(count.table, {})[count.state] = count.rows
    return states


def _recovered(outcome: Outcome) -> Table:
    table = Table("category", title="Recovered, by what the first decline meant", title_justify="left")
    for heading in ("cases", "recovered", "share", "owed", "recovered", "share"):
        table.add_column(heading, justify="right")
    for group in (*outcome.by_category, outcome.total):
        table.add_row(
            group.name,
            str(group.cases),
            str(group.recovered),
            f"{_share(group.recovered, group.cases):.0%}",
            format_money(group.amount_minor, CURRENCY),
            format_money(group.recovered_minor, CURRENCY),
            f"{_share(group.recovered_minor, group.amount_minor):.0%}",
            style="bold" if group.name == "all" else None,
        )
    return table


def _tallies(outcome: Outcome, table: str) -> list[Tally]:
    return [Tally(name=state, times=times) for state, times in outcome.states.get(table, {}).items()]


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
