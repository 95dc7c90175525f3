"""What people answered becomes samples: their answer is the label, and nothing in them tells who it was about."""

import json
from pathlib import Path
from typing import Any

import pytest

from evals.dataset import Dataset, dataset_text, read_dataset
from evals.from_decisions import dataset_from_decisions
from evals.metric import metrics_of
from evals.run import run_suite
from evals.subject import Subject
from evals.suites.decisions import SUITE
from graph.bootstrap import Services
from memory.database import Database
from recoup.approval import Reject
from tests.deciding import YES, asked, edit, failure_of, give
from tests.factories import NOW, account_snapshot
from tests.fakes import make_services

SECRETS = ("Ada Secret", "ada@customer.example", "Evidently Ada", "Private Tier")


def known_as(customer: int) -> Any:
    reading = failure_of(customer)
    account = account_snapshot(vendor_id=f"cus_{customer:03}", full_name="Ada Secret", segment="Private Tier")
    return reading.model_copy(update={"account": account})


@pytest.fixture
async def services(db: Database) -> Services:
    return make_services(db)


async def answered(services: Services) -> Dataset:
    await give(services, await asked(services, known_as(1)), YES)
    later = await asked(services, known_as(2))
    await give(services, later, edit(later, step=2, locale="de"))
    await give(services, await asked(services, known_as(3)), Reject(message="Evidently Ada has moved, ask her brother"))
    await asked(services, known_as(4))
    return await dataset_from_decisions(services.db, NOW)


async def test_approvals_edits_and_rejections_become_labels(services: Services) -> None:
    labels = [sample.expected["labels"][0] for sample in (await answered(services)).samples]
    assert [label["said"] for label in labels] == ["approved", "edited", "rejected"]
    assert labels[0]["final"] == labels[0]["proposed"]
    assert (labels[1]["proposed"]["args"]["step"], labels[1]["final"]["args"]["step"]) == (0, 2)
    assert labels[2]["final"] is None


async def test_nothing_in_them_tells_who_it_was(services: Services, db: Database) -> None:
    text = dataset_text(await answered(services))
    async with db.read() as session:
        rows = await session.dicts(
            "SELECT id AS v FROM accounts UNION SELECT id FROM cases UNION SELECT id FROM invoices UNION SELECT vendor_id FROM invoices"
            " UNION SELECT vendor_id FROM accounts UNION SELECT id FROM credentials UNION SELECT vendor_id FROM credentials"
            " UNION SELECT id FROM attempts UNION SELECT id FROM decisions"
        )
    assert len(rows) > 20
    assert [row["v"] for row in rows if json.dumps(row["v"]) in text] == []
    assert [secret for secret in SECRETS if secret in text] == []


async def test_two_exports_cannot_be_joined_by_their_customers(services: Services) -> None:
    first, second = await answered(services), await dataset_from_decisions(services.db, NOW)
    assert {sample.customer for sample in first.samples}.isdisjoint(sample.customer for sample in second.samples)


async def test_they_are_run_like_every_suite(services: Services, tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    file.write_text(dataset_text(await answered(services)), encoding="utf-8")
    metrics = metrics_of(await run_suite(SUITE, read_dataset(file), Subject()))
    assert metrics["keeps_what_people_approved"].value == 1.0
    assert metrics["learns_from_edits"].value == 0.0
    assert metrics["avoids_what_people_rejected"].value == 0.0
    assert all(metric.holds for metric in metrics.values() if metric.is_safety)
    assert all(metric.broken == 0 for metric in metrics.values())
