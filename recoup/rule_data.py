"""The rules of retrying as data: what every file in ``recoup/rules`` but the policy must look like, read and validated once.

Four kinds of entry, all dated and cited. ``codes``: what a speaker (a processor, a network, a scheme) calls a reason. ``treatment``: what
a group of reasons asks for. ``permission``: what a speaker itself allows after one of its codes. ``cap``: how many attempts in how long.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, model_validator

from recoup.category import Category, Retry
from recoup.errors import Defect
from recoup.invoice import Rail
from recoup.record import Record

FILES = (
    "sources",
    "speakers",
    "treatments",
    "permissions",
    "caps",
    "stripe",
    "recurly",
    "braintree",
    "iso8583",
    "ach",
    "sepa",
)
ANY_CODE = "*"
RANGE = re.compile(r"(\d+)-(\d+)")
Lifting = Literal["new_credential", "update", "success"]
K = TypeVar("K")
V = TypeVar("V")
Hours = Annotated[float, Field(gt=0)]


class Source(Record):
    """Who says so. ``grade``: A the network's, scheme's, processor's or acquirer's own page, B secondary, K common knowledge, R our own."""

    title: str
    grade: Literal["A", "B", "K", "R"]
    reviewed: date
    review_by: date
    url: str | None = None


class Dated(Record):
    """What every entry says of itself. It holds from ``effective_from`` until ``effective_to`` (excluded), both UTC days."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    source: str
    effective_from: date
    effective_to: date | None = None

    def holds_on(self, day: date) -> bool:
        """Whether the entry is in force on that UTC day."""
        return self.effective_from <= day and (self.effective_to is None or day < self.effective_to)


def _with_ranges_written_out(reasons: dict[str, str]) -> dict[str, str]:
    """Every code by itself. Raises ValueError where a range ends before it begins or a code is named twice."""
    found: dict[str, str] = {}
    for key, reason in reasons.items():
        is_range = RANGE.fullmatch(key)
        codes = [str(number) for number in range(int(is_range[1]), int(is_range[2]) + 1)] if is_range else [key]
        if not codes:
            raise ValueError(f"the range {key} ends before it begins")
        twice = sorted(found.keys() & codes)
        if twice:
            raise ValueError(f"{key} names the code {twice[0]} a second time")
        found.update(dict.fromkeys(codes, reason))
    return found


class Codes(Dated):
    """What ``speaker`` calls each reason; ``reasons`` maps its code to ours. ``2109-2999`` stands for every number of that range."""

    speaker: str
    reasons: Annotated[dict[str, str], AfterValidator(_with_ranges_written_out)]


class TreatmentRule(Dated):
    """What a group of reasons asks for where the speaker itself rules nothing. ``wording``: what the customer may be told; None: nothing.

    ``reasons`` maps each reason to its meaning in words. ``is_fraud``: a person looks before anything else happens. ``yields_to_advice``:
    its wait gives way to one that the network's advice states.
    """

    category: Category
    reasons: dict[str, str]
    retry: Retry
    meaning: str
    wait_hours: Hours | None = None
    lifted_by: Lifting | None = None
    wording: str | None = None
    is_fraud: bool = False
    yields_to_advice: bool = False


class PermissionRule(Dated):
    """What a speaker allows after its own ``codes`` or ``advice`` (``*``: any that no other entry names), or a rail after ``categories``.

    ``reason`` is what an advice means, where it means anything but when. ``wording``: instead of the usual one.
    """

    meaning: str
    retry: Retry
    speaker: str | None = None
    codes: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    rail: Rail | None = None
    categories: tuple[Category, ...] = ()
    reason: str | None = None
    wait_hours: Hours | None = None
    lifted_by: Lifting | None = None
    wording: str | None = None

    @model_validator(mode="after")
    def _speaks_of_something(self) -> "PermissionRule":
        by_speaker = self.speaker is not None and bool(self.codes) != bool(self.advice)
        by_rail = self.rail is not None and bool(self.categories) and not self.codes and not self.advice
        if by_speaker == by_rail:
            raise ValueError(f"{self.id}: give speaker with codes or advice, or rail with categories")
        return self


class Scope(Record):
    """Which credentials a cap is on. ``networks`` of cards, or None: the whole rail; ``countries`` of issue, or None: all."""

    rail: Rail
    networks: tuple[str, ...] | None = None
    countries: tuple[str, ...] | None = None


class Cap(Dated):
    """At most ``limit`` of what it ``counts``, of one ``key``, in a ``window`` of ``hours``.

    ``window``: ``rolling`` the last hours; ``calendar_day`` since midnight UTC; ``consecutive`` the run within the last hours that nothing
    of ``resets_on`` broke. ``counts``: ``reattempts`` leave the first attempt out. What succeeded is never counted; what is in
    flight, unknown or reserved always is. ``initiated_by`` merchant leaves out what the customer surely started (``customer_surely``: how
    sure that must be). ``after_categories``, ``after_advice``: the count begins with the first attempt that was answered so.
    """

    meaning: str
    scope: Scope
    limit: Annotated[int, Field(gt=0)]
    key: Literal["credential", "credential_amount"]
    window: Literal["rolling", "calendar_day", "consecutive"]
    hours: Annotated[int, Field(gt=0)]
    counts: Literal["attempts", "reattempts"]
    initiated_by: Literal["anyone", "merchant"] = "anyone"
    customer_surely: Annotated[float, Field(gt=0, le=1)] = 0.8
    resets_on: tuple[Literal["success", "update"], ...] = ()
    after_categories: frozenset[Category] = frozenset()
    after_advice: frozenset[str] = frozenset()

    @model_validator(mode="after")
    def _runs_are_broken_by_something(self) -> "Cap":
        if (self.window == "consecutive") != bool(self.resets_on):
            raise ValueError(f"{self.id}: a consecutive window needs resets_on, and only it has one")
        return self

    @property
    def is_conditional(self) -> bool:
        """Whether the count begins with a certain answer."""
        return bool(self.after_categories or self.after_advice)


class IssuerCountry(Dated):
    """Cards issued there take no automatic retry."""

    countries: tuple[str, ...]
    meaning: str


class Speakers(Record):
    """Whose words a processor passes on. ``codes``: processor → speakers of its codes. ``advice``: processors with numbers of their own.

    ``networks``: each card network with the names that processors give it.
    """

    codes: dict[str, tuple[str, ...]]
    advice: dict[str, str]
    networks: dict[str, tuple[str, ...]]

    def network(self, brand: str | None) -> str | None:
        """The network of a card by any of its names; None where nobody tells, or tells one that we do not know."""
        plain = "".join(letter for letter in (brand or "").lower() if letter.isalnum())
        return next((network for network, names in self.networks.items() if plain in names), None)


class Rules(Record):
    """All of them."""

    platform_retry_guard_minutes: Annotated[int, Field(ge=0)]
    confirmation_guard_minutes: Annotated[int, Field(ge=0)]
    sources: dict[str, Source]
    speakers: Speakers
    codes: tuple[Codes, ...]
    treatment: tuple[TreatmentRule, ...]
    permission: tuple[PermissionRule, ...]
    cap: tuple[Cap, ...]
    issuer_country: tuple[IssuerCountry, ...]

    @model_validator(mode="after")
    def _refers_to_what_exists(self) -> "Rules":
        ids = [entry.id for entry in self.entries]
        known = {reason for treatment in self.treatment for reason in treatment.reasons}
        named = {reason for codes in self.codes for reason in codes.reasons.values()} | {p.reason for p in self.permission if p.reason}
        problems = [f"id {i} is given twice" for i in sorted({i for i in ids if ids.count(i) > 1})]
        problems += [f"{entry.id}: there is no source {entry.source}" for entry in self.entries if entry.source not in self.sources]
        problems += [f"no treatment has the reason {reason}" for reason in sorted(named - known)]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def entries(self) -> tuple[Dated, ...]:
        """Every entry."""
        return (*self.codes, *self.treatment, *self.permission, *self.cap, *self.issuer_country)

    @cached_property
    def tables(self) -> dict[tuple[str, str], tuple[Codes, ...]]:
        """(speaker, code) → the tables that have it."""
        return _grouped(((table.speaker, code), table) for table in self.codes for code in table.reasons)

    @cached_property
    def by_code(self) -> dict[tuple[str, str], tuple[PermissionRule, ...]]:
        """(speaker, code) → what the speaker itself allows after it."""
        return _grouped(((rule.speaker or "", code), rule) for rule in self.permission for code in rule.codes)

    @cached_property
    def by_advice(self) -> dict[tuple[str, str], tuple[PermissionRule, ...]]:
        """(speaker, advice) → what the speaker itself allows after it."""
        return _grouped(((rule.speaker or "", advice), rule) for rule in self.permission for advice in rule.advice)

    @cached_property
    def advisers(self) -> frozenset[str]:
        """Whose advice we have."""
        return frozenset(speaker for speaker, _ in self.by_advice)

    @cached_property
    def groups(self) -> dict[str, tuple[TreatmentRule, ...]]:
        """Reason → the treatments of its group, of all times."""
        return _grouped((reason, rule) for rule in self.treatment for reason in rule.reasons)

    @cached_property
    def spellings(self) -> dict[tuple[str, str], str]:
        """(speaker, code or advice as ``folded`` has it) → as the speaker's own entries write it."""
        return {(speaker, folded(word)): word for speaker, word in (*self.tables, *self.by_code, *self.by_advice)}

    def spelled(self, speaker: str, word: str) -> str:
        """The code or advice as the speaker's entries write it; as it is where none has it."""
        return self.spellings.get((speaker, folded(word)), word)

    def title(self, source: str) -> str:
        """The source as people read it, with its address where it has one."""
        told = self.sources[source]
        return f"{told.title} ({told.url})" if told.url else told.title


def folded(word: str) -> str:
    """What is the same in every way to write a code: no speaker tells two codes apart by capitals, or by blanks around them."""
    return word.strip().casefold()


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, tuple[V, ...]]:
    found: dict[K, list[V]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in found.items()}


@lru_cache(maxsize=1)
def load_rules() -> Rules:
    """The rules that come with Recoup, read once. Raises Defect with what is wrong where a file was damaged."""
    folder = files("recoup").joinpath("rules")
    return parse_rules({f"{name}.toml": folder.joinpath(f"{name}.toml").read_text(encoding="utf-8") for name in FILES})


def parse_rules(texts: Mapping[str, str]) -> Rules:
    """The rules of several files' texts by file name, taken together. Raises Defect that names the file or the entry that is wrong."""
    merged: dict[str, object] = {}
    for name, text in texts.items():
        try:
            entries = tomllib.loads(text)
        except tomllib.TOMLDecodeError as exc:
            raise Defect(f"recoup/rules/{name} is no TOML: {exc}") from exc
        for key, value in entries.items():
            before = merged.get(key, [])
            merged[key] = [*before, *value] if isinstance(value, list) and isinstance(before, list) else value
    try:
        return Rules.model_validate(merged)
    except ValueError as exc:
        raise Defect(f"the rules in recoup/rules do not hold together: {exc}") from exc
