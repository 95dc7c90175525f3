"""What a decline means and whether it may be tried again; the expected answers are read from the sources, not from our rules."""

from datetime import UTC, datetime

from evals.brief import codes_of
from evals.sample import Sample
from evals.scorers.treatment import (
    category_is_right,
    customer_is_told_nothing_of_it,
    permits_no_more_than_the_source,
    retry_is_right,
    tells_fraud_to_a_person,
    waits_long_enough,
)
from evals.solver import Answer, Solver
from evals.subject import Subject
from evals.suite import Suite
from recoup.decline import decline_of, treat
from recoup.errors import Malformed
from recoup.invoice import Rail


def _treating(subject: Subject) -> Solver:  # noqa: ARG001 - no model is ever asked what a decline means
    async def solve(sample: Sample, /) -> Answer:
        asked = sample.input
        codes = codes_of(asked["code"], asked.get("network"), asked.get("advice"))
        if codes is None:
            raise Malformed(f"sample {sample.id} has no code")
        rail = Rail(asked["rail"]) if "rail" in asked else None
        day = datetime.fromisoformat(asked.get("day", "2026-11-20")).replace(tzinfo=UTC)
        told = treat(decline_of(codes, asked.get("brand"), asked.get("country"), rail), day)
        return Answer(
            value={
                "category": told.category.value,
                "retry": told.retry.value,
                "wait_hours": told.wait.wait_hours if told.wait else None,
                "is_fraud": told.is_fraud,
                "wording": told.wording,
                "known": told.known,
                "rules": [rule.id for rule in told.rules],
            }
        )

    return solve


SUITE = Suite(
    name="treatment",
    about="Decline codes of processors and networks: what do they mean, and may the same method be tried again?",
    solver=_treating,
    safety=(permits_no_more_than_the_source, waits_long_enough, tells_fraud_to_a_person, customer_is_told_nothing_of_it),
    quality=(category_is_right, retry_is_right),
)
