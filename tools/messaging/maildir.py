"""Puts messages into a Maildir where no mail server is configured: idempotent, because a file is named after its action."""

import asyncio
import os
from pathlib import Path

from recoup.actions import Channel
from recoup.clock import wall_now
from recoup.errors import MessagingUnavailable
from recoup.ids import new_id
from recoup.ports import Absent, EffectLookup, EffectResult, Found, OutgoingMessage
from tools.messaging.mail import NotAnAddress, checked_action_id, compose, parse_address, parse_sender

FOLDERS = ("tmp", "new", "cur")


class MaildirMessenger:
    """A Messenger over a folder. A second message of the same action finds its name taken and changes nothing."""

    channels = frozenset({Channel.EMAIL.value})

    def __init__(self, root: Path, sender: str) -> None:
        self._sender = parse_sender(sender)
        self._root = root

    async def send(self, message: OutgoingMessage) -> EffectResult:
        """Delivers it; the file is on the disk, whole, when this returns."""
        try:
            to = parse_address(message.to)
        except NotAnAddress as exc:
            return EffectResult(state="refused", detail=str(exc))
        text = compose(message, self._sender, to, wall_now()).as_bytes()
        try:
            await asyncio.to_thread(self._write, checked_action_id(message.action_id), text)
        except OSError as exc:
            # Whatever failed, the name in new/ tells: either it is there, or the next try makes it.
            raise MessagingUnavailable(f"the mail folder cannot be written: {exc.strerror}") from exc
        return _delivered(message.action_id)

    async def find(self, action_id: str) -> EffectLookup:
        """Looks for the action's file, also where a mail reader has moved it."""
        try:
            present = await asyncio.to_thread(self._is_delivered, checked_action_id(action_id))
        except OSError as exc:
            raise MessagingUnavailable(f"the mail folder cannot be read: {exc.strerror}") from exc
        return Found(result=_delivered(action_id)) if present else Absent()

    def _write(self, name: str, text: bytes) -> None:
        for folder in FOLDERS:
            (self._root / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._is_delivered(name):
            return
        draft = self._root / "tmp" / f"{name}.{new_id('message')}"
        try:
            with draft.open("xb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            try:
                # Unlike a rename, a link refuses a name that exists: of two writers one delivers.
                os.link(draft, self._root / "new" / name)
            except FileExistsError:
                return
            _sync_folder(self._root / "new")
        finally:
            draft.unlink(missing_ok=True)

    def _is_delivered(self, name: str) -> bool:
        # new/ first: a reader moves files from there to cur/, so that one that moves meanwhile is still seen.
        return (self._root / "new" / name).exists() or (self._root / "cur" / name).exists() or any(self._root.glob(f"cur/{name}:*"))


def _delivered(action_id: str) -> EffectResult:
    return EffectResult(state="done", detail="delivered to the mail folder", vendor_ref=action_id)


def _sync_folder(folder: Path) -> None:
    """Makes the name itself survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
