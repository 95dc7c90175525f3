"""Every vendor payload that we have is read as its hand-written row says. The payloads are not ours to ship: RECOUP_VENDOR_DATA names
their folder, and without it these tests are skipped."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from recoup.events import Reading
from recoup.masking import mask_cards
from recoup.settings import Platform
from tests.contract.vendor_rows import STRIPE, Row
from tests.contract.vendor_rows_recurly import RECURLY
from tools.billing.stripe_types import TYPES, reason_to_ignore
from tools.billing.webhook import FORMATS

ROWS = {Platform.STRIPE: STRIPE, Platform.RECURLY: RECURLY}
ALL = [pytest.param(platform, row, id=f"{platform}/{row.file}") for platform, rows in ROWS.items() for row in rows]


@pytest.fixture(scope="module")
def vendor_data() -> Path:
    """The folder with ``webhooks/`` and ``specs/``."""
    given = os.environ.get("RECOUP_VENDOR_DATA")
    if not given:
        pytest.skip("RECOUP_VENDOR_DATA does not name the folder of vendor payloads")
    return Path(given)


def payload_of(folder: Path, platform: Platform, file: str) -> tuple[str, str]:
    """The payload and its content type."""
    content_type = "application/json" if file.endswith(".json") else "application/xml"
    return (folder / "webhooks" / platform / file).read_text(encoding="utf-8"), content_type


@pytest.mark.parametrize(("platform", "row"), ALL)
def test_the_payload_is_read_as_its_row_says(vendor_data: Path, platform: Platform, row: Row) -> None:
    payload, content_type = payload_of(vendor_data, platform, row.file)
    form = FORMATS[platform]
    reading = form.read(payload, content_type)
    identity = form.identify(payload, content_type)
    assert as_row(row.file, row, reading) == row.model_dump()
    assert identity[1:] == (row.type, row.livemode)


@pytest.mark.parametrize(("platform", "row"), ALL)
def test_the_payload_holds_no_card_number_and_is_kept_as_it_came(vendor_data: Path, platform: Platform, row: Row) -> None:
    payload, _ = payload_of(vendor_data, platform, row.file)
    assert mask_cards(payload) == payload


@pytest.mark.parametrize("platform", ROWS)
def test_every_payload_has_exactly_one_row(vendor_data: Path, platform: Platform) -> None:
    files = sorted(path.name for path in (vendor_data / "webhooks" / platform).iterdir() if path.suffix in {".json", ".xml"})
    assert sorted(row.file for row in ROWS[platform]) == files


def test_every_event_type_of_stripes_specification_is_read_or_ignored_on_purpose(vendor_data: Path) -> None:
    specification = (vendor_data / "specs" / "stripe.json").read_text(encoding="utf-8")
    enumerations = re.findall(r'"enum":\s*\[\s*"\*",([^\]]*)\]', specification)
    listed = set(re.findall(r'"([a-z_.]+)"', " ".join(enumerations)))
    assert len(listed) > 200
    assert [name for name in sorted(listed) if name not in TYPES and reason_to_ignore(name) is None] == []


def as_row(file: str, expected: Row, reading: Reading) -> dict[str, Any]:
    """What was read, in the words of a row."""
    invoice, attempt = reading.invoice, next(iter(reading.attempts), None)
    assert len(reading.attempts) <= 1
    because = reading.ignored_because
    if because is not None and expected.because is not None and expected.because in because:
        because = expected.because
    money = ("number", "status", "currency")
    minor = ("total", "tax", "due", "paid", "remaining", "refunded")
    return Row(
        file=file,
        type=reading.event_type,
        end="ignored" if reading.ignored_because else "dead" if reading.fetch else "processed",
        kind=reading.kind,
        because=because,
        fetch=f"{reading.fetch.kind} {reading.fetch.vendor_id}" if reading.fetch else None,
        account=reading.account.vendor_id if reading.account else None,
        invoice=invoice.vendor_id if invoice else None,
        collection=invoice.collection_method if invoice else None,
        reason=invoice.billing_reason if invoice else None,
        subscription=reading.subscription_vendor_id,
        cancellation=reading.cancellation,
        attempt=(attempt.vendor_key, attempt.status, attempt.amount_minor or 0) if attempt else None,
        codes=attempt.codes.model_dump(exclude_none=True) if attempt and attempt.codes else None,
        credentials=tuple(credential.vendor_id for credential in reading.credentials),
        charge=reading.charge_vendor_id,
        intent=reading.intent_vendor_id,
        livemode=reading.livemode,
        **{name: getattr(invoice, name, None) for name in money},
        **{name: getattr(invoice, f"{name}_minor", None) for name in minor},
    ).model_dump()
