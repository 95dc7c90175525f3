"""Logged decisions as a file of JSON lines: what was chosen, among what, how likely, and what it brought until the next.

One line a decision::

    {"account": "acct_7", "case": "case_9", "step": 0, "reward_minor": -10.0,
     "options": [{"name": "retry 2026-02-13", "value_minor": 812.0, "propensity": 0.95},
                 {"name": "retry 2026-02-14", "value_minor": 790.0, "propensity": 0.05}],
     "chosen": 0}

``step`` counts a case's decisions from 0. ``reward_minor``: what was collected from this decision to the next one, or to the end of the
case, less what it cost. ``propensity``: how likely the policy that ran was to choose the option. ``target`` on an option, where it stands
there: how likely the policy that is asked about would have. Where it stands nowhere, the target always takes the most valuable option.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from recoup.record import Record

TOGETHER = 1e-6


@dataclass(frozen=True, slots=True)
class Logged:
    """One decision as an estimator needs it: what was chosen, how likely by the policy that ran and by the target."""

    account: str
    case: str
    step: int
    propensity: float
    target: float
    reward_minor: float


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that is no decision, and why."""

    line: int
    what: str


class LoggedOption(Record):
    """One thing that could have been chosen."""

    name: str
    value_minor: Annotated[float, Field(allow_inf_nan=False)]
    propensity: Annotated[float, Field(ge=0, le=1)]
    target: Annotated[float | None, Field(ge=0, le=1)] = None


class LoggedDecision(Record):
    """One line of the log."""

    account: Annotated[str, Field(min_length=1)]
    case: Annotated[str, Field(min_length=1)]
    step: Annotated[int, Field(ge=0)]
    reward_minor: Annotated[float, Field(allow_inf_nan=False)]
    options: Annotated[tuple[LoggedOption, ...], Field(min_length=1)]
    chosen: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.chosen >= len(self.options):
            raise ValueError(f"option {self.chosen} was chosen of {len(self.options)}")
        if abs(sum(option.propensity for option in self.options) - 1) > TOGETHER:
            raise ValueError("the propensities of the options are not 1 together")
        if self.options[self.chosen].propensity <= 0:
            raise ValueError("what was chosen could not have been: its propensity is 0")
        targets = [option.target for option in self.options if option.target is not None]
        if targets and (len(targets) < len(self.options) or abs(sum(targets) - 1) > TOGETHER):
            raise ValueError("the targets of the options are not 1 together")
        return self

    def logged(self) -> Logged:
        """For the estimator."""
        chosen, best = self.options[self.chosen], max(self.options, key=lambda option: option.value_minor)
        target = chosen.target if chosen.target is not None else float(chosen is best)
        return Logged(self.account, self.case, self.step, chosen.propensity, target, self.reward_minor)


def read_log(path: Path) -> tuple[list[Logged], list[Problem]]:
    """All decisions of whole cases, and every line that is none. Of two lines of one step the second is a problem, and so is a case of
    which a step is missing: what came after cannot be weighed."""
    found: dict[tuple[str, str], list[tuple[int, Logged]]] = defaultdict(list)
    problems: list[Problem] = []
    seen: set[tuple[str, str, int]] = set()
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = LoggedDecision.model_validate_json(line).logged()
            except ValidationError as exc:
                problems.append(Problem(number, "; ".join(_said(error) for error in exc.errors())))
                continue
            key = (row.account, row.case, row.step)
            if key in seen:
                problems.append(Problem(number, f"step {row.step} of case {row.case} stands twice"))
                continue
            seen.add(key)
            found[row.account, row.case].append((number, row))
    whole: list[Logged] = []
    for rows in found.values():
        if {row.step for _, row in rows} == set(range(len(rows))):
            whole += [row for _, row in rows]
        else:
            problems += [Problem(number, f"case {row.case} lacks a step, so this one cannot be weighed") for number, row in rows]
    return whole, sorted(problems, key=lambda problem: problem.line)


def write_log(path: Path, decisions: Iterable[LoggedDecision]) -> None:
    """One line a decision."""
    with path.open("w", encoding="utf-8") as lines:
        for decision in decisions:
            lines.write(json.dumps(decision.model_dump(exclude_none=True), separators=(",", ":")) + "\n")


def _said(error: object) -> str:
    place = ".".join(str(part) for part in error["loc"])  # type: ignore[index]
    what = str(error["msg"]).removeprefix("Value error, ")  # type: ignore[index]
    return f"{place}: {what}" if place else what
