"""What networks, schemes and processors permit on one credential, counting everybody's attempts: one pure function over dated data.

A platform that retries by itself and cannot be told to stop makes attempts that nobody has told us of yet: room for them is kept under
every cap, so that ours are never the ones that leave it none."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from recoup.category import Retry
from recoup.decline import Treatment, caps_on, treat, treat_category
from recoup.facts import CaseFacts, CredentialFacts, InvoiceFacts
from recoup.invoice import Rail
from recoup.ledger import Answer, Ledger, used_up
from recoup.proposal import RuleHit
from recoup.record import Record
from recoup.rule_book import speaks
from recoup.rule_data import Cap, IssuerCountry, load_rules
from recoup.words import Statement

# The rule that speaks where a cap has room for us, but not beside what the platform may still do.
ATTEMPTS_KEPT = "platform-attempts-kept"


class Allowed(Record):
    """Nothing forbids a merchant-initiated attempt at that moment."""


class NotBefore(Record):
    """Time alone cures it: ``at`` is the first instant at which every one of ``rules`` is silent."""

    at: datetime
    rules: tuple[RuleHit, ...]


class Denied(Record):
    """Time does not cure it. All rules that spoke, those that time cures among them."""

    rules: tuple[RuleHit, ...]


class Kept(Record):
    """Room that is left to the platform under every cap: so many attempts, and the platform's name as people know it."""

    attempts: int = 0
    platform: str = ""

    @property
    def says(self) -> str:
        """In words."""
        return f"{self.attempts} attempt{'s are' if self.attempts != 1 else ' is'} kept for {self.platform}'s own retries"


NOTHING_KEPT = Kept()


def permission(credential: CredentialFacts, facts: CaseFacts, at: datetime) -> Allowed | NotBefore | Denied:
    """Whether what remains of the case's invoice may be charged on that one of the account's credentials at ``at``. The plan, the gate and
    the executor all ask here, so that all leave the same room to the platform."""
    return permit(Ledger(facts.ledger_of(credential.id)), credential, facts.invoice, at, kept_of(facts))


def kept_of(facts: CaseFacts) -> Kept:
    """The room that the case's platform needs for itself."""
    attempts = facts.kept_for_platform
    return Kept(attempts=attempts, platform=facts.connection.platform.title()) if attempts else NOTHING_KEPT


def permit(
    ledger: Ledger, credential: CredentialFacts, invoice: InvoiceFacts, at: datetime, kept: Kept = NOTHING_KEPT
) -> Allowed | NotBefore | Denied:
    """Whether what remains of the invoice may be charged on the credential, merchant-initiated, at ``at``.

    ``ledger``: everybody's attempts on this credential and our reservations. ``kept``: what the platform may add by itself at any time.
    Absolute: nothing but time lifts what is returned here. The rules are those in force on the UTC day of ``at``.
    """
    day = at.astimezone(UTC).date()
    amount = (invoice.remaining_minor, invoice.currency)
    network = load_rules().speakers.network(credential.brand)
    told = [(answer, _treated(answer, at)) for answer in ledger.answers(credential)]
    hits = [
        hit
        for answer, treatment in told
        for statement in treatment.statements
        if (hit := _after(answer, statement, ledger, credential, invoice, at))
    ]
    hits += [_issued_in(rule) for rule in _countries(credential.rail, credential.country, day)]
    hits += [
        hit
        for cap in _caps(credential.rail, network, credential.country, day)
        for hit in _capped(cap, told, ledger, credential, amount, at, kept)
    ]
    if not hits:
        return ALLOWED
    # One word a rule: of several declines that it speaks on, the one that it speaks on longest. What time does not cure comes first.
    rules = tuple({hit.rule: hit for hit in sorted(hits, key=_lasting)}.values())[::-1]
    times = [hit.not_before for hit in rules if hit.not_before]
    return NotBefore(at=max(times), rules=rules) if len(times) == len(rules) else Denied(rules=rules)


ALLOWED = Allowed()


def _lasting(hit: RuleHit) -> tuple[bool, float, str]:
    return hit.not_before is None, hit.not_before.timestamp() if hit.not_before else 0.0, hit.detail


@lru_cache(maxsize=1024)
def _caps(rail: Rail, network: str | None, country: str | None, day: date) -> tuple[Cap, ...]:
    return tuple(caps_on(rail, network, country, load_rules(), day))


@lru_cache(maxsize=1024)
def _countries(rail: Rail, country: str | None, day: date) -> tuple[IssuerCountry, ...]:
    rules = load_rules().issuer_country
    return tuple(rule for rule in rules if rule.holds_on(day) and rail is Rail.CARD and country in rule.countries)


def _issued_in(rule: IssuerCountry) -> RuleHit:
    return RuleHit(rule=rule.id, detail=rule.meaning, source=load_rules().title(rule.source))


def _treated(answer: Answer, at: datetime) -> Treatment:
    return treat(answer.decline, at) if answer.has_codes else treat_category(answer.category, answer.decline, at)


def _after(
    answer: Answer, statement: Statement, ledger: Ledger, credential: CredentialFacts, invoice: InvoiceFacts, at: datetime
) -> RuleHit | None:
    """What one rule still forbids after an earlier answer on the credential; a kind of answer is as good as its newest."""
    if statement.retry is Retry.ALLOWED:
        return _waits(answer, statement, ledger, credential, at)
    if not answer.is_told:
        # It makes wait, as a decline without a reason would; it has not said anything that forbids more.
        return None
    if statement.retry is Retry.RECONCILE:
        return _hit(statement, answer) if answer.own_case and invoice.read_at < answer.at else None
    return None if _lifted(statement, answer.at, ledger, credential) else _hit(statement, answer)


def _waits(answer: Answer, statement: Statement, ledger: Ledger, credential: CredentialFacts, at: datetime) -> RuleHit | None:
    if statement.wait_hours is None or (at - answer.at).total_seconds() >= statement.wait_hours * 3600:
        return None
    ready = answer.at + timedelta(hours=statement.wait_hours)
    if _charged_since(answer.at, ledger) or _is_another_number(answer.at, credential):
        return None
    return _hit(statement, answer, ready)


def _lifted(statement: Statement, declined_at: datetime, ledger: Ledger, credential: CredentialFacts) -> bool:
    match statement.lifted_by:
        case "new_credential":
            return _is_another_number(declined_at, credential)
        case "update":
            return credential.changed_at > declined_at or _charged_since(declined_at, ledger)
        case "success":
            return _charged_since(declined_at, ledger) or _is_another_number(declined_at, credential)
        case None:
            return False


def _is_another_number(declined_at: datetime, credential: CredentialFacts) -> bool:
    """A platform's id is not a number: only with a fingerprint do we know that changed data are still the same number."""
    return credential.changed_at > declined_at and not credential.has_fingerprint


def _charged_since(declined_at: datetime, ledger: Ledger) -> bool:
    charged = ledger.succeeded_at()
    return charged is not None and charged > declined_at


def _hit(statement: Statement, answer: Answer, not_before: datetime | None = None) -> RuleHit:
    said = "declined" if answer.is_told else "not answered yet, made"
    detail = f"{statement.meaning} ({said} {answer.at:%Y-%m-%d %H:%M} UTC)"
    return RuleHit(rule=statement.rule, detail=detail, source=statement.source, not_before=not_before)


Told = Sequence[tuple[Answer, Treatment]]


def _capped(
    cap: Cap, told: Told, ledger: Ledger, credential: CredentialFacts, amount: tuple[int, str], at: datetime, kept: Kept
) -> Iterator[RuleHit]:
    times = ledger.counted(cap, amount)
    if len(times) + kept.attempts < cap.limit:
        return
    if cap.window == "consecutive":
        times = _run(cap, times, told, _broken_at(cap, ledger, credential, amount))
    if cap.is_conditional and not times:
        return
    # What comes first of all is no reattempt: where nothing was tried yet it would be ours.
    first = 1 if cap.counts == "reattempts" else 0
    others = kept.attempts - first if first and not times else kept.attempts
    times = times[first:]
    full = _full(cap, times, cap.limit, at)
    if full is not None:
        detail = f"{full[0]} {cap.counts} {_span(cap)}; {cap.limit} are allowed"
        yield RuleHit(rule=cap.id, detail=detail, source=load_rules().title(cap.source), not_before=full[1])
    tight = _full(cap, times, max(0, cap.limit - others), at) if others > 0 else None
    if tight is not None:
        detail = f"{kept.says}, and {tight[0]} of {cap.limit} {cap.counts} {_span(cap)} are used (the cap is {cap.id})"
        yield speaks(ATTEMPTS_KEPT, detail, tight[1])


def _full(cap: Cap, times: list[datetime], limit: int, at: datetime) -> tuple[int, datetime | None] | None:
    """Whether there are ``limit`` attempts in the cap's window: (how many, when one leaves it), or None where there is room."""
    if cap.window != "calendar_day":
        return used_up(times, limit, timedelta(hours=cap.hours), at)
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    today = len(times) - bisect_left(times, midnight)
    return (today, midnight + timedelta(days=1) if limit else None) if today >= limit else None


def _run(cap: Cap, times: list[datetime], told: Told, broken_at: datetime | None) -> list[datetime]:
    """What the cap counts since its run was last broken, from the answer with which it begins to count.

    What happened in the very instant of the break counts: which of the two came first, nobody can tell."""
    if not cap.is_conditional:
        return times[bisect_left(times, broken_at) :] if broken_at else times
    firsts = [_first_from(answer.times, broken_at) for answer, treatment in told if _begins(cap, answer, treatment)]
    begun_at = min((first for first in firsts if first), default=None)
    return times[bisect_left(times, begun_at) :] if begun_at else []


def _begins(cap: Cap, answer: Answer, treatment: Treatment) -> bool:
    by_category = answer.is_told and not cap.after_categories.isdisjoint(treatment.categories)
    return by_category or not cap.after_advice.isdisjoint(answer.decline.advice)


def _first_from(times: Sequence[datetime], at: datetime | None) -> datetime | None:
    index = bisect_left(times, at) if at else 0
    return times[index] if index < len(times) else None


def _broken_at(cap: Cap, ledger: Ledger, credential: CredentialFacts, amount: tuple[int, str]) -> datetime | None:
    """When the run that the cap counts was last broken."""
    events = [ledger.succeeded_at(amount if cap.key == "credential_amount" else None)] if "success" in cap.resets_on else []
    events += [credential.changed_at] if "update" in cap.resets_on else []
    return max((event for event in events if event), default=None)


def _span(cap: Cap) -> str:
    if cap.window == "calendar_day":
        return "today (UTC)"
    return f"in the last {cap.hours // 24} days" if cap.hours > 24 and cap.hours % 24 == 0 else f"in the last {cap.hours} hours"
