"""What every platform that takes notes must do with them. Subclass it, give it a ``bench``, and run it: see test_billing_mirror.py."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
import pytest

from recoup.errors import BillingUnavailable, NotFound, OutcomeUnknown, Refused
from recoup.mirror import Addressee, MirrorNote
from recoup.ports import BillingPlatform


class LosesPosts(httpx.AsyncHTTPTransport):
    """What is written arrives; the answer to it does not."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if request.method == "GET":
            return response
        await response.aclose()
        raise httpx.ReadError("connection reset", request=request)


@dataclass(frozen=True)
class MirrorBench:
    """What an adapter's author supplies. ``to``: an invoice that is owed, and its account. ``deaf``: nobody listens there. ``lossy``: what
    is written arrives, and its answer is lost. ``shown``: what stands at the platform, oldest first. ``later``: time passes there."""

    platform: BillingPlatform
    deaf: BillingPlatform
    lossy: BillingPlatform
    to: Addressee
    shown: Callable[[], Awaitable[list[str]]]
    later: Callable[[], None]


def note_on(to: Addressee, what: str = "retry_payment 49.00 EUR (funds)", number: int = 1) -> MirrorNote:
    """The newest word on the case; ``number`` grows with the notes."""
    return MirrorNote(
        key=f"case_1:{number}:abcdef", to=to, case_id="case_1", decision_id=f"dec_{number}", status="open", next=what, last="nothing yet"
    )


class MirrorContract:
    """The suite. A subclass supplies the fixture ``bench``."""

    async def test_it_says_that_it_takes_notes(self, bench: MirrorBench) -> None:
        assert "note" in bench.platform.capabilities

    async def test_a_note_stands_there_once_however_often_it_is_written(self, bench: MirrorBench) -> None:
        note = note_on(bench.to)
        for _ in range(3):
            await bench.platform.mirror(note)
        [shown] = await bench.shown()
        assert all(part in shown for part in (note.case_id, note.status, note.next, note.last))

    async def test_the_same_said_by_another_decision_is_not_written_twice(self, bench: MirrorBench) -> None:
        for number in (1, 2):
            await bench.platform.mirror(note_on(bench.to, number=number))
            bench.later()
        assert len(await bench.shown()) == 1

    async def test_the_newest_note_is_what_stands_last(self, bench: MirrorBench) -> None:
        for number, what in enumerate(("retry_payment", "suspend_service", "retry_payment")):
            await bench.platform.mirror(note_on(bench.to, what, number))
            assert what in (await bench.shown())[-1]
            bench.later()

    async def test_a_note_whose_answer_was_lost_stands_there_once_after_it_is_written_again(self, bench: MirrorBench) -> None:
        with pytest.raises(OutcomeUnknown):
            await bench.lossy.mirror(note_on(bench.to))
        bench.later()
        await bench.platform.mirror(note_on(bench.to))
        assert len(await bench.shown()) == 1

    async def test_a_platform_that_is_away_surely_did_not_take_it(self, bench: MirrorBench) -> None:
        with pytest.raises(BillingUnavailable):
            await bench.deaf.mirror(note_on(bench.to))
        assert await bench.shown() == []

    async def test_it_changes_nothing_of_what_is_owed(self, bench: MirrorBench) -> None:
        before = await bench.platform.read_invoice(bench.to.invoice_vendor_id)
        await bench.platform.mirror(note_on(bench.to))
        after = await bench.platform.read_invoice(bench.to.invoice_vendor_id)
        assert (after.attempts, after.credentials) == (before.attempts, before.credentials)
        assert after.invoice
        assert before.invoice
        untimed = {"observed_at", "revision"}
        assert after.invoice.model_dump(exclude=untimed) == before.invoice.model_dump(exclude=untimed)

    async def test_what_is_not_there_takes_no_note(self, bench: MirrorBench) -> None:
        nowhere = Addressee(invoice_vendor_id="in_none", account_vendor_id="nobody1")
        with pytest.raises((NotFound, Refused)):
            await bench.platform.mirror(note_on(nowhere))
