"""The Maildir, and SMTP against a mail server that can also misbehave, under the contract of messengers; and what is their own."""

import asyncio
import email
import email.policy
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import cast

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from recoup.errors import MessagingUnavailable, Misconfigured, OutcomeUnknown
from recoup.ids import new_id
from recoup.ports import Absent, Found, Indeterminate, OutgoingMessage
from tests.contract.messenger import Delivered, MessengerBench, MessengerContract
from tools.messaging.maildir import MaildirMessenger
from tools.messaging.smtp import SmtpMessenger
from tools.starting import started_only_while

SENDER = "billing@shop.example"


@dataclass
class MailServer:
    """A loopback mail server. ``behaviour`` names the one thing it does wrong; ``accepted`` is its ledger."""

    behaviour: str = "good"
    accepted: list[bytes] = field(default_factory=list[bytes])

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        match self.behaviour:
            case "reject recipient":
                return "550 5.1.1 no such mailbox"
            case "put recipient off":
                return "450 4.2.0 try later"
            case "drop at RCPT":
                cast("asyncio.Transport", server.transport).abort()
            case _:
                pass
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        match self.behaviour:
            case "reject text":
                return "554 5.7.1 no"
            case "put text off":
                return "451 4.3.0 try later"
            case "slow":
                await asyncio.sleep(0.6)
            case _:
                pass
        self.accepted.append(cast("bytes", envelope.content))
        if self.behaviour == "drop after DATA":
            cast("asyncio.Transport", server.transport).abort()
        return "250 OK"


class DroppingSmtp(SMTP):
    """Can hang up when it hears DATA, before it says go ahead."""

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if cast("MailServer", self.event_handler).behaviour == "drop at DATA":
            cast("asyncio.Transport", self.transport).abort()
            return
        await cast("Callable[[str], Awaitable[None]]", super().smtp_DATA)(arg)


@asynccontextmanager
async def serving(handler: MailServer) -> AsyncGenerator[str]:
    server = await asyncio.get_running_loop().create_server(lambda: DroppingSmtp(handler, hostname="mail.example"), "127.0.0.1", 0)
    async with server:
        yield f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def parsed(texts: list[bytes]) -> list[EmailMessage]:
    return [email.message_from_bytes(text, policy=email.policy.default) for text in texts]


def as_delivered(texts: list[bytes]) -> list[Delivered]:
    return [Delivered(mail["Message-ID"], mail["To"], mail["Subject"], mail.get_content().replace("\r\n", "\n")) for mail in parsed(texts)]


class TestMaildir(MessengerContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> MessengerBench:
        root, taken = tmp_path / "mail", tmp_path / "taken"
        taken.write_text("a file where the folder should be")
        return MessengerBench(
            messenger=MaildirMessenger(root, SENDER),
            away=MaildirMessenger(taken, SENDER),
            lossy=None,
            ledger=lambda: as_delivered([file.read_bytes() for file in sorted(root.glob("new/*"))]),
        )


class TestSmtp(MessengerContract):
    @pytest.fixture
    async def bench(self, unused_tcp_port: int) -> AsyncGenerator[MessengerBench]:
        server, forgetful = MailServer(), MailServer("drop after DATA")
        async with serving(server) as url, serving(forgetful) as lossy:
            yield MessengerBench(
                messenger=SmtpMessenger(url, SENDER),
                away=SmtpMessenger(f"smtp://127.0.0.1:{unused_tcp_port}", SENDER),
                lossy=SmtpMessenger(lossy, SENDER),
                ledger=lambda: as_delivered([*server.accepted, *forgetful.accepted]),
            )


def files_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def a_message(action_id: str | None = None, **changes: str) -> OutgoingMessage:
    given = {"to": "ada@customer.example", "subject": "Your payment", "body": "Dear Ada,\n.hidden dot\nSchöne Grüße\n"} | changes
    return OutgoingMessage.model_validate({"action_id": action_id or new_id("action"), "channel": "email", "locale": "en"} | given)


@asynccontextmanager
async def smtp() -> AsyncGenerator[tuple[SmtpMessenger, MailServer]]:
    server = MailServer()
    async with serving(server) as url:
        yield SmtpMessenger(url, SENDER), server


async def test_a_mail_says_from_whom_it_is_that_a_program_wrote_it_and_when() -> None:
    async with smtp() as (messenger, server):
        message = a_message()
        assert (await messenger.send(message)).vendor_ref == message.action_id
    [mail] = parsed(server.accepted)
    assert mail["Message-ID"] == f"<{message.action_id}@recoup.shop.example>"
    assert (mail["From"], mail["Subject"], mail["Auto-Submitted"]) == (SENDER, "Your payment", "auto-generated")
    assert mail["Date"].datetime is not None


@pytest.mark.parametrize("address", ["ada@", "@b.example", "ädä@b.example"])
async def test_half_an_address_is_none(address: str) -> None:
    async with smtp() as (messenger, server):
        assert (await messenger.send(a_message(to=address))).state == "refused"
    assert server.accepted == []


async def test_an_international_domain_is_written_to_in_its_ascii_form() -> None:
    async with smtp() as (messenger, server):
        await messenger.send(a_message(to="ada@bücher.example"))
    assert parsed(server.accepted)[0]["To"] == "ada@xn--bcher-kva.example"


async def test_the_maildir_takes_an_action_once(tmp_path: Path) -> None:
    messenger, message = MaildirMessenger(tmp_path, SENDER), a_message()
    await asyncio.gather(*(messenger.send(message) for _ in range(8)))
    assert files_in(tmp_path / "new") == [message.action_id]
    assert files_in(tmp_path / "tmp") == []


async def test_the_maildir_tells_what_was_delivered_even_after_a_reader_moved_it(tmp_path: Path) -> None:
    messenger, message = MaildirMessenger(tmp_path, SENDER), a_message()
    assert await messenger.find(message.action_id) == Absent()
    await messenger.send(message)
    assert isinstance(await messenger.find(message.action_id), Found)
    (tmp_path / "new" / message.action_id).rename(tmp_path / "cur" / f"{message.action_id}:2,S")
    assert isinstance(await messenger.find(message.action_id), Found)
    await messenger.send(message)
    assert files_in(tmp_path / "new") == []


async def test_a_mail_that_may_not_start_any_more_is_surely_not_sent() -> None:
    async with smtp() as (messenger, server):
        with started_only_while(lambda: False), pytest.raises(MessagingUnavailable):
            await messenger.send(a_message())
        await messenger.send(a_message())
    assert len(server.accepted) == 1


@pytest.mark.parametrize("behaviour", ["put recipient off", "drop at RCPT", "drop at DATA", "put text off"])
async def test_what_the_server_surely_did_not_take_may_be_sent_again(behaviour: str) -> None:
    server = MailServer(behaviour)
    async with serving(server) as url:
        with pytest.raises(MessagingUnavailable):
            await SmtpMessenger(url, SENDER).send(a_message())
    assert server.accepted == []


@pytest.mark.parametrize("behaviour", ["reject recipient", "reject text"])
async def test_what_the_server_will_never_take_is_refused(behaviour: str) -> None:
    server = MailServer(behaviour)
    async with serving(server) as url:
        result = await SmtpMessenger(url, SENDER).send(a_message())
    assert result.state == "refused"
    assert "customer.example" not in result.detail


@pytest.mark.parametrize("behaviour", ["drop after DATA", "slow"])
async def test_an_answer_lost_after_the_text_is_unknown_and_cannot_be_looked_up(behaviour: str) -> None:
    server, message = MailServer(behaviour), a_message()
    async with serving(server) as url:
        messenger = SmtpMessenger(url, SENDER, delivery_seconds=0.1)
        with pytest.raises(OutcomeUnknown):
            await messenger.send(message)
        lookup = await messenger.find(message.action_id)
    assert isinstance(lookup, Indeterminate)
    assert message.action_id in lookup.why
    assert "@" not in lookup.why  # it is kept in rows that hold no addresses


@pytest.mark.parametrize("url", ["http://mail.example", "smtp://", "mail.example:25"])
def test_a_url_that_names_no_mail_server_is_misconfigured(url: str) -> None:
    with pytest.raises(Misconfigured, match="RECOUP_SMTP_URL"):
        SmtpMessenger(url, SENDER)


async def test_mail_is_sent_under_a_name_where_one_is_given(tmp_path: Path) -> None:
    await MaildirMessenger(tmp_path, "The Shop <billing@shop.example>").send(a_message("act_1"))
    [mail] = parsed([(tmp_path / "new" / "act_1").read_bytes()])
    assert mail["From"] == "The Shop <billing@shop.example>"


@pytest.mark.parametrize("sender", ["", "nobody", "a@b.example, c@d.example", "a@b.example\nBcc: c@d.example"])
def test_a_sender_that_is_no_address_is_misconfigured(sender: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="RECOUP_MAIL_FROM"):
        MaildirMessenger(tmp_path, sender)
