"""What every messenger must do. Subclass it, give it a ``bench``, and run it: see test_messengers.py."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from recoup.actions import Channel
from recoup.errors import Defect, MessagingUnavailable, OutcomeUnknown
from recoup.ids import new_id
from recoup.ports import Absent, Found, Indeterminate, Messenger, OutgoingMessage

BODY = "Dear Ada,\n.hidden dot\nSchöne Grüße\n"


@dataclass(frozen=True)
class Delivered:
    """One message as the other side holds it. ``name``: what it was named there; the action's id stands in it."""

    name: str
    to: str
    subject: str
    body: str


@dataclass(frozen=True)
class MessengerBench:
    """What a messenger's author supplies. ``away``: one pointed where nothing answers; ``lossy``: one whose messages arrive and whose
    answers are lost, None where that cannot be. ``ledger``: what the other side holds, of ``messenger`` and ``lossy`` together."""

    messenger: Messenger
    away: Messenger
    lossy: Messenger | None
    ledger: Callable[[], list[Delivered]]
    address: str = "ada@customer.example"
    no_addresses: tuple[str, ...] = ("no address", "a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example", "Ada <a@b.example>")

    def message(self, **changes: str) -> OutgoingMessage:
        channel = min(self.messenger.channels)
        given = {"action_id": new_id("action"), "channel": channel, "locale": "en", "to": self.address}
        return OutgoingMessage.model_validate(given | {"subject": "Your payment", "body": BODY} | changes)


class MessengerContract:
    """The suite. A subclass supplies the fixture ``bench``."""

    def test_it_claims_only_channels_that_exist(self, bench: MessengerBench) -> None:
        assert bench.messenger.channels
        assert bench.messenger.channels <= set(Channel)

    async def test_a_message_arrives_whole_and_is_named_after_its_action(self, bench: MessengerBench) -> None:
        message = bench.message()
        result = await bench.messenger.send(message)
        assert result.state == "done"
        [held] = bench.ledger()
        assert message.action_id in held.name
        assert (held.to, held.body) == (message.to, BODY)

    async def test_what_was_sent_is_never_absent_and_what_was_not_is_never_found(self, bench: MessengerBench) -> None:
        message = bench.message()
        assert isinstance(await bench.messenger.find(message.action_id), Absent | Indeterminate)
        await bench.messenger.send(message)
        assert isinstance(await bench.messenger.find(message.action_id), Found | Indeterminate)
        assert len(bench.ledger()) == 1

    async def test_what_is_no_address_is_refused_and_not_repeated(self, bench: MessengerBench) -> None:
        for address in bench.no_addresses:
            result = await bench.messenger.send(bench.message(to=address))
            assert result.state == "refused"
            assert address not in result.detail
        assert bench.ledger() == []

    async def test_nothing_can_be_slipped_in_through_the_subject(self, bench: MessengerBench) -> None:
        await bench.messenger.send(bench.message(subject="Hello\r\nBcc: all@customer.example\r\n\r\nboo"))
        [held] = bench.ledger()
        assert (held.to, held.body) == (bench.address, BODY)

    async def test_an_id_that_is_no_name_is_a_defect(self, bench: MessengerBench) -> None:
        with pytest.raises(Defect):
            await bench.messenger.send(bench.message(action_id="../../etc/passwd"))

    async def test_where_nothing_answers_it_was_surely_not_sent(self, bench: MessengerBench) -> None:
        with pytest.raises(MessagingUnavailable):
            await bench.away.send(bench.message())

    async def test_a_lost_answer_leaves_the_outcome_unknown_and_no_lookup_says_absent(self, bench: MessengerBench) -> None:
        if bench.lossy is None:
            pytest.skip("its answers cannot be lost")
        message = bench.message()
        with pytest.raises(OutcomeUnknown):
            await bench.lossy.send(message)
        lookup = await bench.messenger.find(message.action_id)
        assert not isinstance(lookup, Absent)
        # It is kept in rows that hold no personal data.
        assert bench.address not in lookup.model_dump_json()
