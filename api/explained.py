"""What one decline means and what is allowed after it, as ``recoup explain-decline`` and the HTTP API both tell it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from recoup.category import Category, Retry
from recoup.clock import wall_now
from recoup.decline import Citation, Most, Treatment
from recoup.errors import Malformed
from recoup.record import Record
from recoup.rule_data import load_rules
from recoup.words import Decline

# No table has a longer code. What is longer is as unknown without its end, and nobody fills the memory with it.
LONGEST_CODE = 100
MOST_ADVICE = 10
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
COUNTRY = re.compile(r"[A-Za-z]{2}")


class ExplainedDecline(Record):
    """One decline, explained. ``not_before_hours`` counts from the decline; None where there is no wait, or no retry.

    ``max_attempts``: the cap that binds first, everybody's attempts counted; None without a retry. ``customer_wording`` None: nothing.
    """

    known: bool
    reason: str
    category: Category
    retry: Retry
    not_before_hours: int | float | None
    max_attempts: Most | None
    customer_wording: str | None
    rules: tuple[Citation, ...]

    @classmethod
    def of(cls, treatment: Treatment) -> "ExplainedDecline":
        """The treatment in the words of the interface."""
        return cls(
            known=treatment.known,
            reason=treatment.reason,
            category=treatment.category,
            retry=treatment.retry,
            not_before_hours=whole(treatment.wait.wait_hours) if treatment.wait else None,
            max_attempts=treatment.most,
            customer_wording=treatment.wording,
            rules=treatment.rules,
        )


@dataclass(frozen=True)
class Question:
    """A decline to explain by the rules of ``day`` (UTC)."""

    decline: Decline
    day: date

    @property
    def at(self) -> datetime:
        """A moment of the day."""
        return datetime.combine(self.day, time(), UTC)


def question(
    processor: str,
    code: str,
    *,
    network: str | None = None,
    network_code: str | None = None,
    advice: Sequence[str] = (),
    country: str | None = None,
    at: str | None = None,
) -> Question:
    """What was asked, in the rules' own names. ``at`` None: today by the machine's clock. Raises Malformed, which says what to give."""
    speakers = load_rules().speakers
    if processor.lower() not in speakers.codes:
        raise Malformed(f"this processor is not known; give one of {', '.join(speakers.codes)}")
    if network is not None and speakers.network(network) is None:
        raise Malformed(f"this network is not known; give one of {', '.join(speakers.networks)}")
    if country is not None and not COUNTRY.fullmatch(country):
        raise Malformed("the country is not one; give the two letters of ISO 3166, such as IN")
    if len(advice) > MOST_ADVICE:
        raise Malformed(f"that is too much advice for one decline; give at most {MOST_ADVICE}")
    decline = Decline(
        processor=processor.lower(),
        code=code[:LONGEST_CODE],
        network=speakers.network(network),
        network_code=network_code[:LONGEST_CODE] if network_code else None,
        advice=tuple(one[:LONGEST_CODE] for one in advice if one),
        country=country.upper() if country else None,
    )
    return Question(decline, wall_now().date() if at is None else day_of(at))


def day_of(text: str) -> date:
    """A UTC day such as 2026-11-20; raises Malformed."""
    try:
        if DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError as exc:
        raise Malformed(NO_DAY) from exc
    raise Malformed(NO_DAY)


NO_DAY = "the day is not one; give a UTC day such as 2026-11-20"


def whole(hours: float | None) -> int | float | None:
    """Hours as an integer where they are whole."""
    return int(hours) if hours is not None and hours == int(hours) else hours
