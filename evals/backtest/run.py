"""Plays every policy on every case of every seed, on all processors, and compares what they came to."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from itertools import product
from multiprocessing import get_context
from typing import cast

from agents.planner.model import COLD, Model, cold_model, parse_model
from evals.backtest.baselines import LADDERS, baseline
from evals.backtest.figures import NEVER, ORACLE, RECOUP, Comparison
from evals.backtest.outcome import Bound, CaseOutcome
from evals.backtest.played import Played, joined, played
from evals.backtest.recoup import Recoup
from evals.backtest.rollout import Policy, play
from evals.backtest.standing import Standing
from evals.backtest.statistics import compare
from recoup.errors import Misconfigured
from recoup.policy import Policy as House
from tools.sandbox.protocol import FailedInvoice, World

HOME = "tools.sandbox.world:home"
POLICIES = (RECOUP, *LADDERS, "by-code", NEVER, ORACLE)
# Of one seed at most so many cases are played in one go, so that what a process holds of outcomes does not grow with their number.
AT_ONCE = 20_000


@dataclass(frozen=True)
class Backtest:
    """``cases`` per seed. ``train_seeds``: on these the best baseline is picked, and nothing else is done with them here. ``model``: the
    text of a model file, None for the published prior alone."""

    policies: tuple[str, ...] = POLICIES
    cases: int = 2_000
    seeds: tuple[int, ...] = (101, 102, 103)
    train_seeds: tuple[int, ...] = ()
    model: str | None = None
    house: House = field(default_factory=House)
    world: str = HOME
    processes: int = os.cpu_count() or 1


@dataclass(frozen=True)
class _Part:
    """A share of one seed's cases under one policy; ``number`` of ``parts``."""

    policy: str
    seed: int
    number: int
    parts: int


def run(backtest: Backtest) -> Comparison:
    """Raises Misconfigured for a policy or a world that there is none of."""
    for name in backtest.policies:
        if name not in POLICIES:
            raise Misconfigured(f"there is no policy {name!r}; one of {', '.join(POLICIES)}")
    factory_of(backtest.world)
    judged = [name for name in backtest.policies if name != ORACLE]
    baselines = [name for name in judged if name not in {RECOUP, NEVER}]
    parts = max(backtest.processes, -(-backtest.cases // AT_ONCE))
    tasks = [_Part(name, seed, n, parts) for seed, name, n in product(backtest.seeds, backtest.policies, range(parts))]
    training = [_Part(name, seed, n, parts) for seed, name, n in product(backtest.train_seeds, baselines, range(parts))]
    found: dict[str, list[Played]] = {name: [] for name in judged}
    trained: dict[str, list[Played]] = {name: [] for name in baselines}
    bounds: list[Bound] = []
    for task, result in _results(backtest, [*tasks, *training]):
        if isinstance(result, Played):
            (trained if task.seed in backtest.train_seeds else found)[task.policy].append(result)
        else:
            bounds += result
    return compare(
        backtest.world,
        {name: joined(parts) for name, parts in found.items()},
        bounds,
        {name: joined(parts) for name, parts in trained.items()} if backtest.train_seeds else None,
    )


def policies_of(backtest: Backtest) -> dict[str, Policy]:
    """Those that act, by name; an oracle is a bound. Raises Misconfigured for one that there is none of."""
    process = _Process(backtest)
    return {name: process.policy(name) for name in backtest.policies if name != ORACLE}


def currency_of(backtest: Backtest) -> str:
    """The one currency of the world."""
    return factory_of(backtest.world)().open(1, backtest.seeds[0])[0].currency


def factory_of(world: str) -> Callable[[], World]:
    """The factory that ``module:factory`` names; raises Misconfigured where there is none."""
    module, _, name = world.partition(":")
    try:
        factory = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as exc:
        raise Misconfigured(f"{world!r} is no world: {exc}; name one as package.module:factory") from exc
    if not callable(factory):
        raise Misconfigured(f"{world!r} is no factory of a world")
    return cast("Callable[[], World]", factory)


def _results(backtest: Backtest, tasks: Sequence[_Part]) -> Iterator[tuple[_Part, Played | list[Bound]]]:
    processes = min(backtest.processes, len(tasks))
    if processes <= 1:
        _start(backtest)
        yield from ((task, _play(task)) for task in tasks)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_start, initargs=(backtest,)) as pool:
        yield from zip(tasks, pool.map(_play, tasks), strict=True)


class _Process:
    """What one process keeps between its tasks: the policies, and the world of the seed that it played last."""

    def __init__(self, backtest: Backtest) -> None:
        self.backtest = backtest
        self.world = factory_of(backtest.world)()
        self.model: Model = cold_model() if backtest.model is None else parse_model(backtest.model)

    def policy(self, name: str) -> Policy:
        found = Recoup(self.model, self.backtest.house) if name == RECOUP else baseline(name)
        if found is None:
            raise Misconfigured(f"there is no policy {name!r}")
        return found

    def open(self, seed: int) -> list[FailedInvoice]:
        """All cases of a seed, in a world that has just begun anew."""
        return self.world.open(self.backtest.cases, seed)


_process: list[_Process] = []


def _start(backtest: Backtest) -> None:
    _process[:] = [_Process(backtest)]


def _play(task: _Part) -> Played | list[Bound]:
    process = _process[0]
    invoices = process.open(task.seed)
    cases = invoices[task.number :: task.parts]
    if task.policy == ORACLE:
        return [_bound(process.world, invoice, task.seed) for invoice in cases]
    policy = process.policy(task.policy)
    if isinstance(policy, Recoup) and policy.model.name != COLD:
        policy = policy.acquainted(invoices)
    outcomes: Iterator[CaseOutcome] = (play(process.world, invoice, policy, seed=task.seed) for invoice in cases)
    return played(outcomes)


def _bound(world: World, invoice: FailedInvoice, seed: int) -> Bound:
    told = world.oracle(invoice.case)
    return Bound(
        seed=seed,
        case=invoice.case,
        account=invoice.account,
        category=Standing(invoice).category.value,
        amount_minor=invoice.amount_minor,
        expected_net_minor=told.expected_net_minor,
        recovery_probability=told.recovery_probability,
        clairvoyant_net_minor=told.clairvoyant_net_minor,
    )
