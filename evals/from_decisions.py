"""People's answers become a dataset: what they approved, edited and rejected, without anything that tells who it was about."""

import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from datetime import datetime
from typing import Any

from evals.dataset import Dataset, Header
from evals.labels import Anonymous, Label, label
from evals.sample import Sample, Split
from memory.database import Database
from memory.labelled_decisions import AnsweredDecision, answered_decisions
from memory.policies import StoredPolicies
from recoup.digest import digest
from recoup.policy import Policy

DATASET = "decisions"
# Of ten customers, three are for looking at while prompts are written.
DEV_OF_TEN = 3
PROVENANCE = (
    "Made of people's answers to approvals. Ids are made up anew in each sample, words that anybody wrote are left out, and customers"
    " are told apart by a number that another export would not repeat. Days and amounts are as they were."
)


async def dataset_from_decisions(db: Database, now: datetime, since: datetime | None = None) -> Dataset:
    """One sample a decision that was answered since then."""
    # Never kept: without it nobody can find out again which customer a number stands for.
    salt = secrets.token_hex(16)
    policies = StoredPolicies(db)
    async with db.read() as session:
        samples = [sample async for sample in _samples(answered_decisions(session, since), policies, salt)]
    header = Header(dataset=DATASET, version=1, written=f"{now:%Y-%m-%d}", provenance=PROVENANCE)
    return Dataset(header=header, samples=tuple(samples))


def sample_of(row: AnsweredDecision, policy: Policy, number: int, salt: str) -> Sample:
    """The facts that the decision rested on, and one label an action that was asked about."""
    hidden = Anonymous()
    facts = hidden.facts(row.facts)
    customer = digest([salt, row.facts["account"]["id"]])[:12]
    labels = _labels(row, hidden)
    said = ", ".join(f"{one.proposed['name']} {one.said}" for one in labels)
    return Sample(
        id=f"dc-{number:05}",
        split=Split.DEV if int(customer, 16) % 10 < DEV_OF_TEN else Split.TEST,
        customer=customer,
        about=said,
        input={"facts": facts, "policy": hidden.policy(policy.model_dump(mode="json"))},
        expected={"labels": [one.model_dump(mode="json") for one in labels]},
        source="a person's answer",
    )


async def _samples(rows: AsyncIterable[AnsweredDecision], policies: StoredPolicies, salt: str) -> AsyncGenerator[Sample]:
    number = 0
    async for row in rows:
        number += 1
        yield sample_of(row, await policies.version(row.policy_version), number, salt)


def _labels(row: AnsweredDecision, hidden: Anonymous) -> list[Label]:
    proposed = {p["id"]: p["action"] for proposal in row.proposals for p in proposal["actions"]}
    labels: list[Label] = []
    for action_id, shown, answer in zip(row.action_ids, row.request["action_requests"], row.answer, strict=True):
        before = proposed.get(action_id, shown)
        final = _final(shown, answer)
        labels.append(label(hidden.action(before["name"], before["args"]), hidden.action(final["name"], final["args"]) if final else None))
    return labels


def _final(shown: Mapping[str, Any], answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if answer["type"] == "reject":
        return None
    return answer["edited_action"] if answer["type"] == "edit" else shown
