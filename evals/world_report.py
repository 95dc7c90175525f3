"""Whether a world of failed payments behaves as published figures say real ones do: the bands, a table and pictures of it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evals.backtest.baselines import baseline
from evals.backtest.figures import FIXED
from evals.backtest.outcome import CaseOutcome
from evals.backtest.rollout import play
from recoup.category import Category
from recoup.errors import Defect
from tools.sandbox.protocol import AttemptResult, Channel, ContactKind, FailedInvoice, OracleBound, World, WorldEvent

SOFT = (Category.FUNDS, Category.GENERIC, Category.TECHNICAL)


@dataclass(frozen=True, slots=True)
class Probe:
    """One case under the fixed ladder with messages. ``first_retry``: whether the first charge after the failure was approved, if it was
    on the method that had failed. ``on_new_method``: whether it was paid on one that the customer has put on file since.
    ``oracle_likely``: how likely an oracle's plan recovers it."""

    outcome: CaseOutcome
    first_retry: bool | None
    on_new_method: bool
    oracle_likely: float


@dataclass(frozen=True)
class Band:
    """A published figure, between ``low`` and ``high``. ``by_seed``: the same on each seed alone; None where there is nothing to count."""

    name: str
    source: str
    low: float
    high: float
    value: float | None
    by_seed: dict[int, float | None]

    @property
    def holds(self) -> bool:
        """Whether all seeds together lie within it."""
        return self.value is not None and self.low <= self.value <= self.high


@dataclass(frozen=True)
class WorldFindings:
    """What was probed of a world. ``oracle_rate``: recovered by an oracle's plan, a ceiling; there is no published figure of it."""

    world: str
    seeds: tuple[int, ...]
    cases: int
    bands: tuple[Band, ...]
    oracle_rate: float

    def as_json(self) -> dict[str, Any]:
        """The findings for programs."""
        bands = [
            {"name": b.name, "source": b.source, "low": b.low, "high": b.high, "value": b.value, "by_seed": b.by_seed, "holds": b.holds}
            for b in self.bands
        ]
        holds = all(band.holds for band in self.bands)
        told = {"world": self.world, "seeds": list(self.seeds), "cases": self.cases, "holds": holds, "bands": bands}
        return told | {"oracle_recovery_rate": self.oracle_rate}


def probe(world: World, cases: int, seeds: Sequence[int]) -> list[Probe]:
    """Plays the fixed ladder with messages on so many cases of each seed."""
    ladder = baseline(FIXED)
    if ladder is None:
        raise Defect(f"there is no policy {FIXED}")
    probes: list[Probe] = []
    for seed in seeds:
        for invoice in world.open(cases, seed):
            heard = _Heard(world)
            outcome = play(heard, invoice, ladder, seed=seed)
            paid_elsewhere = outcome.by_retry and heard.charged[-1][0] != invoice.credential.id
            first = next(iter(heard.charged), None)
            retried = first[1] if first is not None and first[0] == invoice.credential.id else None
            probes.append(Probe(outcome, retried, paid_elsewhere, world.oracle(invoice.case).recovery_probability))
    return probes


def world_findings(world: str, probes: Sequence[Probe]) -> WorldFindings:
    """The bands of published figures, counted on probes."""
    if not probes:
        raise Defect("there are no probes to judge a world by")
    seeds = sorted({one.outcome.seed for one in probes})

    def band(name: str, source: str, ends: tuple[float, float], figure: Callable[[Sequence[Probe]], float | None]) -> Band:
        by_seed = {seed: figure([one for one in probes if one.outcome.seed == seed]) for seed in seeds}
        return Band(name, source, *ends, figure(probes), by_seed)

    behaviour = (
        band("first retry approved, on soft declines", "Pagos: 25-35 %", (0.25, 0.35), first_retry_approval),
        band("recovered by a fixed ladder with messages", "between Butter's 50 %, Stripe's 57 % and static rules", (0.50, 0.60), recovery),
        band("retries' share of recoveries", "Churn Buster: 60 %", (0.50, 0.70), retry_share),
        band("recoveries between days 2 and 12", "Recurly: most of them", (0.50, 1.0), recovered_in_days(2, 12)),
    )
    mix = tuple(band(f"first declines: {name}", source, ends, share_of(*categories)) for name, source, ends, categories in MIX)
    rules = band("attempts against a network's rule", "none", (0.0, 0.0), breaches_per_attempt)
    oracle = sum(one.oracle_likely for one in probes) / len(probes)
    return WorldFindings(world, tuple(seeds), len(probes), (*behaviour, *mix, rules), oracle)


# Visa's analysis gives 51 and 05 together about 76 % of declined volume; the rest is our reading of several sources, give or take a third.
MIX: tuple[tuple[str, str, tuple[float, float], tuple[Category, ...]], ...] = (
    ("funds, limits and no reason given", "05 and 51: about 76 %", (0.66, 0.82), (Category.FUNDS, Category.GENERIC)),
    ("funds and limits", "about .44", (0.34, 0.54), (Category.FUNDS,)),
    ("no reason given", "about .30", (0.20, 0.40), (Category.GENERIC,)),
    ("card data out of date or wrong", "about .14", (0.09, 0.19), (Category.NEW_DATA,)),
    ("technical", "about .05", (0.03, 0.08), (Category.TECHNICAL,)),
    ("lost, stolen, fraud", "about .04", (0.02, 0.06), (Category.NEVER,)),
    ("customer must confirm", "about .03", (0.015, 0.05), (Category.CUSTOMER_ACTION,)),
)


def first_retry_approval(probes: Sequence[Probe]) -> float | None:
    """Of soft declines that were retried on the same method, the share approved at once."""
    tried = [one.first_retry for one in probes if one.outcome.category in SOFT and one.first_retry is not None]
    return sum(tried) / len(tried) if tried else None


def recovery(probes: Sequence[Probe]) -> float | None:
    """By count, within the window."""
    return sum(one.outcome.recovered for one in probes) / len(probes) if probes else None


def retry_share(probes: Sequence[Probe]) -> float | None:
    """Of recoveries, by a charge of the method that had failed, an updater's new data included; the rest are customers who acted."""
    recovered = [one for one in probes if one.outcome.recovered]
    return sum(one.outcome.by_retry and not one.on_new_method for one in recovered) / len(recovered) if recovered else None


def recovered_in_days(first: int, last: int) -> Callable[[Sequence[Probe]], float | None]:
    """Of recoveries, the share on these days, where the first 24 hours are day 1."""

    def share(probes: Sequence[Probe]) -> float | None:
        days = Counter(day_of(one.outcome) for one in probes if one.outcome.recovered)
        return sum(days[day] for day in range(first, last + 1)) / days.total() if days else None

    return share


def breaches_per_attempt(probes: Sequence[Probe]) -> float | None:
    """Attempts that the independent checker objects to."""
    attempts = sum(one.outcome.attempts for one in probes)
    return sum(one.outcome.breaches for one in probes) / attempts if attempts else None


def day_of(outcome: CaseOutcome) -> int:
    """The day of the payment: the first 24 hours after the failure are day 1. 0 where nothing was paid."""
    return 0 if outcome.days is None else int(outcome.days) + 1


def share_of(*categories: Category) -> Callable[[Sequence[Probe]], float | None]:
    """Of all cases, those whose first decline meant one of these."""
    return lambda probes: sum(one.outcome.category in categories for one in probes) / len(probes) if probes else None


class _Heard:
    """A world that notes which method was charged with what result on one case."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.charged: list[tuple[str, bool]] = []

    def open(self, count: int, seed: int) -> list[FailedInvoice]:
        return self._world.open(count, seed)

    def attempt(self, case: str, at: datetime, credential: str) -> AttemptResult:
        result = self._world.attempt(case, at, credential)
        self.charged.append((credential, result.approved))
        return result

    def contact(self, case: str, at: datetime, channel: Channel, kind: ContactKind) -> None:
        self._world.contact(case, at, channel, kind)

    def advance(self, case: str, until: datetime) -> list[WorldEvent]:
        return self._world.advance(case, until)

    def oracle(self, case: str) -> OracleBound:
        return self._world.oracle(case)
