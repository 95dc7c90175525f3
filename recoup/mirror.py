"""What is written back to the platform about a case. Pure.

By its types nothing gets in but ids of ours, amounts, dates and words of closed lists: no name, no address, no sentence of a person, an
agent or a platform.
"""

from datetime import datetime
from decimal import Decimal

from recoup.actions import ActionName, RiskClass
from recoup.case import Attribution, CaseStatus, Hold
from recoup.category import Category
from recoup.digest import digest
from recoup.errors import Malformed
from recoup.money import checked_currency, exponent
from recoup.record import Record
from recoup.rule_book import rule_book

# What a case is about to do, most telling first, and what became of it, in words for people who look at the platform.
RANK = (RiskClass.ACCOUNT, RiskClass.CHARGE, RiskClass.CONTACT)
ASKED = frozenset({"waiting"})
PLANNED = frozenset({"ready", "started"})
DENIED = frozenset({"denied"})
OUTCOMES = {"done": "done", "failed": "refused", "unknown": "outcome unknown", "dead": "given up"}


class MirroredAction(Record):
    """One action of a case. ``state`` as in its row. ``not_before``: it waits until then. ``rule``: the one that denied it."""

    name: ActionName
    risk: RiskClass
    state: str
    amount_minor: int | None = None
    currency: str | None = None
    not_before: datetime | None = None
    rule: str | None = None
    ended_at: datetime | None = None


class MirroredCase(Record):
    """What the rows say of a case. ``actions``: those of its newest decision, whose reason is ``category``, what the newest failure asks
    for. ``last``: the newest charge or account action that has ended. ``wakes_at``: when the case is looked at again by itself."""

    id: str
    decision_id: str
    status: CaseStatus
    holds: tuple[Hold, ...]
    attribution: Attribution | None
    closed_at: datetime | None
    category: Category
    actions: tuple[MirroredAction, ...]
    last: MirroredAction | None
    wakes_at: datetime | None


class Addressee(Record):
    """Where at the platform it is written, by the platform's ids. ``tags``: those of the account that may leave."""

    invoice_vendor_id: str
    account_vendor_id: str
    tags: tuple[str, ...] = ()


class MirrorNote(Record):
    """The newest word on one case: how it stands, what comes ``next`` and what was done ``last``; either may be empty.

    ``key``: a repetition of this very note has the same one."""

    key: str
    to: Addressee
    case_id: str
    decision_id: str
    status: str
    next: str
    last: str

    @property
    def says(self) -> str:
        """All of it in about 200 characters, but for the decision that it comes from: another one may say the same."""
        parts = ((self.status, ""), (self.next, " Next: "), (self.last, " Last: "))
        return f"Recoup {self.case_id}: " + "".join(f"{word}{text}." for text, word in parts if text)

    def digest(self) -> str:
        """The same for two notes that say the same."""
        return digest([self.says, *sorted(self.to.tags)])


def note_of(case: MirroredCase, to: Addressee, version: int) -> MirrorNote:
    """What there is to say. ``version`` grows with everything that is told of the case."""
    last = _last(case.last) if case.last else ""
    note = MirrorNote(key="", to=to, case_id=case.id, decision_id=case.decision_id, status=_status(case), next=_next(case), last=last)
    return note.model_copy(update={"key": f"{case.id}:{version}:{note.digest()[:8]}"})


def _status(case: MirroredCase) -> str:
    if case.status is CaseStatus.OPEN:
        held = ", ".join(sorted(case.holds))
        return f"open, held: {held}" if held else "open"
    by = f" by {case.attribution}" if case.attribution else ""
    return f"{case.status}{by}" + (f" on {case.closed_at:%Y-%m-%d}" if case.closed_at else "")


def _next(case: MirroredCase) -> str:
    outward = sorted((a for a in case.actions if a.risk in RANK), key=lambda action: RANK.index(action.risk))
    asked = [action for action in outward if action.state in ASKED]
    planned = [action for action in outward if action.state in PLANNED]
    if case.status is not CaseStatus.OPEN:
        return f"asks a person: {_all_of(asked)}" if asked else _all_of(planned) if planned else ""
    if asked:
        what = f"asks a person: {_all_of(asked)}"
    elif planned:
        what = _all_of(planned)
    elif case.holds:
        what = "waits for a person to release it"
    else:
        denied = next((action for action in outward if action.state in DENIED and action.rule in rule_book()), None)
        looks = f"looks again {_moment(case.wakes_at)}" if case.wakes_at else "waits for news"
        what = f"{denied.name} denied by {denied.rule}; {looks}" if denied else looks
    return f"{what} ({case.category})"


def _all_of(actions: list[MirroredAction]) -> str:
    """The most telling one, and how many more."""
    first = actions[0]
    told = _named(first) + (f" from {_moment(first.not_before)}" if first.not_before else "")
    return f"{told} and {len(actions) - 1} more" if len(actions) > 1 else told


def _last(action: MirroredAction) -> str:
    at = f" {_moment(action.ended_at)}" if action.ended_at else ""
    return f"{_named(action)} {OUTCOMES[action.state]}{at}" if action.state in OUTCOMES else ""


def _named(action: MirroredAction) -> str:
    if action.amount_minor is None or action.currency is None:
        return str(action.name)
    try:
        currency = checked_currency(action.currency)
    except Malformed:
        return str(action.name)
    digits = exponent(currency)
    return f"{action.name} {Decimal(action.amount_minor).scaleb(-digits):.{digits}f} {currency}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}Z"
