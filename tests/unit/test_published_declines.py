"""The codes that vendors publish are all known, and none that they call hard is simply retried. Their lists are not ours to ship:
RECOUP_VENDOR_DATA names their folder, and without it these tests are skipped."""

import csv
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recoup.category import Retry
from recoup.decline import treat
from recoup.words import Decline

AT = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def published() -> list[dict[str, str]]:
    """What the vendors publish of their codes: not ours to ship."""
    given = os.environ.get("RECOUP_VENDOR_DATA")
    if not given:
        pytest.skip("RECOUP_VENDOR_DATA does not name the folder of vendors' decline codes")
    with (Path(given) / "data" / "decline_codes.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_published_code_is_known(published: list[dict[str, str]]) -> None:
    # A range is published as its first and its last code.
    codes = [(row["gateway"], code) for row in published for code in row["code"].split("-")]

    assert codes
    assert [code for code in codes if not treat(Decline(processor=code[0], code=code[1]), AT).known] == []


def test_what_its_publisher_calls_hard_or_fraud_is_never_simply_retried(published: list[dict[str, str]]) -> None:
    hard = [row for row in published if row["source_says"] in ("hard", "fraud")]
    retried = [row["code"] for row in hard if treat(Decline(processor=row["gateway"], code=row["code"]), AT).retry is Retry.ALLOWED]

    assert hard
    assert retried == []
