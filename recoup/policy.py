"""What people decide about Recoup, as versioned data: modes, cohorts, house rules, thresholds. No code in it, no secrets."""

import tomllib
from datetime import time
from decimal import Decimal
from enum import StrEnum
from importlib.resources import files
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from recoup.category import Category
from recoup.errors import Misconfigured
from recoup.events import CancellationKind
from recoup.model_budget import ModelBudgets
from recoup.record import Record


class Mode(StrEnum):
    """How much Recoup may do by itself. Account actions ask a person in every mode."""

    SHADOW = "shadow"
    APPROVE = "approve"
    HYBRID = "hybrid"
    AUTO = "auto"


Major = Annotated[Decimal, Field(ge=0)]


def _never_is_none(value: object) -> object:
    """TOML has no word for nothing."""
    return None if value == "never" else value


Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Match(Record):
    """Which cases a cohort takes: every given condition holds. Amounts are major units of the invoice's currency, so ``currencies``
    should be given with them. ``share`` takes a stable fraction of accounts."""

    categories: tuple[Category, ...] | None = None
    amount_at_least_major: Major | None = None
    amount_under_major: Major | None = None
    currencies: tuple[str, ...] | None = None
    segments: tuple[str, ...] | None = None
    plan_tiers: tuple[str, ...] | None = None
    countries: tuple[str, ...] | None = None
    share: Share | None = None


class Cohort(Record):
    """Cases treated in their own mode; the first cohort that matches wins."""

    name: str
    mode: Mode
    match: Match


class ContactHours(Record):
    """When a customer may be written to, recipient-local: ``start`` included, ``end`` excluded."""

    start: time
    end: time

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if self.start >= self.end:
            raise ValueError(f"start {self.start:%H:%M} is not before end {self.end:%H:%M}; hours do not cross midnight")
        return self


class HouseRules(Record):
    """Our own limits; a person may override one for a case, with a reason."""

    messages_per_day: Annotated[int, Field(ge=0)] = 1
    messages_per_week: Annotated[int, Field(ge=0)] = 3
    contact_hours: ContactHours = ContactHours(start=time(8), end=time(21))
    contact_hours_by_country: dict[str, ContactHours] = {"IN": ContactHours(start=time(9), end=time(21))}
    email_when_zone_unknown: bool = True
    hours_between_attempts: Annotated[float, Field(ge=0)] = 24
    technical_hours_between_attempts: Annotated[float, Field(ge=0)] = 1
    attempts_per_case: Annotated[int, Field(ge=0)] = 8
    attempts_per_credential_30_days: Annotated[int, Field(ge=0)] = 15


class LowRisk(Record):
    """What ``hybrid`` runs without asking."""

    categories: tuple[Category, ...] = (Category.FUNDS, Category.GENERIC, Category.TECHNICAL)
    amount_under_major: Major = Decimal(100)
    attempts_up_to: Annotated[int, Field(ge=0)] = 2
    templated_messages: bool = True


class Escalations(Record):
    """What asks a person in every mode. Amounts in major units, per currency, else ``amount_over_major``."""

    amount_over_major: Major = Decimal(1000)
    amount_over_major_by_currency: dict[str, Major] = {"JPY": Decimal(150000), "INR": Decimal(80000)}
    confidence_under: Share = 0.5
    low_scores_in_a_row: Annotated[int, Field(ge=1)] = 3


class Approvals(Record):
    """How approvals work. ``four_eyes``: who edited an action may not approve it."""

    expire_after_hours: Annotated[float, Field(gt=0)] = 72
    four_eyes: bool = False


class Steps(Record):
    """The plan of an open case, in days after it opened. ``last_day`` ends it. ``technical_retry_hours`` count from the
    newest of as many technical failures in a row; after them ``retry_days`` holds again. ``take_over``: a platform that retries by itself
    and can be told to stop is asked to, once a person agrees. ``after_last`` says whether people get the
    case before it ends without the money."""

    message_days: tuple[float, ...] = (0, 3, 7, 14)
    retry_days: tuple[float, ...] = (1, 3, 7, 12)
    technical_retry_hours: tuple[float, ...] = (1, 6, 24)
    take_over: bool = False
    suspend_day: Annotated[float | None, BeforeValidator(_never_is_none)] = 21
    last_day: float = 28
    grace_tiers: tuple[str, ...] = ("premium",)
    grace_days: float = 7
    after_last: Literal["hand_off", "nothing"] = "hand_off"


Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
COLD_MODEL = "cold"


class PlanRules(Record):
    """How the days of a case are chosen. ``value``: by what each charge and message is worth, within the house rules; ``ladder``: on the
    days of ``Steps``. ``model``: the name (hash) of a trained model, ``cold`` for published figures alone.

    ``ladder_share`` of the accounts stays on the ladder, to compare with. In ``explore_share`` of the plans another time is drawn among
    those whose value is within ``explore_loses_at_most`` (a share of the amount) of the best. ``attempt_cost_major`` and
    ``person_cost_major`` are in whole currency units; the other prices are as in ``agents.planner.terms.Terms``.
    """

    by: Literal["value", "ladder"] = "ladder"
    model: Annotated[str, Field(pattern=r"^(cold|[0-9a-f]{16})$")] = COLD_MODEL
    ladder_share: Share = 0.1
    explore_share: Share = 0.05
    explore_loses_at_most: Share = 0.01
    attempt_cost_major: Major = Decimal("0.10")
    attempt_share: Share = 0.03
    customer_worth_invoices: Annotated[float, Field(ge=0)] = 0.75
    lost_per_day: Annotated[float, Field(ge=0, lt=1)] = 0.015
    person_cost_major: Major = Decimal(15)
    no_retry_weekdays: dict[str, tuple[Weekday, ...]] = {}
    avoid_holidays: bool = True


class Offers(Record):
    """What may be proposed to a customer who means to leave or cannot pay; zero: never. A person is asked before each, in every mode."""

    discount_percent_up_to: Annotated[int, Field(ge=0, le=50)] = 0
    instalments_up_to: Annotated[int, Field(ge=0, le=12)] = 0


class Freshness(Record):
    """How old a reading may be when something is sent. Where nothing can be read, the newest event is what there is."""

    reading_seconds: Annotated[float, Field(gt=0)] = 300


VOIDS_DEBT = {CancellationKind.IMMEDIATE: True, CancellationKind.NON_PAYMENT: False, CancellationKind.PERIOD_END: False}


def _with_every_kind(given: dict[CancellationKind, bool]) -> dict[CancellationKind, bool]:
    return VOIDS_DEBT | given


class Policy(Record):
    """One version of the policy."""

    mode: Mode = Mode.APPROVE
    cohorts: tuple[Cohort, ...] = ()
    house: HouseRules = HouseRules()
    low_risk: LowRisk = LowRisk()
    escalations: Escalations = Escalations()
    approvals: Approvals = Approvals()
    steps: Steps = Steps()
    plan: PlanRules = PlanRules()
    offers: Offers = Offers()
    freshness: Freshness = Freshness()
    models: ModelBudgets = ModelBudgets()
    voids_debt: Annotated[dict[CancellationKind, bool], AfterValidator(_with_every_kind)] = VOIDS_DEBT
    holdout_share: Share = 0.0
    agencies: tuple[str, ...] = ()


def parse_policy(text: str) -> Policy:
    """A policy from TOML; raises Misconfigured and names each key that is wrong."""
    try:
        return Policy.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as exc:
        raise Misconfigured(f"policy is not valid TOML: {exc}") from exc
    except ValidationError as exc:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors())
        raise Misconfigured(f"policy is not valid: {problems}") from exc


def default_policy_text() -> str:
    """The policy that a new installation starts with, as TOML with comments."""
    return files("recoup").joinpath("rules/policy.toml").read_text(encoding="utf-8")
